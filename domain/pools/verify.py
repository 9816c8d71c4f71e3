"""What `tessera verify` proves of pools; see `domain.ledger.checks`."""

CHECKS = {
    "a pool that anybody is in has one owner": """
        SELECT p.id AS holder_id, 'owners' AS kind, '?' AS currency, count(*) FILTER (WHERE m.role = 'OWNER') AS kept,
               1 AS proved
        FROM pool p JOIN pool_member m ON m.holder_id = p.id AND m.left_at IS NULL
        GROUP BY 1 HAVING count(*) FILTER (WHERE m.role = 'OWNER') <> 1""",
    "a closed pool is empty": """
        SELECT p.id AS holder_id, a.kind, a.currency, a.posted AS kept, 0 AS proved
        FROM pool p JOIN account a ON a.holder_id = p.id WHERE p.status = 'CLOSED' AND a.posted <> 0""",
    "points of a pool move with its members": """
        SELECT e.holder_id, e.operation_id::text AS kind, e.currency, e.amount AS kept, 0 AS proved
        FROM operation o JOIN entry e ON e.holder_id = o.holder_id AND e.operation_id = o.id
        LEFT JOIN LATERAL (SELECT true AS so FROM all_pool_member m
                           WHERE o.kind IN ('POOL_IN', 'POOL_OUT')
                             AND (m.holder_id, m.member_id) IN
                                 ((e.holder_id, e.counter_holder_id), (e.counter_holder_id, e.holder_id))
                           LIMIT 1) m ON true
        WHERE o.kind IN ('POOL_IN', 'POOL_OUT') AND m.so IS NULL""",
    "what is spent of a pool is spent by one of its members": """
        SELECT o.holder_id, o.id::text AS kind, '?' AS currency, 1 AS kept, 0 AS proved
        FROM pool p JOIN operation o ON o.holder_id = p.id AND o.kind = 'REDEEM'
        WHERE NOT EXISTS (SELECT FROM pool_spend s JOIN pool_member m ON m.holder_id = s.holder_id
                          AND m.member_id = s.member_id WHERE s.holder_id = o.holder_id AND s.operation_id = o.id)""",
    "what is set aside of a pool is spent by the member who did": """
        SELECT h.holder_id, h.id::text AS kind, h.currency, h.points AS kept, h.captured AS proved
        FROM pool p JOIN hold h ON h.holder_id = p.id
        LEFT JOIN pool_spend a ON a.holder_id = h.holder_id AND a.operation_id = h.id
        LEFT JOIN pool_spend s ON s.holder_id = h.holder_id AND s.operation_id = h.captured_by
        WHERE a.member_id IS NULL OR (h.captured_by IS NOT NULL AND s.member_id IS DISTINCT FROM a.member_id)""",
}
