"""Netting where the rows are: an alliance of a thousand merchants has half a million pairs.

The same as `rules.net_pairs` and `rules.positions`, in the database. Nothing is written to an obligation.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from asyncpg import NumericValueOutOfRangeError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.settlement.rules import PlannedPayment, Report, counted, report


async def sum_up(session: AsyncSession, cycle_id: uuid.UUID, unit: int) -> None:
    """Store the nets of a cycle's pairs, from its obligations and from what the cycle before it left.

    `unit` is the minor unit of the settlement currency, in millionths.
    """
    values = await _values(session, cycle_id, unit)
    await session.execute(text(ROOM))
    try:
        async with session.begin_nested():
            await _sum_up(session, values, _IN_64_BITS)
    except DBAPIError as fault:
        if getattr(fault.orig, "sqlstate", None) != NumericValueOutOfRangeError.sqlstate:
            raise
        await _sum_up(session, values, _EXACT)


async def _sum_up(session: AsyncSession, values: dict[str, Any], kind: tuple[str, str]) -> None:
    # Only a statement that writes to no table of ours is shared among workers, hence the table between.
    # In the order of the key, which is then written from its beginning to its end.
    await session.execute(text(f"CREATE TEMPORARY TABLE pair_sum AS {_sums(kind)} ORDER BY 1, 2"), values)
    await session.execute(text(f"INSERT INTO pair_net ({_COLUMNS}) {_nets('pair_sum')}"), values)
    await session.execute(text("DROP TABLE pair_sum"))
    # So that what reads these rows next is planned for so many.
    await session.execute(text("ANALYZE pair_net"))


async def _values(session: AsyncSession, cycle_id: uuid.UUID, unit: int) -> dict[str, Any]:
    """What the statements about one cycle name; `before` is the one before it, as soon as that is netted."""
    before = await session.scalar(text(_BEFORE), {"cycle": cycle_id})
    return {"cycle": cycle_id, "before": before, "unit": unit}


_BEFORE = """
SELECT before.id FROM settlement_cycle AS before JOIN settlement_cycle AS this ON this.number = before.number + 1
WHERE this.id = :cycle AND before.status IN ('NETTED', 'SETTLING', 'SETTLED', 'ABORTED')
"""

ROOM = "SELECT set_config('work_mem', '256MB', true), set_config('parallel_tuple_cost', '0.01', true)"
"""Until the transaction ends: room for half a million pairs, and so many do not keep the work from being shared."""

# How sums are made, and of what type: those in 64 bits take half the time, and fail where they do not suffice.
_IN_64_BITS = ("sum_bigint", "bigint")
_EXACT = ("sum", "numeric")

_COLUMNS = "cycle_id, first_id, second_id, opening, lines, adjustments, gross, count, net, carried"

_PAIR = "least(debtor_id, creditor_id) AS first_id, greatest(debtor_id, creditor_id) AS second_id"
_CLAIM = "CASE WHEN creditor_id < debtor_id THEN amount ELSE -amount END"

_OWN = " AND (debtor_id = :party OR creditor_id = :party)"
"""Narrows obligations to those of a party."""

_LEFT_OVER = """
    SELECT first_id, second_id, carried AS amount FROM pair_net WHERE cycle_id = :before AND carried <> 0
    UNION ALL
    SELECT least(payer_id, payee_id), greatest(payer_id, payee_id),
           CASE WHEN payee_id < payer_id THEN amount ELSE -amount END * CAST(:unit AS numeric)
    FROM payment WHERE status = 'CARRIED' AND cycle_id = :before
    UNION ALL
    SELECT first_id, second_id, amount FROM objection WHERE released_in = :cycle"""
"""What opens a cycle: what the one before it left, and lines under objection that were decided while it was open."""


def _sums(kind: tuple[str, str], own: str = "") -> str:
    """SQL for the sums of each pair: of all obligations, of those that take earlier ones back, of what was left over.

    Those that take back are looked up in an index of their own, so that of the others only the first columns are read.
    """
    total, type_ = kind
    return f"""
        SELECT first_id, second_id, coalesce({total}(both_ways), 0) AS both_ways,
               coalesce({total}(to_first), 0) AS to_first, count(line) AS count,
               coalesce({total}(taken_back), 0) AS taken_back, coalesce({total}(opening), 0) AS opening
        FROM (SELECT {_PAIR}, amount AS both_ways, {_CLAIM} AS to_first, true AS line,
                     NULL::bigint AS taken_back, NULL::{type_} AS opening
              FROM obligation WHERE cycle_id = :cycle{own}
              UNION ALL
              SELECT {_PAIR}, NULL::bigint, NULL::bigint, NULL::boolean, {_CLAIM}, NULL::{type_}
              FROM obligation WHERE cycle_id = :cycle AND reverses IS NOT NULL{own}
              UNION ALL
              SELECT first_id, second_id, NULL::bigint, NULL::bigint, NULL::boolean, NULL::bigint, amount::{type_}
              FROM ({_LEFT_OVER}) AS left_over) AS part
        GROUP BY first_id, second_id"""  # noqa: S608


def half_even(claim: str, unit: str) -> str:
    """SQL for a claim in units, rounded (A6): a tie goes to twice the rounded half, which is even."""
    return f"""CASE WHEN 2 * abs(mod({claim}, {unit})) = {unit} THEN 2 * round({claim} / (2 * {unit}))
                    ELSE round({claim} / {unit}) END"""


def _nets(sums: str) -> str:
    """SQL for the nets of pairs. OFFSET 0 has each expression worked out once, and not wherever it is named."""
    return f"""
        SELECT CAST(:cycle AS uuid) AS cycle_id, first_id, second_id, opening, to_first - taken_back AS lines,
               taken_back AS adjustments, abs(one_way) + abs(one_way - to_first) + abs(opening) AS gross, count, net,
               claim - net * unit AS carried
        FROM (SELECT *, (both_ways + to_first) / 2 AS one_way, {half_even("claim", "unit")} AS net
              FROM (SELECT *, CAST(opening AS numeric) + to_first AS claim, CAST(:unit AS numeric) AS unit
                    FROM {sums} AS summed OFFSET 0) AS claimed
              OFFSET 0) AS netted
        WHERE count > 0 OR opening <> 0"""  # noqa: S608


async def leave_all(session: AsyncSession, cycle_id: uuid.UUID, unit: int) -> None:
    """Keep a cycle's stored nets with nothing to settle: from its opening balances on, all of it is carried."""
    await session.execute(text(_LEAVE), await _values(session, cycle_id, unit))


_LEAVE = f"""
MERGE INTO pair_net AS pair
USING (SELECT first_id, second_id, sum(amount) AS opening
       FROM (SELECT first_id, second_id, 0 AS amount FROM pair_net WHERE cycle_id = :cycle
             UNION ALL {_LEFT_OVER}) AS part
       GROUP BY 1, 2) AS now
ON pair.cycle_id = :cycle AND pair.first_id = now.first_id AND pair.second_id = now.second_id
WHEN MATCHED THEN
    UPDATE SET opening = now.opening, gross = pair.gross - abs(pair.opening) + abs(now.opening), net = 0,
               carried = now.opening + pair.lines + pair.adjustments - pair.suspended
WHEN NOT MATCHED AND now.opening <> 0 THEN
    INSERT ({_COLUMNS})
    VALUES (:cycle, now.first_id, now.second_id, now.opening, 0, 0, abs(now.opening), 0, 0, now.opening)
"""  # noqa: S608


async def leave_out(session: AsyncSession, cycle_id: uuid.UUID, unit: int) -> None:
    """Let the stored nets of who is in default settle nothing (A12): all of them is carried, what each owes set off."""
    if await session.scalar(text("SELECT EXISTS (SELECT FROM merchant WHERE defaulted_since IS NOT NULL)")):
        await session.execute(text(_LEAVE_OUT), {"cycle": cycle_id, "unit": unit})


_LEAVE_OUT = """
UPDATE pair_net SET net = 0, carried = carried + net * CAST(:unit AS numeric), left_out = true
FROM merchant m
WHERE cycle_id = :cycle AND m.id IN (first_id, second_id) AND m.defaulted_since IS NOT NULL
"""


async def state(
    session: AsyncSession, cycle_id: uuid.UUID, *, operator_id: uuid.UUID, who: uuid.UUID, as_of: datetime
) -> None:
    """A statement for each party to the stored nets. The operator's own is confirmed by issuing it."""
    await session.execute(text(_STATE), {"cycle": cycle_id, "operator": operator_id, "who": who, "as_of": as_of})


_STATE = """
INSERT INTO statement (cycle_id, merchant_id, issued_at, confirmed_at, confirmed_by)
SELECT :cycle, party, :as_of, CASE WHEN party = :operator THEN CAST(:as_of AS timestamptz) END,
       CASE WHEN party = :operator THEN CAST(:who AS uuid) END
FROM (SELECT first_id AS party FROM pair_net WHERE cycle_id = :cycle
      UNION SELECT second_id FROM pair_net WHERE cycle_id = :cycle) AS stated
"""


async def positions(
    session: AsyncSession, cycle_ids: Collection[uuid.UUID], *, party: uuid.UUID | None = None
) -> dict[uuid.UUID, dict[uuid.UUID, int]]:
    """What each party to the stored nets of each cycle is to receive (positive) or to pay, in minor units.

    A cycle's sum to zero; for a party, its own alone.
    """
    found: dict[uuid.UUID, dict[uuid.UUID, int]] = {cycle_id: {} for cycle_id in cycle_ids}
    query = text(_POSITIONS.format(nets=_STORED))
    for row in await session.execute(query, {"cycles": list(cycle_ids), "party": party}):
        found[row.cycle_id][row.party] = int(row.amount)
    return found


async def live_positions(
    session: AsyncSession, cycle_id: uuid.UUID, unit: int, *, party: uuid.UUID | None = None
) -> dict[uuid.UUID, int]:
    """As `positions`, of a cycle without stored nets: as they would be now."""
    values = await _values(session, cycle_id, unit) | {"party": party}
    rows = await session.execute(text(_POSITIONS.format(nets=_live(party))), values)
    return {row.party: int(row.amount) for row in rows}


async def reports(
    session: AsyncSession,
    cycle_ids: Collection[uuid.UUID],
    plans: Mapping[uuid.UUID, Sequence[PlannedPayment]],
    *,
    party: uuid.UUID | None = None,
) -> dict[uuid.UUID, Report]:
    """As `rules.report`, of the stored nets of cycles. `plans` are those there are."""
    found = {cycle_id: report((), plans.get(cycle_id), party) for cycle_id in cycle_ids}
    query = text(_REPORT.format(nets=_STORED))
    for row in await session.execute(query, {"cycles": list(cycle_ids), "party": party}):
        found[row.cycle_id] = _report(row, *counted(plans.get(row.cycle_id), party))
    return found


async def live_report(
    session: AsyncSession, cycle_id: uuid.UUID, unit: int, *, party: uuid.UUID | None = None
) -> Report:
    """As `rules.report`, of a cycle without stored nets: as they would be now."""
    values = await _values(session, cycle_id, unit) | {"party": party}
    row = (await session.execute(text(_REPORT.format(nets=_live(party))), values)).one_or_none()
    return report((), None, party) if row is None else _report(row, None, None)


def _report(row: Any, payments: int | None, carried: int | None) -> Report:
    return Report(
        gross=int(row.gross),
        bilateral=int(row.bilateral),
        multilateral=int(row.multilateral),
        obligations=int(row.obligations),
        debts=int(row.debts),
        nets=row.nets,
        payments=payments,
        carried=carried,
    )


_STORED = f"NOT MATERIALIZED (SELECT {_COLUMNS} FROM pair_net WHERE cycle_id = ANY(:cycles))"  # noqa: S608


def _live(party: uuid.UUID | None) -> str:
    """The nets of a cycle that has none yet; at least all those of this party."""
    own = "" if party is None else _OWN
    return f"MATERIALIZED ({_nets(f'({_sums(_EXACT, own)})')})"


_ASKED = "CAST(:party AS uuid) IS NULL OR"

_SELECT_POSITIONS = f"""
SELECT cycle_id, party, sum(net) AS amount
FROM (SELECT cycle_id, first_id AS party, net FROM nets UNION ALL SELECT cycle_id, second_id, -net FROM nets) AS side
WHERE {_ASKED} party = :party
GROUP BY cycle_id, party"""  # noqa: S608

_POSITIONS = f"WITH nets AS {{nets}} {_SELECT_POSITIONS} ORDER BY party"

_REPORT = f"""
WITH nets AS {{nets}}, held AS ({_SELECT_POSITIONS})
SELECT cycle_id, sum(gross) AS gross, sum(abs(net)) AS bilateral, sum(count) AS obligations,
       sum(CASE WHEN gross - abs(opening) > abs(lines + adjustments) THEN 2
                WHEN lines + adjustments <> 0 OR net <> 0 THEN 1 ELSE 0 END) AS debts,
       count(*) FILTER (WHERE net <> 0) AS nets,
       (SELECT sum(CASE WHEN CAST(:party AS uuid) IS NULL THEN greatest(amount, 0) ELSE abs(amount) END)
        FROM held WHERE held.cycle_id = nets.cycle_id) AS multilateral
FROM nets WHERE {_ASKED} first_id = :party OR second_id = :party
GROUP BY cycle_id
"""  # noqa: S608
