"""A file is reconciled: read, taken into the database, matched in passes, and what came of it is kept.

What is matched lies in temporary tables of one connection, each statement by itself; what is kept is kept in one
transaction at the end. Whoever dies before that leaves nothing, and another begins anew.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.calendar import Calendar
from alliance.partnerfiles import keeping, matching
from alliance.partnerfiles.commands import content
from alliance.partnerfiles.errors import PartnerFileUnreadable
from alliance.partnerfiles.matching import By, Period
from alliance.partnerfiles.model import FileStatus, PartnerFile
from alliance.partnerfiles.parsing import House, Line, Parser, Problem
from alliance.partnerfiles.reading import format_of, records
from alliance.partnerfiles.shape import OWN, STATEMENT, Shape
from alliance.settlement.model import SettlementCycle
from alliance.statements.queries import pseudonyms
from domain.database import Database
from domain.errors import NotFound, Refusal
from domain.programs.catalogue import Alliance, Catalogue, Merchant

BATCH = 5000
"""Lines that are read, sent to the database and forgotten at a time."""

MEMORY = "256MB"
"""What one sort or hash of a match may take; beyond it the database uses its disk."""

Progress = Callable[[str, int, int], None]


def quiet(step: str, done: int, total: int) -> None:
    """Nobody asked."""


class Refused(Exception):
    """The file was refused whole: why, and what is wrong with its lines."""

    def __init__(self, refusal: Refusal, problems: Sequence[Problem]) -> None:
        super().__init__(refusal.message())
        self.refusal, self.problems = refusal, problems


@dataclass(frozen=True, slots=True)
class Live:
    """A reconciled file of the same merchant, near the period."""

    id: UUID
    number: int
    day: date | None
    other_id: UUID | None


def shape_of(merchant: Merchant, name: str, path: Path) -> Shape:
    """How a file of a merchant is written. Raises NotFound for a mapping that it has not."""
    if name == OWN:
        return Shape.of(OWN, STATEMENT[format_of(path)], merchant.timezone)
    definition = merchant.partner_files.get(name)
    if definition is None:
        raise NotFound(what="mapping", path=("mapping",))
    return Shape.of(name, definition, merchant.timezone)


def house_of(catalogue: Catalogue, merchant: Merchant) -> House:
    """What a parser knows of the alliance."""
    alliance = catalogue.alliance
    ids = {alliance.code: alliance.id} | {code: one.id for code, one in catalogue.merchants.items()}
    return House(merchant.code, ids, alliance.settlement_currency)


async def reconcile(
    database: Database, catalogue: Catalogue, file_id: UUID, as_of: datetime, progress: Progress = quiet
) -> None:
    """Reconcile a file that was submitted. Raises Refused; what it is refused for is for the caller to keep."""
    async with database.reader() as session:
        file = await session.get(PartnerFile, file_id)
    if file is None or file.cycle_id is None:
        raise NotFound(what="file", path=("file",))
    merchant = catalogue.merchants_by_id[file.merchant_id]
    with tempfile.TemporaryDirectory(prefix="tessera-") as folder:
        path = Path(folder) / "file"
        await _fetch(database, file_id, path)
        try:
            shape = shape_of(merchant, file.mapping or OWN, path)
        except Refusal as refusal:
            raise Refused(refusal, ()) from None
        await _reconcile(database, catalogue, file, path, shape, as_of, progress)


async def _fetch(database: Database, file_id: UUID, path: Path) -> None:
    async with database.reader() as session:
        with path.open("wb") as copy:
            async for part in content(session, file_id):
                copy.write(part)


async def _reconcile(
    database: Database, catalogue: Catalogue, file: PartnerFile, path: Path, shape: Shape, as_of: datetime,
    progress: Progress,
) -> None:  # fmt: skip
    merchant = catalogue.merchants_by_id[file.merchant_id]
    async with _working(database, file.merchant_id) as (session, connection):
        parser = Parser(shape, house_of(catalogue, merchant))
        try:
            await _take_theirs(connection, parser, path, progress)
        except Refusal as refusal:
            raise Refused(refusal, parser.tally.kept) from None
        taken = parser.shape.columns
        by = By(
            kind="kind" in taken,
            other="partner" in taken or "debtor" in taken or shape.partner is not None,
            day="date" in taken,
            amount=shape.tolerance.amount,
            days=shape.tolerance.days,
        )
        cycle, cycles = await _cycles(session, file, merchant)
        live = await _live(session, file, cycle.number)
        keys = await _keys(database, catalogue, merchant)
        zone = str(shape.zone)
        since, before = (None, None) if file.day is None else bounds_of(file.day, merchant)
        period = Period(file.merchant_id, file.other_id, cycles, since, before, zone, keys)
        progress("match", 1, 3)
        await _match(connection, session, file, period, by, shape, cycle, live)
        progress("match", 2, 3)
        waits_since = _waits_since(shape, file, merchant, cycle, as_of)
        await matching.rest(connection, waits_since)
        progress("keep", 3, 3)
        async with session.begin():
            made = await keeping.totals(session)
            values = {
                "lines": parser.tally.lines,
                "amount": parser.tally.amount,
                "tolerated": made.tolerated,
                "outcomes": made.outcomes,
                "step": "",
                "done": 0,
                "total": 0,
            }
            if not file.dry_run:
                gone = [one.id for one in live if _superseded(one, file, cycle.number)]
                due_at = second_cut_off(catalogue.alliance, cycle, as_of)
                await keeping.keep(session, file, gone, due_at, as_of)
            await keeping.conclude(session, file, values, catalogue.alliance.id, cycle.number, as_of)


@asynccontextmanager
async def _working(database: Database, merchant_id: UUID) -> AsyncIterator[tuple[AsyncSession, asyncpg.Connection]]:
    """A connection with the tables of a match, as a session and bare; of a merchant one file is worked on at a time."""
    async with database.engine.connect() as pooled:
        raw = (await pooled.get_raw_connection()).driver_connection
        assert raw is not None
        lock = merchant_id.int & (2**63 - 1)
        await raw.execute("SELECT pg_advisory_lock($1)", lock)
        try:
            await raw.execute(f"SET work_mem = '{MEMORY}'; {matching.CREATE}")
            # Its transaction is begun where it is said, and nowhere else.
            async with AsyncSession(bind=pooled, expire_on_commit=False) as session:
                yield session, raw
        finally:
            if not raw.is_closed():
                await raw.execute("DISCARD TEMP; RESET work_mem")
                await raw.execute("SELECT pg_advisory_unlock($1)", lock)


async def _take_theirs(connection: asyncpg.Connection, parser: Parser, path: Path, progress: Progress) -> None:
    """The lines of the file as a table. Raises a Refusal: nothing of a file is matched if a line cannot be read."""
    size = _size(path)
    lines = parser.lines(records(path, parser.shape, lambda done: progress("read", done, size)))

    async def rows() -> AsyncIterator[tuple[Any, ...]]:
        while some := await asyncio.to_thread(_batch, lines):
            for line in some:
                yield line

    progress("read", 0, size)
    await connection.copy_records_to_table("theirs", records=rows(), columns=matching.COLUMNS)
    parser.close()
    await connection.execute("ANALYZE theirs")


def _size(path: Path) -> int:
    size = path.stat().st_size
    if not size:
        raise PartnerFileUnreadable(problems=1, line=1, column="the file", reason="is empty, or was forgotten: send it")
    return size


def _batch(lines: Iterator[Line]) -> list[tuple[Any, ...]]:
    return [
        (one.line_no, one.key, one.order_ref, one.on, one.amount, one.points, one.kind, one.other_id)
        for one in islice(lines, BATCH)
    ]


async def _match(
    connection: asyncpg.Connection, session: AsyncSession, file: PartnerFile, period: Period, by: By, shape: Shape,
    cycle: SettlementCycle, live: Sequence[Live],
) -> None:  # fmt: skip
    """All passes; what is left then is missing."""
    kept = [one for one in live if not _superseded(one, file, cycle.number)]
    here = [one.id for one in kept if one.number == cycle.number]
    earlier = [one.id for one in kept if one.number == cycle.number and (one.day is None) == (file.day is None)]
    beside = [one.id for one in kept if abs(one.number - cycle.number) <= 1 and one.id not in earlier]
    around = [one.id for one in kept]
    await matching.take_ours(connection, "ours", period, shape)
    await matching.set_aside(connection, earlier, beside, await _taken(session, around))
    await matching.run_passes(connection, by)
    await matching.repeated(connection, by)
    theirs, ours = await matching.anything_left(connection)
    if theirs:
        number = SettlementCycle.number
        numbers = [cycle.number, *await _numbers(session, period.cycles)]
        near = select(SettlementCycle.id).where(number.between(min(numbers) - 1, max(numbers) + 1))
        if file.day is None:
            near = near.where(SettlementCycle.id.not_in(period.cycles))
        async with session.begin():
            cycles = list(await session.scalars(near))
        wider = Period(
            period.merchant_id, period.other_id, cycles, period.since, period.before, period.zone, period.keys
        )
        await matching.take_ours(connection, "near", wider, shape, within=False)
        await matching.match_near(connection, by, around)
    if ours:
        await matching.match_open(connection, by, [*beside, *here])


async def _taken(session: AsyncSession, files: Sequence[UUID]) -> list[tuple[UUID, int]]:
    """Lines of ours that lines of these files were matched with outside of their own period."""
    query = text("""
        SELECT operation_id, seq FROM recon_break
        WHERE file_id = ANY(:files) AND line_no IS NOT NULL AND operation_id IS NOT NULL
          AND (outcome = 'TIMING' OR status = 'MATCHED')""")
    async with session.begin():
        return [(id_, seq) for id_, seq in await session.execute(query, {"files": list(files)})]


async def _numbers(session: AsyncSession, cycles: Sequence[UUID]) -> list[int]:
    async with session.begin():
        return list(await session.scalars(select(SettlementCycle.number).where(SettlementCycle.id.in_(cycles))))


def bounds_of(day: date, merchant: Merchant) -> tuple[datetime, datetime]:
    """When a merchant's day begins and ends."""
    return (
        datetime.combine(day, time(), merchant.timezone),
        datetime.combine(day + timedelta(days=1), time(), merchant.timezone),
    )


async def _cycles(
    session: AsyncSession, file: PartnerFile, merchant: Merchant
) -> tuple[SettlementCycle, Sequence[UUID]]:
    """The cycle that a file is counted to, and all those that its lines may be in."""
    async with session.begin():
        cycle = await session.get(SettlementCycle, file.cycle_id)
        assert cycle is not None
        if file.day is None:
            return cycle, [cycle.id]
        return cycle, [one.id for one in await cycles_of_day(session, file.day, merchant)]


async def cycles_of_day(session: AsyncSession, day: date, merchant: Merchant) -> Sequence[SettlementCycle]:
    """The cycles that what was booked on a day of a merchant may lie in, the latest last."""
    since, before = bounds_of(day, merchant)
    query = text("""
        SELECT c.id FROM settlement_cycle c LEFT JOIN settlement_cycle n ON n.number = c.number + 1
        WHERE c.booked_at < :before AND coalesce(n.booked_at + interval '1 hour' > :since, true)""")
    ids = list(await session.scalars(query, {"since": since, "before": before}))
    found = select(SettlementCycle).where(SettlementCycle.id.in_(ids)).order_by(SettlementCycle.number)
    return (await session.scalars(found)).all()


async def _live(session: AsyncSession, file: PartnerFile, number: int) -> list[Live]:
    """Reconciled files of the merchant for this cycle and those that a line may have slipped into."""
    query = (
        select(PartnerFile.id, SettlementCycle.number, PartnerFile.day, PartnerFile.other_id)
        .join(SettlementCycle, SettlementCycle.id == PartnerFile.cycle_id)
        .where(PartnerFile.merchant_id == file.merchant_id, PartnerFile.id != file.id)
        .where(PartnerFile.status == FileStatus.DONE, PartnerFile.dry_run.is_(False))
        .where(SettlementCycle.number.between(number - 2, number + 2))
    )
    async with session.begin():
        return [Live(*row) for row in await session.execute(query)]


def _superseded(one: Live, file: PartnerFile, number: int) -> bool:
    """Whether this file comes in its place: for the same period, or for the whole cycle of which it was a day."""
    return one.number == number and one.other_id == file.other_id and file.day in (None, one.day)


async def _keys(database: Database, catalogue: Catalogue, merchant: Merchant) -> dict[UUID, tuple[bytes, bytes]]:
    """For each partner the padded halves of the pair's key (RFC 2104), as SHA-256 takes them."""
    names = await pseudonyms(database)
    others = [catalogue.alliance.id, *(id_ for id_ in catalogue.merchants_by_id if id_ != merchant.id)]
    return {other: names.halves(merchant.id, other) for other in others}


def _waits_since(
    shape: Shape, file: PartnerFile, merchant: Merchant, cycle: SettlementCycle, as_of: datetime
) -> date | None:
    """From which day on a line without a counterpart may still find one; None: from none on."""
    if not shape.cut_off_days:
        return None
    ends = file.day or (cycle.closes_at or as_of).astimezone(merchant.timezone).date()
    return ends - timedelta(days=shape.cut_off_days - 1)


def second_cut_off(alliance: Alliance, cycle: SettlementCycle, as_of: datetime) -> datetime:
    """When the second cycle after this one is due to close."""
    calendar = Calendar.of(alliance.calendar)
    at = cycle.closes_at or calendar.cut_off(max(cycle.opens_at, as_of), alliance.cycle, alliance.timezone)
    for _ in range(2):
        at = calendar.cut_off(at, alliance.cycle, alliance.timezone)
    return at
