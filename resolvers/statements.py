"""Statements of wallets in reach: a page of movements, or all of them, a thousand at a time."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.dataloader import DataLoader

from domain.errors import InvalidInput
from domain.ledger import statements
from domain.ledger.queries import WalletKey
from domain.ledger.statements import Place, StatementKey, StatementRow
from resolvers.context import Context
from resolvers.loaders import later
from resolvers.pages import Cursor, Page, Window, page, small_number

STATEMENT_SHAPE = (UUID, small_number)
STRETCH = 1000
Span = tuple[datetime | None, datetime | None]


async def of_wallet(context: Context, wallet: WalletKey, span: Span, asked: Window) -> Page[StatementRow]:
    """A page of a wallet's movements, newest first. Raises InvalidInput for a span that ends before it begins."""
    require_span(span)
    return await _pages(context, _within(wallet, span), asked).load((wallet.holder_id, wallet.currency))


async def whole(context: Context, wallet: WalletKey, span: Span) -> AsyncIterator[list[StatementRow]]:
    """All movements of a wallet, oldest first, a stretch at a time: never more than one in memory."""
    key = StatementKey(wallet.holder_id, wallet.currency, *_within(wallet, span), context.past)
    last: Place | None = None
    while True:
        async with context.runtime.database.reader() as session:
            rows = (await statements.statement_page(session, [key], STRETCH, last))[key]
        if rows:
            yield rows
        if len(rows) < STRETCH:
            return
        last = rows[-1].operation_id, rows[-1].seq


def _within(wallet: WalletKey, span: Span) -> Span:
    """The span of a statement: that of a wallet of the past ends with its moment."""
    if not wallet.past:
        return span
    end = wallet.as_of + timedelta.resolution
    return span[0], end if span[1] is None else min(end, span[1])


def require_span(span: Span) -> None:
    """Raises InvalidInput for a span that ends before it begins."""
    first, before = span
    if first is not None and before is not None and before < first:
        raise InvalidInput(reason="to lies before from", path=("to",))


def _pages(context: Context, span: Span, asked: Window) -> DataLoader[tuple[UUID, str], Page[StatementRow]]:
    async def load(session: AsyncSession, wallets: list[tuple[UUID, str]]) -> list[Page[StatementRow]]:
        keys = [StatementKey(*wallet, *span, context.past) for wallet in wallets]
        start, end = (asked.before, asked.after) if asked.backward else (asked.after, asked.before)
        found = await statements.statement_page(
            session, keys, asked.size + 1, _place(start), _place(end), newest_first=not asked.backward
        )
        counts = _counts(context, span)
        return [
            page(asked, found[key], _cursor, later(counts, wallet)) for key, wallet in zip(keys, wallets, strict=True)
        ]

    return context.loaders.one_of(("statements", span, asked), load)


def _counts(context: Context, span: Span) -> DataLoader[tuple[UUID, str], int]:
    async def load(session: AsyncSession, wallets: list[tuple[UUID, str]]) -> list[int]:
        keys = [StatementKey(*wallet, *span, context.past) for wallet in wallets]
        found = await statements.statement_counts(session, keys)
        return [found[key] for key in keys]

    return context.loaders.one_of(("statement counts", span), load)


def _place(cursor: Cursor | None) -> Place | None:
    return None if cursor is None else (cursor[0], cursor[1])


def _cursor(row: StatementRow) -> Cursor:
    return row.operation_id, str(row.seq)
