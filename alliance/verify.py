"""The proof of all books: the ledger's, and what merchants owe each other against the obligations it came from."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.settlement.rules import minor_unit
from domain.ledger.verify import Proof
from domain.ledger.verify import verify as verify_ledger
from domain.programs.model import AllianceRow

_CHECKS = {
    "pair net is the sum of its obligations": """
        SELECT p.first_id AS holder_id, p.cycle_id || ' ' || p.second_id AS kind, 'millionths' AS currency,
               p.lines + p.adjustments AS kept, coalesce(o.amount, 0) AS proved
        FROM pair_net p
        LEFT JOIN (SELECT cycle_id, least(debtor_id, creditor_id) AS first_id,
                          greatest(debtor_id, creditor_id) AS second_id,
                          sum(CASE WHEN creditor_id < debtor_id THEN amount ELSE -amount END) AS amount
                   FROM obligation GROUP BY 1, 2, 3) o USING (cycle_id, first_id, second_id)
        WHERE p.lines + p.adjustments <> coalesce(o.amount, 0)""",
    "pair net and its remainder are the pair's closing": """
        SELECT first_id AS holder_id, cycle_id || ' ' || second_id AS kind, 'millionths' AS currency,
               net * {unit} + carried AS kept, opening + lines + adjustments AS proved
        FROM pair_net WHERE net * {unit} + carried <> opening + lines + adjustments""",
    "position is the sum of its pair nets": """
        SELECT merchant_id AS holder_id, cycle_id::text AS kind, 'minor units' AS currency,
               n.amount AS kept, coalesce(p.amount, 0) AS proved
        FROM net_position n
        LEFT JOIN (SELECT cycle_id, merchant_id, sum(net) AS amount
                   FROM (SELECT cycle_id, first_id AS merchant_id, net FROM pair_net
                         UNION ALL SELECT cycle_id, second_id, -net FROM pair_net) AS side
                   GROUP BY 1, 2) p USING (cycle_id, merchant_id)
        WHERE n.amount <> coalesce(p.amount, 0)""",
    "positions of a cycle sum to zero": """
        SELECT cycle_id AS holder_id, 'cycle' AS kind, 'minor units' AS currency, sum(amount) AS kept, 0 AS proved
        FROM net_position GROUP BY cycle_id HAVING sum(amount) <> 0""",
}


async def verify(session: AsyncSession) -> Proof:
    """Prove everything that `tessera verify` promises, as of one instant."""
    currency = await session.scalar(select(AllianceRow.settlement_currency))
    unit = minor_unit(currency) if currency else 1
    await session.rollback()
    return await verify_ledger(session, {name: sql.format(unit=unit) for name, sql in _CHECKS.items()})
