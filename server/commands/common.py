"""What all commands share: their options, how they answer, and how they come by servers."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
import typer
from pydantic import ValidationError
from rich.console import Console

from server.settings import Settings, get_settings

if TYPE_CHECKING:
    from alliance.runtime import Runtime
    from domain.database import Database
    from server.embedded import Services

DONE, NO, WRONG_USE, UNAVAILABLE = 0, 1, 2, 3
"""Exit codes: done; the answer is no; wrong use; a dependency is not there."""

Result = TypeVar("Result")


class Failure(Exception):
    """Ends a command with a message and an exit code; `code` is for programs."""

    def __init__(self, message: str, *, exit_code: int, code: str) -> None:
        self.exit_code, self.code = exit_code, code
        super().__init__(message)


class Unavailable(Failure):
    """A dependency is not there."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_code=UNAVAILABLE, code="UNAVAILABLE")


class WrongUse(Failure):
    """The command was asked for something that makes no sense."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_code=WRONG_USE, code="WRONG_USE")


def _set_home(home: Path | None) -> Path | None:
    if home is not None:
        os.environ["TESSERA_HOME"] = str(home)
    return home


Home = Annotated[
    Path | None,
    typer.Option(
        "--home", help="Data folder of the embedded servers [default: $TESSERA_HOME or ~/.tessera].", callback=_set_home
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output; logs go to standard error.")
]


def aware(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time such as 2026-11-01T00:00:00+01:00") from None
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} lacks its offset, such as +01:00 or Z")
    return moment


AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", parser=aware, metavar="TIME", help="As if it were this time, RFC 3339 [default: now]."),
]


def now() -> datetime:
    """The time at this edge; what is inside is told."""
    return datetime.now(UTC)


def say(text: str) -> None:
    """Tell the person at the terminal, aside from the answer."""
    print(text, file=sys.stderr, flush=True)


def answer(data: Mapping[str, Any], as_json: bool, show: Callable[[Console], None]) -> None:
    """Print a command's answer: `data` as JSON, or what `show` prints."""
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(data, default=str) + b"\n")
        sys.stdout.flush()
    else:
        show(Console(highlight=False))


def settings_or_fail() -> Settings:
    """The settings. Raises WrongUse, naming each variable that is wrong."""
    try:
        return get_settings()
    except ValidationError as error:
        wrong = [f"TESSERA_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        raise WrongUse("; ".join(wrong)) from None


@contextmanager
def servers(command: str, *, redis: bool = False, migrated: bool = True) -> Iterator[Settings]:
    """Settings whose URLs are those of running servers: one's own, those of a running `tessera up`, or new ones that
    run as long as the block. If it is to be `migrated`, an embedded database is, and one's own must be.

    Raises Unavailable.
    """
    settings = settings_or_fail()
    if settings.database_url is not None and (settings.redis_url is not None or not redis):
        if migrated:
            check_database(settings)
        yield settings
        return
    with start(settings, command) as services:
        found = located(settings, services)
        if migrated:
            prepare_database(settings, found)
        yield found


def start(settings: Settings, command: str) -> "Services":
    """The embedded servers that the settings do not replace, running. Raises Unavailable."""
    from server.embedded import ServicesError, start_services

    try:
        return start_services(
            settings.home,
            owner=command,
            with_postgres=settings.database_url is None,
            with_valkey=settings.redis_url is None,
            say=say,
        )
    except (ServicesError, OSError) as error:
        raise Unavailable(str(error)) from error


def located(settings: Settings, services: "Services") -> Settings:
    """The settings, with the URLs of the embedded servers where they name none."""
    database_url = settings.database_url or services.database_url
    redis_url = settings.redis_url or services.redis_url
    return settings.model_copy(update={"database_url": database_url, "redis_url": redis_url})


def prepare_database(settings: Settings, found: Settings) -> None:
    """Migrate an embedded database; check one's own. `found` has the URL in either case."""
    if settings.database_url is None:
        migrate(found)
    else:
        check_database(found)


def migrate(settings: Settings) -> tuple[str | None, str | None]:
    """Run the migrations; returns the revisions before and after. Raises Unavailable."""
    from server.migrate import upgrade

    return asyncio.run(_reaching(settings, lambda url: upgrade(url, settings.keys())))


def check_database(settings: Settings) -> None:
    """Raises Unavailable if the database does not answer or lacks migrations."""
    from server.migrate import lacks_migrations

    if asyncio.run(_reaching(settings, lacks_migrations)):
        raise Unavailable(f"the database at {shown(settings)} lacks migrations: run `tessera migrate`")


async def _reaching(settings: Settings, use: Callable[[str], Awaitable[Result]]) -> Result:
    """What `use` makes of the database's URL. Raises Unavailable if the database cannot be reached."""
    import asyncpg
    from sqlalchemy.exc import DBAPIError

    assert settings.database_url is not None
    try:
        return await use(settings.database_url)
    except (OSError, TimeoutError, asyncpg.PostgresError, DBAPIError) as error:
        cause = getattr(error, "orig", None) or error
        raise Unavailable(
            f"the database at {shown(settings)} does not answer: {str(cause) or type(cause).__name__}"
        ) from error


def shown(settings: Settings) -> str:
    """The database's URL, without its password."""
    from sqlalchemy import make_url

    return make_url(settings.database_url or "").render_as_string(hide_password=True)


def with_database(settings: Settings, use: Callable[["Database"], Awaitable[Result]]) -> Result:
    """Run `use` with an open database, to its end."""
    from domain.database import Database

    async def run() -> Result:
        database = Database(settings.database_url or "", keys=settings.keys())
        try:
            return await use(database)
        finally:
            await database.close()

    return asyncio.run(run())


def with_runtime(settings: Settings, use: Callable[["Runtime"], Awaitable[Result]]) -> Result:
    """Run `use` with an open runtime, to its end."""
    import uvloop

    from alliance.runtime import Runtime

    async def run() -> Result:
        async with Runtime.open(settings.database_url or "", keys=settings.keys()) as runtime:
            return await use(runtime)

    return uvloop.run(run())
