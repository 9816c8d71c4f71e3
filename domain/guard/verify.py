"""What must hold of guards, as checks for the proof of the books; see `domain.ledger.checks`."""

CHECKS = {
    "who is locked was locked last": """
        SELECT coalesce(g.holder_id, s.holder_id) AS holder_id, 'LOCK' AS kind, '-' AS currency,
               coalesce(extract(epoch FROM g.locked_until), 0)::bigint AS kept,
               coalesce(extract(epoch FROM s.until), 0)::bigint AS proved
        FROM (SELECT * FROM member_guard WHERE locked_at IS NOT NULL) g
        FULL JOIN (SELECT * FROM (SELECT DISTINCT ON (holder_id) * FROM guard_step
                                  WHERE kind IN ('LOCKED', 'UNLOCKED', 'LOCK_LIFTED') ORDER BY holder_id, id DESC) last
                   WHERE kind = 'LOCKED') s ON s.holder_id = g.holder_id
        WHERE g.holder_id IS NULL OR s.holder_id IS NULL OR g.locked_until IS DISTINCT FROM s.until""",
    "what new devices spent in a day is what they spent by each operation": """
        SELECT holder_id, day::text AS kind, currency, coalesce(d.points, 0) AS kept, coalesce(s.points, 0) AS proved
        FROM device_day d
        FULL JOIN (SELECT holder_id, currency, day, sum(points) AS points FROM device_spend GROUP BY 1, 2, 3) s
             USING (holder_id, currency, day)
        WHERE coalesce(d.points, 0) <> coalesce(s.points, 0)""",
}
