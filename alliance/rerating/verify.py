"""What `tessera verify` proves of re-ratings: that the corrections are what their rows say (A11)."""

CHECKS = {
    "a re-rated line was put right as it says": """
        SELECT l.holder_id, l.operation_id || ' ' || l.seq AS kind, 'millionths' AS currency,
               coalesce(v.amount, 0) + coalesce(n.amount, 0) AS kept, l.amount_after - l.amount_before AS proved
        FROM rerate_line l
        LEFT JOIN obligation v ON v.holder_id = (SELECT id FROM alliance) AND v.operation_id = l.reversing_id
        LEFT JOIN obligation n ON n.holder_id = (SELECT id FROM alliance) AND n.operation_id = l.new_id
        LEFT JOIN correction c ON c.operation_id = l.reversing_id
        LEFT JOIN correction d ON d.operation_id = l.new_id
        WHERE coalesce(v.amount, 0) <> -l.amount_before OR coalesce(n.amount, 0) <> l.amount_after
           OR (l.reversing_id IS NOT NULL AND (c.corrects_operation_id, c.corrects_seq, c.cause_id)
                                              IS DISTINCT FROM (l.operation_id, l.seq, l.rerate_id))
           OR (l.new_id IS NOT NULL AND (d.corrects_operation_id, d.corrects_seq, d.cause_id)
                                        IS DISTINCT FROM (l.operation_id, l.seq, l.rerate_id))""",
    "a re-rating goes on from what the line came to": """
        SELECT l.holder_id, l.operation_id || ' ' || l.seq AS kind, 'millionths' AS currency,
               l.amount_before AS kept, coalesce(p.amount_after, b.amount) AS proved
        FROM rerate_line l
        LEFT JOIN obligation b USING (holder_id, operation_id, seq)
        LEFT JOIN LATERAL (
            SELECT e.amount_after FROM rerate_line e
            WHERE e.holder_id = l.holder_id AND e.operation_id = l.operation_id AND e.seq = l.seq
              AND e.rerate_id < l.rerate_id ORDER BY e.rerate_id DESC LIMIT 1) p ON true
        WHERE l.amount_before IS DISTINCT FROM coalesce(p.amount_after, b.amount)
           OR (l.price_after IS NOT NULL AND l.amount_after * 100 <> b.points * l.price_after)""",
    "a correction by re-rating has its line": """
        SELECT c.cause_id AS holder_id, c.operation_id::text AS kind, 'lines' AS currency, 1 AS kept, 0 AS proved
        FROM correction c
        LEFT JOIN rerate_line l ON l.rerate_id = c.cause_id AND c.operation_id IN (l.reversing_id, l.new_id)
                               AND l.operation_id = c.corrects_operation_id
        WHERE c.cause = 'RERATE' AND l.rerate_id IS NULL""",
}
