"""What the reports are made of: set-based, each narrowed to a party's own side (A14). docs/reports.md defines them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.calendar import ONE_DAY, Calendar, instant
from alliance.settlement import queries as settlement
from alliance.settlement.model import CycleStatus, SettlementCycle
from alliance.settlement.rules import Report
from domain.errors import InvalidInput
from domain.programs.catalogue import Alliance, Days

WITHIN = Days(4, business=True)
"""How soon a line is to be back at zero."""

BUCKETS = ((0, 1), (2, 4), (5, 10), (11, 20), (21, None))
"""Ages in business days, from and to."""

MOST_DAYS = 3_660


@dataclass(frozen=True, slots=True)
class Span:
    """Days of the alliance's zone, both of them in it."""

    first: date
    last: date

    def bounds(self, alliance: Alliance) -> tuple[datetime, datetime]:
        """From when until before when. Raises InvalidInput for a span that is empty or of more than ten years."""
        if not 0 <= (self.last - self.first).days < MOST_DAYS:
            raise InvalidInput(reason="name a first day and a last one that is not before it", path=("to",))
        return instant(self.first, time(), alliance.timezone), instant(self.last + ONE_DAY, time(), alliance.timezone)


@dataclass(frozen=True, slots=True)
class AtClose:
    """What a merchant owed, less what it was owed, over all that was not paid when a cycle was cut off (millionths);
    how many alerts there were in the cycle, and the highest level of its cap that one was about."""

    cycle: SettlementCycle
    merchant_id: UUID
    owed: int
    alerts: int
    highest: int


# Lines of all cycles up to this one, less what was paid by its cut-off: as positions are, as of then.
_AT_CLOSE = text("""
    WITH moved AS (
        SELECT c.number, o.debtor_id AS merchant_id, sum(o.amount) AS amount
        FROM obligation o JOIN settlement_cycle c ON c.id = o.cycle_id
        WHERE c.status = 'CLOSED' GROUP BY 1, 2
        UNION ALL SELECT c.number, o.creditor_id, -sum(o.amount)
        FROM obligation o JOIN settlement_cycle c ON c.id = o.cycle_id
        WHERE c.status = 'CLOSED' GROUP BY 1, 2
        UNION ALL SELECT c.number, n.second_id, sum(n.lines + n.adjustments)
        FROM pair_net n JOIN settlement_cycle c ON c.id = n.cycle_id GROUP BY 1, 2
        UNION ALL SELECT c.number, n.first_id, -sum(n.lines + n.adjustments)
        FROM pair_net n JOIN settlement_cycle c ON c.id = n.cycle_id GROUP BY 1, 2),
    paid AS (
        SELECT paid_at, payer_id AS merchant_id, -amount AS amount FROM payment WHERE status = 'PAID'
        UNION ALL SELECT paid_at, payee_id, amount FROM payment WHERE status = 'PAID')
    SELECT w.id, m.merchant_id,
           (SELECT coalesce(sum(amount), 0) FROM moved l
            WHERE l.merchant_id = m.merchant_id AND l.number <= w.number)
           + CAST(:unit AS numeric) * (SELECT coalesce(sum(amount), 0) FROM paid p
            WHERE p.merchant_id = m.merchant_id AND p.paid_at <= w.closes_at) AS owed,
           a.alerts, a.highest
    FROM settlement_cycle w
    CROSS JOIN (SELECT DISTINCT merchant_id FROM moved) m
    CROSS JOIN LATERAL (
        SELECT count(*) AS alerts, coalesce(max(level), 0) AS highest FROM exposure_alert a
        WHERE a.merchant_id = m.merchant_id AND a.raised_at > w.opens_at AND a.raised_at <= w.closes_at) a
    WHERE w.id = ANY(:cycles) AND (CAST(:party AS uuid) IS NULL OR m.merchant_id = CAST(:party AS uuid))
    ORDER BY w.number DESC, m.merchant_id
""")


async def at_close(
    session: AsyncSession, cycles: Sequence[SettlementCycle], unit: int, party: UUID | None
) -> list[AtClose]:
    """Positions as each of these closed cycles was cut off, of all parties or of one."""
    known = {cycle.id: cycle for cycle in cycles}
    rows = await session.execute(_AT_CLOSE, {"cycles": list(known), "unit": unit, "party": party})
    return [AtClose(known[row.id], row.merchant_id, int(row.owed), row.alerts, row.highest) for row in rows]


async def closed(session: AsyncSession, alliance: Alliance, span: Span | None, first: int) -> list[SettlementCycle]:
    """Cycles that were cut off, in a span or the last ones, newest first; at most `first`. Raises InvalidInput."""
    query = select(SettlementCycle).where(SettlementCycle.status != CycleStatus.OPEN)
    if span is not None:
        since, until = span.bounds(alliance)
        query = query.where(SettlementCycle.closes_at > since, SettlementCycle.closes_at <= until)
    return list((await session.scalars(query.order_by(SettlementCycle.number.desc()).limit(first))).all())


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a cycle: as `Report`, and how many days passed from its cut-off until it was settled."""

    cycle: SettlementCycle
    report: Report
    days: int | None


async def history(
    session: AsyncSession, alliance: Alliance, cycles: Sequence[SettlementCycle], party: UUID | None
) -> list[Settled]:
    """What netting made of each cycle; for a party, of its own pairs, its own position and payments."""
    reports = await settlement.reports(session, cycles, alliance.settlement_currency, party=party)
    steps = await settlement.transitions(session, [cycle.id for cycle in cycles])
    found = []
    for cycle in cycles:
        done = next((step.as_of for step in steps[cycle.id] if step.status == CycleStatus.SETTLED), None)
        days = None if done is None or cycle.closes_at is None else (done - cycle.closes_at).days
        found.append(Settled(cycle, reports[cycle.id], days))
    return found


@dataclass(frozen=True, slots=True)
class Open:
    """What is open between two merchants by age: claims, objections, or breaks of an outcome. `against_id` is null
    where the counterparty is not known. Millionths, without their sign."""

    what: str
    merchant_id: UUID
    against_id: UUID | None
    since: int
    until: int | None
    count: int
    amount: int


_OPEN = text("""
    SELECT d.door AS what, d.raiser_id AS merchant_id, d.against_id, d.raised_at AS since, abs(d.claimed) AS amount
    FROM dispute d
    WHERE d.decided_at IS NULL AND d.raised_at <= :as_of
      AND (CAST(:party AS uuid) IS NULL OR CAST(:party AS uuid) IN (d.raiser_id, d.against_id))
    UNION ALL
    SELECT b.outcome, b.merchant_id, b.other_id, b.opened_at, abs(coalesce(b.theirs, 0) - coalesce(b.ours, 0))
    FROM recon_break b
    WHERE b.closed_at IS NULL AND b.opened_at <= :as_of
      AND (CAST(:party AS uuid) IS NULL OR b.merchant_id = CAST(:party AS uuid))
""")
_BY_AGE = text(f"""
    SELECT o.what, o.merchant_id, o.against_id, a.since, count(*) AS items, sum(o.amount) AS amount
    FROM ({_OPEN.text}) o
    CROSS JOIN LATERAL (
        SELECT since, min_at FROM unnest(CAST(:sinces AS int[]), CAST(:ages AS timestamptz[])) AS b (since, min_at)
        WHERE o.since >= b.min_at ORDER BY b.since LIMIT 1) a
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
""")  # noqa: S608


async def ageing(session: AsyncSession, alliance: Alliance, as_of: datetime, party: UUID | None) -> list[Open]:
    """What is open at a moment, by age in business days: the days after the one on which it was opened.

    A party sees disputes that it is a party to, and breaks of its own files.
    """
    today = as_of.astimezone(alliance.timezone).date()
    starts = {since: _opened_after(alliance, today, until) for since, until in BUCKETS}
    asked = {"as_of": as_of, "party": party, "sinces": list(starts), "ages": list(starts.values())}
    until = dict(BUCKETS)
    return [
        Open(row.what, row.merchant_id, row.against_id, row.since, until[row.since], row.items, int(row.amount))
        for row in await session.execute(_BY_AGE, asked)
    ]


def _opened_after(alliance: Alliance, today: date, oldest: int | None) -> datetime:
    """From when on what was opened is at most so many business days old today."""
    calendar, day, age = Calendar.of(alliance.calendar), today, 0
    if oldest is None:
        day = date(1970, 1, 1)
    else:
        while (age := age + calendar.is_business_day(day)) <= oldest:
            day -= ONE_DAY
    return instant(day, time(), alliance.timezone)


@dataclass(frozen=True, slots=True)
class Returned:
    """Of the lines of two parties, how many there are, and how many were back at zero in time."""

    first_id: UUID
    second_id: UUID
    lines: int
    within: int

    @property
    def share(self) -> Decimal:
        """In per cent, rounded down to two places."""
        return Decimal(self.within * 10_000 // self.lines).scaleb(-2) if self.lines else Decimal("100.00")


_RETURNED = text("""
    WITH days AS (SELECT * FROM unnest(CAST(:days AS date[]), CAST(:dues AS timestamptz[])) AS d (day, due)),
    lines AS MATERIALIZED (
        SELECT o.operation_id, o.seq, o.cycle_id, least(o.debtor_id, o.creditor_id) AS first_id,
               greatest(o.debtor_id, o.creditor_id) AS second_id, (o.booked_at AT TIME ZONE :zone)::date AS day
        FROM obligation o
        WHERE o.cycle_id = ANY(:cycles) AND o.booked_at >= :since AND o.booked_at < :until
          AND (CAST(:party AS uuid) IS NULL OR CAST(:party AS uuid) IN (o.debtor_id, o.creditor_id))),
    files AS (SELECT id, finished_at FROM partner_file
              WHERE cycle_id = ANY(:cycles) AND status = 'DONE' AND NOT dry_run),
    matched AS (
        SELECT operation_id, seq, min(finished_at) AS at FROM (
            SELECT l.operation_id, l.seq, f.finished_at FROM files f JOIN partner_line l ON l.file_id = f.id
            WHERE l.outcome = 'MATCHED' AND l.operation_id IS NOT NULL
            UNION ALL
            SELECT m.operation_id, m.seq, f.finished_at FROM files f
            JOIN partner_match m ON m.file_id = f.id
            JOIN partner_line l ON l.file_id = m.file_id AND l.line_no = m.line_no AND l.outcome = 'MATCHED') AS either
        GROUP BY 1, 2),
    corrected AS (
        SELECT corrects_operation_id AS operation_id, corrects_seq AS seq, min(booked_at) AS at FROM correction
        WHERE corrects_operation_id IS NOT NULL GROUP BY 1, 2),
    settled AS (
        SELECT cycle_id, min(at) AS at FROM cycle_transition
        WHERE status = 'SETTLED' AND cycle_id = ANY(:cycles) GROUP BY 1)
    SELECT l.first_id, l.second_id, count(*) AS lines,
           count(*) FILTER (WHERE least(m.at, c.at, s.at) < d.due) AS within
    FROM lines l JOIN days d USING (day)
    LEFT JOIN matched m USING (operation_id, seq) LEFT JOIN corrected c USING (operation_id, seq)
    LEFT JOIN settled s USING (cycle_id)
    GROUP BY 1, 2 ORDER BY 1, 2
""")


async def back_at_zero(session: AsyncSession, alliance: Alliance, span: Span, party: UUID | None) -> list[Returned]:
    """Of the lines that were booked in a span, how many were matched, settled or corrected in four business days."""
    since, until = span.bounds(alliance)
    calendar = Calendar.of(alliance.calendar)
    days = [span.first + timedelta(days=n) for n in range((span.last - span.first).days + 1)]
    noon = time(12)
    dues = [calendar.deadline(instant(day, noon, alliance.timezone), WITHIN, alliance.timezone) for day in days]
    asked: dict[str, Any] = {"days": days, "dues": dues, "zone": alliance.timezone.key, "since": since, "until": until}
    asked |= {"party": party, "cycles": await _cycles(session, since, until)}
    return [Returned(*row) for row in await session.execute(_RETURNED, asked)]


@dataclass(frozen=True, slots=True)
class PairKind:
    """Lines of a kind by which one party owes another; `amount` in millionths, with what reverses lines."""

    debtor_id: UUID
    creditor_id: UUID
    kind: str
    lines: int
    amount: int


_BY_KIND = text("""
    SELECT debtor_id, creditor_id, kind, count(*), sum(amount)::bigint FROM obligation
    WHERE cycle_id = ANY(:cycles) AND {column} >= :since AND {column} < :until
      AND (CAST(:party AS uuid) IS NULL OR CAST(:party AS uuid) IN (debtor_id, creditor_id))
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
""").text


async def by_kind(
    session: AsyncSession, alliance: Alliance, span: Span, party: UUID | None, *, occurred: bool = False
) -> list[PairKind]:
    """What was booked in a span of days, or `occurred` in it, by pair and kind, whatever cycle it is in (A7)."""
    since, until = span.bounds(alliance)
    cycles = await _cycles(session, since, None if occurred else until)
    asked = {"cycles": cycles, "since": since, "until": until, "party": party}
    statement = text(_BY_KIND.format(column="occurred_at" if occurred else "booked_at"))
    return [PairKind(*row) for row in await session.execute(statement, asked)]


async def _cycles(session: AsyncSession, since: datetime, until: datetime | None) -> Collection[UUID]:
    """The cycles into which lines that were booked from `since` to before `until` may have fallen.

    By the database's clock: a cycle was entered from when it was opened until the one after the next was.
    """
    rows = (
        await session.execute(
            select(SettlementCycle.id, SettlementCycle.booked_at).order_by(SettlementCycle.number.desc())
        )
    ).all()
    found, later, after = [], None, None
    for id_, opened in rows:
        if (until is None or opened < until) and (after is None or after >= since):
            found.append(id_)
        later, after = opened, later
    return found
