"""What asked for the work in hand. It is kept with the jobs that the work adds, so that a request can be followed
through everything that came of it."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """`request_id`: the id under which logs have all of it. `traceparent`: its span, as W3C Trace Context writes it."""

    request_id: str | None = None
    traceparent: str | None = None


NOBODY = Origin()

_origin: ContextVar[Origin] = ContextVar("origin", default=NOBODY)

origin = _origin.get
"""What asked for the work in hand; NOBODY if that is not known."""


def work_for(asker: Origin) -> None:
    """From now on this task, and what it starts, does what it does for `asker`."""
    _origin.set(asker)
