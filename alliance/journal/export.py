"""Writing the journal of some days: what was brought forward, what moved, and what every account must come to.

Nothing is kept in memory but one figure an account, however many days there are.
"""

from collections import defaultdict
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.journal.balances import Kept, kept
from alliance.journal.model import Balance, Record, Transaction
from alliance.journal.moves import moves, span
from alliance.journal.names import MERCHANTS, PAYABLE, TREASURY, Names
from alliance.journal.render import Beancount, Csv, Writer
from domain.database import Database
from domain.errors import InvalidInput
from domain.programs.catalogue import Catalogue

Format = Literal["beancount", "csv"]

PIECE = 64 * 1024
"""About so many letters are handed on at a time."""

_BESIDE = ("Liabilities:", MERCHANTS, f"Assets:{TREASURY}:")
"""Accounts of which rows are kept beside what moved: where there are none, they come to zero."""


async def journal(
    database: Database, catalogue: Catalogue, format_: Format, first: date | None = None, last: date | None = None
) -> AsyncIterator[bytes]:
    """The journal of all books, from one day to another (both included, in the alliance's zone; default: all).

    What moved before `first` is brought forward, dated the day before. All is read as of one instant.
    """
    writer: Writer = Beancount(catalogue) if format_ == "beancount" else Csv()
    piece, size = [writer.head()], 0
    async with database.session() as session:
        async for written in _written(session, Names(catalogue), writer, first, last):
            piece.append(written)
            size += len(written)
            if size > PIECE:
                yield "".join(piece).encode()
                piece, size = [], 0
    yield "".join(piece).encode()


def require_days(first: date | None, last: date | None) -> None:
    """Raises InvalidInput for days that end before they begin."""
    if first is not None and last is not None and last < first:
        raise InvalidInput(reason="to lies before from", path=("to",))


async def _written(
    session: AsyncSession, names: Names, writer: Writer, first: date | None, last: date | None
) -> AsyncIterator[str]:
    """Each record, accounts opened before they are named."""
    book = _Book(last)
    async for record in _records(session, names, book, first, last):
        for account, counted in book.new(record):
            yield writer.opened(account, counted)
        yield writer.record(record)


async def _records(
    session: AsyncSession, names: Names, book: "_Book", first: date | None, last: date | None
) -> AsyncIterator[Record]:
    await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    asked = span(names.zone, first, last)
    async for one in moves(session, names, asked):
        if one.day == asked["beyond"]:
            book.take_back(one)
        elif moved := [posting for posting in one.postings if posting.amount]:
            told = f"Brought forward: {one.narration}" if one.day == asked["before"] else one.narration
            yield Transaction(one.day, told, one.lines, moved)
    async for balance in book.balances(kept(session, names)):
        yield balance


class _Book:
    """What was written so far: which accounts there are, and what moved after the last day."""

    def __init__(self, last: date | None) -> None:
        self._last = last
        self._counted: dict[str, str] = {}
        self._later: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._latest = date.min

    def new(self, record: Record) -> Iterator[tuple[str, str]]:
        """Accounts that a record names for the first time, with their commodities."""
        self._latest = max(self._latest, record.day)
        for part in (record,) if isinstance(record, Balance) else record.postings:
            if part.account not in self._counted:
                self._counted[part.account] = part.commodity
                yield part.account, part.commodity

    def take_back(self, later: Transaction) -> None:
        """Something moved after the last day: what is kept now is more by that."""
        for posting in later.postings:
            self._later[posting.account] += posting.amount
            if posting.account.startswith(MERCHANTS):
                self._later[":".join(posting.account.split(":")[:3])] += posting.amount

    async def balances(self, found: AsyncIterable[Kept]) -> AsyncIterator[Balance]:
        """What is kept beside, as it was at the end of the last day; zero where an account has nothing beside."""
        day = (self._latest if self._last is None else self._last) + timedelta(days=1)
        told = set()
        async for one in found:
            amount = one.amount - self._later[one.account]
            told.add(one.account)
            if amount or one.account in self._counted:
                yield Balance(day, one.account, amount, one.commodity, one.source)
        for account, counted in list(self._counted.items()):
            if account.startswith(_BESIDE) and account not in told and not account.startswith(PAYABLE):
                yield Balance(day, account, Decimal(0) - self._later[account], counted, "nothing")
