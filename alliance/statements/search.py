"""Searching obligations: by order, operation, dates, store, parties, amount. A constant number of statements.

Without an order or an operation, cycles are looked through one after the other, each by the index of a party, and no
further than a page needs.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.model import Obligation

Place = tuple[int, uuid.UUID, int]
"""Where a line lies: its cycle's number, its operation, and its number there."""

_FIRST: Place = (0, uuid.UUID(int=0), -1)
_LAST: Place = (2**31 - 1, uuid.UUID(int=2**128 - 1), 0)

_SLACK = timedelta(hours=1)
"""How far an operation's id, and the bounds of its cycle, may lie from when it was booked."""

_AHEAD = timedelta(days=1)
"""An event is dated minutes ahead at most (A2): a cycle that ended before it holds nothing of it."""

_RANDOM_BITS = 80


@dataclass(frozen=True, slots=True)
class Sought:
    """What must fit; None fits all. `parties`: all of them are parties to the line. `here`: it happened at this
    merchant. Spans are from the first instant until before the second; amounts are millionths, both ends included."""

    parties: Collection[uuid.UUID] = ()
    cycle: int | None = None
    operation: tuple[uuid.UUID, uuid.UUID] | None = None
    order_ref: str | None = None
    store: str | None = None
    here: uuid.UUID | None = None
    kinds: Collection[str] | None = None
    amount: tuple[int | None, int | None] = (None, None)
    booked: tuple[datetime | None, datetime | None] = (None, None)
    occurred: tuple[datetime | None, datetime | None] = (None, None)
    late: bool | None = None
    reverses: bool | None = None


@dataclass(slots=True)
class _Where:
    """Conditions on lines and on cycles, and their values."""

    lines: list[str] = field(default_factory=list)
    cycles: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def line(self, condition: str, **values: Any) -> None:
        """A condition if its value is given."""
        if all(value is not None for value in values.values()):
            self.lines.append(condition)
            self.values |= values

    def cycle(self, condition: str, **values: Any) -> None:
        """The same, of the line's cycle."""
        if all(value is not None for value in values.values()):
            self.cycles.append(condition)
            self.values |= values


def _where(sought: Sought) -> _Where:
    where = _Where()
    where.line("l.order_ref = :order_ref", order_ref=sought.order_ref)
    where.line("l.store = :store", store=sought.store)
    where.line("l.merchant_id = :here", here=sought.here)
    where.line("l.kind = ANY(:kinds)", kinds=None if sought.kinds is None else list(sought.kinds))
    where.line("l.amount >= :least", least=sought.amount[0])
    where.line("l.amount <= :most", most=sought.amount[1])
    where.line("l.booked_at >= :booked", booked=sought.booked[0])
    where.line("l.booked_at < :booked_before", booked_before=sought.booked[1])
    where.line("l.occurred_at >= :occurred", occurred=sought.occurred[0])
    where.line("l.occurred_at < :occurred_before", occurred_before=sought.occurred[1])
    where.line("l.late = :late", late=sought.late)
    where.line("(l.reverses IS NOT NULL) = :reverses", reverses=sought.reverses)
    if sought.operation is not None:
        where.line(
            "l.holder_id = :holder AND l.operation_id = :one", holder=sought.operation[0], one=sought.operation[1]
        )
    where.cycle("c.number = :number", number=sought.cycle)
    first, before = sought.booked
    if first is not None:
        where.line("l.operation_id >= :first_id", first_id=_made_at(first - _SLACK))
    if before is not None:
        where.line("l.operation_id < :before_id", before_id=_made_at(before + _SLACK))
        where.cycle("c.booked_at < :opened_before", opened_before=before + _SLACK)
    if sought.occurred[0] is not None:
        where.cycle("coalesce(c.closes_at >= :ended, true)", ended=sought.occurred[0] - _AHEAD)
    return where


def _made_at(moment: datetime) -> uuid.UUID:
    """The least id that is made at this instant (UUIDv7)."""
    milliseconds = max(int(moment.timestamp() * 1000), 0)
    return uuid.UUID(int=milliseconds << _RANDOM_BITS)


# Whatever finds the line by itself: the key of its operation, or the order's reference.
_DIRECT = """SELECT l.*, c.number FROM obligation l JOIN settlement_cycle c ON c.id = l.cycle_id
    WHERE {lines} AND {cycles} AND {parties}"""

_PARTIES = """(CAST(:party AS uuid) IS NULL OR :party IN (l.debtor_id, l.creditor_id))
    AND (CAST(:other AS uuid) IS NULL OR :other IN (l.debtor_id, l.creditor_id))"""

_SIDE = """(SELECT l.* FROM obligation l WHERE l.cycle_id = c.id AND l.{side} = {party} AND {lines} {place}
            AND (CAST(:other AS uuid) IS NULL OR :other IN (l.debtor_id, l.creditor_id)) {stop})"""

# In the order of cycles, of which each is sorted: the next one is not looked at before the page needs it.
_BY_CYCLE = """SELECT l.*, c.number
    FROM (SELECT * FROM settlement_cycle c WHERE {cycles} ORDER BY c.number {order} OFFSET 0) AS c
    {parties} CROSS JOIN LATERAL ({sides}) AS l"""

# Said so that each cycle's index begins and ends where the page does.
_PLACE = """AND (l.operation_id, l.seq) > (CASE WHEN c.number = :after THEN CAST(:after_id AS uuid) ELSE :least_id END,
                                              CASE WHEN c.number = :after THEN CAST(:after_seq AS int) ELSE -1 END)
            AND (l.operation_id, l.seq) < (CASE WHEN c.number = :before THEN CAST(:before_id AS uuid) ELSE :most_id END,
                                              CASE WHEN c.number = :before THEN CAST(:before_seq AS int) ELSE 0 END)"""
_ALL = "CROSS JOIN (SELECT id FROM merchant UNION ALL SELECT id FROM alliance) AS party"


def _rows(sought: Sought, where: _Where, place: str, stop: str, order: str) -> str:
    """The lines, in no order if there is no `stop`."""
    lines = " AND ".join(where.lines) or "true"
    cycles = " AND ".join(where.cycles) or "true"
    if sought.operation is not None or sought.order_ref is not None:
        return _DIRECT.format(lines=lines, cycles=cycles, parties=_PARTIES) + f" {place}"
    party, sides = (":party", ("debtor_id", "creditor_id")) if sought.parties else ("party.id", ("debtor_id",))
    parts = [_SIDE.format(side=side, party=party, lines=lines, place=place, stop=stop) for side in sides]
    both = " UNION ALL ".join(parts)
    return _BY_CYCLE.format(cycles=cycles, order=order, parties="" if sought.parties else _ALL, sides=both)


def _asked(sought: Sought, where: _Where) -> dict[str, Any]:
    party, other = [*sorted(set(sought.parties)), None, None][:2]
    return where.values | {"party": party, "other": other}


async def search(
    session: AsyncSession,
    sought: Sought,
    size: int,
    *,
    after: Place | None = None,
    before: Place | None = None,
    backward: bool = False,
) -> Sequence[tuple[int, Obligation]]:
    """Up to `size` lines with the numbers of their cycles, in the order of cycles and booking; `backward` from the
    end."""
    if len(set(sought.parties)) > 2:
        return []
    where, order = _where(sought), "DESC" if backward else "ASC"
    (first, first_id, first_seq), (last, last_id, last_seq) = after or _FIRST, before or _LAST
    bounds = {"after": first, "after_id": first_id, "after_seq": first_seq}
    bounds |= {"before": last, "before_id": last_id, "before_seq": last_seq, "size": size}
    bounds |= {"least_id": _FIRST[1], "most_id": _LAST[1]}
    where.cycle("c.number >= :after AND c.number <= :before")
    stop = f"ORDER BY l.operation_id {order}, l.seq {order} LIMIT :size"
    rows = _rows(sought, where, _PLACE, stop, order)
    query = f"{rows} ORDER BY c.number {order}, l.operation_id {order}, l.seq {order} LIMIT :size"
    found = await session.execute(text(query), _asked(sought, where) | bounds)
    names = Obligation.__table__.columns.keys()
    return [(row["number"], Obligation(**{name: row[name] for name in names})) for row in found.mappings()]


async def count(session: AsyncSession, sought: Sought) -> int:
    """How many lines fit."""
    if len(set(sought.parties)) > 2:
        return 0
    where = _where(sought)
    rows = _rows(sought, where, "", "", "ASC")
    found = await session.scalar(text(f"SELECT count(*) FROM ({rows}) AS found"), _asked(sought, where))  # noqa: S608
    return int(found or 0)
