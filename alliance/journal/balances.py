"""What accounts must come to, from the rows that are kept beside those which say what moved."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.journal.moves import MONEY
from alliance.journal.names import Names
from alliance.settlement.rules import minor_unit


@dataclass(frozen=True, slots=True)
class Kept:
    """What an account comes to now, and where that is kept."""

    account: str
    amount: Decimal
    commodity: str
    source: str


_LEDGER = {
    "accounts": "SELECT currency, kind, sum(posted) AS amount FROM account GROUP BY 1, 2",
    "lots, less debts": """
        SELECT currency, 'POINTS' AS kind, sum(amount) AS amount
        FROM (SELECT currency, remaining AS amount FROM lot WHERE NOT spent
              UNION ALL SELECT currency, -debt FROM account WHERE debt <> 0
              UNION ALL SELECT code, 0 FROM currency) AS part GROUP BY 1""",
    "grants that wait": "SELECT currency, 'PENDING' AS kind, sum(remaining) AS amount FROM pending_grant GROUP BY 1",
    "rights": "SELECT currency, 'RIGHTS' AS kind, sum(remaining) AS amount FROM member_right GROUP BY 1",
}

# Of the last cycle that is not provisional what it left, of the one that is stated its closing; of all later ones what
# was booked.
_PAIRS = """
    WITH done AS (SELECT id, number FROM settlement_cycle WHERE status IN ('NETTED', 'SETTLING', 'SETTLED', 'ABORTED')
                  ORDER BY number DESC LIMIT 1),
    stated AS (SELECT id FROM settlement_cycle WHERE status IN ('STATED', 'CONFIRMED'))
    SELECT first_id, second_id, sum(amount) AS amount
    FROM (SELECT first_id, second_id, opening + lines + adjustments - suspended AS amount FROM pair_net
          WHERE cycle_id IN (SELECT id FROM stated)
          UNION ALL
          SELECT first_id, second_id, carried FROM pair_net
          WHERE cycle_id IN (SELECT id FROM done) AND NOT EXISTS (SELECT FROM stated)
          UNION ALL
          SELECT least(payer_id, payee_id), greatest(payer_id, payee_id),
                 CASE WHEN payee_id < payer_id THEN amount ELSE -amount END * CAST(:unit AS numeric)
          FROM payment WHERE status = 'CARRIED' AND cycle_id IN (SELECT id FROM done)
                         AND NOT EXISTS (SELECT FROM stated)
          UNION ALL
          SELECT least(debtor_id, creditor_id), greatest(debtor_id, creditor_id),
                 CASE WHEN creditor_id < debtor_id THEN amount ELSE -amount END
          FROM obligation WHERE cycle_id IN (SELECT id FROM settlement_cycle WHERE status IN ('OPEN', 'CLOSED'))
          UNION ALL
          SELECT first_id, second_id, amount FROM objection
          WHERE released_in IN (SELECT id FROM settlement_cycle WHERE status IN ('OPEN', 'CLOSED'))
         ) AS part
    GROUP BY 1, 2"""

_SUSPENDED = """
    SELECT first_id, second_id, sum(amount) AS amount
    FROM (SELECT first_id, second_id, suspended AS amount FROM pair_net WHERE suspended <> 0
          UNION ALL
          SELECT first_id, second_id, -amount FROM objection WHERE released_in IS NOT NULL) AS part GROUP BY 1, 2"""

_POSITIONS = "SELECT merchant_id, sum(amount - settled - carried) AS amount FROM net_position GROUP BY 1"

_EXPOSURES = "SELECT merchant_id, owed AS amount FROM exposure"

# A currency that nothing is deferred of has an estimate and no cohorts.
_DEFERRED = """
    SELECT merchant_id, currency, coalesce(sum(deferred), 0) AS amount
    FROM liability_estimate LEFT JOIN liability_cohort USING (merchant_id, currency, month)
    WHERE (merchant_id, month) IN (SELECT merchant_id, max(month) FROM liability_month GROUP BY 1)
    GROUP BY 1, 2"""

_TREASURY = "SELECT account, party_id, balance FROM money_balance"


async def kept(session: AsyncSession, names: Names) -> AsyncIterator[Kept]:
    """All that is kept beside. An account of which nothing is said here comes to zero, or is kept nowhere else."""
    for source, sql in _LEDGER.items():
        async for row in await session.stream(text(sql)):
            account, commodity, places = names.of_currency(row.currency, row.kind)
            yield Kept(account, -Decimal(row.amount).scaleb(-places), commodity, source)
    unit = minor_unit(names.money)

    def money(account: str, amount: Any, source: str) -> Kept:
        return Kept(account, Decimal(amount).scaleb(-MONEY), names.money, source)

    async for row in await session.stream(text(_PAIRS), {"unit": unit}):
        yield money(names.pair(row.first_id, row.second_id), row.amount, "nets of pairs")
        yield money(names.pair(row.second_id, row.first_id), -row.amount, "nets of pairs")
    async for row in await session.stream(text(_SUSPENDED)):
        yield money(names.suspense(row.first_id, row.second_id), row.amount, "nets of pairs")
        yield money(names.suspense(row.second_id, row.first_id), -row.amount, "nets of pairs")
    async for row in await session.stream(text(_POSITIONS)):
        yield money(names.position(row.merchant_id), row.amount * unit, "positions of cycles")
    async for row in await session.stream(text(_EXPOSURES)):
        yield money(names.merchant(row.merchant_id), -row.amount, "positions against caps")
    async for row in await session.stream(text(_TREASURY)):
        yield money(names.treasury(row.account, row.party_id), row.balance * unit, "balances of money")
    async for row in await session.stream(text(_DEFERRED)):
        yield money(names.deferred(row.merchant_id, row.currency), -row.amount, "cohorts at a month's end")
