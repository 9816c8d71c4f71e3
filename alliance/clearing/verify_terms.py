"""Obligations against the agreements they name: that the version counted (A2), and its fees; see `ledger.checks`.

A version may be published with a day that has passed, and then ends the one before earlier: what is booked by that one
stays. So that a version had begun is proved, and not that it had not ended.
"""
# ruff: noqa: S608 - our own names

from alliance.clearing.verify import EARN, EXCHANGE, REDEEM

# What was owed a point in full, fees are on that, also of what is paid later.
_EVENTS = f"""(
    SELECT agreement_id, version, 'EARN' AS kind, 'earn' AS event, at, currency, at_issue + at_use AS price
    FROM {EARN} e
    UNION ALL SELECT agreement_id, version, 'REDEEM', 'redeem', at, currency, price FROM {REDEEM} r
    UNION ALL SELECT agreement_id, version, 'EXCHANGE', 'exchange', NULL, currency, price FROM {EXCHANGE} x)"""

_SHARE = "points * price / 100 * coalesce((fee ->> 'share')::numeric, 0)"
_HALF_EVEN = f"CASE WHEN abs({_SHARE} - trunc({_SHARE})) = 0.5 THEN 2 * round({_SHARE} / 2) ELSE round({_SHARE}) END"

# What an operation made owed by an agreement; without what it left pending, whose fees are shared over its parts.
_BILLED = """(
    SELECT DISTINCT b.holder_id, b.operation_id, o.kind, o.merchant_id, b.agreement_id, b.agreement_version AS version,
           b.currency, b.points
    FROM obligation b JOIN operation o ON o.holder_id = b.holder_id AND o.id = b.operation_id
    WHERE b.reverses IS NULL AND b.kind IN ('EARN', 'SPEND', 'EXCHANGE', 'FEE')
      AND o.kind IN ('EARN', 'REDEEM', 'EXCHANGE')
      AND o.id NOT IN (SELECT operation_id FROM pending_grant) AND o.id NOT IN (SELECT target_id FROM all_repair))"""

CHECKS = {
    "an obligation names a version that counted": """
        SELECT b.holder_id, b.operation_id || ' ' || b.seq AS kind, b.currency, b.agreement_version AS kept,
               -1 AS proved
        FROM obligation b JOIN operation o ON o.holder_id = b.holder_id AND o.id = b.operation_id
        LEFT JOIN agreement_version v ON v.agreement_id = b.agreement_id AND v.version = b.agreement_version
        LEFT JOIN agreement a ON a.id = v.agreement_id
        WHERE b.reverses IS NULL AND o.kind <> 'CORRECTION' AND (
          a.id IS NULL
          OR b.debtor_id NOT IN (a.merchant_a, a.merchant_b)
          OR (b.kind <> 'FEE' AND b.creditor_id NOT IN (a.merchant_a, a.merchant_b))
          OR v.valid_from > CASE WHEN b.late OR b.kind NOT IN ('EARN', 'SPEND', 'EXCHANGE') THEN o.as_of
                                 ELSE b.occurred_at END
          OR (v.status NOT IN ('IN_FORCE', 'ENDED') AND EXISTS (
                SELECT FROM agreement_step s WHERE s.agreement_id = v.agreement_id AND s.version = v.version)))""",
    "fees are by the terms of their agreement": f"""
        SELECT holder_id, operation_id::text AS kind, 'millionths' AS currency, coalesce(f.amount, 0) AS kept,
               coalesce(t.amount, 0) AS proved
        FROM (SELECT holder_id, operation_id, debtor_id, sum(fee) AS amount
              FROM (SELECT b.holder_id, b.operation_id,
                           CASE WHEN (fee ->> 'payer' = 'issuer') = (a.merchant_a = c.merchant_id) THEN a.merchant_a
                                ELSE a.merchant_b END AS debtor_id,
                           {_HALF_EVEN} + CASE WHEN b.points = 0 THEN 0
                                ELSE coalesce((fee #>> '{{amount,amount}}')::numeric, 0) * 1000000 END AS fee
                    FROM {_BILLED} b
                    JOIN agreement a ON a.id = b.agreement_id
                    JOIN currency c ON c.code = b.currency
                    JOIN {_EVENTS} x ON x.agreement_id = b.agreement_id AND x.version = b.version AND x.kind = b.kind
                                    AND x.currency = b.currency AND coalesce(x.at, b.merchant_id) = b.merchant_id
                    JOIN agreement_version v ON v.agreement_id = b.agreement_id AND v.version = b.version
                    CROSS JOIN jsonb_array_elements(v.terms -> 'fees') AS fee
                    WHERE fee -> 'for' ? x.event) AS one
              GROUP BY 1, 2, 3) t
        FULL JOIN (SELECT b.holder_id, b.operation_id, b.debtor_id, sum(b.amount) AS amount
                   FROM obligation b JOIN {_BILLED} o USING (holder_id, operation_id)
                   WHERE b.kind = 'FEE' GROUP BY 1, 2, 3) f USING (holder_id, operation_id, debtor_id)
        WHERE coalesce(f.amount, 0) <> coalesce(t.amount, 0)""",
}
