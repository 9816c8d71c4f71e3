"""What `tessera verify` proves of deadlines: one that was extended is what it was extended to, step by step."""

CHECKS = {
    "a deadline is what it was extended to": """
        SELECT e.cycle_id AS holder_id, e.kind, 'seconds' AS currency,
               extract(epoch FROM CASE e.kind WHEN 'OBJECTIONS' THEN c.objections_until
                                              ELSE c.payments_due END)::bigint AS kept,
               extract(epoch FROM e.until)::bigint AS proved
        FROM (SELECT DISTINCT ON (cycle_id, kind) * FROM deadline_extension ORDER BY cycle_id, kind, seq DESC) e
        LEFT JOIN settlement_cycle c ON c.id = e.cycle_id
        WHERE e.until IS DISTINCT FROM CASE e.kind WHEN 'OBJECTIONS' THEN c.objections_until ELSE c.payments_due END""",
    "a deadline is extended from where it was": """
        SELECT e.cycle_id AS holder_id, e.kind, 'seconds' AS currency, extract(epoch FROM e.before)::bigint AS kept,
               extract(epoch FROM p.until)::bigint AS proved
        FROM deadline_extension e CROSS JOIN LATERAL (
            SELECT until FROM deadline_extension o
            WHERE o.cycle_id = e.cycle_id AND o.kind = e.kind AND o.seq < e.seq ORDER BY seq DESC LIMIT 1) p
        WHERE p.until <> e.before""",
}
