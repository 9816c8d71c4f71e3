"""Netting where the rows are: an alliance of a thousand merchants has half a million pairs.

The same as `rules.net_pairs` and `rules.positions`, in the database. Nothing is written to an obligation.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.settlement.rules import PlannedPayment, Report, counted, owed_in_all, report


async def sum_up(session: AsyncSession, cycle_id: uuid.UUID, unit: int) -> None:
    """Store the nets of a cycle's pairs, from its obligations and from what the cycle before it left.

    `unit` is the minor unit of the settlement currency, in millionths.
    """
    # Only a statement that writes to no table of ours is shared among workers, hence the table between.
    await session.execute(text(_SUM), {"cycle": cycle_id})
    await session.execute(text(_NET), {"cycle": cycle_id, "unit": unit})
    await session.execute(text("DROP TABLE pair_sum"))


# All that every row must be looked at for; what takes earlier lines back has an index of its own.
_SUM = """
CREATE TEMPORARY TABLE pair_sum AS
SELECT least(debtor_id, creditor_id) AS first_id, greatest(debtor_id, creditor_id) AS second_id,
       sum(amount) AS both_ways, sum(CASE WHEN creditor_id < debtor_id THEN amount ELSE -amount END) AS to_first,
       count(*) AS count
FROM obligation WHERE cycle_id = :cycle
GROUP BY 1, 2
"""

_REVERSED = """
    SELECT least(debtor_id, creditor_id) AS first_id, greatest(debtor_id, creditor_id) AS second_id,
           sum(CASE WHEN creditor_id < debtor_id THEN amount ELSE -amount END) AS taken_back
    FROM obligation WHERE cycle_id = :cycle AND reverses IS NOT NULL
    GROUP BY 1, 2"""


def half_even(claim: str, unit: str) -> str:
    """SQL for a claim in units, rounded (A6): a tie goes to twice the rounded half, which is even."""
    return f"""CASE WHEN 2 * abs(mod({claim}, {unit})) = {unit} THEN 2 * round({claim} / (2 * {unit}))
                    ELSE round({claim} / {unit}) END"""


_BEFORE = """(SELECT before.id FROM settlement_cycle AS before
                    JOIN settlement_cycle AS this ON this.number = before.number + 1 WHERE this.id = :cycle)"""

_OPENINGS = f"""
    SELECT first_id, second_id, coalesce(carried, 0) + coalesce(put_off, 0) * CAST(:unit AS numeric) AS left_over
    FROM (SELECT first_id, second_id, carried FROM pair_net WHERE cycle_id = {_BEFORE}) AS kept
    FULL JOIN (SELECT least(payer_id, payee_id) AS first_id, greatest(payer_id, payee_id) AS second_id,
                      sum(CASE WHEN payee_id < payer_id THEN amount ELSE -amount END) AS put_off
               FROM payment WHERE status = 'CARRIED' AND cycle_id = {_BEFORE}
               GROUP BY 1, 2) AS unpaid USING (first_id, second_id)
    WHERE coalesce(carried, 0) + coalesce(put_off, 0) * CAST(:unit AS numeric) <> 0"""  # noqa: S608

# OFFSET 0 has each expression worked out once, and not wherever its name stands.
_NET = f"""
INSERT INTO pair_net (cycle_id, first_id, second_id, opening, lines, adjustments, gross, count, net, carried)
SELECT :cycle, first_id, second_id, opening, lines, adjustments, gross, count, net, claim - net * unit
FROM (SELECT *, {half_even("claim", "unit")} AS net
      FROM (SELECT *, opening + lines + adjustments AS claim
            FROM (SELECT first_id, second_id, CAST(:unit AS numeric) AS unit, coalesce(left_over, 0) AS opening,
                         coalesce(to_first, 0) - coalesce(taken_back, 0) AS lines,
                         coalesce(taken_back, 0) AS adjustments, coalesce(count, 0) AS count,
                         (abs(coalesce(both_ways + to_first, 0)) + abs(coalesce(both_ways - to_first, 0))) / 2
                         + abs(coalesce(left_over, 0)) AS gross
                  FROM pair_sum
                  LEFT JOIN ({_REVERSED}) AS reversed USING (first_id, second_id)
                  FULL JOIN ({_OPENINGS}) AS opened USING (first_id, second_id)
                  OFFSET 0) AS joined
            OFFSET 0) AS closed
      OFFSET 0) AS netted
ORDER BY first_id, second_id
"""  # noqa: S608


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
    for row in await session.execute(text(_POSITIONS), {"cycles": list(cycle_ids), "party": party}):
        found[row.cycle_id][row.party] = int(row.amount)
    return found


_POSITIONS = """
SELECT cycle_id, party, sum(net) AS amount
FROM (SELECT cycle_id, first_id AS party, net FROM pair_net WHERE cycle_id = ANY(:cycles)
      UNION ALL SELECT cycle_id, second_id, -net FROM pair_net WHERE cycle_id = ANY(:cycles)) AS side
WHERE CAST(:party AS uuid) IS NULL OR party = :party
GROUP BY cycle_id, party ORDER BY party
"""


async def reports(
    session: AsyncSession,
    cycle_ids: Collection[uuid.UUID],
    plans: Mapping[uuid.UUID, Sequence[PlannedPayment]],
    *,
    party: uuid.UUID | None = None,
) -> dict[uuid.UUID, Report]:
    """As `rules.report`, of the stored nets of cycles. `plans` are those there are."""
    amounts = await positions(session, cycle_ids, party=party)
    found = {cycle_id: report((), plans.get(cycle_id), party) for cycle_id in cycle_ids}
    for row in await session.execute(text(_REPORT), {"cycles": list(cycle_ids), "party": party}):
        paid, carried = counted(plans.get(row.cycle_id), party)
        found[row.cycle_id] = Report(
            gross=int(row.gross),
            bilateral=int(row.bilateral),
            multilateral=owed_in_all(amounts[row.cycle_id], party),
            obligations=int(row.obligations),
            debts=int(row.debts),
            nets=row.nets,
            payments=paid,
            carried=carried,
        )
    return found


_REPORT = """
SELECT cycle_id, sum(gross) AS gross, sum(abs(net)) AS bilateral, sum(count) AS obligations,
       sum(CASE WHEN gross - abs(opening) > abs(lines + adjustments) THEN 2
                WHEN lines + adjustments <> 0 OR net <> 0 THEN 1 ELSE 0 END) AS debts,
       count(*) FILTER (WHERE net <> 0) AS nets
FROM pair_net
WHERE cycle_id = ANY(:cycles) AND (CAST(:party AS uuid) IS NULL OR first_id = :party OR second_id = :party)
GROUP BY cycle_id
"""
