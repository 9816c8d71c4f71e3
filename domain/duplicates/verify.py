"""What must hold of pairs, as checks for the proof of the books; see `domain.ledger.checks`."""

WHOLE = {
    "a pair that may be one person is of two members": """
        SELECT c.one_id AS holder_id, c.other_id::text AS kind, '-' AS currency, 2 AS kept,
               (one.id IS NOT NULL)::int + (other.id IS NOT NULL)::int AS proved
        FROM duplicate_candidate c
        LEFT JOIN member one ON one.id = c.one_id LEFT JOIN member other ON other.id = c.other_id
        WHERE one.id IS NULL OR other.id IS NULL""",
}
