"""What must hold of identifiers, as checks for the proof of the books; see `domain.ledger.checks`."""

CHECKS = {
    "what a member is known by is sealed under a key that is there": """
        SELECT i.holder_id, i.type AS kind, i.issuer AS currency, 1 AS kept, 0 AS proved
        FROM member_identifier i LEFT JOIN member_key k ON k.holder_id = i.holder_id
        WHERE k.wrapped IS NULL""",
    "what identifies a member finds them": """
        SELECT i.holder_id, i.type AS kind, i.issuer AS currency, 1 AS kept, 0 AS proved
        FROM member_identifier i
        LEFT JOIN identifier_owner o
             ON (o.type, o.issuer, o.value, o.holder_id) = (i.type, i.issuer, i.value, i.holder_id)
        WHERE o.holder_id IS NULL
          AND (i.verified_at IS NOT NULL
               OR i.type IN (SELECT type FROM identifier_type WHERE definition ->> 'verify' IS NULL))""",
}

WHOLE = {
    "who is found by an identifier is known by it": """
        SELECT o.holder_id, o.type AS kind, o.issuer AS currency, 1 AS kept, 0 AS proved
        FROM identifier_owner o
        LEFT JOIN member_identifier i
             ON (i.holder_id, i.type, i.issuer, i.value) = (o.holder_id, o.type, o.issuer, o.value)
        WHERE i.holder_id IS NULL""",
}
"""About tables that lie by what is looked up: not by ranges of holders."""
