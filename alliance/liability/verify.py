"""What the proof of the books compares of liabilities; see domain.ledger.checks."""

_NEWEST = "(SELECT DISTINCT ON (merchant_id) * FROM liability_month ORDER BY merchant_id, month DESC)"

# What is outstanding now, less what moved since the last closing, is what the cohorts had then.
_COUNTED = """
    o.as_of - CASE WHEN o.kind = 'EXPIRE' THEN interval '1 microsecond' ELSE interval '0' END < m.ends_at
    AND (o.xid < m.seen_before OR (o.xid < m.unseen_from AND o.xid <> ALL (m.unseen)))"""

CHECKS = {
    "points of cohorts are those of lots": f"""
        SELECT merchant_id AS holder_id, 'outstanding ' || month AS kind, currency, sum(kept) AS kept,
               sum(proved) AS proved
        FROM (SELECT m.merchant_id, m.month, l.currency, 0 AS kept, l.granted AS proved
              FROM {_NEWEST} m JOIN lot l ON l.issuer_id = m.merchant_id
              JOIN currency c ON c.code = l.currency AND c.kind IN ('points', 'stamps')
              JOIN operation o ON o.id = l.operation_id AND {_COUNTED}
              UNION ALL
              SELECT m.merchant_id, m.month, l.currency, 0, a.amount
              FROM {_NEWEST} m JOIN lot l ON l.issuer_id = m.merchant_id
              JOIN currency c ON c.code = l.currency AND c.kind IN ('points', 'stamps')
              JOIN allocation a ON a.holder_id = l.holder_id AND a.lot_id = l.id
              JOIN operation o ON o.id = a.operation_id AND {_COUNTED}
              UNION ALL
              SELECT m.merchant_id, m.month, h.currency,
                     granted + exchanged_in - redeemed - exchanged - expired - adjusted - reversed + transferred, 0
              FROM {_NEWEST} m JOIN (SELECT DISTINCT ON (merchant_id, currency, issued) *
                                     FROM liability_cohort ORDER BY merchant_id, currency, issued, month DESC) h
              ON h.merchant_id = m.merchant_id) AS both_sides
        GROUP BY 1, 2, 3 HAVING sum(kept) <> sum(proved)""",  # noqa: S608
    "a cohort opens with what the month before left": """
        SELECT merchant_id AS holder_id, month || ' of ' || issued AS kind, currency, opening AS kept, before AS proved
        FROM (SELECT *, coalesce(lag(deferred) OVER (PARTITION BY merchant_id, currency, issued ORDER BY month), 0)
                        AS before FROM liability_cohort) AS rolled
        WHERE opening <> before""",
    "what is deferred follows from what is kept": """
        SELECT h.merchant_id AS holder_id, h.month || ' of ' || h.issued AS kind, h.currency, h.deferred AS kept,
               d.deferred AS proved
        FROM liability_cohort h JOIN liability_estimate e USING (merchant_id, currency, month)
        CROSS JOIN LATERAL (
            SELECT h.value_sold + h.value_funded - h.value_taken_sold - h.value_taken_funded AS value,
                   greatest(h.expected - h.value_redeemed - h.value_exchanged, 0) AS to_come,
                   greatest(h.granted + h.exchanged_in - h.redeemed - h.exchanged - h.expired - h.adjusted - h.reversed
                            + h.transferred, 0)::numeric AS points) AS f
        CROSS JOIN LATERAL (
            SELECT CASE WHEN e.payable IS NOT NULL THEN round(f.points * e.payable * h.use / 100000000000)
                        WHEN h.expected <= 0 OR f.value <= 0 THEN 0
                        ELSE round(f.value * f.to_come / (h.expected * 100)) END AS deferred) AS d
        WHERE abs(h.deferred - d.deferred) > 1""",
    "every closed month follows the one before": """
        SELECT merchant_id AS holder_id, month::text AS kind, 'months' AS currency, 1 AS kept, gap AS proved
        FROM (SELECT merchant_id, month, extract(year FROM age(month, lag(month) OVER w)) * 12
                     + extract(month FROM age(month, lag(month) OVER w)) AS gap
              FROM liability_month WINDOW w AS (PARTITION BY merchant_id ORDER BY month)) AS months
        WHERE gap <> 1""",
}
