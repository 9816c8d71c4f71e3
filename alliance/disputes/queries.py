"""Reading objections and all disputes: set-based. `party` narrows an answer to what that merchant may see (A14)."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.model import Obligation
from alliance.disputes.life import UNDECIDED, DisputeStatus
from alliance.disputes.model import Attachment, Dispute, DisputeStep, Door, Objection, StepAttachment
from alliance.disputes.rules import Line, Place
from alliance.settlement.rules import Pair


async def lines(
    session: AsyncSession, cycle_id: uuid.UUID, places: Collection[Place], party: uuid.UUID
) -> dict[Place, Line]:
    """The lines of a cycle at these places to which a merchant is a party; others are left out."""
    key = tuple_(Obligation.holder_id, Obligation.operation_id, Obligation.seq)
    found = (
        await session.scalars(
            select(Obligation).where(
                key.in_(list(places)),
                Obligation.cycle_id == cycle_id,
                or_(Obligation.debtor_id == party, Obligation.creditor_id == party),
            )
        )
    ).all()
    operations = {(row.holder_id, row.operation_id) for row in found}
    back = tuple_(Obligation.holder_id, Obligation.reverses)
    undone = await session.execute(
        select(Obligation.holder_id, Obligation.reverses, Obligation.debtor_id, Obligation.creditor_id).where(
            back.in_(list(operations))
        )
    )
    reversed_ = {(holder, operation, debtor, creditor) for holder, operation, debtor, creditor in undone}
    return {
        (row.holder_id, row.operation_id, row.seq): Line(
            debtor_id=row.debtor_id,
            creditor_id=row.creditor_id,
            merchant_id=row.merchant_id,
            kind=row.kind,
            currency=row.currency,
            points=row.points,
            price=row.price,
            amount=row.amount,
            order_ref=row.order_ref,
            reverses=row.reverses is not None,
            reversed=(row.holder_id, row.operation_id, row.debtor_id, row.creditor_id) in reversed_,
        )
        for row in found
    }


async def objection_of(session: AsyncSession, place: Place, merchant_id: uuid.UUID) -> Objection | None:
    """What a merchant objected to a line, if it did."""
    _, operation_id, seq = place
    mine = (Objection.operation_id == operation_id) & (Objection.seq == seq) & (Objection.merchant_id == merchant_id)
    return await session.scalar(select(Objection).where(mine))


async def objected(session: AsyncSession, places: Collection[Place]) -> set[tuple[uuid.UUID, int]]:
    """Which of these lines, by operation and number, are in dispute."""
    key = tuple_(Objection.operation_id, Objection.seq)
    asked = [(operation_id, seq) for _, operation_id, seq in places]
    rows = await session.execute(select(Objection.operation_id, Objection.seq).where(key.in_(asked)))
    return {(operation_id, seq) for operation_id, seq in rows}


async def in_dispute(session: AsyncSession, cycle_id: uuid.UUID, *, still: bool = False) -> dict[Pair, int]:
    """How much is or was (or is `still`) in dispute between the pairs of a cycle, without signs, in millionths."""
    total = func.sum(func.abs(Objection.amount))
    query = select(Objection.first_id, Objection.second_id, total).where(Objection.cycle_id == cycle_id)
    if still:
        query = query.where(Objection.released_in.is_(None))
    rows = await session.execute(query.group_by(Objection.first_id, Objection.second_id))
    return {(first, second): int(amount) for first, second, amount in rows}


async def of_cycles(
    session: AsyncSession, cycle_ids: Collection[uuid.UUID], *, party: uuid.UUID | None = None
) -> dict[uuid.UUID, list[tuple[Objection, Obligation]]]:
    """The objections to lines of each cycle, with the lines, in order; for a merchant those it is a party to."""
    query = (
        select(Objection, Obligation)
        .join(
            Obligation,
            (Obligation.holder_id == Objection.holder_id)
            & (Obligation.operation_id == Objection.operation_id)
            & (Obligation.seq == Objection.seq),
        )
        .where(Objection.cycle_id.in_(cycle_ids))
        .order_by(Objection.id)
    )
    if party is not None:
        query = query.where(or_(Objection.first_id == party, Objection.second_id == party))
    rows: Sequence[tuple[Objection, Obligation]] = [(one, line) for one, line in await session.execute(query)]
    result: dict[uuid.UUID, list[tuple[Objection, Obligation]]] = {cycle_id: [] for cycle_id in cycle_ids}
    for one, line in rows:
        result[one.cycle_id].append((one, line))
    return result


async def secured(session: AsyncSession, merchant_id: uuid.UUID) -> int:
    """For how much of a merchant's undecided objections its collateral stands, in millionths."""
    open_ = (Dispute.raiser_id == merchant_id) & Dispute.decided_at.is_(None)
    return int(await session.scalar(select(func.coalesce(func.sum(Dispute.secured), 0)).where(open_)) or 0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Disputes that a party may see (None: all): through a door, in a status, undecided or not, with another party,
    and those that wait for `waits_for`, the alliance being the operator between two."""

    party: uuid.UUID | None = None
    door: Door | None = None
    status: DisputeStatus | None = None
    is_open: bool | None = None
    other: uuid.UUID | None = None
    waits_for: uuid.UUID | None = None
    operator_id: uuid.UUID | None = None

    def where(self) -> list[ColumnElement[bool]]:
        """As conditions."""
        found = [_of(party) for party in (self.party, self.other) if party is not None]
        if self.door is not None:
            found.append(Dispute.door == self.door.value)
        if self.status is not None:
            found.append(Dispute.status == self.status.value)
        if self.is_open is not None:
            found.append(Dispute.decided_at.is_(None) if self.is_open else Dispute.decided_at.is_not(None))
        if self.waits_for is not None:
            raised, answered, escalated = UNDECIDED
            mine: list[ColumnElement[bool]] = [
                (Dispute.status == raised.value) & (Dispute.against_id == self.waits_for),
                (Dispute.status == answered.value) & (Dispute.raiser_id == self.waits_for),
            ]
            if self.waits_for == self.operator_id:
                mine.append(Dispute.status == escalated.value)
            found.append(or_(*mine))
        return found


def _of(party: uuid.UUID) -> ColumnElement[bool]:
    return or_(Dispute.raiser_id == party, Dispute.against_id == party)


async def newest(
    session: AsyncSession, wanted: Wanted, *, before: uuid.UUID | None = None, first: int = 20
) -> Sequence[Dispute]:
    """At most `first` disputes, newest first, raised before `before`."""
    query = select(Dispute).where(*wanted.where()).order_by(Dispute.id.desc()).limit(first)
    if before is not None:
        query = query.where(Dispute.id < before)
    return (await session.scalars(query)).all()


async def by_deadline(
    session: AsyncSession, wanted: Wanted, *, after: tuple[datetime, uuid.UUID] | None = None, first: int = 20
) -> Sequence[Dispute]:
    """At most `first` disputes, those that are (or were) due first in front, after a deadline and id."""
    query = select(Dispute).where(*wanted.where())
    if after is not None:
        query = query.where(tuple_(Dispute.due_at, Dispute.id) > after)
    return (await session.scalars(query.order_by(Dispute.due_at, Dispute.id).limit(first))).all()


async def count(session: AsyncSession, wanted: Wanted) -> int:
    """How many disputes there are in all."""
    return (await session.scalars(select(func.count()).select_from(Dispute).where(*wanted.where()))).one()


async def by_ids(
    session: AsyncSession, ids: Collection[uuid.UUID], party: uuid.UUID | None
) -> dict[uuid.UUID, Dispute]:
    """Disputes by id; one that is not there, or not a party's, is left out."""
    query = select(Dispute).where(Dispute.id.in_(ids))
    return {row.id: row for row in await session.scalars(query if party is None else query.where(_of(party)))}


async def lines_of(session: AsyncSession, disputes: Collection[Dispute]) -> dict[uuid.UUID, Obligation]:
    """The lines of disputes, by dispute; those without one are left out."""
    asked = {one.id: (one.holder_id, one.operation_id, one.seq) for one in disputes if one.operation_id is not None}
    if not asked:
        return {}
    key = tuple_(Obligation.holder_id, Obligation.operation_id, Obligation.seq)
    rows = await session.scalars(select(Obligation).where(key.in_(list(asked.values()))))
    found = {(row.holder_id, row.operation_id, row.seq): row for row in rows}
    return {id_: line for id_, place in asked.items() if (line := found.get(place)) is not None}  # type: ignore[arg-type]


async def steps(session: AsyncSession, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[DisputeStep]]:
    """What was said and done about disputes, oldest first."""
    found: dict[uuid.UUID, list[DisputeStep]] = {id_: [] for id_ in ids}
    query = select(DisputeStep).where(DisputeStep.dispute_id.in_(ids)).order_by(DisputeStep.seq)
    for row in await session.scalars(query):
        found[row.dispute_id].append(row)
    return found


StepKey = tuple[uuid.UUID, int]


async def files(session: AsyncSession, keys: Collection[StepKey]) -> dict[StepKey, list[Attachment]]:
    """The files of steps, without their content."""
    found: dict[StepKey, list[Attachment]] = defaultdict(list)
    of = tuple_(StepAttachment.dispute_id, StepAttachment.seq).in_(list(keys))
    query = select(StepAttachment.dispute_id, StepAttachment.seq, Attachment).join(
        Attachment, Attachment.id == StepAttachment.attachment_id
    )
    for dispute_id, seq, file in await session.execute(query.where(of).order_by(Attachment.id)):
        found[dispute_id, seq].append(file)
    return found
