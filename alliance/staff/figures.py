"""What a party may be told of a cycle: its own position and its own payments (A14)."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.money import from_minor

Fact = list[Any]
"""Name, kind (of `alliance.feed.kinds.Is`, by name) and value of a line of a mail."""

Facts = dict[tuple[UUID, UUID], list[Fact]]
"""By cycle and party."""

_STATED = text("""
    SELECT c.id, c.number, c.objections_until, s.merchant_id, s.confirmed_at,
           sum(CASE WHEN n.first_id = s.merchant_id THEN n.net ELSE -n.net END)::bigint AS position
    FROM settlement_cycle c JOIN statement s ON s.cycle_id = c.id
    JOIN pair_net n ON n.cycle_id = c.id AND (n.first_id = s.merchant_id OR n.second_id = s.merchant_id)
    WHERE c.id = ANY(:cycles) GROUP BY c.id, s.merchant_id, s.confirmed_at""")

_PLANNED = text("""
    SELECT c.id, c.number, c.payments_due, m.party, sum(m.pays)::bigint AS pays, sum(m.gets)::bigint AS gets
    FROM settlement_cycle c JOIN LATERAL (
        SELECT payer_id AS party, amount AS pays, 0 AS gets FROM payment p
        WHERE p.cycle_id = c.id AND p.status = 'PLANNED'
        UNION ALL SELECT payee_id, 0, amount FROM payment p WHERE p.cycle_id = c.id AND p.status = 'PLANNED') m ON true
    WHERE c.id = ANY(:cycles) GROUP BY c.id, m.party""")


async def stated(session: AsyncSession, cycles: Collection[UUID], currency: str, *, unconfirmed: bool = False) -> Facts:
    """Number, own position and the end of objections, of each party of these cycles; `unconfirmed`: that may object."""
    rows = await session.execute(_STATED, {"cycles": list(cycles)}) if cycles else ()
    return {
        (row.id, row.merchant_id): [
            ["number", "NUMBER", row.number],
            ["position", "MONEY", from_minor(row.position, currency)],
            *_until("objectionsUntil", row.objections_until),
        ]
        for row in rows
        if not (unconfirmed and row.confirmed_at is not None)
    }


async def planned(session: AsyncSession, cycles: Collection[UUID], currency: str, *, payers: bool = False) -> Facts:
    """Number, what is left to be paid and to be received, and until when, of each party to payments of these cycles;
    of `payers` only."""
    rows = await session.execute(_PLANNED, {"cycles": list(cycles)}) if cycles else ()
    return {
        (row.id, row.party): [
            ["number", "NUMBER", row.number],
            *([["toPay", "MONEY", from_minor(row.pays, currency)]] if row.pays else []),
            *([["toReceive", "MONEY", from_minor(row.gets, currency)]] if row.gets else []),
            *_until("paymentsDue", row.payments_due),
        ]
        for row in rows
        if row.pays or not payers
    }


def _until(name: str, at: Any) -> list[Fact]:
    return [] if at is None else [[name, "TIME", at.isoformat()]]
