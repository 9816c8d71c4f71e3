"""Files of feeds: their folders are looked into, each new file is cut, and its parts are posted.

What is read goes through the intake, as a feed's lines do. A part notes how far it is after every batch, so that a job
begun anew goes on from there; what it had posted and not noted is recognised by its keys.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.accrual import commands, queries
from alliance.accrual.errors import FileChanged
from alliance.accrual.model import AccrualPart, AccrualRun, AccrualUndo, FeedRow, RunStatus
from alliance.accrual.rules import Entry, FeedMapping
from alliance.accrual.undo import cut_undo, finish_undo, undo_some
from alliance.intake.commands import Chunk, post, prepare
from alliance.runtime import Runtime
from domain.errors import Refusal
from domain.events.commands import add_jobs
from domain.events.model import HeldJob, NewJob
from domain.events.progress import add_group
from workers.actor import Actor
from workers.feeds.cutting import cut_file
from workers.feeds.files import Sources
from workers.feeds.reading import BATCH, rows_of

log = structlog.get_logger("worker")

Failed = Mapping[UUID, Exception]


@dataclass(frozen=True, slots=True)
class Feeds:
    """The actors of feeds. `secret` is that of the fingerprints of keys."""

    secret: bytes
    sources: Sources

    def actors(self) -> tuple[Actor, ...]:
        """All of them."""
        return (
            Actor("feeds", look_everywhere),
            Actor("feed_look", self.look),
            Actor("feed_file", self.cut),
            Actor("feed_part", self.work, time_limit=1800.0),
            Actor("undo_run", undo_run),
            Actor("undo_range", undo_range),
        )

    async def look(self, runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Failed:
        """Look into the folder of a feed, and start a run for each file that is there whole. Args: {feed, as_of}.

        A folder that cannot be reached is looked into again the next time: the feed's row says what the trouble is.
        """
        for job in jobs:
            as_of = datetime.fromisoformat(job.args["as_of"])
            feed = await session.scalar(select(FeedRow).where(FeedRow.code == job.args["feed"]))
            if feed is None:
                continue
            trouble = None
            try:
                found = await asyncio.to_thread(
                    self.sources.seen, feed.definition["url"], feed.definition.get("files", "*")
                )
            except Refusal as refusal:
                trouble = f"{refusal.code}: {refusal.message()}"
            except Exception as fault:
                trouble = f"{type(fault).__name__}: {fault}".partition("\n")[0][:500]
            else:
                runs = await commands.take_files(session, feed, found, as_of, self.sources.settle)
                for run_id in runs:
                    log.info("file taken", feed=feed.code, run=str(run_id))
            if trouble is not None:
                log.warning("folder not looked into", feed=feed.code, reason=trouble)
            feed.looked_at, feed.trouble = as_of, trouble
        return {}

    async def cut(self, runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Failed:
        """Cut the file of a run, a job for each part. Args: {run}."""
        await runtime.refresh()
        for job in jobs:
            run = await session.get(AccrualRun, UUID(job.args["run"]))
            if run is None or run.status != RunStatus.TAKEN:
                continue
            as_of = datetime.now(UTC)
            try:
                cut = await asyncio.to_thread(self._cut, runtime, run)
                await commands.begin_parts(session, run, cut, as_of)
                log.info("file cut", run=str(run.id), parts=len(cut.parts))
            except Refusal as refusal:
                status = RunStatus.FAILED if isinstance(refusal, FileChanged) else RunStatus.REFUSED
                await self._end(session, run.id, status, refusal, as_of)
        return {}

    def _cut(self, runtime: Runtime, run: AccrualRun) -> commands.Cut:
        url = run.definition["url"]
        with self.sources.opened(url, run.file, run.stamp) as file:
            cut = cut_file(file, run.definition, lambda columns: _mapping(runtime, run, columns))
        if self.sources.stamp(url, run.file) != run.stamp:
            raise FileChanged(path=(run.file,))
        return cut

    async def work(self, runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Failed:
        """Post a part of a run's file, from where it is; the last part closes the run. Args: {run, part}."""
        await runtime.refresh()
        for job in jobs:
            run_id, number = UUID(job.args["run"]), job.args["part"]
            run = await session.get(AccrualRun, run_id)
            part = await session.get(AccrualPart, (run_id, number))
            if run is None or part is None or part.done or run.status != RunStatus.RUNNING:
                continue
            try:
                await self._post(runtime, run, part)
            except Refusal as refusal:
                await self._end(session, run_id, RunStatus.FAILED, refusal, datetime.now(UTC))
                continue
            if await commands.finish_part(session, run_id, number, datetime.now(UTC)):
                log.info("run done", run=str(run_id))
        return {}

    async def _post(self, runtime: Runtime, run: AccrualRun, part: AccrualPart) -> None:
        """Batch after batch: the next one is read and prepared while one is posted. Raises FileChanged, OSError."""
        sender = commands.sender_of(run, self.secret)
        mapping = _mapping(runtime, run, run.columns or ())
        async with self._chunks(run, part, mapping) as chunks:

            async def prepared() -> tuple[list[Entry], Chunk] | None:
                entries = await asyncio.to_thread(next, chunks, None)
                if entries is None:
                    return None
                marks = [_mark(run.id, entry) for entry in entries]
                lines = [entry.said for entry in entries]
                return entries, await prepare(runtime, sender, lines, datetime.now(UTC), marks)

            coming = asyncio.create_task(prepared())
            try:
                while (ready := await coming) is not None:
                    entries, chunk = ready
                    coming = asyncio.create_task(prepared())
                    answers = await post(runtime, sender, chunk)
                    last = entries[-1].rows[-1]
                    async with runtime.database.transaction() as noting:
                        made, refusals = await commands.tally(noting, run.id, mapping, entries, answers)
                        await commands.note_progress(noting, part, last.end, last.next_line, made, refusals)
                    part.position = last.end
            finally:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)

    @asynccontextmanager
    async def _chunks(
        self, run: AccrualRun, part: AccrualPart, mapping: FeedMapping
    ) -> AsyncIterator[Iterator[list[Entry]]]:
        """What is left of a part, in batches that are read by whoever asks for the next: in a thread."""
        place = (part.position, part.stop, part.line)

        def read() -> Iterator[list[Entry]]:
            with self.sources.opened(run.definition["url"], run.file, run.stamp) as file:
                entries = mapping.entries(rows_of(file, run.definition, run.columns or (), *place))
                while some := list(islice(entries, BATCH)):
                    yield some

        chunks = read()
        try:
            yield chunks
        finally:
            await asyncio.to_thread(chunks.close)  # type: ignore[attr-defined]

    async def _end(
        self, session: AsyncSession, run_id: UUID, status: RunStatus, refusal: Refusal, as_of: datetime
    ) -> None:
        await commands.end_run(session, run_id, status, refusal, as_of)
        log.warning("run ended", run=str(run_id), status=status.value, reason=refusal.code)


async def look_everywhere(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Failed:
    """Add a job for each feed, whose folder is to be looked into: none waits for another. Args: {as_of}."""
    for job in jobs:
        looks = [
            NewJob("feed_look", {"feed": feed.code, "as_of": job.args["as_of"]}, dedupe=f"look {feed.code}")
            for feed in await queries.feeds(session)
        ]
        await add_jobs(session, looks)
    return {}


async def undo_run(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Failed:
    """Cut what a run booked into ranges of lines, a job for each. Args: {run}."""
    for job in jobs:
        firsts = await cut_undo(session, UUID(job.args["run"]))
        cut = zip(firsts, [*firsts[1:], None], strict=True)
        args = [{"run": job.args["run"], "first": first, "before": before} for first, before in cut]
        await add_group(session, job, "undo_run", [NewJob("undo_range", one, queue="bulk") for one in args])
        if not args:
            await finish_undo(session, UUID(job.args["run"]), datetime.now(UTC))
    return {}


async def undo_range(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Failed:
    """Reverse what a run booked for lines from `first` to before `before` (null: to the last). Args: {run, ...}."""
    await runtime.refresh()
    for job in jobs:
        run_id = UUID(job.args["run"])
        run, undo = await session.get(AccrualRun, run_id), await session.get(AccrualUndo, run_id)
        if run is None or undo is None or run.status != RunStatus.UNDOING:
            continue
        while await undo_some(runtime, run, undo, job.args["first"], job.args["before"]):
            pass
        if await finish_undo(session, run_id, datetime.now(UTC)):
            log.info("run undone", run=str(run_id))
    return {}


def _mapping(runtime: Runtime, run: AccrualRun, columns: Sequence[str]) -> FeedMapping:
    catalogue = runtime.catalogue
    merchant = catalogue.merchants_by_id[run.merchant_id]
    return FeedMapping.of(
        run.definition,
        merchant=merchant.code,
        digest=run.digest or "",
        columns=columns,
        zone=merchant.timezone,
        money=catalogue.alliance.settlement_currency,
    )


def _mark(run_id: UUID, entry: Entry) -> commands.Booked:
    said = entry.said
    return commands.Booked(run_id, entry.line, "" if isinstance(said, Refusal) else said.key)
