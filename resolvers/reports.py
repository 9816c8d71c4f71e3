"""What all wallets hold of a merchant's currencies: for that merchant, the operator and auditors."""

from collections.abc import Sequence
from datetime import date, datetime

from alliance.clearing import breakage as broken
from alliance.clearing.breakage import Breakage
from domain.ledger import reports
from domain.ledger.reports import Balances
from domain.programs.catalogue import Merchant
from resolvers.asof import instant
from resolvers.context import Context


async def balances(context: Context, merchant: Merchant, as_of: datetime | None) -> list[Balances] | None:
    """One a currency; None for another merchant's. Raises InvalidInput for a moment that lies ahead."""
    if context.own_merchant_id not in (None, merchant.id):
        return None
    moment = context.as_of if as_of is None else instant(context, as_of)
    zones = dict.fromkeys(merchant.currencies, merchant.timezone.key)
    async with context.runtime.database.reader() as session:
        return await reports.balances(session, zones, moment, context.past)


async def breakage(context: Context, merchant: Merchant, first: date, before: date) -> Sequence[Breakage] | None:
    """Of what it issued or paid for; None for another merchant's. Raises InvalidInput for a span that cannot be."""
    if context.own_merchant_id not in (None, merchant.id):
        return None
    async with context.runtime.database.reader() as session:
        return await broken.breakage(session, first, before, merchant.id)
