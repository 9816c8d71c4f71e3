"""A feed of files, its folder, and its jobs done one after the other."""

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from alliance.file import apply, parse
from alliance.runtime import Runtime
from domain.database import Database
from domain.events.commands import add_jobs
from domain.events.model import NewJob
from tests.workers.support import all_jobs, mark_handed_out
from workers.actor import Actor, work_off
from workers.actors import all_actors
from workers.feeds.files import Sources

SECRET = b"s" * 32
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SAMPLE = (Path(__file__).parents[2] / "server" / "samples" / "demo.yaml").read_text()
TILLS = """
feeds:
  - code: tills
    merchant: grocer
    url: file://FOLDER
    files: "*.csv"
    format: csv
    columns: {key: receipt, member: card, amount: total, occurredAt: at}
    constants: {memberType: CARD, channel: STORE}
"""


class Desk:
    """A runtime with a feed, its folder, and the jobs done one after the other."""

    def __init__(self, runtime: Runtime, database: Database, folder: Path) -> None:
        self.runtime, self.database, self.folder = runtime, database, folder
        self.actors: Mapping[str, Actor] = all_actors(SECRET, sources=Sources((f"file://{folder}",), timedelta(0)))
        self.now = NOW

    async def declare(self, feeds: str, sample: str = SAMPLE) -> None:
        async with self.database.transaction() as session:
            file = parse(sample + feeds.replace("FOLDER", str(self.folder)), "test.yaml")
            plan = await apply(session, file, NOW)
            assert not plan.refused, plan.lines()
        await self.runtime.refresh()

    async def look(self) -> None:
        """Look twice: what has not changed between is taken; then do all there is to do."""
        for _ in range(2):
            self.now += timedelta(minutes=1)
            async with self.database.transaction() as session:
                await add_jobs(session, [NewJob("feeds", {"as_of": self.now.isoformat()})])
            await self.drain()

    async def drain(self) -> None:
        """Do jobs until none is left."""
        while await self.drain_once():
            pass

    async def drain_once(self, *actors: str) -> bool:
        """Do the jobs that there are (of these actors); whether there were any."""
        await mark_handed_out(self.database)
        jobs = [job for job in await all_jobs(self.database) if job.failed_at is None]
        jobs = [job for job in jobs if not actors or job.actor in actors]
        for job in jobs:
            await work_off(self.runtime, self.actors[job.actor], [job.id])
        return bool(jobs)

    async def start(self, *actors: str) -> None:
        """Look once, and do the jobs of these actors, one after the other."""
        async with self.database.transaction() as session:
            await add_jobs(session, [NewJob("feeds", {"as_of": self.now.isoformat()})])
        for actor in actors:
            await self.drain_once(actor)

    async def rows(self, sql: str, **named: Any) -> list[tuple[Any, ...]]:
        async with self.database.session() as session:
            return [tuple(row) for row in await session.execute(text(sql), named)]

    async def runs(self) -> list[tuple[Any, ...]]:
        """File, status, read, posted, duplicate, refused."""
        return await self.rows("SELECT file, status, read, posted, duplicate, refused FROM accrual_run ORDER BY id")


def table(*rows: tuple[Any, ...]) -> str:
    page = io.StringIO()
    csv.writer(page).writerows(rows)
    return page.getvalue()


HEAD = ("receipt", "card", "total", "at")
AT = "2026-11-01T09:30:00"
