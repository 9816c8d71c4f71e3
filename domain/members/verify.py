"""What must hold of identifiers, as checks for the proof of the books; see `domain.ledger.checks`."""

CHECKS = {
    "what a member is known by is sealed under a key that is there": """
        SELECT i.holder_id, i.type AS kind, i.issuer AS currency, 1 AS kept, 0 AS proved
        FROM member_identifier i LEFT JOIN member_key k ON k.holder_id = i.holder_id
        WHERE k.wrapped IS NULL""",
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
