"""What `tessera verify` proves of defaults: they add up, were drawn and booked as they say, and nobody bears more."""

_LINES = """
    SELECT cause_id AS default_id, party, sum(amount) AS amount FROM (
        SELECT c.cause_id, b.creditor_id AS party, b.amount FROM correction c
        JOIN obligation b ON b.operation_id = c.operation_id AND b.holder_id = (SELECT id FROM alliance)
        WHERE c.cause = 'DEFAULT'
        UNION ALL
        SELECT c.cause_id, b.debtor_id, -b.amount FROM correction c
        JOIN obligation b ON b.operation_id = c.operation_id AND b.holder_id = (SELECT id FROM alliance)
        WHERE c.cause = 'DEFAULT') AS side
    GROUP BY 1, 2"""

_OWED = """
    SELECT default_id, party, sum(amount) AS amount FROM (
        SELECT d.id AS default_id, p.payee_id AS party, p.amount FROM merchant_default d
        JOIN payment p ON p.cycle_id = d.cycle_id AND p.payer_id = d.merchant_id AND p.status = 'MOVED'
        UNION ALL
        SELECT d.id, d.merchant_id, -p.amount FROM merchant_default d
        JOIN payment p ON p.cycle_id = d.cycle_id AND p.payer_id = d.merchant_id AND p.status = 'MOVED'
        UNION ALL SELECT default_id, party, amount FROM (
            SELECT s.default_id, s.merchant_id, d.merchant_id AS defaulter,
                   s.repaid + s.honoured + CASE WHEN d.netted_again THEN s.claim - s.loss ELSE 0 END AS less
            FROM default_share s JOIN merchant_default d ON d.id = s.default_id) AS paid
        CROSS JOIN LATERAL (VALUES (merchant_id, -less), (defaulter, less)) AS one (party, amount)) AS side
    GROUP BY 1, 2"""

CHECKS = {
    "a default is borne by its shares": """
        SELECT d.id AS holder_id, part.kind, 'minor units' AS currency, part.kept, part.proved
        FROM merchant_default d
        LEFT JOIN (SELECT default_id, sum(claim) AS claim, sum(fund) AS fund, sum(loss) AS loss FROM default_share
                   GROUP BY 1) s ON s.default_id = d.id
        CROSS JOIN LATERAL (VALUES ('debts', d.debts, coalesce(s.claim, 0)), ('fund', d.fund, coalesce(s.fund, 0)),
                                   ('loss', d.loss, coalesce(s.loss, 0))) AS part (kind, kept, proved)
        WHERE part.kept <> part.proved""",
    "what covers a default was drawn": """
        SELECT d.id AS holder_id, part.kind, 'minor units' AS currency, part.kept, part.proved
        FROM merchant_default d
        LEFT JOIN (SELECT t.cause_id, sum(e.amount) FILTER (WHERE e.account = 'COLLATERAL') AS collateral,
                          sum(e.amount) FILTER (WHERE e.account = 'FUND') AS fund
                   FROM money_transaction t JOIN money_entry e ON e.transaction_id = t.id
                   WHERE t.kind = 'DEFAULT_COVERED' GROUP BY 1) m ON m.cause_id = d.id
        CROSS JOIN LATERAL (VALUES ('collateral', d.collateral, coalesce(m.collateral, 0)),
                                   ('fund', d.own_fund + d.fund, coalesce(m.fund, 0))) AS part (kind, kept, proved)
        WHERE part.kept <> part.proved""",
    "what a default leaves is owed again": f"""
        SELECT default_id AS holder_id, party::text AS kind, 'millionths' AS currency, coalesce(l.amount, 0) AS kept,
               coalesce(o.amount, 0) * {{unit}} AS proved
        FROM ({_LINES}) l FULL JOIN ({_OWED}) o USING (default_id, party)
        WHERE coalesce(l.amount, 0) <> coalesce(o.amount, 0) * {{unit}}""",  # noqa: S608 - our own text
    "what came back of a default was shared out": """
        SELECT d.id AS holder_id, 'recovered' AS kind, 'minor units' AS currency, sum(s.repaid) AS kept,
               coalesce(r.losses, 0) AS proved
        FROM merchant_default d JOIN default_share s ON s.default_id = d.id
        LEFT JOIN (SELECT default_id, sum(losses) AS losses FROM default_recovery GROUP BY 1) r ON r.default_id = d.id
        GROUP BY d.id, r.losses HAVING sum(s.repaid) <> coalesce(r.losses, 0)""",
    "only who is in default goes unpaid": """
        SELECT p.cycle_id AS holder_id, p.seq::text AS kind, 'minor units' AS currency, p.amount AS kept, 0 AS proved
        FROM payment p
        LEFT JOIN merchant m ON m.id = p.payee_id AND m.defaulted_since IS NOT NULL
        LEFT JOIN merchant_default d ON d.cycle_id = p.cycle_id AND d.merchant_id = p.payer_id
        WHERE (p.status = 'HELD' AND m.id IS NULL) OR (p.status = 'MOVED' AND d.id IS NULL)""",
    "who is in default has one that is not over": """
        SELECT m.id AS holder_id, 'default' AS kind, 'defaults' AS currency,
               (m.defaulted_since IS NOT NULL)::int AS kept, (d.merchant_id IS NOT NULL)::int AS proved
        FROM merchant m
        LEFT JOIN (SELECT DISTINCT merchant_id FROM merchant_default WHERE ended_at IS NULL) d ON d.merchant_id = m.id
        WHERE (m.defaulted_since IS NOT NULL) <> (d.merchant_id IS NOT NULL)
           OR (m.defaulted_since IS NOT NULL AND m.frozen_since IS NULL)""",
    "an account that is left out settles nothing": """
        SELECT first_id AS holder_id, cycle_id || ' ' || second_id AS kind, 'minor units' AS currency, net AS kept,
               0 AS proved
        FROM pair_net WHERE left_out AND net <> 0""",
}
