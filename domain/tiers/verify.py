"""What must hold of tiers, as checks for the proof of the books; see `domain.ledger.checks`."""

CHECKS = {
    "tiers of a member follow one another": """
        SELECT holder_id, merchant_id::text AS kind, coalesce(level, 'none') AS currency,
               seq AS kept, coalesce(before + 1, 0) AS proved
        FROM (SELECT *, lag(seq) OVER own AS before, lag(valid_from) OVER own AS began, lag(until) OVER own AS ended
              FROM member_tier WINDOW own AS (PARTITION BY holder_id, merchant_id ORDER BY seq)) t
        WHERE seq <> coalesce(before + 1, 0) OR valid_from < began OR valid_from > ended OR until <= valid_from""",
    "tier is what its credits reach": """
        SELECT holder_id, merchant_id::text AS kind, level AS currency, threshold AS kept, credits AS proved
        FROM (SELECT *, lag(level) OVER (PARTITION BY holder_id, merchant_id ORDER BY seq) AS before
              FROM member_tier) t
        WHERE credits < threshold AND NOT (reason = 'RETURNED' AND level IS NOT DISTINCT FROM before)""",
    "tier has its cause": """
        SELECT t.holder_id, t.merchant_id::text AS kind, coalesce(t.level, 'none') AS currency,
               t.credits AS kept, coalesce(e.after, 0) AS proved
        FROM member_tier t
        LEFT JOIN operation o ON o.holder_id = t.holder_id AND o.id = t.operation_id
        LEFT JOIN (SELECT holder_id, operation_id, merchant_id, max(balance_after) AS after
                   FROM entry JOIN currency c ON c.code = entry.currency AND c.kind = 'tier_credits'
                   GROUP BY 1, 2, 3) e
             ON e.holder_id = t.holder_id AND e.operation_id = t.operation_id AND e.merchant_id = t.merchant_id
        WHERE t.reason <> 'ENDED'
          AND (o.id IS NULL OR t.reason <> 'RETURNED' AND t.credits > e.after)""",
    "tier that follows the balance is reached by it": """
        SELECT t.holder_id, t.merchant_id::text AS kind, t.level AS currency,
               t.threshold AS kept, coalesce(a.posted, 0) AS proved
        FROM (SELECT DISTINCT ON (holder_id, merchant_id) * FROM member_tier
              ORDER BY holder_id, merchant_id, seq DESC) t
        JOIN merchant m ON m.id = t.merchant_id
        LEFT JOIN account a ON a.holder_id = t.holder_id AND a.kind = 'POINTS' AND a.currency = m.tiers ->> 'credits'
        WHERE t.level IS NOT NULL AND t.until IS NULL AND t.threshold > coalesce(a.posted, 0)
          AND t.holder_id NOT IN (SELECT holder_id FROM member_alias)""",
}
