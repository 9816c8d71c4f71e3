"""What must hold of profiles, as checks for the proof of the books; see `domain.ledger.checks`."""

CHECKS = {
    "what is personal of a member is sealed, and nothing else is": """
        SELECT a.holder_id, a.code AS kind, 'sealed' AS currency, (a.sealed IS NOT NULL)::int AS kept,
               (t.definition->>'personal')::bool::int AS proved
        FROM member_attribute a JOIN member_terms t ON t.part = 'attributes' AND t.code = a.code
        WHERE (a.sealed IS NOT NULL) <> (t.definition->>'personal')::bool""",
    "what is known by attributes is declared, and of a member": """
        SELECT a.holder_id, a.code AS kind, 'attribute' AS currency, 1 AS kept, 0 AS proved
        FROM member_attribute a
        LEFT JOIN member_terms t ON t.part = 'attributes' AND t.code = a.code
        LEFT JOIN member m ON m.id = a.holder_id
        WHERE t.code IS NULL OR m.id IS NULL""",
    "tags are of a member, and of a merchant or the alliance": """
        SELECT t.holder_id, t.code AS kind, t.owner_id::text AS currency, 1 AS kept, 0 AS proved
        FROM member_tag t LEFT JOIN member m ON m.id = t.holder_id
        WHERE m.id IS NULL OR t.owner_id NOT IN (SELECT id FROM merchant UNION ALL SELECT id FROM alliance)""",
}
