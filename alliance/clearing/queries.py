"""Reading obligations, line by line. A party sees the lines it is a party of (A14)."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.model import Obligation

Place = tuple[uuid.UUID, int]
"""Where a line lies in its cycle: its operation, and its number there."""

_FIRST: Place = (uuid.UUID(int=0), -1)
_LAST: Place = (uuid.UUID(int=2**128 - 1), 0)

_PAGE = """cycle_id = :cycle
    AND (operation_id, seq) > (:after, :after_seq) AND (operation_id, seq) < (:before, :before_seq)
    AND (CAST(:other AS uuid) IS NULL OR debtor_id = :other OR creditor_id = :other)
    ORDER BY operation_id {order}, seq {order} LIMIT :size"""

# Each branch reads no more than a page, in order, from the index of its column.
_OF_PARTY = f"""
SELECT * FROM ((SELECT * FROM obligation WHERE debtor_id = :party AND {_PAGE}) UNION ALL
               (SELECT * FROM obligation WHERE creditor_id = :party AND {_PAGE})) AS line
ORDER BY operation_id {{order}}, seq {{order}} LIMIT :size"""  # noqa: S608

_OF_ALL = f"""
SELECT line.* FROM (SELECT id FROM merchant UNION ALL SELECT id FROM alliance) AS debtor
CROSS JOIN LATERAL (SELECT * FROM obligation WHERE debtor_id = debtor.id AND {_PAGE}) AS line
ORDER BY operation_id {{order}}, seq {{order}} LIMIT :size"""  # noqa: S608


async def lines(
    session: AsyncSession,
    cycle_id: uuid.UUID,
    parties: Collection[uuid.UUID],
    size: int,
    *,
    after: Place | None = None,
    before: Place | None = None,
    backward: bool = False,
) -> Sequence[Obligation]:
    """Up to `size` lines of a cycle to which all of `parties` (none, one or two) are parties, in the order of booking.

    `backward` goes from the end.
    """
    party, other = [*sorted(set(parties)), None, None][:2]
    (first, first_seq), (last, last_seq) = after or _FIRST, before or _LAST
    bounds = {"after": first, "after_seq": first_seq, "before": last, "before_seq": last_seq}
    asked = {"cycle": cycle_id, "other": other, "size": size, **bounds}
    query = text((_OF_ALL if party is None else _OF_PARTY).format(order="DESC" if backward else "ASC"))
    if party is not None:
        asked["party"] = party
    return (await session.scalars(select(Obligation).from_statement(query), asked)).all()


async def count(session: AsyncSession, cycle_id: uuid.UUID, parties: Collection[uuid.UUID]) -> int:
    """How many lines of a cycle these are parties to."""
    return await session.scalar(select(func.count()).where(_between(cycle_id, parties))) or 0


def _between(cycle_id: uuid.UUID, parties: Collection[uuid.UUID]) -> ColumnElement[bool]:
    mine = [or_(Obligation.debtor_id == party, Obligation.creditor_id == party) for party in parties]
    return and_(Obligation.cycle_id == cycle_id, *mine)


@dataclass(frozen=True, slots=True)
class Deciding:
    """A version of an agreement by which something came to be owed, between which merchants, for how many points."""

    parties: tuple[uuid.UUID, uuid.UUID]
    version: int
    points: int


_DECIDING = text("""
    SELECT o.holder_id, o.operation_id, o.debtor_id, o.creditor_id, o.agreement_version, sum(o.points)::bigint AS points
    FROM unnest(CAST(:holders AS uuid[]), CAST(:ids AS uuid[])) AS w (holder_id, operation_id)
    JOIN obligation o USING (holder_id, operation_id)
    WHERE o.kind <> 'FEE' GROUP BY 1, 2, 3, 4, 5, o.agreement_id ORDER BY 1, 2, min(o.seq)
""")


async def deciding(
    session: AsyncSession, keys: Sequence[tuple[uuid.UUID, uuid.UUID]]
) -> dict[tuple[uuid.UUID, uuid.UUID], list[Deciding]]:
    """The agreements that decided what the operations with these (holder, id) made owed."""
    found: dict[tuple[uuid.UUID, uuid.UUID], list[Deciding]] = {key: [] for key in keys}
    pairs = {"holders": [key[0] for key in keys], "ids": [key[1] for key in keys]}
    for holder_id, operation_id, debtor_id, creditor_id, version, points in await session.execute(_DECIDING, pairs):
        found[holder_id, operation_id].append(Deciding((debtor_id, creditor_id), version, points))
    return found


_PAID_WITH = text("""
    SELECT t.holder_id, t.order_id, t.operation_id
    FROM unnest(CAST(:holders AS uuid[]), CAST(:ids AS uuid[])) AS w (holder_id, order_id)
    JOIN order_tender t USING (holder_id, order_id) ORDER BY t.operation_id
""")
_PAID_FOR = text("SELECT order_id FROM order_tender WHERE holder_id = :holder_id AND operation_id = :operation_id")


async def paid_with(
    session: AsyncSession, keys: Sequence[tuple[uuid.UUID, uuid.UUID]]
) -> dict[tuple[uuid.UUID, uuid.UUID], list[uuid.UUID]]:
    """The redemptions that paid for the orders whose earns have these (holder, id), oldest first."""
    found: dict[tuple[uuid.UUID, uuid.UUID], list[uuid.UUID]] = {key: [] for key in keys}
    pairs = {"holders": [key[0] for key in keys], "ids": [key[1] for key in keys]}
    for holder_id, order_id, operation_id in await session.execute(_PAID_WITH, pairs):
        found[holder_id, order_id].append(operation_id)
    return found


async def paid_for(session: AsyncSession, holder_id: uuid.UUID, operation_id: uuid.UUID) -> uuid.UUID | None:
    """The earn of the order that a redemption paid for, if it is known."""
    found: uuid.UUID | None = await session.scalar(_PAID_FOR, {"holder_id": holder_id, "operation_id": operation_id})
    return found
