"""What `tessera verify` proves of members who have left; see `domain.ledger.checks`."""

CHECKS = {
    "nothing is left of a member who has left": """
        SELECT c.holder_id, a.kind, a.currency, a.posted AS kept, 0 AS proved
        FROM member_closing c JOIN account a ON a.holder_id = c.holder_id
        LEFT JOIN currency y ON y.code = a.currency
        WHERE c.settled_at IS NOT NULL AND NOT c.kept AND a.posted > 0 AND y.kind IS DISTINCT FROM 'tier_credits'""",
    "who has left is closed, and sets nothing aside": """
        SELECT c.holder_id, m.status AS kind, '?' AS currency, count(h.id) AS kept, 0 AS proved
        FROM member_closing c JOIN member m ON m.id = c.holder_id
        LEFT JOIN hold h ON h.holder_id = c.holder_id AND h.status = 'OPEN'
        WHERE c.settled_at IS NOT NULL GROUP BY 1, 2 HAVING m.status <> 'CLOSED' OR count(h.id) > 0""",
}
