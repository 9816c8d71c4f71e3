"""Objecting to lines of a statement before it is settled, in the caller's transaction."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.disputes import queries
from alliance.disputes.errors import AlreadyObjected, ObjectionLimitExceeded, ObjectionTooLate, ObjectionUnfounded
from alliance.disputes.life import DisputeStatus, Move, Side
from alliance.disputes.model import Dispute, Door, Objection
from alliance.disputes.rules import LARGEST, Line, Objected, is_founded, most_in_dispute, wanted
from alliance.disputes.threads import Step, add_steps, due_at
from alliance.exposure.commands import withhold
from alliance.settlement.model import CycleStatus, SettlementCycle, Statement
from alliance.settlement.netting import ROOM, half_even
from alliance.settlement.queries import pair_nets
from alliance.settlement.rules import Pair, PairNet, minor_unit, pair_of
from alliance.settlement.steps import locked, require
from alliance.treasury.model import MoneyAccount, MoneyBalance
from domain.base import new_id
from domain.errors import InvalidInput, NotAllowed, NotFound, Refusal
from domain.events.commands import add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent
from domain.money import unscaled
from domain.programs.catalogue import Alliance

MOST_LINES = 1000


async def object_to_lines(
    session: AsyncSession,
    alliance: Alliance,
    cycle_id: uuid.UUID,
    objections: Sequence[Objected],
    *,
    merchant_id: uuid.UUID,
    who: uuid.UUID,
    as_of: datetime,
) -> SettlementCycle:
    """Take lines of a merchant's statement out of the net, all or none; what is left of the pair is netted again.

    Each is a dispute of its own from then on. What is beyond a tenth of the pair's gross stands against the merchant's
    collateral, as far as that is free. Raises NotFound for a line that is not on it; WrongCycleStatus,
    ObjectionTooLate, ObjectionUnfounded, AlreadyObjected, ObjectionLimitExceeded; NotAllowed once it was
    confirmed.
    """
    cycle = await locked(session, cycle_id, as_of)
    require(cycle, CycleStatus.STATED)
    if cycle.objections_until is not None and as_of >= cycle.objections_until:
        raise ObjectionTooLate(until=cycle.objections_until.isoformat(), path=("cycle",))
    statement = await session.get(Statement, (cycle_id, merchant_id))
    if statement is None:
        raise NotFound(what="statement", path=("cycle",))
    if statement.confirmed_at is not None:
        raise NotAllowed(reason="this statement was confirmed", path=("cycle",))
    if not 0 < len(objections) <= MOST_LINES:
        raise InvalidInput(reason=f"name 1 to {MOST_LINES} lines", path=("lines",))
    found = await _founded(session, cycle_id, objections, merchant_id)
    amounts: dict[Pair, list[int]] = defaultdict(list)
    rows: list[Objection] = []
    disputes: list[Dispute] = []
    due = due_at(alliance, DisputeStatus.RAISED, as_of)
    for one, line in found:
        first, second = pair_of(line.debtor_id, line.creditor_id)
        amount = line.amount if line.creditor_id == first else -line.amount
        amounts[first, second].append(amount)
        holder_id, operation_id, seq = one.place
        _, other_operation_id, other_seq = one.other or (None, None, None)
        id_ = new_id()
        rows.append(
            Objection(
                id=id_,
                cycle_id=cycle_id,
                holder_id=holder_id,
                operation_id=operation_id,
                seq=seq,
                first_id=first,
                second_id=second,
                amount=amount,
                reason=one.reason.value,
                expected=one.expected,
                other_operation_id=other_operation_id,
                other_seq=other_seq,
                merchant_id=merchant_id,
                who=who,
                raised_at=as_of,
            )
        )
        disputes.append(
            Dispute(
                id=id_,
                door=Door.OBJECTION.value,
                status=DisputeStatus.RAISED.value,
                round=1,
                raiser_id=merchant_id,
                against_id=line.creditor_id if merchant_id == line.debtor_id else line.debtor_id,
                debtor_id=line.debtor_id,
                cycle_id=cycle_id,
                holder_id=holder_id,
                operation_id=operation_id,
                seq=seq,
                code=one.reason.value,
                claimed=_in_range(wanted(one, line, merchant_id)),
                offered=0,
                due_at=due,
                raised_at=as_of,
            )
        )
    nets = (await pair_nets(session, [cycle], alliance.settlement_currency, party=merchant_id))[cycle_id]
    already = await queries.in_dispute(session, cycle_id)
    await _secure(session, alliance, nets, already, list(zip(rows, disputes, strict=True)))
    session.add_all([*rows, *disputes])
    await session.flush()
    asked = [Step(one, Side.RAISER, merchant_id, who, Move.RAISE, as_of, amount=one.claimed) for one in disputes]
    await add_steps(session, asked)
    await net_again(session, cycle_id, minor_unit(alliance.settlement_currency))
    await withhold(session, [(pair, amount) for pair, more in amounts.items() for amount in more])
    await add_events(session, [_event(cycle, pair, len(more), merchant_id, as_of) for pair, more in amounts.items()])
    return cycle


def _event(cycle: SettlementCycle, pair: Pair, lines: int, merchant_id: uuid.UUID, as_of: datetime) -> NewEvent:
    """That so many lines of a pair are objected to: for its two merchants."""
    other_id = next(party for party in pair if party != merchant_id)
    data: dict[str, Any] = {"cycle": str(cycle.id), "number": cycle.number, "lines": lines}
    data |= {"merchant": str(merchant_id), "against": str(other_id), "asOf": as_of.isoformat()}
    return NewEvent(cycle.id, EventKind.LINES_OBJECTED, data, pair)


async def object_to_each(
    session: AsyncSession,
    alliance: Alliance,
    cycle_id: uuid.UUID,
    objections: Sequence[Objected],
    *,
    merchant_id: uuid.UUID,
    who: uuid.UUID,
    as_of: datetime,
) -> list[tuple[uuid.UUID, bool] | Refusal]:
    """As `object_to_lines`, each by itself: one that is refused keeps no other from being raised.

    Of each the id of its dispute, and whether the merchant had objected to the line for this reason before; or why it
    is refused.
    """
    result: list[tuple[uuid.UUID, bool] | Refusal] = []
    for one in objections:
        before = await queries.objection_of(session, one.place, merchant_id)
        if before is not None and before.reason == one.reason.value:
            result.append((before.id, True))
            continue
        try:
            async with session.begin_nested():
                await object_to_lines(session, alliance, cycle_id, [one], merchant_id=merchant_id, who=who, as_of=as_of)
        except Refusal as refusal:
            refusal.path = tuple(part for part in refusal.path if part not in ("lines", "0"))
            result.append(refusal)
            continue
        raised = await queries.objection_of(session, one.place, merchant_id)
        assert raised is not None
        result.append((raised.id, False))
    return result


async def _founded(
    session: AsyncSession, cycle_id: uuid.UUID, objections: Sequence[Objected], merchant_id: uuid.UUID
) -> list[tuple[Objected, Line]]:
    """The objections with their lines. Raises NotFound, AlreadyObjected, ObjectionUnfounded."""
    places = {place for one in objections for place in (one.place, one.other) if place is not None}
    lines = await queries.lines(session, cycle_id, places, merchant_id)
    taken = await queries.objected(session, places)
    result = []
    for index, one in enumerate(objections):
        path = ("lines", str(index))
        line = lines.get(one.place)
        if line is None:
            raise NotFound(what="line", path=(*path, "line"))
        if one.place[1:] in taken:
            raise AlreadyObjected(path=path)
        other = None if one.other is None else lines.get(one.other)
        if not is_founded(one, line, other, merchant_id):
            raise ObjectionUnfounded(reason=one.reason.value, path=path)
        taken.add(one.place[1:])
        result.append((one, line))
    return result


def _in_range(amount: int) -> int:
    """Raises InvalidInput for what a dispute cannot be about."""
    if abs(amount) > LARGEST:
        raise InvalidInput(reason="what is expected is out of range", path=("lines",))
    return amount


async def _secure(
    session: AsyncSession,
    alliance: Alliance,
    nets: Sequence[PairNet],
    already: Mapping[Pair, int],
    raised: Sequence[tuple[Objection, Dispute]],
) -> None:
    """Let what lies beyond the limit of its pair stand against the merchant's free collateral.

    Raises ObjectionLimitExceeded where that does not suffice.
    """
    caps = {(net.first, net.second): most_in_dispute(net) for net in nets}
    used = dict(already)
    for objection, dispute in raised:
        pair = (objection.first_id, objection.second_id)
        before = used.get(pair, 0)
        used[pair] = before + abs(objection.amount)
        dispute.secured = max(0, used[pair] - caps[pair]) - max(0, before - caps[pair])
    beyond = sum(dispute.secured for _, dispute in raised)
    if not beyond or beyond <= await free_collateral(session, alliance, raised[0][1].raiser_id):
        return
    over = next(pair for pair, amount in used.items() if amount > caps[pair])
    told = {"cap": unscaled(caps[over], 6), "used": unscaled(already.get(over, 0), 6)}
    raise ObjectionLimitExceeded(**told, path=("lines",))


async def free_collateral(session: AsyncSession, alliance: Alliance, merchant_id: uuid.UUID) -> int:
    """What of a merchant's deposited collateral no objection stands against, in millionths; locked until the end."""
    mine = (MoneyBalance.account == MoneyAccount.COLLATERAL.value) & (MoneyBalance.party_id == merchant_id)
    held = await session.scalar(select(MoneyBalance.balance).where(mine).with_for_update())
    return -(held or 0) * minor_unit(alliance.settlement_currency) - await queries.secured(session, merchant_id)


async def net_again(session: AsyncSession, cycle_id: uuid.UUID, unit: int) -> None:
    """Net the pairs of a stated cycle without the lines that are objected to, by `unit` millionths."""
    await session.execute(text(ROOM))
    await session.execute(text(_NET_AGAIN), {"cycle": cycle_id, "unit": unit})


_UNIT = "CAST(:unit AS numeric)"
_CLAIM = "(opening + lines + adjustments - objected.amount)"
_NET = half_even(_CLAIM, _UNIT)
_NET_AGAIN = f"""
UPDATE pair_net SET suspended = objected.amount, net = {_NET}, carried = {_CLAIM} - {_NET} * {_UNIT}
FROM (SELECT first_id, second_id, sum(amount) AS amount FROM objection WHERE cycle_id = :cycle
      GROUP BY 1, 2) AS objected
WHERE pair_net.cycle_id = :cycle AND pair_net.first_id = objected.first_id
  AND pair_net.second_id = objected.second_id AND pair_net.suspended <> objected.amount
"""  # noqa: S608
