"""What `tessera verify` proves of rights; see `domain.ledger.checks`."""

CHECKS = {
    "a right is what its operations left of it": """
        SELECT holder_id, right_id::text AS kind, part.name AS currency, part.kept, part.proved
        FROM (SELECT holder_id, id AS right_id, remaining, cancelled, expired FROM member_right) r
        FULL JOIN (
            SELECT m.holder_id, m.right_id, sum(m.amount)::bigint AS remaining,
                   -coalesce(sum(m.amount) FILTER (WHERE coalesce(u.kind, o.kind) = 'RIGHT_CANCEL'
                                                      OR o.kind = 'RIGHT_CANCEL'), 0)::bigint AS cancelled,
                   -coalesce(sum(m.amount) FILTER (WHERE o.kind = 'RIGHT_EXPIRE'), 0)::bigint AS expired
            FROM right_move m JOIN operation o ON o.holder_id = m.holder_id AND o.id = m.operation_id
            LEFT JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses
            GROUP BY 1, 2) m USING (holder_id, right_id)
        CROSS JOIN LATERAL (VALUES ('remaining', coalesce(r.remaining, 0), coalesce(m.remaining, 0)),
                                   ('cancelled', coalesce(r.cancelled, 0), coalesce(m.cancelled, 0)),
                                   ('expired', coalesce(r.expired, 0), coalesce(m.expired, 0)))
                           AS part (name, kept, proved)
        WHERE part.kept <> part.proved""",
    "a right is granted by its operation, as often as it says": """
        SELECT r.holder_id, r.id::text AS kind, r.currency, r.quantity AS kept, coalesce(m.amount, 0) AS proved
        FROM member_right r
        LEFT JOIN right_move m ON m.holder_id = r.holder_id AND m.operation_id = r.operation_id AND m.right_id = r.id
        LEFT JOIN operation o ON o.holder_id = r.holder_id AND o.id = r.operation_id AND o.kind = 'RIGHT_GRANT'
        WHERE r.quantity IS DISTINCT FROM m.amount OR o.merchant_id IS DISTINCT FROM r.grantor_id""",
    "a right of a tier came with it, from its merchant": """
        SELECT t.holder_id, t.right_id::text AS kind, t.level AS currency, t.seq AS kept,
               coalesce(m.seq, -1) AS proved
        FROM tier_right t
        LEFT JOIN member_right r ON r.holder_id = t.holder_id AND r.id = t.right_id AND r.grantor_id = t.merchant_id
        LEFT JOIN member_tier m ON m.holder_id = t.holder_id AND m.merchant_id = t.merchant_id AND m.seq = t.seq
                                AND m.level = t.level
        WHERE r.id IS NULL OR m.seq IS NULL""",
    "what is booked of a right are its open bookings": """
        SELECT holder_id, right_id::text AS kind, 'booked' AS currency,
               coalesce(r.booked, 0) AS kept, coalesce(b.booked, 0) AS proved
        FROM (SELECT holder_id, id AS right_id, booked FROM member_right WHERE booked <> 0) r
        FULL JOIN (SELECT holder_id, right_id, count(*) AS booked FROM right_booking WHERE open GROUP BY 1, 2) b
        USING (holder_id, right_id)
        WHERE coalesce(r.booked, 0) <> coalesce(b.booked, 0)""",
    "an account of rights is what is left of them": """
        SELECT holder_id, kind, currency, coalesce(a.posted, 0) AS kept, coalesce(r.remaining, 0) AS proved
        FROM (SELECT * FROM account WHERE kind = 'RIGHTS') a
        FULL JOIN (SELECT holder_id, 'RIGHTS' AS kind, currency, sum(remaining) AS remaining
                   FROM member_right GROUP BY 1, 3) r USING (holder_id, kind, currency)
        WHERE coalesce(a.posted, 0) <> coalesce(r.remaining, 0)""",
    "an operation moves rights by what it moves accounts": """
        SELECT holder_id, operation_id::text AS kind, currency, coalesce(m.amount, 0) AS kept,
               coalesce(e.amount, 0) AS proved
        FROM (SELECT m.holder_id, m.operation_id, r.currency, m.amount
              FROM right_move m JOIN member_right r ON r.holder_id = m.holder_id AND r.id = m.right_id) m
        FULL JOIN (SELECT holder_id, operation_id, currency, sum(amount) AS amount FROM entry
                   WHERE account = 'RIGHTS' GROUP BY 1, 2, 3) e USING (holder_id, operation_id, currency)
        WHERE coalesce(m.amount, 0) <> coalesce(e.amount, 0)""",
    "a stock gives what a member gets": """
        SELECT m.holder_id, m.operation_id::text AS kind, r.currency, m.amount AS kept, -coalesce(e.amount, 0) AS proved
        FROM right_move m JOIN member_right r ON r.holder_id = m.holder_id AND r.id = m.right_id AND r.stocked
        JOIN operation o ON o.holder_id = m.holder_id AND o.id = m.operation_id
        LEFT JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses
        CROSS JOIN LATERAL (SELECT sum(e.amount) AS amount FROM all_entry e
                            WHERE e.holder_id = r.grantor_id AND e.operation_id = m.operation_id
                              AND e.account = 'STOCK') e
        WHERE coalesce(u.kind, o.kind) NOT IN ('RIGHT_USE', 'RIGHT_NO_SHOW') AND m.amount <> -coalesce(e.amount, 0)""",
    "a budget gives what rights cost": """
        SELECT m.holder_id, m.operation_id::text AS kind, r.currency, m.cost AS kept, coalesce(e.amount, 0) AS proved
        FROM right_move m JOIN member_right r ON r.holder_id = m.holder_id AND r.id = m.right_id
        CROSS JOIN LATERAL (SELECT sum(e.amount) AS amount FROM all_entry e
                            WHERE e.holder_id = r.grantor_id AND e.operation_id = m.operation_id
                              AND e.account = 'BUDGET') e
        WHERE m.cost <> coalesce(e.amount, 0)""",
}
