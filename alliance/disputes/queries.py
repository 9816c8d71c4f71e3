"""Reading objections: set-based. `party` narrows an answer to what that merchant may see (A14)."""

import uuid
from collections.abc import Collection, Sequence

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.model import Obligation
from alliance.disputes.model import Objection
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
