"""Reading money accounts."""

import uuid
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.treasury.model import MoneyAccount, MoneyBalance


async def balances(
    session: AsyncSession,
    *,
    accounts: Collection[MoneyAccount] = tuple(MoneyAccount),
    parties: Collection[uuid.UUID] | None = None,
) -> dict[tuple[MoneyAccount, uuid.UUID], int]:
    """Balances in minor units, debits above zero, by account and whose it is; of these parties alone, if given."""
    query = select(MoneyBalance).where(MoneyBalance.account.in_([account.value for account in accounts]))
    if parties is not None:
        query = query.where(MoneyBalance.party_id.in_(parties))
    rows = await session.scalars(query.order_by(MoneyBalance.account, MoneyBalance.party_id))
    return {(MoneyAccount(row.account), row.party_id): row.balance for row in rows}
