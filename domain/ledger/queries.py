"""The ledger's reads: many keys in, many rows out, one statement each.

A lot that has expired as of the moment asked for is in none of a wallet's figures, booked or not (R2), but for what a
hold has set aside of it (R14).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from domain.ledger.aliases import PERSONS, all_of, within
from domain.ledger.model import Hold
from domain.ledger.statements import By

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Where lots that never expire sort."""


class WalletKey(NamedTuple):
    """A wallet at a moment; an empty currency stands for all wallets of the holder.

    `past` says that what was booked after that moment is left out, and by which time: see domain.ledger.asof.
    """

    holder_id: UUID
    currency: str
    as_of: datetime
    past: By | None = None


@dataclass(frozen=True, slots=True)
class WalletFigures:
    """What is in a wallet: balance = available + held - debt; pending stands apart."""

    holder_id: UUID
    currency: str
    available: int
    held: int
    pending: int = 0
    debt: int = 0

    @property
    def balance(self) -> int:
        """What the member calls theirs."""
        return self.available + self.held - self.debt


@dataclass(frozen=True, slots=True)
class LotRow:
    """A credit of points. `expires_at` is the first instant at which it is no longer alive."""

    id: UUID
    granted: int
    remaining: int
    granted_at: datetime
    expires_at: datetime | None
    issuer_id: UUID
    operation_id: UUID
    holder_id: UUID
    currency: str


@dataclass(frozen=True, slots=True)
class Totals:
    """What has gone through a wallet since it was opened; a reversal is taken off what it undid.

    So are expired points that came back. `adjusted` is the sum of what was given and taken by hand, `opening` what was
    brought in by import. `topped_up` is what was paid for stored value and the bonus on it, less what was paid back.
    `exited` is the change that forced exits brought, or, below zero, the points that they sold.
    `pooled` is what came from pools less what was put into them, or for a pool the other way round.
    """

    earned: int = 0
    spent: int = 0
    expired: int = 0
    exchanged_in: int = 0
    exchanged_out: int = 0
    given_in: int = 0
    given_out: int = 0
    adjusted: int = 0
    opening: int = 0
    topped_up: int = 0
    exited: int = 0
    pooled: int = 0


@dataclass(frozen=True, slots=True)
class OperationRow:
    """One business event from the side of one holder, and the operations that reversed it: `whole` if nothing is left.

    `received` says that it lies under the other holder: whoever gave.
    """

    holder_id: UUID
    id: UUID
    kind: str
    merchant_id: UUID
    store: str | None
    channel: str | None
    order_ref: str | None
    occurred_at: datetime
    booked_at: datetime
    reverses: UUID | None
    decisions: list[Any] | None
    whole: bool
    reversed_by: tuple[UUID, ...]
    received: bool
    pending: bool = False


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A signed change of one of the holder's accounts, and what it then stood at."""

    holder_id: UUID
    operation_id: UUID
    currency: str
    amount: int
    counter_holder_id: UUID
    balance_after: int


class ActivityKey(NamedTuple):
    """Whose operations. Empty filters let everything through; `viewer_id` (a merchant) only what is at or of it."""

    holder_id: UUID
    currency: str = ""
    kinds: tuple[str, ...] = ()
    viewer_id: UUID | None = None


ENDS = """CASE WHEN l.sliding_id IS NULL THEN l.expires_at ELSE (
    SELECT s.expires_at FROM sliding_expiry s WHERE s.holder_id = l.holder_id AND s.id = l.sliding_id) END"""
"""When lot `l` ends: on its own date, or on that of the wallet's inactivity (R4)."""

_WALLETS = text(f"""
    SELECT w.n, w.holder_id, a.currency, sum(a.held)::bigint AS held, sum(a.debt)::bigint AS debt,
           coalesce(sum(l.free), 0)::bigint AS free,
           coalesce(sum(a.posted) FILTER (WHERE a.kind = 'PENDING'), 0)::bigint AS pending
    FROM unnest(CAST(:holders AS uuid[]), CAST(:currencies AS text[]), CAST(:as_ofs AS timestamptz[]))
         WITH ORDINALITY AS w (holder_id, currency, as_of, n)
    JOIN account a ON a.holder_id = {all_of("w.holder_id")} AND a.kind IN ('POINTS', 'PENDING')
         AND w.currency IN ('', a.currency)
    LEFT JOIN LATERAL (
        SELECT sum(l.remaining - l.held) AS free FROM lot l
        WHERE a.kind = 'POINTS' AND l.holder_id = a.holder_id AND l.currency = a.currency AND NOT l.spent
          AND (l.expires_at IS NULL OR {ENDS} > w.as_of)
    ) l ON true
    GROUP BY w.n, w.holder_id, a.currency
    ORDER BY w.n, a.currency
""")  # noqa: S608


async def wallets(
    session: AsyncSession | AsyncConnection, keys: Sequence[WalletKey]
) -> dict[WalletKey, list[WalletFigures]]:
    """The figures of these wallets; a wallet that was never posted to has none."""
    found: dict[WalletKey, list[WalletFigures]] = {key: [] for key in keys}
    for row in await session.execute(_WALLETS, _columns(keys, "holders", "currencies", "as_ofs")):
        key = keys[row.n - 1]
        figures = {"available": row.free, "held": row.held, "pending": row.pending, "debt": row.debt}
        found[key].append(WalletFigures(row.holder_id, row.currency, **figures))
    return found


_LIVE = f"""
    l.holder_id = w.holder_id AND l.currency = w.currency AND NOT l.spent
    AND (l.expires_at IS NULL OR {ENDS} > w.as_of)
"""
_WANTED = """
    unnest(CAST(:holders AS uuid[]), CAST(:currencies AS text[]), CAST(:as_ofs AS timestamptz[]))
    WITH ORDINALITY AS w (holder_id, currency, as_of, n)
"""


def _lots_statement(backward: bool) -> TextClause:
    compare, direction = ("<", "DESC") if backward else (">", "ASC")
    return text(f"""
        SELECT w.n, x.* FROM {_WANTED} CROSS JOIN LATERAL (
            SELECT l.* FROM (
                SELECT l.id, l.granted, l.remaining, l.granted_at, {ENDS} AS expires_at, l.issuer_id, l.operation_id,
                       l.holder_id, l.currency
                FROM lot l WHERE {_LIVE}
            ) l
            WHERE (CAST(:from_expiry AS timestamptz) IS NULL OR (coalesce(l.expires_at, '9999-01-01Z'), l.id)
                 {compare} (CAST(:from_expiry AS timestamptz), CAST(:from_id AS uuid)))
            AND (CAST(:until_expiry AS timestamptz) IS NULL OR (coalesce(l.expires_at, '9999-01-01Z'), l.id)
                 {">" if backward else "<"} (CAST(:until_expiry AS timestamptz), CAST(:until_id AS uuid)))
            ORDER BY coalesce(l.expires_at, '9999-01-01Z') {direction}, l.id {direction} LIMIT :size
        ) x ORDER BY w.n, coalesce(x.expires_at, '9999-01-01Z') {direction}, x.id {direction}
    """)  # noqa: S608 - no value is formatted in


_LOTS = {backward: _lots_statement(backward) for backward in (False, True)}
Bound = tuple[datetime, UUID] | None


async def lots_page(
    session: AsyncSession, keys: Sequence[WalletKey], size: int, start: Bound, end: Bound, *, backward: bool = False
) -> dict[WalletKey, list[LotRow]]:
    """Up to `size` live lots of each wallet in the order they are spent, from `start` to `end` (exclusive).

    `backward` goes the other way: `start` is then the later bound. A lot that never expires sorts at FOREVER.
    """
    values = _columns(keys, "holders", "currencies", "as_ofs") | {"size": size}
    values |= {"from_expiry": start and start[0], "from_id": start and start[1]}
    values |= {"until_expiry": end and end[0], "until_id": end and end[1]}
    found: dict[WalletKey, list[LotRow]] = {key: [] for key in keys}
    for n, *row in await session.execute(_LOTS[backward], values):
        found[keys[n - 1]].append(LotRow(*row))
    return found


_LOT_COUNT = text(f"SELECT w.n, count(*) FROM {_WANTED} JOIN lot l ON {_LIVE} GROUP BY w.n")  # noqa: S608


async def lot_counts(session: AsyncSession, keys: Sequence[WalletKey]) -> dict[WalletKey, int]:
    """How many live lots each wallet has."""
    counts = dict.fromkeys(keys, 0)
    for n, count in await session.execute(_LOT_COUNT, _columns(keys, "holders", "currencies", "as_ofs")):
        counts[keys[n - 1]] = count
    return counts


_EXPIRIES = text(f"""
    SELECT w.n, x.day, x.points FROM (SELECT w.*, z.zone FROM {_WANTED}
         JOIN unnest(CAST(:zones AS text[])) WITH ORDINALITY AS z (zone, n) USING (n)) w
    CROSS JOIN LATERAL (
        SELECT (({ENDS} - interval '1 microsecond') AT TIME ZONE w.zone)::date AS day,
               sum(l.remaining)::bigint AS points
        FROM lot l WHERE {_LIVE} AND l.expires_at IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT :size
    ) x ORDER BY w.n, x.day
""")  # noqa: S608


async def expiries(
    session: AsyncSession, keys: Sequence[WalletKey], zones: Sequence[str], size: int
) -> dict[WalletKey, list[tuple[date, int]]]:
    """The next `size` dates on which points expire, and how many; `zones` (IANA names) says whose days, key by key."""
    values = _columns(keys, "holders", "currencies", "as_ofs") | {"zones": list(zones), "size": size}
    found: dict[WalletKey, list[tuple[date, int]]] = {key: [] for key in keys}
    for n, day, points in await session.execute(_EXPIRIES, values):
        found[keys[n - 1]].append((day, points))
    return found


_TOTALS = text(f"""
    SELECT w.n, CASE e.counter_account WHEN 'EXIT' THEN 'EXIT' ELSE coalesce(u.kind, o.kind) END AS kind,
           (e.amount > 0) = (u.id IS NULL) AS inward,
           sum(e.amount)::bigint AS points
    FROM (SELECT w.*, p.past FROM {_WANTED}
          JOIN unnest(CAST(:pasts AS text[])) WITH ORDINALITY AS p (past, n) USING (n)) w
    JOIN entry e ON e.holder_id = {all_of("w.holder_id")} AND e.currency = w.currency AND e.account = 'POINTS'
    JOIN operation o ON o.id = e.operation_id AND o.holder_id = ANY(ARRAY[e.holder_id, e.counter_holder_id])
         AND CASE w.past WHEN 'booked_at' THEN o.booked_at <= w.as_of WHEN 'as_of' THEN o.as_of <= w.as_of ELSE true END
    LEFT JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses
    WHERE e.counter_account <> 'POINTS' OR coalesce(u.kind, o.kind) IN ('GIFT', 'POOL_IN', 'POOL_OUT')
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT w.n, s.kind, s.inward, sum(s.points)::bigint
    FROM {_WANTED} JOIN archived_sum s ON s.holder_id = {all_of("w.holder_id")} AND s.currency = w.currency
    GROUP BY 1, 2, 3
""")  # noqa: S608 - no value is formatted in


async def lifetime(session: AsyncSession, keys: Sequence[WalletKey]) -> dict[WalletKey, Totals]:
    """What has gone through each wallet, and those of who was merged into its holder; reads all their entries."""
    sums: dict[WalletKey, dict[str, int]] = {key: {} for key in keys}
    for row in await session.execute(_TOTALS, _columns(keys, "holders", "currencies", "as_ofs", "pasts")):
        name, sign = _TOTAL_OF[row.kind, row.inward]
        into = sums[keys[row.n - 1]]
        into[name] = into.get(name, 0) + sign * row.points
    return {key: Totals(**found) for key, found in sums.items()}


_TOTAL_OF = {
    ("EARN", True): ("earned", 1),
    ("REDEEM", False): ("spent", -1),
    ("ACTIVATE", True): ("earned", 1),
    ("EXPIRE", False): ("expired", -1),
    ("EXCHANGE", True): ("exchanged_in", 1),
    ("EXCHANGE", False): ("exchanged_out", -1),
    ("GIFT", True): ("given_in", 1),
    ("GIFT", False): ("given_out", -1),
    ("ADJUST", True): ("adjusted", 1),
    ("ADJUST", False): ("adjusted", 1),
    ("OPENING", True): ("opening", 1),
    ("TOP_UP", True): ("topped_up", 1),
    ("REFUND", False): ("topped_up", 1),
    ("EXIT", True): ("exited", 1),
    ("EXIT", False): ("exited", 1),
    **{(kind, inward): ("pooled", 1) for kind in ("POOL_IN", "POOL_OUT") for inward in (True, False)},
}

_OPERATION = """
    SELECT w.holder_id, o.id, o.kind, o.merchant_id, o.store, o.channel, o.order_ref, o.occurred_at, o.booked_at,
           o.reverses, o.decisions,
           EXISTS (SELECT FROM pending_grant p WHERE p.holder_id = o.holder_id AND p.operation_id = o.id
                   AND NOT p.done),
           EXISTS (SELECT FROM operation r LEFT JOIN operation_return t ON t.holder_id = r.holder_id
                   AND t.operation_id = r.id WHERE r.holder_id = o.holder_id AND r.reverses = o.id
                   AND t.whole IS NOT FALSE),
           ARRAY(SELECT r.id FROM operation r WHERE r.holder_id = o.holder_id AND r.reverses = o.id ORDER BY r.id),
           o.holder_id <> w.holder_id AS received
"""
# An operation lies under one holder; what it moved to another's account is found by that entry, whose counterpart says
# where the operation lies.
_RECEIVED = """
    entry g JOIN operation o ON o.holder_id = g.counter_holder_id AND o.id = g.operation_id
    WHERE g.holder_id = w.holder_id AND g.counter_account = 'POINTS' AND g.counter_holder_id <> g.holder_id
"""
_PAIRS = "unnest(CAST(:holders AS uuid[]), CAST(:ids AS uuid[])) AS w (holder_id, id)"
_OPERATIONS = text(f"""
    {_OPERATION} FROM {_PAIRS} JOIN operation o ON o.holder_id = w.holder_id AND o.id = w.id
    UNION ALL
    {_OPERATION} FROM {_PAIRS} CROSS JOIN LATERAL (SELECT o.* FROM {_RECEIVED} AND g.operation_id = w.id) o
""")  # noqa: S608 - no value is formatted in
_ENTRIES = text(f"""
    SELECT e.holder_id, e.operation_id, e.currency, e.amount, e.counter_holder_id, e.balance_after
    FROM entry e JOIN {_PAIRS} ON e.holder_id = w.holder_id AND e.operation_id = w.id AND e.account = 'POINTS'
    ORDER BY e.seq
""")  # noqa: S608


async def operations(session: AsyncSession, keys: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], OperationRow]:
    """The operations with these (holder, id); what is not there is left out."""
    rows = await session.execute(_OPERATIONS, _columns(keys, "holders", "ids"))
    return {(row[0], row[1]): _operation(row) for row in rows}


async def holds(session: AsyncSession, keys: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Hold]:
    """The holds with these (holder, id); what is not there is left out."""
    rows = await session.scalars(select(Hold).where(tuple_(Hold.holder_id, Hold.id).in_(list(keys))))
    return {(hold.holder_id, hold.id): hold for hold in rows}


async def entries(session: AsyncSession, keys: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], list[EntryRow]]:
    """The entries of these operations, in order; those of points that wait are left out."""
    found: dict[tuple[UUID, UUID], list[EntryRow]] = {key: [] for key in keys}
    for row in await session.execute(_ENTRIES, _columns(keys, "holders", "ids")):
        found[row[0], row[1]].append(EntryRow(*row))
    return found


_SEEN = """
    (:kind_count = 0 OR o.kind = ANY(CAST(:kinds AS text[])))
    AND (:currency = '' OR EXISTS (SELECT FROM entry e WHERE e.holder_id = o.holder_id AND e.operation_id = o.id
                                   AND e.currency = :currency))
    AND (CAST(:viewer AS uuid) IS NULL OR o.merchant_id = CAST(:viewer AS uuid) OR EXISTS (
         SELECT FROM entry e JOIN currency c ON c.code = e.currency
         WHERE e.holder_id = o.holder_id AND e.operation_id = o.id AND c.merchant_id = CAST(:viewer AS uuid)))
"""
_HOLDERS = f"{PERSONS} AS w"
# Of what moved between two who are one person by now each has a side: the giver's is shown, of a merge the receiver's.
_OWN = "(w.holder_id = w.person_id OR o.kind NOT IN ('MERGE', 'UNMERGE'))"
_OTHERS = f"(o.kind = 'MERGE' OR NOT {within('o.holder_id', 'w.person_id')})"


def _activity_statement(backward: bool) -> TextClause:
    direction = "ASC" if backward else "DESC"
    order = f"ORDER BY o.id {direction} LIMIT :size"
    shown = """(CAST(:older_than AS uuid) IS NULL OR o.id < CAST(:older_than AS uuid))
               AND (CAST(:newer_than AS uuid) IS NULL OR o.id > CAST(:newer_than AS uuid))"""
    return text(f"""
        SELECT w.n, x.* FROM {_HOLDERS} CROSS JOIN LATERAL (
            ({_OPERATION} FROM operation o WHERE o.holder_id = w.holder_id AND {_OWN} AND {shown} AND {_SEEN} {order})
            UNION ALL
            ({_OPERATION} FROM {_RECEIVED} AND {_OTHERS} AND {shown} AND {_SEEN} {order})
            {order.replace("o.id", "id")}
        ) x ORDER BY w.n, x.id {direction}
    """)  # noqa: S608


_ACTIVITY = {backward: _activity_statement(backward) for backward in (False, True)}
_ACTIVITY_COUNT = text(f"""
    SELECT w.n, count(*) FROM {_HOLDERS} CROSS JOIN LATERAL (
        SELECT o.id FROM operation o WHERE o.holder_id = w.holder_id AND {_OWN} AND {_SEEN}
        UNION ALL
        SELECT o.id FROM {_RECEIVED} AND {_OTHERS} AND {_SEEN}
    ) x GROUP BY 1
""")  # noqa: S608


async def activity_page(
    session: AsyncSession,
    keys: Sequence[ActivityKey],
    size: int,
    older_than: UUID | None,
    newer_than: UUID | None,
    *,
    backward: bool = False,
) -> dict[ActivityKey, list[OperationRow]]:
    """Up to `size` operations of each holder, newest first (oldest first if `backward`), between two ids.

    Those of who was merged into a holder are among them, as they were. All keys must have the same filters: they differ
    in their holder.
    """
    values = _filters(keys) | {"size": size, "older_than": older_than, "newer_than": newer_than}
    found: dict[ActivityKey, list[OperationRow]] = {key: [] for key in keys}
    for n, *row in await session.execute(_ACTIVITY[backward], values):
        if len(of_one := found[keys[n - 1]]) < size:
            of_one.append(_operation(row))
    return found


async def activity_counts(session: AsyncSession, keys: Sequence[ActivityKey]) -> dict[ActivityKey, int]:
    """How many operations each of these has; all keys must have the same filters."""
    counts = dict.fromkeys(keys, 0)
    for n, count in await session.execute(_ACTIVITY_COUNT, _filters(keys)):
        counts[keys[n - 1]] = count
    return counts


def _filters(keys: Sequence[ActivityKey]) -> dict[str, Any]:
    _, currency, kinds, viewer = keys[0]
    holders = [key.holder_id for key in keys]
    return {
        "holders": holders,
        "currency": currency,
        "kinds": list(kinds),
        "kind_count": len(kinds),
        "viewer": viewer,
    }


def _columns(keys: Sequence[tuple[Any, ...]], *names: str) -> dict[str, Any]:
    """The first columns of rows of keys, one array each."""
    columns = [list(column) for column in zip(*keys, strict=True)] if keys else [[] for _ in names]
    return dict(zip(names, columns, strict=False))


def _operation(row: Any) -> OperationRow:
    *plain, pending, reversed_, reversed_by, received = row
    values: list[Any] = [*plain, reversed_, tuple(reversed_by), received, pending]
    return OperationRow(*values)
