"""Interest on payments that came after their day, once each, in the caller's transaction."""

from datetime import datetime
from typing import Any

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.model import ObligationKind
from alliance.corrections.commands import Line, book
from alliance.corrections.model import Cause
from alliance.invoices.model import LateInterest
from alliance.invoices.rules import days_late, interest
from alliance.invoices.terms import InterestTerms, interest_terms
from alliance.settlement.rules import minor_unit
from domain.programs.catalogue import Alliance

_LATE = text("""
    SELECT p.cycle_id, p.seq, p.payer_id, p.payee_id, p.amount, p.paid_at, c.payments_due, c.number,
           coalesce(p.paid_in_on, p.received_on) AS came_on
    FROM payment p JOIN settlement_cycle c ON c.id = p.cycle_id
    WHERE p.status = 'PAID' AND p.paid_at >= c.payments_due
      AND (coalesce(p.paid_in_on, p.received_on) IS NULL
           OR coalesce(p.paid_in_on, p.received_on)
              > CAST((c.payments_due - interval '1 microsecond') AT TIME ZONE :zone AS date))
      AND NOT EXISTS (SELECT FROM late_interest i WHERE i.cycle_id = p.cycle_id AND i.seq = p.seq)
    ORDER BY c.number, p.seq""")


async def charge_late(session: AsyncSession, alliance: Alliance, as_of: datetime) -> int:
    """Book what late payments cost, by payer to payee, in the open cycle; how many payments.

    Each is looked at once, by the terms of that moment: without terms, and within the days of grace, it costs nothing.
    What counts is the bank's day, where a bank told it: a statement may be taken in later than the money came.
    """
    terms = await interest_terms(session) or InterestTerms(0, 365, 0)
    unit = minor_unit(alliance.settlement_currency)
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for late in await session.execute(_LATE, {"zone": str(alliance.timezone)}):
        came = late.paid_at.astimezone(alliance.timezone).date() if late.came_on is None else late.came_on
        days = days_late(came, late.payments_due, alliance.timezone)
        principal, rate = late.amount * unit, terms.rate if days > terms.grace_days else 0
        rows[late.cycle_id, late.seq] = {
            "cycle_id": late.cycle_id,
            "seq": late.seq,
            "payer_id": late.payer_id,
            "payee_id": late.payee_id,
            "principal": principal,
            "days": days,
            "rate": rate,
            "basis": terms.basis,
            "amount": interest(principal, days, rate, terms.basis),
            "as_of": as_of,
        }
    if not rows:
        return 0
    kept = upsert(LateInterest).values(list(rows.values())).on_conflict_do_nothing()
    made = await session.execute(kept.returning(LateInterest.cycle_id, LateInterest.seq))
    for place in [tuple(row) for row in made]:
        await _book(session, alliance, rows[place], as_of)
    return sum(row["amount"] > 0 for row in rows.values())


async def _book(session: AsyncSession, alliance: Alliance, row: dict[str, Any], as_of: datetime) -> None:
    if not row["amount"]:
        return
    line = Line(row["payer_id"], row["payee_id"], row["amount"], kind=ObligationKind.INTEREST)
    (booked,) = await book(
        session,
        alliance,
        [line],
        cause=Cause.INTEREST,
        cause_id=row["cycle_id"],
        who=alliance.id,
        why=f"paid {row['days']} days late",
        as_of=as_of,
    )
    place = (LateInterest.cycle_id == row["cycle_id"]) & (LateInterest.seq == row["seq"])
    await session.execute(update(LateInterest).where(place).values(operation_id=booked))
