"""Reading what statements are made of, a stretch at a time: a statement may have millions of lines."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from uuid import UUID

import orjson
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.proofs.leaves import OBLIGATION
from alliance.settlement import queries as settlement
from alliance.settlement.model import PairNetRow, Statement
from alliance.statements.errors import NotSigned
from alliance.statements.model import Head, LineRow, PseudonymKey, StatementSignature
from alliance.statements.render import Writer
from alliance.statements.rules import Balance, Line, Pseudonyms, line_of
from domain.database import Database
from domain.errors import NotFound
from domain.programs.catalogue import Catalogue

STRETCH = 2000
"""Lines that are read, written and forgotten at a time."""

_COLUMNS = ", ".join(f"l.{column}" for column in OBLIGATION.names)

# Each branch reads a stretch in order from the index of its column, whatever else the cycle has.
_STRETCH = text(f"""
    SELECT l.holder_id, l.operation_id, l.seq, row_to_json(r)::text AS row
    FROM ((SELECT * FROM obligation WHERE cycle_id = :cycle AND debtor_id = :party
             AND (operation_id, seq) > (:operation, :seq) ORDER BY operation_id, seq LIMIT :size)
          UNION ALL
          (SELECT * FROM obligation WHERE cycle_id = :cycle AND creditor_id = :party
             AND (operation_id, seq) > (:operation, :seq) ORDER BY operation_id, seq LIMIT :size)) AS l
    CROSS JOIN LATERAL (SELECT {_COLUMNS}) AS r
    ORDER BY l.operation_id, l.seq LIMIT :size""")  # noqa: S608 - our own names


async def head(session: AsyncSession, catalogue: Catalogue, number: int, merchant: UUID) -> Head:
    """What a statement begins with. `merchant` is a merchant's id, or the operator's.

    Raises NotFound unless it was issued.
    """
    cycle = (await settlement.by_numbers(session, [number])).get(number)
    key = None if cycle is None else (cycle.id, merchant)
    issued = None if key is None else await session.get(Statement, key)
    if cycle is None or issued is None or cycle.closes_at is None:
        raise NotFound(what="statement", path=("cycle",))
    alliance = catalogue.alliance
    pairs = select(PairNetRow.first_id, PairNetRow.second_id, PairNetRow.opening).where(
        PairNetRow.cycle_id == cycle.id, (PairNetRow.first_id == merchant) | (PairNetRow.second_id == merchant)
    )
    openings = {
        (second if first == merchant else first): (opening if first == merchant else -opening)
        for first, second, opening in await session.execute(pairs)
    }
    codes = {alliance.id: alliance.code} | {id_: found.code for id_, found in catalogue.merchants_by_id.items()}
    return Head(
        alliance_id=alliance.id,
        alliance=alliance.code,
        cycle_id=cycle.id,
        cycle=number,
        opens_at=cycle.opens_at,
        closes_at=cycle.closes_at,
        merchant_id=merchant,
        merchant=codes[merchant],
        issued_at=issued.issued_at,
        currency=alliance.settlement_currency,
        openings=openings,
        codes=codes,
    )


async def count(session: AsyncSession, head: Head) -> int:
    """How many lines a statement has, as they were counted when it was issued."""
    mine = (PairNetRow.first_id == head.merchant_id) | (PairNetRow.second_id == head.merchant_id)
    query = select(func.coalesce(func.sum(PairNetRow.count), 0)).where(PairNetRow.cycle_id == head.cycle_id, mine)
    return int(await session.scalar(query) or 0)


async def balances(session: AsyncSession, head: Head) -> dict[str, Balance]:
    """What each partner's account came to when the statement was issued, by the partner's code."""
    own = head.merchant_id
    mine = (PairNetRow.first_id == own) | (PairNetRow.second_id == own)
    found: dict[str, Balance] = {}
    for pair in await session.scalars(select(PairNetRow).where(PairNetRow.cycle_id == head.cycle_id, mine)):
        partner, sign = (pair.second_id, 1) if pair.first_id == own else (pair.first_id, -1)
        found[head.codes[partner]] = Balance(
            sign * pair.opening, sign * pair.lines, sign * pair.adjustments, pair.count
        )
    return found


async def signature(session: AsyncSession, head: Head) -> str:
    """The signed note of a statement. Raises NotSigned."""
    found = await session.get(StatementSignature, (head.cycle_id, head.merchant_id))
    if found is None:
        raise NotSigned(path=("cycle",))
    return found.note


async def pseudonyms(database: Database) -> Pseudonyms:
    """The names of this alliance; their key is made when it is needed for the first time."""
    async with database.reader() as session:
        key = await session.scalar(select(PseudonymKey.key))
    if key is None:
        fresh = insert(PseudonymKey).values(id=1, key=os.urandom(32)).on_conflict_do_nothing()
        async with database.transaction() as session:
            await session.execute(fresh)
            key = await session.scalar(select(PseudonymKey.key))
    assert key is not None
    return Pseudonyms(key)


async def stretches(database: Database, head: Head, size: int | None = None) -> AsyncIterator[Sequence[LineRow]]:
    """The rows of a statement's lines in the order of operations, never more than a stretch in memory."""
    operation, seq, size = UUID(int=0), -1, size or STRETCH
    while True:
        place = {"operation": operation, "seq": seq}
        asked = {"cycle": head.cycle_id, "party": head.merchant_id, "size": size, **place}
        async with database.reader() as session:
            found = (await session.execute(_STRETCH, asked)).all()
        rows = [LineRow(row.holder_id, row.operation_id, row.seq, orjson.loads(row.row)) for row in found]
        if rows:
            yield rows
        if len(rows) < size:
            return
        operation, seq = rows[-1].operation_id, rows[-1].seq


def lines_of(head: Head, rows: Sequence[LineRow], names: Pseudonyms) -> list[tuple[Line, int]]:
    """The lines of rows, each with its amount in millionths."""
    codes = {str(id_): code for id_, code in head.codes.items()}
    own, all_ = head.merchant_id, head.merchant_id == head.alliance_id
    return [
        (line_of(row.row, row.holder_id, row.operation_id, own, all_, names, codes, head.currency), row.row["amount"])
        for row in rows
    ]


async def written(
    database: Database, head: Head, writer: Writer, progress: Callable[[str, int], None]
) -> AsyncIterator[bytes]:
    """The whole file, a stretch of lines at a time."""
    names = await pseudonyms(database)
    yield writer.begin()
    async for rows in stretches(database, head):
        yield writer.lines(lines_of(head, rows, names))
        progress("lines", writer.totals.count)
    yield writer.end()
