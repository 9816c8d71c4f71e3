"""Reading cycles: set-based, many cycles in. `party` narrows an answer to what that merchant may see (A14)."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.model import Obligation
from alliance.disputes.model import Objection
from alliance.settlement import netting
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
from alliance.settlement.rules import (
    Pair,
    PairNet,
    PairTotal,
    PlannedPayment,
    Report,
    minor_unit,
    net_pairs,
    next_openings,
)

Cycles = Sequence[SettlementCycle]


@dataclass(frozen=True, slots=True)
class Position:
    """What a merchant is to receive (positive) or pay, in minor units; `open` is what is neither paid nor carried."""

    merchant_id: uuid.UUID
    amount: int
    open: int


@dataclass(frozen=True, slots=True)
class StatementLine:
    """The account of one merchant with another; positive is to be received. Millionths, but `net` in minor units."""

    merchant_id: uuid.UUID
    opening: int
    lines: int
    adjustments: int
    closing: int
    net: int
    carried: int
    suspended: int = 0


@dataclass(frozen=True, slots=True)
class MerchantStatement:
    """A9: a merchant's cycle, summed and by partner. `position` is what is settled of `closing`, in minor units."""

    cycle_id: uuid.UUID
    merchant_id: uuid.UUID
    opening: int
    lines: int
    adjustments: int
    closing: int
    position: int
    issued_at: datetime | None
    confirmed_at: datetime | None
    confirmed_early: str | None
    partners: list[StatementLine]


async def by_ids(session: AsyncSession, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, SettlementCycle]:
    """Cycles by id; one that is not there is left out."""
    rows = await session.scalars(select(SettlementCycle).where(SettlementCycle.id.in_(ids)))
    return {cycle.id: cycle for cycle in rows}


async def by_numbers(session: AsyncSession, numbers: Collection[int]) -> dict[int, SettlementCycle]:
    """Cycles by number; one that is not there is left out."""
    rows = await session.scalars(select(SettlementCycle).where(SettlementCycle.number.in_(numbers)))
    return {cycle.number: cycle for cycle in rows}


async def open_cycle(session: AsyncSession) -> SettlementCycle | None:
    """The open cycle; None before anything was ever owed. One whose successor is open is being closed."""
    open_ = (SettlementCycle.status == CycleStatus.OPEN) & SettlementCycle.closes_at.is_(None)
    return await session.scalar(select(SettlementCycle).where(open_))


async def first_provisional(session: AsyncSession, *, before: int) -> int | None:
    """The number of the earliest cycle before this one whose nets may still change."""
    query = select(func.min(SettlementCycle.number))
    return await session.scalar(query.where(SettlementCycle.number < before, SettlementCycle.status.in_(_PROVISIONAL)))


async def first_stated(session: AsyncSession, *, after: int) -> int | None:
    """The number of the earliest cycle after this one that was stated and is not aborted."""
    unstated = (CycleStatus.OPEN, CycleStatus.CLOSED, CycleStatus.ABORTED)
    query = select(func.min(SettlementCycle.number))
    return await session.scalar(query.where(SettlementCycle.number > after, SettlementCycle.status.not_in(unstated)))


async def aborted_after(session: AsyncSession, number: int) -> Cycles:
    """The cycles right after this one, up to the first that is not aborted."""
    kept = select(func.min(SettlementCycle.number)).where(
        SettlementCycle.number > number, SettlementCycle.status != CycleStatus.ABORTED
    )
    query = select(SettlementCycle).where(
        SettlementCycle.number > number, SettlementCycle.number < kept.scalar_subquery()
    )
    return (await session.scalars(query.order_by(SettlementCycle.number))).all()


async def page(session: AsyncSession, *, before: int | None = None, first: int = 20) -> Cycles:
    """Cycles, newest first, with a number under `before`."""
    query = select(SettlementCycle).order_by(SettlementCycle.number.desc()).limit(first)
    if before is not None:
        query = query.where(SettlementCycle.number < before)
    return (await session.scalars(query)).all()


async def transitions(
    session: AsyncSession, cycle_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, list[CycleTransition]]:
    """By whom, why and when each cycle entered its statuses, in order."""
    rows = await session.scalars(
        select(CycleTransition).where(CycleTransition.cycle_id.in_(cycle_ids)).order_by(CycleTransition.seq)
    )
    result: dict[uuid.UUID, list[CycleTransition]] = {cycle_id: [] for cycle_id in cycle_ids}
    for row in rows:
        result[row.cycle_id].append(row)
    return result


async def pair_totals(
    session: AsyncSession, cycle_ids: Collection[uuid.UUID], *, party: uuid.UUID | None = None
) -> dict[uuid.UUID, list[PairTotal]]:
    """What was booked in each cycle, summed in the database by debtor and creditor."""
    reversing = Obligation.reverses.is_not(None)
    query = (
        select(
            Obligation.cycle_id,
            Obligation.debtor_id,
            Obligation.creditor_id,
            func.coalesce(func.sum(Obligation.amount).filter(~reversing), 0),
            func.coalesce(func.sum(Obligation.amount).filter(reversing), 0),
            func.count(),
        )
        .where(Obligation.cycle_id.in_(cycle_ids))
        .group_by(Obligation.cycle_id, Obligation.debtor_id, Obligation.creditor_id)
    )
    if party is not None:
        query = query.where(or_(Obligation.debtor_id == party, Obligation.creditor_id == party))
    result: dict[uuid.UUID, list[PairTotal]] = {cycle_id: [] for cycle_id in cycle_ids}
    for cycle_id, debtor, creditor, lines, adjustments, count in await session.execute(query):
        result[cycle_id].append(PairTotal(debtor, creditor, int(lines), int(adjustments), count))
    return result


async def openings(session: AsyncSession, cycles: Cycles, unit: int) -> dict[uuid.UUID, dict[Pair, int]]:
    """Each cycle's opening balances: what the one before it left, once that is netted, and lines under objection that
    were decided while it was open."""
    before = await by_numbers(session, [cycle.number - 1 for cycle in cycles])
    done = {number: cycle.id for number, cycle in before.items() if not is_provisional(cycle)}
    pairs = await _stored_pairs(session, list(done.values()))
    plans = await payments(session, list(done.values()))
    released = await _released(session, [cycle.id for cycle in cycles])
    result: dict[uuid.UUID, dict[Pair, int]] = {}
    for cycle in cycles:
        previous = done.get(cycle.number - 1)
        carried = (
            [
                PlannedPayment(row.payer_id, row.payee_id, row.amount, True)
                for row in plans.get(previous, ())
                if row.status == PaymentStatus.CARRIED
            ]
            if previous
            else []
        )
        opening = next_openings(pairs.get(previous, ()), carried, unit) if previous else {}
        for pair, amount in released[cycle.id]:
            opening[pair] = opening.get(pair, 0) + amount
        result[cycle.id] = opening
    return result


async def _released(session: AsyncSession, cycle_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[tuple[Pair, int]]]:
    """What opens cycles because a dispute about it was decided while they were open, signed as in a pair net."""
    columns = (Objection.released_in, Objection.first_id, Objection.second_id, func.sum(Objection.amount))
    query = select(*columns).where(Objection.released_in.in_(cycle_ids))
    found: dict[uuid.UUID, list[tuple[Pair, int]]] = {cycle_id: [] for cycle_id in cycle_ids}
    for cycle_id, first, second, amount in await session.execute(query.group_by(*columns[:3])):
        if cycle_id is not None:
            found[cycle_id].append(((first, second), int(amount)))
    return found


def is_provisional(cycle: SettlementCycle) -> bool:
    """Whether the nets of a cycle may still change."""
    return cycle.status in _PROVISIONAL


_UNSTATED = (CycleStatus.OPEN, CycleStatus.CLOSED)
_PROVISIONAL = (*_UNSTATED, CycleStatus.STATED, CycleStatus.CONFIRMED)


async def pair_nets(
    session: AsyncSession, cycles: Cycles, currency: str, *, party: uuid.UUID | None = None
) -> dict[uuid.UUID, list[PairNet]]:
    """The nets of each cycle's pairs: as stated, or, before that, as they would be now."""
    unit = minor_unit(currency)
    unstated = [cycle for cycle in cycles if cycle.status in _UNSTATED]
    result = await _stored_pairs(session, [cycle.id for cycle in cycles], party=party)
    if unstated:
        totals = await pair_totals(session, [cycle.id for cycle in unstated], party=party)
        opening = await openings(session, unstated, unit)
        for cycle in unstated:
            nets = net_pairs(totals[cycle.id], opening[cycle.id], unit)
            result[cycle.id] = [net for net in nets if party in (None, net.first, net.second)]
    return result


async def _stored_pairs(
    session: AsyncSession, cycle_ids: Collection[uuid.UUID], *, party: uuid.UUID | None = None
) -> dict[uuid.UUID, list[PairNet]]:
    query = select(PairNetRow).where(PairNetRow.cycle_id.in_(cycle_ids))
    if party is not None:
        query = query.where(or_(PairNetRow.first_id == party, PairNetRow.second_id == party))
    result: dict[uuid.UUID, list[PairNet]] = {cycle_id: [] for cycle_id in cycle_ids}
    for row in await session.scalars(query.order_by(PairNetRow.first_id, PairNetRow.second_id)):
        result[row.cycle_id].append(
            PairNet(
                first=row.first_id,
                second=row.second_id,
                opening=row.opening,
                lines=row.lines,
                adjustments=row.adjustments,
                gross=row.gross,
                count=row.count,
                net=row.net,
                carried=row.carried,
                suspended=row.suspended,
            )
        )
    return result


async def reports(
    session: AsyncSession, cycles: Cycles, currency: str, *, party: uuid.UUID | None = None
) -> dict[uuid.UUID, Report]:
    """What netting saves in each cycle; for a party, of its own pairs, its own position and its own payments alone."""
    unit = minor_unit(currency)
    plans = await plans_of(session, cycles, party=party)
    stored = [cycle.id for cycle in cycles if cycle.status not in _UNSTATED]
    found = await netting.reports(session, stored, plans, party=party)
    for cycle in cycles:
        if cycle.status in _UNSTATED:
            found[cycle.id] = await netting.live_report(session, cycle.id, unit, party=party)
    return found


async def plans_of(
    session: AsyncSession, cycles: Cycles, *, party: uuid.UUID | None = None
) -> dict[uuid.UUID, list[PlannedPayment]]:
    """The payments that were planned for each cycle that is netted; a party's are those it makes or receives."""
    netted = [cycle.id for cycle in cycles if not is_provisional(cycle) and cycle.status != CycleStatus.ABORTED]
    return {
        cycle_id: [PlannedPayment(r.payer_id, r.payee_id, r.amount, r.status == PaymentStatus.CARRIED) for r in rows]
        for cycle_id, rows in (await payments(session, netted, party=party)).items()
    }


async def net_positions(
    session: AsyncSession, cycles: Cycles, currency: str, *, party: uuid.UUID | None = None
) -> dict[uuid.UUID, list[Position]]:
    """Each cycle's positions, zero-sum over all parties; provisional until the cycle is netted."""
    query = select(NetPosition).where(NetPosition.cycle_id.in_([cycle.id for cycle in cycles]))
    if party is not None:
        query = query.where(NetPosition.merchant_id == party)
    result: dict[uuid.UUID, list[Position]] = {cycle.id: [] for cycle in cycles}
    for row in await session.scalars(query.order_by(NetPosition.merchant_id)):
        left = row.amount - row.settled - row.carried
        result[row.cycle_id].append(Position(row.merchant_id, row.amount, left))
    stated = [cycle.id for cycle in cycles if cycle.status in (CycleStatus.STATED, CycleStatus.CONFIRMED)]
    provisional = await netting.positions(session, stated, party=party)
    for cycle in cycles:
        if cycle.status in _UNSTATED:
            unit = minor_unit(currency)
            provisional[cycle.id] = await netting.live_positions(session, cycle.id, unit, party=party)
    for cycle_id, amounts in provisional.items():
        result[cycle_id] += [Position(merchant_id, amount, amount) for merchant_id, amount in amounts.items()]
    return result


async def payments(
    session: AsyncSession, cycle_ids: Collection[uuid.UUID], *, party: uuid.UUID | None = None
) -> dict[uuid.UUID, list[Payment]]:
    """Each cycle's payments; a party's are those it makes or receives."""
    query = select(Payment).where(Payment.cycle_id.in_(cycle_ids)).order_by(Payment.seq)
    if party is not None:
        query = query.where(or_(Payment.payer_id == party, Payment.payee_id == party))
    result: dict[uuid.UUID, list[Payment]] = {cycle_id: [] for cycle_id in cycle_ids}
    for row in await session.scalars(query):
        result[row.cycle_id].append(row)
    return result


async def statements(
    session: AsyncSession, asked: Collection[tuple[SettlementCycle, uuid.UUID]], currency: str
) -> dict[tuple[uuid.UUID, uuid.UUID], MerchantStatement]:
    """Statements by (cycle, merchant), provisional until issued; none where the two had nothing to do."""
    cycles = list({cycle.id: cycle for cycle, _ in asked}.values())
    keys = {(cycle.id, merchant_id) for cycle, merchant_id in asked}
    merchants = {merchant_id for _, merchant_id in keys}
    nets = await pair_nets(session, cycles, currency, party=merchants.pop() if len(merchants) == 1 else None)
    rows = await session.scalars(
        select(Statement).where(tuple_(Statement.cycle_id, Statement.merchant_id).in_(list(keys)))
    )
    issued = {(row.cycle_id, row.merchant_id): row for row in rows}
    partners: dict[tuple[uuid.UUID, uuid.UUID], list[StatementLine]] = defaultdict(list)
    for cycle_id, pairs in nets.items():
        for pair in pairs:
            for me, other, sign in ((pair.first, pair.second, 1), (pair.second, pair.first, -1)):
                partners[cycle_id, me].append(_line(pair, other, sign))
    return {key: _statement(key, partners[key], issued.get(key)) for key in keys if key in partners}


def _line(pair: PairNet, other: uuid.UUID, sign: int) -> StatementLine:
    return StatementLine(
        merchant_id=other,
        opening=sign * pair.opening,
        lines=sign * pair.lines,
        adjustments=sign * pair.adjustments,
        closing=sign * pair.closing,
        net=sign * pair.net,
        carried=sign * pair.carried,
        suspended=sign * pair.suspended,
    )


def _statement(
    key: tuple[uuid.UUID, uuid.UUID], partners: list[StatementLine], issued: Statement | None
) -> MerchantStatement:
    return MerchantStatement(
        cycle_id=key[0],
        merchant_id=key[1],
        opening=sum(line.opening for line in partners),
        lines=sum(line.lines for line in partners),
        adjustments=sum(line.adjustments for line in partners),
        closing=sum(line.closing for line in partners),
        position=sum(line.net for line in partners),
        issued_at=issued.issued_at if issued else None,
        confirmed_at=issued.confirmed_at if issued else None,
        confirmed_early=issued.confirmed_early if issued else None,
        partners=partners,
    )
