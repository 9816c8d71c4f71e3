"""What must hold of messages, as checks for the proof of the books; see `domain.ledger.checks`."""

CHECKS = {
    "a message of a notice that was delivered is its proof": """
        SELECT m.holder_id, m.id::text AS kind, m.channel AS currency, 1 AS kept, 0 AS proved
        FROM message m
        WHERE m.notice_id IS NOT NULL AND m.state = 'DELIVERED'
          AND NOT EXISTS (SELECT FROM notice_report r WHERE r.holder_id = m.holder_id AND r.notice_id = m.notice_id
                          AND r.outcome = 'DELIVERED' AND r.channel = m.channel AND r.proof = m.provider_id
                          AND r.happened_at >= m.delivered_at)""",
    "a message that was delivered has its text": """
        SELECT m.holder_id, m.id::text AS kind, m.channel AS currency, 1 AS kept, 0 AS proved
        FROM message m LEFT JOIN message_text t ON t.digest = m.template
        WHERE m.state = 'DELIVERED' AND t.digest IS NULL""",
}
