"""What the proof of the books compares (R25, R26): a query each of (holder_id, kind, currency, kept, proved), a row a
difference.

A table's name means its rows of the holders at hand; with `all_` before it, all of them. Those are for what lies under
another holder, and are looked up with LATERAL, by key: all else is joined by hashing, whatever the planner expects.
"""

CHECKS = {
    "account is the sum of its entries": """
        SELECT holder_id, kind, currency, coalesce(a.posted, 0) AS kept, coalesce(e.posted, 0) AS proved
        FROM account a
        FULL JOIN (SELECT holder_id, kind, currency, sum(amount) AS posted
                   FROM (SELECT holder_id, account AS kind, currency, amount FROM entry
                         UNION ALL SELECT holder_id, 'POINTS', currency, points FROM archived_sum) AS moved
                   GROUP BY 1, 2, 3) e
        USING (holder_id, kind, currency)
        WHERE coalesce(a.posted, 0) <> coalesce(e.posted, 0)""",
    "account is the sum of its lots": """
        SELECT holder_id, kind, currency, coalesce(a.posted, 0) + coalesce(a.debt, 0) AS kept,
               coalesce(l.left, 0) AS proved
        FROM (SELECT * FROM account WHERE kind = 'POINTS') a
        FULL JOIN (SELECT holder_id, 'POINTS' AS kind, currency, sum(remaining) AS left FROM lot GROUP BY 1, 3) l
        USING (holder_id, kind, currency)
        WHERE coalesce(a.posted, 0) + coalesce(a.debt, 0) <> coalesce(l.left, 0)""",
    "what an account owes is its debts less their payments": """
        SELECT holder_id, kind, currency, coalesce(a.debt, 0) AS kept, coalesce(d.left, 0) AS proved
        FROM (SELECT * FROM account WHERE debt <> 0) a
        FULL JOIN (SELECT d.holder_id, 'POINTS' AS kind, d.currency,
                          sum(d.points) - coalesce(sum(p.points), 0) AS left
                   FROM debt d
                   LEFT JOIN (SELECT holder_id, debt_id, currency, sum(points) AS points
                              FROM debt_payment GROUP BY 1, 2, 3) p
                        ON p.holder_id = d.holder_id AND p.debt_id = d.operation_id AND p.currency = d.currency
                   GROUP BY 1, 3) d
        USING (holder_id, kind, currency)
        WHERE coalesce(a.debt, 0) <> coalesce(d.left, 0)""",
    "what a lot has set aside is what open holds have": """
        SELECT holder_id, lot_id::text AS kind, coalesce(l.currency, '?') AS currency,
               coalesce(l.held, 0) AS kept, coalesce(h.amount, 0) AS proved
        FROM (SELECT holder_id, id AS lot_id, currency, held FROM lot WHERE held <> 0) l
        FULL JOIN (SELECT a.holder_id, a.lot_id, sum(a.amount) AS amount
                   FROM hold h JOIN hold_allocation a ON a.holder_id = h.holder_id AND a.hold_id = h.id
                   WHERE h.status = 'OPEN' GROUP BY 1, 2) h
        USING (holder_id, lot_id)
        WHERE coalesce(l.held, 0) <> coalesce(h.amount, 0)""",
    "what an account has set aside is what open holds have": """
        SELECT holder_id, kind, currency, coalesce(a.held, 0) AS kept, coalesce(h.points, 0) AS proved
        FROM (SELECT * FROM account WHERE held <> 0) a
        FULL JOIN (SELECT holder_id, 'POINTS' AS kind, currency, sum(points) AS points
                   FROM hold WHERE status = 'OPEN' GROUP BY 1, 3) h
        USING (holder_id, kind, currency)
        WHERE coalesce(a.held, 0) <> coalesce(h.points, 0)""",
    "hold is what was allocated to it": """
        SELECT h.holder_id, h.id::text AS kind, h.currency, h.points AS kept, coalesce(a.amount, 0) AS proved
        FROM hold h
        LEFT JOIN (SELECT holder_id, hold_id, sum(amount) AS amount FROM hold_allocation GROUP BY 1, 2) a
             ON a.holder_id = h.holder_id AND a.hold_id = h.id
        WHERE h.points <> coalesce(a.amount, 0) AND h.id NOT IN (SELECT target_id FROM all_repair)""",
    "capture takes what it says, out of what was held": """
        SELECT h.holder_id, h.id::text AS kind, h.currency, h.captured AS kept,
               coalesce(sum(least(-t.amount, a.amount)), 0) AS proved
        FROM hold h
        LEFT JOIN allocation t ON t.holder_id = h.holder_id AND t.operation_id = h.captured_by
        LEFT JOIN hold_allocation a ON a.holder_id = h.holder_id AND a.hold_id = h.id AND a.lot_id = t.lot_id
        WHERE h.status = 'CAPTURED' AND h.id NOT IN (SELECT target_id FROM all_repair)
        GROUP BY h.holder_id, h.id, h.currency, h.captured
        HAVING h.captured <> coalesce(sum(least(-t.amount, a.amount)), 0)""",
    "lot is what was granted less what was taken": """
        SELECT holder_id, lot_id::text AS kind, coalesce(l.currency, '?') AS currency,
               coalesce(l.remaining, 0) AS kept, coalesce(l.granted, 0) + coalesce(t.amount, 0) AS proved
        FROM (SELECT holder_id, id AS lot_id, currency, granted, remaining FROM lot) l
        FULL JOIN (SELECT holder_id, lot_id, sum(amount) AS amount FROM allocation GROUP BY 1, 2) t
        USING (holder_id, lot_id)
        WHERE l.lot_id IS NULL OR l.remaining <> l.granted + coalesce(t.amount, 0)""",
    "operation moves lots by what it moves accounts": """
        SELECT holder_id, operation_id::text AS kind, currency,
               coalesce(e.amount, 0) AS kept, coalesce(m.amount, 0) AS proved
        FROM (SELECT e.holder_id, coalesce(p.target_id, e.operation_id) AS operation_id, e.currency,
                     sum(e.amount) AS amount
              FROM entry e LEFT JOIN repair p ON p.holder_id = e.holder_id AND p.operation_id = e.operation_id
              WHERE e.account = 'POINTS' GROUP BY 1, 2, 3) e
        FULL JOIN (SELECT moved.holder_id, coalesce(p.target_id, moved.operation_id) AS operation_id, moved.currency,
                          sum(moved.amount) AS amount
                   FROM (SELECT holder_id, operation_id, currency, granted AS amount FROM lot
                         UNION ALL
                         SELECT t.holder_id, t.operation_id, l.currency, t.amount
                         FROM allocation t JOIN lot l ON l.holder_id = t.holder_id AND l.id = t.lot_id
                         UNION ALL
                         SELECT holder_id, operation_id, currency, -points FROM debt
                         UNION ALL
                         SELECT holder_id, operation_id, currency, points FROM debt_payment) AS moved
                   LEFT JOIN repair p ON p.holder_id = moved.holder_id AND p.operation_id = moved.operation_id
                   GROUP BY 1, 2, 3) m
        USING (holder_id, operation_id, currency)
        WHERE coalesce(e.amount, 0) <> coalesce(m.amount, 0)""",
    "returns undo no more than was done, and all of it when nothing is left": """
        SELECT o.holder_id, o.id::text AS kind, '?' AS currency, sum(t.undone) AS kept,
               coalesce(max(abs(CASE o.kind WHEN 'EARN' THEN e.whole ELSE e.first END)), 0) AS proved
        FROM operation_return t
        JOIN operation r ON r.holder_id = t.holder_id AND r.id = t.operation_id
        JOIN operation o ON o.holder_id = r.holder_id AND o.id = r.reverses
        LEFT JOIN (SELECT holder_id, operation_id, sum(e.amount) AS whole,
                          sum(e.amount) FILTER (WHERE e.seq = 0) AS first
                   FROM entry f JOIN entry e USING (holder_id, operation_id, currency)
                   WHERE f.seq = 0 AND operation_id IN (SELECT reverses FROM operation)
                   GROUP BY 1, 2) e ON e.holder_id = o.holder_id AND e.operation_id = o.id
        WHERE o.id NOT IN (SELECT target_id FROM all_repair)
        GROUP BY 1, 2
        HAVING sum(t.undone) > coalesce(max(abs(CASE o.kind WHEN 'EARN' THEN e.whole ELSE e.first END)), 0)
            OR sum(t.due) > sum(t.undone)
            OR (bool_or(t.whole) AND sum(t.undone)
                < coalesce(max(abs(CASE o.kind WHEN 'EARN' THEN e.whole ELSE e.first END)), 0))""",
    "returns undo no more of what was granted beside": """
        SELECT o.holder_id, o.id::text AS kind, b.key AS currency,
               sum((b.value ->> 0)::bigint) AS kept, coalesce(max(e.granted), 0) AS proved
        FROM operation_return t
        CROSS JOIN jsonb_each(t.returned -> 'beside') b
        JOIN operation r ON r.holder_id = t.holder_id AND r.id = t.operation_id
        JOIN operation o ON o.holder_id = r.holder_id AND o.id = r.reverses
        LEFT JOIN (SELECT holder_id, operation_id, currency, sum(amount) AS granted FROM entry
                   WHERE operation_id IN (SELECT reverses FROM operation)
                   GROUP BY 1, 2, 3) e ON e.holder_id = o.holder_id AND e.operation_id = o.id AND e.currency = b.key
        WHERE o.id NOT IN (SELECT target_id FROM all_repair)
        GROUP BY 1, 2, 3
        HAVING sum((b.value ->> 0)::bigint) > coalesce(max(e.granted), 0)
            OR (bool_or(t.whole) AND sum((b.value ->> 0)::bigint) < coalesce(max(e.granted), 0))
            OR sum((b.value ->> 1)::bigint) > sum((b.value ->> 0)::bigint)""",
    "what paid for an order is a redemption at its merchant": """
        SELECT t.holder_id, t.operation_id::text AS kind, t.money AS currency, t.amount AS kept, 0 AS proved
        FROM order_tender t
        LEFT JOIN operation o ON o.holder_id = t.holder_id AND o.id = t.order_id
        LEFT JOIN operation r ON r.holder_id = t.holder_id AND r.id = t.operation_id
        WHERE (o.kind IS DISTINCT FROM 'EARN' OR r.kind IS DISTINCT FROM 'REDEEM' OR o.merchant_id <> r.merchant_id)
          AND t.operation_id NOT IN (SELECT target_id FROM all_repair)""",
    "pending account is the sum of its grants": """
        SELECT holder_id, kind, currency, coalesce(a.posted, 0) AS kept, coalesce(p.left, 0) AS proved
        FROM (SELECT * FROM account WHERE kind = 'PENDING') a
        FULL JOIN (SELECT holder_id, 'PENDING' AS kind, currency, sum(remaining) AS left
                   FROM pending_grant GROUP BY 1, 3) p
        USING (holder_id, kind, currency)
        WHERE coalesce(a.posted, 0) <> coalesce(p.left, 0)""",
    "pending grants are what their earn booked": """
        SELECT holder_id, operation_id::text AS kind, currency,
               coalesce(p.granted, 0) AS kept, coalesce(e.amount, 0) AS proved
        FROM (SELECT holder_id, operation_id, currency, sum(granted) AS granted FROM pending_grant GROUP BY 1, 2, 3) p
        FULL JOIN (SELECT holder_id, operation_id, currency, sum(amount) AS amount
                   FROM entry WHERE account = 'PENDING' AND amount > 0 AND counter_account <> 'SUSPENSE'
                   GROUP BY 1, 2, 3) e
        USING (holder_id, operation_id, currency)
        WHERE coalesce(p.granted, 0) <> coalesce(e.amount, 0)
          AND operation_id NOT IN (SELECT target_id FROM all_repair)""",
    "pending grants keep what neither activation nor reversal took": """
        SELECT p.holder_id, p.operation_id::text AS kind, p.currency, p.remaining AS kept,
               coalesce(e.amount, 0) AS proved
        FROM (SELECT holder_id, operation_id, currency, sum(remaining) AS remaining
              FROM pending_grant GROUP BY 1, 2, 3) p
        LEFT JOIN (SELECT holder_id, earn_id, sum(e.amount) AS amount
                   FROM (SELECT holder_id, operation_id AS earn_id, operation_id FROM pending_grant
                         UNION SELECT holder_id, target_id, operation_id FROM repair
                         UNION SELECT holder_id, reverses, id FROM operation WHERE reverses IS NOT NULL
                         UNION SELECT holder_id, operation_id, activated_by FROM pending_grant) of_earn
                   JOIN entry e USING (holder_id, operation_id)
                   WHERE e.account = 'PENDING' GROUP BY 1, 2) e
             ON e.holder_id = p.holder_id AND e.earn_id = p.operation_id
        WHERE p.remaining <> coalesce(e.amount, 0)""",
    "a lot that slides has a date of its wallet, not before its own": """
        SELECT l.holder_id, l.id::text AS kind, l.currency,
               coalesce(extract(epoch FROM s.expires_at), 0)::bigint AS kept,
               extract(epoch FROM l.expires_at)::bigint AS proved
        FROM lot l LEFT JOIN sliding_expiry s
          ON s.holder_id = l.holder_id AND s.id = l.sliding_id AND s.currency = l.currency
        WHERE l.sliding_id IS NOT NULL AND (s.id IS NULL OR s.expires_at < l.expires_at)""",
    "a date that slides is where it was last moved": """
        SELECT m.holder_id, m.sliding_id::text AS kind, m.currency,
               coalesce(extract(epoch FROM s.expires_at), 0)::bigint AS kept,
               extract(epoch FROM m.moved_to)::bigint AS proved
        FROM (SELECT holder_id, sliding_id, currency, max(moved_to) AS moved_to
              FROM sliding_move GROUP BY 1, 2, 3) m
        LEFT JOIN sliding_expiry s ON s.holder_id = m.holder_id AND s.id = m.sliding_id
        WHERE s.expires_at IS DISTINCT FROM m.moved_to""",
    "entry belongs to an operation": """
        SELECT e.holder_id, e.operation_id::text AS kind, e.currency, e.amount AS kept, 0 AS proved
        FROM entry e LEFT JOIN operation o ON o.holder_id = e.holder_id AND o.id = e.operation_id
        LEFT JOIN LATERAL (SELECT id FROM all_operation other
                           WHERE o.id IS NULL AND e.counter_account IN ('POINTS', 'RIGHTS', 'COST')
                             AND other.holder_id = e.counter_holder_id AND other.id = e.operation_id OFFSET 0) c ON true
        WHERE o.id IS NULL AND c.id IS NULL AND e.operation_id NOT IN (SELECT target_id FROM all_repair)""",
    "opposite entries agree": """
        SELECT one.holder_id, one.operation_id::text AS kind, one.currency,
               one.amount AS kept, -coalesce(other.amount, 0) AS proved
        FROM (SELECT holder_id, operation_id, currency, counter_holder_id, sum(amount) AS amount
              FROM entry WHERE account = 'POINTS' AND counter_account = 'POINTS' GROUP BY 1, 2, 3, 4) one
        CROSS JOIN LATERAL (SELECT sum(e.amount) AS amount FROM all_entry e
                            WHERE e.holder_id = one.counter_holder_id AND e.operation_id = one.operation_id
                              AND e.counter_holder_id = one.holder_id AND e.currency = one.currency
                              AND e.account = 'POINTS' AND e.counter_account = 'POINTS') other
        WHERE one.amount <> -coalesce(other.amount, 0)
          AND one.operation_id NOT IN (SELECT target_id FROM all_repair)""",
    "lot is what its source gave": """
        SELECT g.source_holder_id AS holder_id, g.operation_id::text AS kind, g.currency,
               g.granted AS kept, coalesce(t.amount, 0) AS proved
        FROM (SELECT source_holder_id, source_lot_id, operation_id, currency, sum(granted) AS granted
              FROM lot WHERE source_holder_id <> holder_id GROUP BY 1, 2, 3, 4) g
        CROSS JOIN LATERAL (SELECT -sum(a.amount) AS amount
                            FROM all_allocation a
                            JOIN all_lot l ON l.holder_id = g.source_holder_id AND l.id = g.source_lot_id
                            WHERE a.holder_id = g.source_holder_id AND a.operation_id = g.operation_id
                              AND a.lot_id = g.source_lot_id AND l.currency = g.currency) t
        WHERE g.granted <> coalesce(t.amount, 0)
          AND g.operation_id NOT IN (SELECT target_id FROM all_repair)""",
    "top up is its two lots, of which the paid one never expires": """
        SELECT coalesce(t.holder_id, e.holder_id) AS holder_id, coalesce(t.operation_id, e.operation_id)::text AS kind,
               coalesce(t.currency, e.currency) AS currency, coalesce(t.paid, e.paid) AS kept,
               coalesce(p.granted, 0) AS proved
        FROM top_up t
        FULL JOIN (SELECT holder_id, operation_id, currency, amount AS paid
                   FROM entry WHERE counter_account = 'DEPOSIT' AND amount > 0) e
             ON e.holder_id = t.holder_id AND e.operation_id = t.operation_id
        LEFT JOIN lot p ON p.holder_id = t.holder_id AND p.id = t.paid_lot_id AND p.operation_id = t.operation_id
             AND p.currency = t.currency AND p.expires_at IS NULL
        LEFT JOIN lot b ON b.holder_id = t.holder_id AND b.id = t.bonus_lot_id AND b.operation_id = t.operation_id
             AND b.currency = t.currency
        WHERE (t.paid IS DISTINCT FROM e.paid OR t.paid IS DISTINCT FROM p.granted
               OR coalesce(b.granted, 0) <> t.bonus)
          AND coalesce(t.operation_id, e.operation_id) NOT IN (SELECT target_id FROM all_repair)""",
    "refund takes what it pays back out of what was paid": """
        SELECT e.holder_id, e.operation_id::text AS kind, e.currency, -e.amount AS kept, coalesce(t.amount, 0) AS proved
        FROM entry e JOIN operation o ON o.holder_id = e.holder_id AND o.id = e.operation_id AND o.kind = 'REFUND'
        LEFT JOIN (SELECT a.holder_id, a.operation_id, -sum(a.amount) AS amount
                   FROM allocation a JOIN lot l ON l.holder_id = a.holder_id AND l.id = a.lot_id
                   LEFT JOIN top_up u ON u.holder_id = a.holder_id AND u.paid_lot_id = a.lot_id
                   LEFT JOIN LATERAL (SELECT true AS so FROM all_top_up c
                                      WHERE c.holder_id = l.root_holder_id AND c.currency = l.currency
                                        AND c.paid_lot_id = l.root_lot_id OFFSET 0) c ON l.root_lot_id IS NOT NULL
                   WHERE u.paid_lot_id IS NOT NULL OR c.so
                   GROUP BY 1, 2) t ON t.holder_id = e.holder_id AND t.operation_id = e.operation_id
        WHERE e.counter_account = 'DEPOSIT' AND -e.amount <> coalesce(t.amount, 0)
          AND e.operation_id NOT IN (SELECT target_id FROM all_repair)""",
    "dates move as an extension says": """
        SELECT coalesce(x.holder_id, o.holder_id) AS holder_id, coalesce(x.operation_id, o.id)::text AS kind,
               coalesce(x.currency, '?') AS currency, coalesce(x.points, 0) AS kept, coalesce(l.points, 0) AS proved
        FROM extension x
        FULL JOIN (SELECT holder_id, id FROM operation WHERE kind = 'EXTEND') o
             ON o.holder_id = x.holder_id AND o.id = x.operation_id
        LEFT JOIN (SELECT holder_id, operation_id, sum(granted)::bigint AS points,
                          min(expires_at) AS first, max(expires_at) AS last FROM lot
                   WHERE operation_id IN (SELECT operation_id FROM extension) GROUP BY 1, 2) l
             ON l.holder_id = x.holder_id AND l.operation_id = x.operation_id
        WHERE coalesce(x.operation_id, o.id) NOT IN (SELECT target_id FROM all_repair) AND
              (x.points IS NULL OR o.id IS NULL OR (l.first, l.last) IS DISTINCT FROM (x.ends_at, x.ends_at)
              AND l.points IS NOT NULL OR coalesce(l.points, 0) > x.points)""",
    "exit sells what it says, for the change that it says": """
        SELECT coalesce(f.holder_id, o.holder_id) AS holder_id, coalesce(f.operation_id, o.id)::text AS kind,
               coalesce(f.currency, '?') AS currency, coalesce(f.points, 0) AS kept, -coalesce(s.amount, 0) AS proved
        FROM forced_exit f
        FULL JOIN (SELECT holder_id, id FROM operation WHERE kind = 'EXIT') o
             ON o.holder_id = f.holder_id AND o.id = f.operation_id
        LEFT JOIN entry s ON s.holder_id = o.holder_id AND s.operation_id = o.id AND s.currency = f.currency
        LEFT JOIN entry c ON c.holder_id = o.holder_id AND c.operation_id = o.id AND c.currency = f.into_currency
        LEFT JOIN lot l ON l.holder_id = f.holder_id AND l.id = f.lot_id AND l.operation_id = f.operation_id
        WHERE (f.points IS NULL OR f.points IS DISTINCT FROM -s.amount OR f.change IS DISTINCT FROM c.amount
               OR f.change IS DISTINCT FROM l.granted)
          AND coalesce(f.operation_id, o.id) NOT IN (SELECT target_id FROM all_repair)""",
}
"""By a name that says what must hold."""

TAKEN = frozenset(
    {
        "hold is what was allocated to it",
        "capture takes what it says, out of what was held",
        "returns undo no more than was done, and all of it when nothing is left",
        "returns undo no more of what was granted beside",
        "what paid for an order is a redemption at its merchant",
        "pending grants are what their earn booked",
        "entry belongs to an operation",
        "opposite entries agree",
        "lot is what its source gave",
        "top up is its two lots, of which the paid one never expires",
        "refund takes what it pays back out of what was paid",
        "dates move as an extension says",
        "exit sells what it says, for the change that it says",
    }
)
"""Those that hold what an operation (or a hold) says of itself against what it did: it is named by `kind`, and once a
repair was booked on its behalf it is taken as it is. No balance follows from them."""

TOTALS = {
    "all accounts of a currency sum to zero": """
        SELECT '00000000-0000-0000-0000-000000000000'::uuid AS holder_id, 'total' AS kind, currency,
               sum(posted) AS kept, 0 AS proved
        FROM (SELECT currency, posted FROM account
              UNION ALL
              SELECT currency, -amount FROM entry WHERE counter_account NOT IN ('POINTS', 'PENDING', 'RIGHTS', 'STOCK')
              UNION ALL
              SELECT currency, -points FROM archived_sum) AS total
        GROUP BY currency""",
}
"""The same, but of figures that only agree when those of all holders are added up."""
