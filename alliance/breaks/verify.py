"""What `tessera verify` proves of breaks: how each ended, and that its correction is its difference (A11)."""

_DIFFERENCE = "coalesce(r.theirs, 0) - coalesce(r.ours, 0)"

CHECKS = {
    "a closed break says how it ended": """
        SELECT r.merchant_id AS holder_id, r.id::text AS kind, 'breaks' AS currency, 1 AS kept, 0 AS proved
        FROM recon_break r
        WHERE (r.status = 'OPEN') <> (r.closed_at IS NULL)
           OR (r.status IN ('ADJUSTED', 'WRITTEN_OFF') AND coalesce(r.why, '') = '')
           OR (r.status IN ('ADJUSTED', 'CLAIMED')) <> (r.resolution_id IS NOT NULL)""",
    "the correction of a break is its difference": f"""
        SELECT r.merchant_id AS holder_id, r.id::text AS kind, 'millionths' AS currency, coalesce(c.amount, 0) AS kept,
               CASE WHEN r.status = 'ADJUSTED' THEN {_DIFFERENCE} ELSE 0 END AS proved
        FROM recon_break r
        LEFT JOIN LATERAL (
            SELECT sum(CASE WHEN b.creditor_id = r.merchant_id THEN b.amount ELSE -b.amount END) AS amount,
                   array_agg(c.operation_id) AS operations
            FROM correction c JOIN obligation b ON b.operation_id = c.operation_id
                                               AND b.holder_id = (SELECT id FROM alliance)
            WHERE c.cause = 'BREAK' AND c.cause_id = r.id) c ON true
        WHERE (r.status = 'ADJUSTED' OR c.amount IS NOT NULL)
          AND (coalesce(c.amount, 0) <> CASE WHEN r.status = 'ADJUSTED' THEN {_DIFFERENCE} ELSE 0 END
               OR r.resolution_id IS DISTINCT FROM c.operations[1])""",  # noqa: S608 - our own text
    "a claimed break has its claim": """
        SELECT r.merchant_id AS holder_id, r.id::text AS kind, 'breaks' AS currency, 1 AS kept, 0 AS proved
        FROM recon_break r
        LEFT JOIN dispute d ON d.id = r.resolution_id AND d.break_id = r.id AND d.raiser_id = r.merchant_id
        WHERE r.status = 'CLAIMED' AND d.id IS NULL""",
    "a correction of a break has its break": """
        SELECT c.cause_id AS holder_id, c.operation_id::text AS kind, 'lines' AS currency, 1 AS kept, 0 AS proved
        FROM correction c LEFT JOIN recon_break r ON r.id = c.cause_id AND r.resolution_id = c.operation_id
        WHERE c.cause = 'BREAK' AND r.id IS NULL""",
}
