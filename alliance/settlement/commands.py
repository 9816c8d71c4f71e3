"""The steps of a closed cycle, each in the caller's transaction and recorded with who, why and when.

They read sums by pair; none touches a row per obligation. How a cycle is closed is in `closing`.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Table, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.queries import objection_days
from alliance.calendar import Calendar
from alliance.exposure.commands import hold_still, withhold_again
from alliance.exposure.model import FREEZE_LOCK
from alliance.settlement import netting, queries
from alliance.settlement.errors import EarlierCycleOpen, LaterCycleStated, ObjectionsOpen
from alliance.settlement.model import (
    CycleStatus,
    NetPosition,
    Payment,
    PaymentStatus,
    SettlementCycle,
    Statement,
)
from alliance.settlement.rules import PlannedPayment, minor_unit, plan_payments
from alliance.settlement.steps import enter, locked, require, require_short
from domain.errors import NotFound
from domain.events.commands import add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent
from domain.programs.catalogue import Alliance

SUM_LOCK = (0x7E55, 4)
"""Advisory lock: one cycle at a time is summed up, since one opens with what the other leaves."""


async def issue_statements(
    session: AsyncSession, alliance: Alliance, cycle_id: uuid.UUID, *, who: uuid.UUID, why: str, as_of: datetime
) -> SettlementCycle:
    """Sum a closed cycle by pair and state it to every party. The operator's own statement is confirmed by issuing it.

    Objections are heard for as long as the alliance says, or an agreement that was in force in the cycle, if longer.
    Raises NotFound, WrongCycleStatus, EarlierCycleOpen.
    """
    cycle = await locked(session, cycle_id, as_of)
    require(cycle, CycleStatus.CLOSED)
    await session.execute(select(func.pg_advisory_xact_lock(*SUM_LOCK)))
    earlier = await queries.first_provisional(session, before=cycle.number)
    if earlier is not None:
        raise EarlierCycleOpen(number=earlier, path=("cycle",))
    calendar = Calendar.of(alliance.calendar)
    spans = {alliance.cycle.objection, *await objection_days(session, cycle.opens_at, as_of)}
    cycle.objections_until = max(calendar.deadline(as_of, days, alliance.timezone) for days in spans)
    await enter(session, cycle, CycleStatus.CLOSED, CycleStatus.STATED, who, why, as_of)
    await netting.sum_up(session, cycle.id, minor_unit(alliance.settlement_currency))
    await netting.state(session, cycle.id, operator_id=alliance.id, who=who, as_of=as_of)
    return cycle


async def confirm_statement(
    session: AsyncSession,
    cycle_id: uuid.UUID,
    *,
    merchant_id: uuid.UUID | None = None,
    own: bool = False,
    early: bool = False,
    who: uuid.UUID,
    why: str,
    as_of: datetime,
) -> SettlementCycle:
    """Confirm one merchant's statement, or all that are left; when none is left the cycle is CONFIRMED.

    A merchant confirms its `own` whenever it likes; another for it once nobody may object any more (A10), or `early`,
    which is recorded. Confirming a statement again changes nothing. Raises NotFound, WrongCycleStatus, ObjectionsOpen.
    """
    cycle = await locked(session, cycle_id, as_of)
    require(cycle, CycleStatus.STATED)
    of_cycle = Statement.cycle_id == cycle_id
    mine = of_cycle if merchant_id is None else of_cycle & (Statement.merchant_id == merchant_id)
    if merchant_id is not None and not await session.scalar(select(func.count()).where(mine)):
        raise NotFound(what="statement", path=("merchant",))
    unconfirmed = Statement.confirmed_at.is_(None)
    heard = None if own or cycle.objections_until is None or as_of >= cycle.objections_until else cycle.objections_until
    if heard is not None and not early and await session.scalar(select(func.count()).where(mine, unconfirmed)):
        raise ObjectionsOpen(until=heard.isoformat(), path=("cycle",))
    require_short(why)
    how = {"confirmed_at": as_of, "confirmed_by": who, "confirmed_early": None if heard is None else why}
    confirmed = await session.execute(
        update(Statement).where(mine, unconfirmed).values(how).returning(Statement.merchant_id),
        execution_options={"synchronize_session": False},
    )
    told = {"cycle": str(cycle_id), "number": cycle.number, "asOf": as_of.isoformat()}
    await add_events(
        session,
        [
            NewEvent(cycle_id, EventKind.STATEMENT_CONFIRMED, {**told, "merchant": str(party)}, (party,))
            for party in confirmed.scalars()
        ],
    )
    if not await session.scalar(select(func.count()).where(of_cycle, unconfirmed)):
        await enter(session, cycle, CycleStatus.STATED, CycleStatus.CONFIRMED, who, why, as_of)
    return cycle


async def net_cycle(
    session: AsyncSession, alliance: Alliance, cycle_id: uuid.UUID, *, who: uuid.UUID, why: str, as_of: datetime
) -> SettlementCycle:
    """Net a confirmed cycle multilaterally and plan its payments. Raises NotFound, WrongCycleStatus."""
    await session.execute(select(func.pg_advisory_xact_lock_shared(*FREEZE_LOCK)))
    cycle = await locked(session, cycle_id, as_of)
    await session.execute(select(func.pg_advisory_xact_lock(*SUM_LOCK)))
    calendar = Calendar.of(alliance.calendar)
    cycle.payments_due = calendar.deadline(as_of, alliance.cycle.payment, alliance.timezone)
    await enter(session, cycle, CycleStatus.CONFIRMED, CycleStatus.NETTED, who, why, as_of)
    await netting.leave_out(session, cycle.id, minor_unit(alliance.settlement_currency))
    await plan(session, alliance, cycle)
    await _pass_on(session, cycle, minor_unit(alliance.settlement_currency))
    return cycle


async def plan(session: AsyncSession, alliance: Alliance, cycle: SettlementCycle) -> None:
    """Positions from the stored nets, and the payments that settle them."""
    amounts = (await netting.positions(session, [cycle.id]))[cycle.id]
    planned = plan_payments(amounts, alliance.cycle.min_payment)
    numbers = select(func.coalesce(func.max(Payment.seq), 0)).where(Payment.cycle_id == cycle.id)
    last = (await session.scalars(numbers)).one()
    carried = _moved([payment for payment in planned if payment.carried])
    await _insert(
        session,
        NetPosition,
        [
            {"cycle_id": cycle.id, "merchant_id": party, "amount": amount, "carried": carried.get(party, 0)}
            for party, amount in amounts.items()
        ],
    )
    await _insert(
        session,
        Payment,
        [
            {
                "cycle_id": cycle.id,
                "seq": seq,
                "payer_id": payment.payer,
                "payee_id": payment.payee,
                "amount": payment.amount,
                "status": PaymentStatus.CARRIED if payment.carried else PaymentStatus.PLANNED,
            }
            for seq, payment in enumerate(planned, start=last + 1)
        ],
    )


def _moved(payments: Sequence[PlannedPayment]) -> dict[uuid.UUID, int]:
    """What payments take away from each party's position."""
    moved: dict[uuid.UUID, int] = {}
    for payment in payments:
        moved[payment.payee] = moved.get(payment.payee, 0) + payment.amount
        moved[payment.payer] = moved.get(payment.payer, 0) - payment.amount
    return moved


async def abort_cycle(
    session: AsyncSession, alliance: Alliance, cycle_id: uuid.UUID, *, who: uuid.UUID, why: str, as_of: datetime
) -> SettlementCycle:
    """Give up a cycle that is closed and not being settled: all its claims open the next cycle's accounts.

    Raises NotFound, WrongCycleStatus, and LaterCycleStated where a later one that is not aborted builds on it.
    """
    cycle = await locked(session, cycle_id, as_of)
    require(cycle, *_ABORTABLE)
    await session.execute(select(func.pg_advisory_xact_lock(*SUM_LOCK)))
    later = await queries.first_stated(session, after=cycle.number)
    if later is not None:
        raise LaterCycleStated(number=later, path=("cycle",))
    unit = minor_unit(alliance.settlement_currency)
    if cycle.status == CycleStatus.CLOSED:
        await netting.sum_up(session, cycle.id, unit)
    await enter(session, cycle, CycleStatus(cycle.status), CycleStatus.ABORTED, who, why, as_of)
    await session.execute(text("DELETE FROM net_position WHERE cycle_id = :cycle"), {"cycle": cycle_id})
    await session.execute(
        update(Payment).where(Payment.cycle_id == cycle_id).values(status=PaymentStatus.VOID),
        execution_options={"synchronize_session": False},
    )
    await netting.leave_all(session, cycle.id, unit)
    await _pass_on(session, cycle, unit)
    if await hold_still(session):
        await withhold_again(session, as_of)
    return cycle


_ABORTABLE = (CycleStatus.CLOSED, CycleStatus.STATED, CycleStatus.CONFIRMED, CycleStatus.NETTED)


async def _pass_on(session: AsyncSession, cycle: SettlementCycle, unit: int) -> None:
    """Give what a cycle leaves to the aborted ones right after it: theirs is in turn what they leave."""
    for following in await queries.aborted_after(session, cycle.number):
        await netting.leave_all(session, following.id, unit)


async def _insert(session: AsyncSession, model: type, rows: Sequence[dict[str, object]]) -> None:
    table: Table = model.__table__  # type: ignore[attr-defined]
    if rows:
        await session.execute(insert(table), rows)
