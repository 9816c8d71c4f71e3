"""The steps of a cycle, each in the caller's transaction and recorded with who, why and when.

Closing waits for postings that are being written (CYCLE_LOCK, which they hold shared), so that every obligation lies in
exactly one cycle. The later steps read sums by pair; none touches a row per obligation.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Table, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.settlement import queries
from alliance.settlement.errors import EarlierCycleOpen, LaterCycleStated, WrongCycleStatus
from alliance.settlement.model import (
    CycleStatus,
    CycleTransition,
    NetPosition,
    PairNetRow,
    Payment,
    PaymentStatus,
    SettlementCycle,
    Statement,
)
from alliance.settlement.rules import PairNet, PlannedPayment, minor_unit, net_pairs, plan_payments, positions
from domain.base import new_id
from domain.errors import NotFound
from domain.programs.catalogue import Alliance

CYCLE_LOCK = (0x7E55, 1)
"""Advisory lock: what books an obligation holds it shared, what closes a cycle exclusively."""

SUM_LOCK = (0x7E55, 4)
"""Advisory lock: one cycle at a time is summed up, since one opens with what the other leaves."""


async def ensure_open_cycle(session: AsyncSession, as_of: datetime) -> SettlementCycle:
    """The open cycle; the first one is opened here if there has never been one."""
    first = upsert(SettlementCycle).values(id=new_id(), number=1, status=CycleStatus.OPEN, opens_at=as_of)
    if await queries.open_cycle(session) is None:
        await session.execute(first.on_conflict_do_nothing())
    return (await session.scalars(select(SettlementCycle).where(SettlementCycle.status == CycleStatus.OPEN))).one()


async def close_cycle(
    session: AsyncSession, *, who: uuid.UUID, why: str, as_of: datetime, cycle_id: uuid.UUID | None = None
) -> SettlementCycle:
    """Close a cycle (default: the open one) and open the next at the same moment.

    Returns the closed one. Raises NotFound, WrongCycleStatus.
    """
    await session.execute(
        text("SELECT pg_advisory_xact_lock(:room, :lock)"), {"room": CYCLE_LOCK[0], "lock": CYCLE_LOCK[1]}
    )
    cycle = await _lock(session, cycle_id or (await ensure_open_cycle(session, as_of)).id)
    cycle.closes_at = max(as_of, cycle.opens_at)
    await _enter(session, cycle, CycleStatus.OPEN, CycleStatus.CLOSED, who, why, as_of)
    session.add(
        SettlementCycle(id=new_id(), number=cycle.number + 1, status=CycleStatus.OPEN, opens_at=cycle.closes_at)
    )
    await session.flush()
    return cycle


async def issue_statements(
    session: AsyncSession, alliance: Alliance, cycle_id: uuid.UUID, *, who: uuid.UUID, why: str, as_of: datetime
) -> SettlementCycle:
    """Sum a closed cycle by pair and state it to every party. The operator's own statement is confirmed by issuing it.

    Raises NotFound, WrongCycleStatus, EarlierCycleOpen.
    """
    cycle = await _lock(session, cycle_id)
    nets = await _sum_up(session, cycle, alliance, CycleStatus.CLOSED)
    await _enter(session, cycle, CycleStatus.CLOSED, CycleStatus.STATED, who, why, as_of)
    await _keep(session, cycle, nets)
    await _insert(
        session,
        Statement,
        [
            {
                "cycle_id": cycle.id,
                "merchant_id": party,
                "issued_at": as_of,
                "confirmed_at": as_of if party == alliance.id else None,
                "confirmed_by": who if party == alliance.id else None,
            }
            for party in positions(nets)
        ],
    )
    return cycle


async def confirm_statement(
    session: AsyncSession,
    cycle_id: uuid.UUID,
    *,
    merchant_id: uuid.UUID | None = None,
    who: uuid.UUID,
    why: str,
    as_of: datetime,
) -> SettlementCycle:
    """Confirm one merchant's statement, or all that are left; when none is left the cycle is CONFIRMED.

    Confirming a statement again changes nothing. Raises NotFound, WrongCycleStatus.
    """
    cycle = await _lock(session, cycle_id)
    _require(cycle, CycleStatus.STATED)
    of_cycle = Statement.cycle_id == cycle_id
    mine = of_cycle if merchant_id is None else of_cycle & (Statement.merchant_id == merchant_id)
    if merchant_id is not None and not await session.scalar(select(func.count()).where(mine)):
        raise NotFound(what="statement", path=("merchant",))
    unconfirmed = Statement.confirmed_at.is_(None)
    await session.execute(
        update(Statement).where(mine, unconfirmed).values(confirmed_at=as_of, confirmed_by=who),
        execution_options={"synchronize_session": False},
    )
    if not await session.scalar(select(func.count()).where(of_cycle, unconfirmed)):
        await _enter(session, cycle, CycleStatus.STATED, CycleStatus.CONFIRMED, who, why, as_of)
    return cycle


async def net_cycle(
    session: AsyncSession, alliance: Alliance, cycle_id: uuid.UUID, *, who: uuid.UUID, why: str, as_of: datetime
) -> SettlementCycle:
    """Net a confirmed cycle multilaterally and plan its payments. Raises NotFound, WrongCycleStatus."""
    cycle = await _lock(session, cycle_id)
    await _enter(session, cycle, CycleStatus.CONFIRMED, CycleStatus.NETTED, who, why, as_of)
    nets = (await queries.pair_nets(session, [cycle], alliance.settlement_currency))[cycle.id]
    amounts = positions(nets)
    plan = plan_payments(amounts, alliance.cycle.min_payment)
    carried = _moved([payment for payment in plan if payment.carried])
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
            for seq, payment in enumerate(plan, start=1)
        ],
    )
    return cycle


def _moved(payments: Sequence[PlannedPayment]) -> dict[uuid.UUID, int]:
    """What payments take away from each party's position."""
    moved: dict[uuid.UUID, int] = {}
    for payment in payments:
        moved[payment.payee] = moved.get(payment.payee, 0) + payment.amount
        moved[payment.payer] = moved.get(payment.payer, 0) - payment.amount
    return moved


async def settle_cycle(
    session: AsyncSession, cycle_id: uuid.UUID, *, who: uuid.UUID, why: str, as_of: datetime
) -> SettlementCycle:
    """Record the planned payments of a netted cycle as made; every position returns to zero.

    Raises NotFound, WrongCycleStatus.
    """
    cycle = await _lock(session, cycle_id)
    await _enter(session, cycle, CycleStatus.NETTED, CycleStatus.SETTLING, who, why, as_of)
    await session.execute(
        update(Payment)
        .where(Payment.cycle_id == cycle_id, Payment.status == PaymentStatus.PLANNED)
        .values(status=PaymentStatus.PAID, paid_at=as_of),
        execution_options={"synchronize_session": False},
    )
    await session.execute(text(_SETTLE_POSITIONS), {"cycle": cycle_id})
    left = select(func.count()).where(
        NetPosition.cycle_id == cycle_id, NetPosition.amount != NetPosition.settled + NetPosition.carried
    )
    if await session.scalar(left):
        raise RuntimeError(f"the payments of cycle {cycle.number} do not bring its positions to zero")
    await _enter(session, cycle, CycleStatus.SETTLING, CycleStatus.SETTLED, who, why, as_of)
    return cycle


_SETTLE_POSITIONS = """
UPDATE net_position SET settled = moved.amount
FROM (SELECT merchant_id, sum(amount)::bigint AS amount
      FROM (SELECT payee_id AS merchant_id, amount FROM payment WHERE cycle_id = :cycle AND status = 'PAID'
            UNION ALL
            SELECT payer_id, -amount FROM payment WHERE cycle_id = :cycle AND status = 'PAID') AS leg
      GROUP BY merchant_id) AS moved
WHERE net_position.cycle_id = :cycle AND net_position.merchant_id = moved.merchant_id
"""


async def abort_cycle(
    session: AsyncSession, alliance: Alliance, cycle_id: uuid.UUID, *, who: uuid.UUID, why: str, as_of: datetime
) -> SettlementCycle:
    """Give up a cycle that is closed and not being settled: all its claims open the next cycle's accounts.

    Raises NotFound, WrongCycleStatus, EarlierCycleOpen, and LaterCycleStated where the next one was stated already.
    """
    cycle = await _lock(session, cycle_id)
    nets = await _sum_up(session, cycle, alliance, *_ABORTABLE)
    later = (await queries.by_numbers(session, [cycle.number + 1])).get(cycle.number + 1)
    if later is not None and later.status not in (CycleStatus.OPEN, CycleStatus.CLOSED):
        raise LaterCycleStated(number=later.number, path=("cycle",))
    await _enter(session, cycle, CycleStatus(cycle.status), CycleStatus.ABORTED, who, why, as_of)
    for table in (PairNetRow, NetPosition):
        await session.execute(text(f"DELETE FROM {table.__tablename__} WHERE cycle_id = :cycle"), {"cycle": cycle_id})  # noqa: S608
    await session.execute(
        update(Payment).where(Payment.cycle_id == cycle_id).values(status=PaymentStatus.VOID),
        execution_options={"synchronize_session": False},
    )
    await _keep(session, cycle, nets, settled=False)
    return cycle


_ABORTABLE = (CycleStatus.CLOSED, CycleStatus.STATED, CycleStatus.CONFIRMED, CycleStatus.NETTED)


async def _lock(session: AsyncSession, cycle_id: uuid.UUID) -> SettlementCycle:
    """The cycle, locked against another step. Raises NotFound."""
    query = select(SettlementCycle).where(SettlementCycle.id == cycle_id).with_for_update()
    cycle = await session.scalar(query, execution_options={"populate_existing": True})
    if cycle is None:
        raise NotFound(what="cycle", path=("cycle",))
    return cycle


def _require(cycle: SettlementCycle, *needed: CycleStatus) -> None:
    if cycle.status not in needed:
        raise WrongCycleStatus(number=cycle.number, status=cycle.status, needed=" or ".join(needed), path=("cycle",))


async def _enter(
    session: AsyncSession,
    cycle: SettlementCycle,
    start: CycleStatus,
    end: CycleStatus,
    who: uuid.UUID,
    why: str,
    as_of: datetime,
) -> None:
    """Move a cycle on, and record it. Raises WrongCycleStatus unless it is in `start`."""
    _require(cycle, start)
    cycle.status = end.value
    taken = select(func.count()).where(CycleTransition.cycle_id == cycle.id)
    seq = int(await session.scalar(taken) or 0) + 1
    session.add(CycleTransition(cycle_id=cycle.id, seq=seq, status=end.value, who=who, why=why, as_of=as_of))
    await session.flush()


async def _sum_up(
    session: AsyncSession, cycle: SettlementCycle, alliance: Alliance, *needed: CycleStatus
) -> list[PairNet]:
    """A cycle's nets from its obligations and its opening balances. Raises WrongCycleStatus, EarlierCycleOpen."""
    _require(cycle, *needed)
    await session.execute(select(func.pg_advisory_xact_lock(*SUM_LOCK)))
    before = (await queries.by_numbers(session, [cycle.number - 1])).get(cycle.number - 1)
    if before is not None and queries.is_provisional(before):
        raise EarlierCycleOpen(number=before.number, path=("cycle",))
    unit = minor_unit(alliance.settlement_currency)
    totals = await queries.pair_totals(session, [cycle.id])
    opening = await queries.openings(session, [cycle], unit)
    return net_pairs(totals[cycle.id], opening[cycle.id], unit)


async def _keep(
    session: AsyncSession, cycle: SettlementCycle, nets: Sequence[PairNet], *, settled: bool = True
) -> None:
    """Store a cycle's nets; of one that is not to be settled everything is carried."""
    await _insert(
        session,
        PairNetRow,
        [
            {
                "cycle_id": cycle.id,
                "first_id": net.first,
                "second_id": net.second,
                "opening": net.opening,
                "lines": net.lines,
                "adjustments": net.adjustments,
                "gross": net.gross,
                "count": net.count,
                "net": net.net if settled else 0,
                "carried": net.carried if settled else net.closing,
            }
            for net in nets
        ],
    )


async def _insert(session: AsyncSession, model: type, rows: Sequence[dict[str, object]]) -> None:
    table: Table = model.__table__  # type: ignore[attr-defined]
    if rows:
        await session.execute(insert(table), rows)
