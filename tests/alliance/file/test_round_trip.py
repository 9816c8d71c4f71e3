"""What was applied can be written back: its export is the same alliance, and applying it again changes nothing."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from hypothesis import given, settings

from alliance.file import apply, export, parse
from alliance.file.changes import lay_out
from domain.database import Database
from tests.alliance.file.alliances import SMALL, alliances, written

NOW = datetime(2017, 1, 1, tzinfo=UTC)


async def check_round_trip(database: Database, text: str) -> None:
    """Apply, export and apply again, in a transaction that is undone."""
    file = parse(text, "written.yaml")
    async with database.session() as session:
        first = await apply(session, file, NOW)
        assert {change.action for change in first.changes} <= {"create", "supersede"}
        assert {change.action for change in (await apply(session, file, NOW)).changes} == {"unchanged"}

        exported = await export(session)
        again = parse(exported, "exported.yaml")
        assert _bodies(again.document) == _bodies(file.document)
        second = await apply(session, again, NOW)
        assert {change.action for change in second.changes} == {"unchanged"}
        assert await export(session) == exported
        await session.rollback()


def _bodies(document: Any) -> dict[Any, Any]:
    return {place: (entry.body, entry.starts, entry.zone) for place, entry in lay_out(document).items()}


async def test_the_sample_alliance(database: Database) -> None:
    await check_round_trip(database, (resources.files("server.samples") / "demo.yaml").read_text())


async def test_a_small_alliance(database: Database) -> None:
    await check_round_trip(database, SMALL)


async def test_any_alliance(database: Database) -> None:
    loop = asyncio.get_running_loop()

    @settings(max_examples=15)
    @given(alliances())
    def any_alliance(values: dict[str, Any]) -> None:
        wait(check_round_trip(database, written(values)))

    def wait(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(60)

    run: Callable[[], None] = any_alliance
    await asyncio.to_thread(run)


async def test_nothing_applied_is_an_empty_file(database: Database) -> None:
    async with database.session() as session:
        assert await export(session) == ""
