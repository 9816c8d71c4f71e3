"""Telling payer and payee of their payments, and nobody else (A14)."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.banking.accounts import Banking
from alliance.settlement.model import Payment, SettlementCycle
from domain.events.commands import add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent


async def tell(
    session: AsyncSession,
    banking: Banking,
    kind: EventKind,
    payments: Iterable[tuple[SettlementCycle, Payment]],
    as_of: datetime,
) -> None:
    """An event a payment, each for its two parties."""
    events = []
    for cycle, payment in payments:
        told = {"cycle": str(cycle.id), "number": cycle.number, "payment": payment.seq, "asOf": as_of.isoformat()}
        told |= {"from": str(payment.payer_id), "to": str(payment.payee_id)}
        told |= {"amount": payment.amount * banking.unit}
        events.append(NewEvent(cycle.id, kind, told, (payment.payer_id, payment.payee_id)))
    await add_events(session, events)
