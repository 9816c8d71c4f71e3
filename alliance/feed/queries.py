"""Reading the sequence of all that happened: after a place, at places, or what one member did."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.feed.kinds import FOR_ALL, OF_OPERATION
from alliance.feed.model import Happened
from domain.events.kinds import EventKind
from domain.ledger.model import OperationKind
from domain.programs.catalogue import Catalogue

_END = text("""
    SELECT coalesce((SELECT max("index") + 1 FROM log_leaf), 0)
           + coalesce((SELECT position - leaf + 1 FROM event_number ORDER BY position DESC LIMIT 1), 0)
""")

# Each place with the last event at or before it: it is that event, or the operation that as many events come before.
_ASKED = """
    WITH asked AS MATERIALIZED (
        SELECT p AS position, n.position AS numbered, n.holder_id, n.event_id,
               p - coalesce(n.position - n.leaf + 1, 0) AS leaf
        FROM unnest(CAST(:positions AS bigint[])) AS p
        LEFT JOIN LATERAL (SELECT * FROM event_number WHERE position <= p ORDER BY position DESC LIMIT 1) AS n ON true)
"""
_EVENTS = text(f"""{_ASKED}
    SELECT a.position, e.id, e.holder_id, e.kind, e.data, e.seen_by, e.booked_at
    FROM asked a JOIN event e ON e.holder_id = a.holder_id AND e.id = a.event_id WHERE a.position = a.numbered
""")  # noqa: S608
_OPERATIONS = text(f"""{_ASKED}
    SELECT a.position, o.id, o.holder_id, o.kind, o.merchant_id, o.store, o.channel, o.order_ref, o.occurred_at,
           o.booked_at, o.reverses, m.right_id, r.kind AS right_kind, r.grantor_id, abs(m.amount) AS uses,
           EXISTS (SELECT FROM pool p WHERE p.id = o.holder_id) AS pooled,
           CASE o.kind WHEN 'CORRECTION' THEN
               (SELECT ARRAY[b.debtor_id, b.creditor_id] FROM obligation b
                WHERE b.holder_id = o.holder_id AND b.operation_id = o.id) END AS parties,
           e.*
    FROM asked a
    JOIN log_leaf l ON l."index" = a.leaf
    JOIN operation o ON o.holder_id = l.holder_id AND o.id = l.operation_id
    LEFT JOIN right_move m ON m.holder_id = o.holder_id AND m.operation_id = o.id
    LEFT JOIN member_right r ON r.holder_id = m.holder_id AND r.id = m.right_id
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(account ORDER BY seq), ARRAY[]::text[]) AS accounts,
               array_agg(currency ORDER BY seq) AS currencies, array_agg(amount ORDER BY seq) AS amounts,
               array_agg(counter_holder_id) FILTER (
                   WHERE counter_account = 'POINTS' AND counter_holder_id <> o.holder_id) AS others
        FROM entry WHERE entry.holder_id = o.holder_id AND entry.operation_id = o.id) AS e
    WHERE a.position IS DISTINCT FROM a.numbered
""")  # noqa: S608

# What somebody gave the member lies under the giver; an entry under the member says so.
_OF_MEMBER = text("""
    (SELECT l."index" + coalesce((SELECT n.position - n.leaf + 1 FROM event_number n WHERE n.leaf <= l."index"
                                  ORDER BY n.leaf DESC, n.position DESC LIMIT 1), 0) AS position
     FROM (SELECT id AS operation_id FROM operation WHERE holder_id = :member
           UNION SELECT operation_id FROM entry WHERE holder_id = :member AND counter_account = 'POINTS') o
     JOIN log_leaf l USING (operation_id)
     WHERE l."index" + coalesce((SELECT n.position - n.leaf + 1 FROM event_number n WHERE n.leaf <= l."index"
                                 ORDER BY n.leaf DESC, n.position DESC LIMIT 1), 0) > :after
     ORDER BY 1 LIMIT :count)
    UNION ALL
    (SELECT position FROM event_number WHERE holder_id = :member AND position > :after ORDER BY position LIMIT :count)
    ORDER BY position LIMIT :count
""")

AT_ONCE = 500
"""Places that a statement reads."""

MOST_READ = 5000
"""Places that are looked at for one answer."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found; `upto` is the last place that was looked at: who goes on after it misses nothing. `more`: there
    are later ones, so that even where nothing was found there may be something."""

    happened: list[Happened]
    upto: int
    more: bool


async def end(session: AsyncSession) -> int:
    """How much has happened: the place that comes next."""
    return int(await session.scalar(_END) or 0)


async def at(session: AsyncSession, catalogue: Catalogue, positions: Collection[int]) -> list[Happened]:
    """What happened at these places, in order. Operations that are archived are left out."""
    if not positions:
        return []
    asked = {"positions": list(positions)}
    events = [row for row in await session.execute(_EVENTS, asked) if row.kind in EventKind.__members__]
    found = [event_of(row) for row in events]
    found += [_operation(row, catalogue) for row in await session.execute(_OPERATIONS, asked)]
    return sorted(found, key=lambda one: one.position)


async def after(
    session: AsyncSession,
    catalogue: Catalogue,
    place: int,
    count: int,
    *,
    merchant_id: UUID | None,
    kinds: Collection[str] = (),
) -> Found:
    """What happened after a place (-1: from the beginning), the first `count` that a merchant is told of.

    `kinds`: of these alone. At most MOST_READ places are looked at: see `Found`.
    """
    ends = await end(session)
    upto, found = place, list[Happened]()
    last = min(ends - 1, place + MOST_READ)
    while upto < last and len(found) < count:
        window = range(upto + 1, min(last, upto + AT_ONCE) + 1)
        seen = [
            one
            for one in await at(session, catalogue, window)
            if one.is_for(merchant_id) and (not kinds or one.kind in kinds)
        ]
        kept = seen[: count - len(found)]
        found += kept
        upto = kept[-1].position if len(kept) < len(seen) else window[-1]
    return Found(found, upto, upto < ends - 1)


async def after_of(
    session: AsyncSession,
    catalogue: Catalogue,
    place: int,
    count: int,
    *,
    member_id: UUID,
    merchant_id: UUID | None,
    kinds: Collection[str] = (),
) -> Found:
    """As `after`, of what lies under one member, and of what others gave them."""
    places = (await session.scalars(_OF_MEMBER, {"member": member_id, "after": place, "count": AT_ONCE})).all()
    seen = [
        one
        for one in await at(session, catalogue, places)
        if one.is_for(merchant_id) and (not kinds or one.kind in kinds)
    ]
    if len(seen) > count:
        return Found(seen[:count], seen[count - 1].position, True)
    return Found(seen, max([place, *places]), len(places) == AT_ONCE)


def event_of(row: Row[Any]) -> Happened:
    """An event as it is told, of a row of its place and columns."""
    position, id_, holder_id, kind, data, seen_by, booked_at = tuple(row)
    merchants = None if kind in FOR_ALL else frozenset(map(UUID, seen_by))
    about = (holder_id,) if "pool" not in data else (holder_id, UUID(data["pool"]))
    if kind.startswith(_OF_MEMBERS):
        data = {"member": str(holder_id), **data}
    for name in ("operation", "notice"):  # lie under the holder
        if data.get(name) is not None:
            data = {**data, name: f"{holder_id} {data[name]}"}
    return Happened(position, id_, kind, about, booked_at, merchants, data)


_OF_MEMBERS = ("MEMBER_", "TIER_", "EXPIRY_", "EXIT_", "POOL_JOINED", "POOL_LEFT", "POOL_INVITED", "POOL_DECLINED")
"""What the kinds of events begin with that lie under the member they are about."""


def _operation(row: Row[Any], catalogue: Catalogue) -> Happened:
    at_place: Any = row._mapping
    holder_id, till = at_place["holder_id"], at_place["merchant_id"]
    if at_place["parties"] is not None:
        return _correction(row, holder_id, till)
    others = tuple(dict.fromkeys(at_place["others"] or ()))
    changes: dict[str, dict[str, int]] = {"POINTS": {}, "PENDING": {}}
    merchants = {till}
    for account, currency, amount in zip(
        at_place["accounts"], at_place["currencies"] or (), at_place["amounts"] or (), strict=True
    ):
        if account in changes:
            moved = changes[account]
            moved[currency] = moved.get(currency, 0) + amount
        if (known := catalogue.currencies.get(currency)) is not None:
            merchants.add(known.merchant_id)
    data: dict[str, Any] = {
        "operation": f"{holder_id} {row.id}",
        "pool" if at_place["pooled"] else "member": str(holder_id),
        "merchant": str(till),
        "changes": changes["POINTS"],
        "pending": changes["PENDING"] or None,
        "occurredAt": at_place["occurred_at"].isoformat(),
        "store": at_place["store"],
        "channel": at_place["channel"],
        "orderRef": at_place["order_ref"],
    }
    if at_place["reverses"] is not None:
        data["reverses"] = f"{holder_id} {at_place['reverses']}"
    for other in others:
        data[_OTHER.get(at_place["kind"], "to")] = str(other)
    if (grantor_id := at_place["grantor_id"]) is not None:
        merchants.add(grantor_id)
        data |= {"right": f"{holder_id} {at_place['right_id']}", "grantor": str(grantor_id)}
        data |= {"kind": at_place["right_kind"], "uses": at_place["uses"]}
    kind = OF_OPERATION.get(at_place["kind"], at_place["kind"])
    about = (holder_id, *others)
    return Happened(
        row.position, row.id, kind, about, at_place["booked_at"], frozenset(merchants), data, till, grantor_id
    )


def _correction(row: Row[Any], holder_id: UUID, till: UUID) -> Happened:
    """A line between two merchants that comes from no member's event: for these two."""
    data = {"operation": f"{holder_id} {row.id}", "merchant": str(till), "occurredAt": row.occurred_at.isoformat()}
    parties = frozenset(row.parties)
    return Happened(row.position, row.id, EventKind.LINE_CORRECTED, (holder_id,), row.booked_at, parties, data)


_OTHER = {
    OperationKind.POOL_IN.value: "pool",
    OperationKind.POOL_OUT.value: "member",
    OperationKind.UNMERGE.value: "from",
}
"""What the other side of an operation is called, where it is not `to`, a member."""
