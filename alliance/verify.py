"""The proof of all books: the ledger's, what merchants owe each other against the obligations it came from, the log."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.accrual.verify import CHECKS as ACCRUAL_CHECKS
from alliance.archive.verify import CHECKS as ARCHIVE_CHECKS
from alliance.archive.verify import WHOLE as ARCHIVE_WHOLE
from alliance.archive.verify import verify_archive
from alliance.banking.verify import CHECKS as BANKING_CHECKS
from alliance.benefits.verify import CHECKS as RIGHT_CHECKS
from alliance.breaks.verify import CHECKS as BREAK_CHECKS
from alliance.clearing.verify import CHECKS as CLEARING_CHECKS
from alliance.clearing.verify_terms import CHECKS as TERMS_CHECKS
from alliance.corrections.verify import CHECKS as CORRECTION_CHECKS
from alliance.deadlines.verify import CHECKS as DEADLINE_CHECKS
from alliance.defaults.verify import CHECKS as DEFAULT_CHECKS
from alliance.disputes.verify import CHECKS as DISPUTE_CHECKS
from alliance.exposure.verify import CHECKS as EXPOSURE_CHECKS
from alliance.feed.verify import CHECKS as FEED_CHECKS
from alliance.invoices.verify import CHECKS as INVOICE_CHECKS
from alliance.liability.verify import CHECKS as LIABILITY_CHECKS
from alliance.partnerfiles.verify import CHECKS as PARTNER_FILE_CHECKS
from alliance.proofs.verify import CHECKS as LOG_CHECKS
from alliance.proofs.verify import verify_log
from alliance.rerating.verify import CHECKS as RERATING_CHECKS
from alliance.settlement.rules import minor_unit
from alliance.statements.verify import verify_statements
from alliance.subsidies.verify import CHECKS as SUBSIDY_CHECKS
from alliance.treasury.verify import CHECKS as TREASURY_CHECKS
from alliance.waivers.verify import CHECKS as WAIVER_CHECKS
from domain.benefits.verify import CHECKS as BENEFIT_CHECKS
from domain.contacts.accepting import CHECKS as ACCEPTING_CHECKS
from domain.duplicates.verify import WHOLE as DUPLICATES_WHOLE
from domain.guard.verify import CHECKS as GUARD_CHECKS
from domain.ledger.verify import Progress, Proof, quiet
from domain.ledger.verify import verify as verify_ledger
from domain.members.leaving_checks import CHECKS as LEAVING_CHECKS
from domain.members.verify import CHECKS as MEMBER_CHECKS
from domain.members.verify import WHOLE as MEMBERS_WHOLE
from domain.messages.verify import CHECKS as MESSAGE_CHECKS
from domain.pools.verify import CHECKS as POOL_CHECKS
from domain.profiles.verify import CHECKS as PROFILE_CHECKS
from domain.programs.model import AllianceRow
from domain.tiers.verify import CHECKS as TIER_CHECKS

_BY_HOLDER = {
    "what is owed back is no more than was owed": """
        SELECT o.holder_id, coalesce(o.reverses, p.operation_id, o.operation_id)::text AS kind,
               'millionths' AS currency, sum(o.amount) AS kept, 0 AS proved
        FROM obligation o
        LEFT JOIN (SELECT DISTINCT holder_id, activated_by, operation_id FROM pending_grant) p
             ON p.holder_id = o.holder_id AND p.activated_by = o.operation_id
        LEFT JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses
        WHERE o.kind NOT IN ('FUNDING', 'BREAKAGE', 'CORRECTION', 'INTEREST', 'TAX', 'LOSS')
          AND (o.reverses IS NULL OR u.id IS NOT NULL)
        GROUP BY o.holder_id, coalesce(o.reverses, p.operation_id, o.operation_id), o.kind, o.debtor_id, o.creditor_id
        HAVING sum(o.amount) < 0""",
}

_CHECKS = {
    "pair net is the sum of its obligations": """
        SELECT first_id AS holder_id, cycle_id || ' ' || second_id AS kind, 'millionths' AS currency,
               coalesce(p.lines + p.adjustments, 0) AS kept, coalesce(o.amount, 0) AS proved
        FROM pair_net p
        FULL JOIN (SELECT cycle_id, least(debtor_id, creditor_id) AS first_id,
                          greatest(debtor_id, creditor_id) AS second_id,
                          sum(CASE WHEN creditor_id < debtor_id THEN amount ELSE -amount END) AS amount
                   FROM obligation
                   WHERE cycle_id NOT IN (SELECT id FROM settlement_cycle WHERE status IN ('OPEN', 'CLOSED'))
                   GROUP BY 1, 2, 3) o USING (cycle_id, first_id, second_id)
        WHERE coalesce(p.lines + p.adjustments, 0) <> coalesce(o.amount, 0)""",
    "pair net and its remainder are the pair's closing": """
        SELECT first_id AS holder_id, cycle_id || ' ' || second_id AS kind, 'millionths' AS currency,
               net * {unit} + carried + suspended AS kept, opening + lines + adjustments AS proved
        FROM pair_net WHERE net * {unit} + carried + suspended <> opening + lines + adjustments""",
    "pair net is rounded half-even": """
        SELECT first_id AS holder_id, cycle_id || ' ' || second_id AS kind, 'millionths' AS currency,
               net * {unit} AS kept, opening + lines + adjustments AS proved
        FROM pair_net JOIN settlement_cycle c ON c.id = cycle_id
        WHERE c.status <> 'ABORTED' AND NOT left_out
          AND (2 * abs(carried) > {unit} OR (2 * abs(carried) = {unit} AND net % 2 <> 0))""",
    "position is the sum of its pair nets": """
        SELECT merchant_id AS holder_id, cycle_id::text AS kind, 'minor units' AS currency,
               coalesce(n.amount, 0) AS kept, coalesce(p.amount, 0) AS proved
        FROM net_position n
        FULL JOIN (SELECT cycle_id, merchant_id, sum(net) AS amount
                   FROM (SELECT cycle_id, first_id AS merchant_id, net FROM pair_net
                         UNION ALL SELECT cycle_id, second_id, -net FROM pair_net) AS side
                   WHERE cycle_id IN (SELECT id FROM settlement_cycle
                                      WHERE status IN ('NETTED', 'SETTLING', 'SETTLED'))
                   GROUP BY 1, 2) p USING (cycle_id, merchant_id)
        WHERE coalesce(n.amount, 0) <> coalesce(p.amount, 0)""",
    "positions of a cycle sum to zero": """
        SELECT cycle_id AS holder_id, 'cycle' AS kind, 'minor units' AS currency, sum(amount) AS kept, 0 AS proved
        FROM net_position GROUP BY cycle_id HAVING sum(amount) <> 0""",
    "pair opens with what the cycle before left": """
        SELECT first_id AS holder_id, number || ' ' || second_id AS kind, 'millionths' AS currency,
               coalesce(n.opening, 0) AS kept, coalesce(l.amount, 0) AS proved
        FROM (SELECT c.number, n.first_id, n.second_id, n.opening
              FROM pair_net n JOIN settlement_cycle c ON c.id = n.cycle_id) n
        FULL JOIN (SELECT number, first_id, second_id, sum(amount) AS amount FROM (
                   SELECT c.number + 1 AS number, first_id, second_id, sum(amount) AS amount
                   FROM (SELECT cycle_id, first_id, second_id, carried AS amount FROM pair_net
                         UNION ALL
                         SELECT cycle_id, least(payer_id, payee_id), greatest(payer_id, payee_id),
                                CASE WHEN payee_id < payer_id THEN amount ELSE -amount END * {unit}
                         FROM payment WHERE status = 'CARRIED') AS rest
                   JOIN settlement_cycle c ON c.id = rest.cycle_id
                   WHERE c.status NOT IN ('STATED', 'CONFIRMED') AND EXISTS (SELECT FROM settlement_cycle s
                                 WHERE s.number = c.number + 1 AND s.status NOT IN ('OPEN', 'CLOSED'))
                   GROUP BY 1, 2, 3
                   UNION ALL
                   SELECT number, first_id, second_id, amount FROM objection
                   JOIN settlement_cycle s ON s.id = released_in AND s.status NOT IN ('OPEN', 'CLOSED')) AS part
                   GROUP BY 1, 2, 3) l USING (number, first_id, second_id)
        WHERE coalesce(n.opening, 0) <> coalesce(l.amount, 0)""",
    "position is paid and carried by its payments": """
        SELECT merchant_id AS holder_id, cycle_id::text AS kind, 'minor units' AS currency,
               coalesce(p.settled, 0) + coalesce(p.carried, 0) AS kept, coalesce(l.amount, 0) AS proved
        FROM net_position p
        FULL JOIN (SELECT cycle_id, merchant_id, sum(amount) AS amount
                   FROM (SELECT cycle_id, payee_id AS merchant_id, status, amount FROM payment
                         UNION ALL SELECT cycle_id, payer_id, status, -amount FROM payment) AS leg
                   WHERE status IN ('PAID', 'MOVED', 'CARRIED') GROUP BY 1, 2) l USING (cycle_id, merchant_id)
        WHERE coalesce(p.settled, 0) + coalesce(p.carried, 0) <> coalesce(l.amount, 0)""",
    "a settled cycle leaves no position": """
        SELECT p.merchant_id AS holder_id, p.cycle_id::text AS kind, 'minor units' AS currency,
               p.settled + p.carried AS kept, p.amount AS proved
        FROM net_position p JOIN settlement_cycle c ON c.id = p.cycle_id
        WHERE c.status = 'SETTLED' AND p.amount <> p.settled + p.carried""",
}


BY_HOLDER = (
    _BY_HOLDER
    | CLEARING_CHECKS
    | TERMS_CHECKS
    | LOG_CHECKS
    | ARCHIVE_CHECKS
    | POOL_CHECKS
    | TIER_CHECKS
    | MESSAGE_CHECKS
)
BY_HOLDER |= (
    ACCEPTING_CHECKS
    | BENEFIT_CHECKS
    | RIGHT_CHECKS
    | TERMS_CHECKS
    | MEMBER_CHECKS
    | GUARD_CHECKS
    | LEAVING_CHECKS
    | PROFILE_CHECKS
)
"""Checks of other rooms than the ledger, by holder; see `domain.ledger.checks`."""


async def verify(
    session: AsyncSession, proof: Proof | None = None, progress: Progress = quiet, archives: Sequence[Path] = ()
) -> Proof:
    """Prove everything that `tessera verify` promises, as of one instant. `proof` may have a listener.

    Archived operations are proved from their files, which lie in the folders `archives`.
    """
    currency = await session.scalar(select(AllianceRow.settlement_currency))
    unit = f"{minor_unit(currency) if currency else 1}::numeric"
    await session.rollback()
    whole = _CHECKS | EXPOSURE_CHECKS | DISPUTE_CHECKS | FEED_CHECKS | ACCRUAL_CHECKS | SUBSIDY_CHECKS
    whole |= CORRECTION_CHECKS | TREASURY_CHECKS | RERATING_CHECKS
    whole |= DEADLINE_CHECKS | BREAK_CHECKS | PARTNER_FILE_CHECKS
    whole |= DEFAULT_CHECKS | WAIVER_CHECKS | INVOICE_CHECKS
    checks = {name: sql.format(unit=unit) for name, sql in whole.items()}
    checks |= LIABILITY_CHECKS | ARCHIVE_WHOLE | MEMBERS_WHOLE | DUPLICATES_WHOLE
    checks |= BANKING_CHECKS
    proof = await verify_ledger(session, BY_HOLDER, proof, progress, whole=checks)
    await verify_log(session, proof, progress)
    await verify_archive(session, proof, archives, progress)
    await verify_statements(session, proof, progress)
    return proof
