"""Logs: structlog to standard error, readable text or JSON lines, the standard library's loggers included."""

import logging
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from domain.events.origin import origin
from server.settings import Settings

# They say at INFO what we say ourselves, or what nobody asked.
QUIET = ("uvicorn", "asyncio", "alembic", "dramatiq", "urllib3", "httpx", "httpcore")


def configure_logs(settings: Settings, role: str) -> None:
    """Set up the logs of this process; every entry carries `role` (api, worker, ...)."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True) if settings.log_json else _clock,
        _with_role(role),
        _with_origin,
    ]
    renderer = _json() if settings.log_json else _text()
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _with_role(role: str) -> Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["role"] = role
        return event

    return add


def _with_origin(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Whom the work is done for, and its trace."""
    asker = origin()
    if asker.request_id is not None:
        event.setdefault("request_id", asker.request_id)
    if asker.traceparent is not None:
        event.setdefault("trace_id", asker.traceparent.split("-")[1])
    return event


_clock = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)


def _json() -> list[Processor]:
    # Without the local variables: they may hold personal data.
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]


def _text() -> list[Processor]:
    column, plain, bare = structlog.dev.Column, structlog.dev.KeyValueColumnFormatter, structlog.dev.plain_traceback
    colours = sys.stderr.isatty()
    styles = structlog.dev.ConsoleRenderer.get_default_column_styles(colours)

    def shown(style: str, width: int = 0) -> structlog.dev.KeyValueColumnFormatter:
        return plain(key_style=None, value_style=style, reset_style=styles.reset, value_repr=str, width=width)

    columns = [
        column("timestamp", shown(styles.timestamp)),
        column("role", shown(styles.logger_name, width=9)),
        column(
            "level",
            structlog.dev.LogLevelColumnFormatter(
                structlog.dev.ConsoleRenderer.get_default_level_styles(colours), styles.reset, width=8
            ),
        ),
        column("event", shown(styles.bright)),
        column(
            "", plain(key_style=styles.kv_key, value_style=styles.kv_value, reset_style=styles.reset, value_repr=str)
        ),
    ]
    return [structlog.dev.ConsoleRenderer(columns=columns, exception_formatter=bare)]
