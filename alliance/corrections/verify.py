"""What `tessera verify` proves of lines that come from no member's event: each has its cause, and is what it says."""

CHECKS = {
    "a line by hand has its cause": """
        SELECT o.holder_id, o.id::text AS kind, 'lines' AS currency, count(b.operation_id) AS kept, 1 AS proved
        FROM operation o
        LEFT JOIN correction c ON c.operation_id = o.id
        LEFT JOIN obligation b ON b.holder_id = o.holder_id AND b.operation_id = o.id AND c.operation_id IS NOT NULL
                              AND b.kind IN ('CORRECTION', 'INTEREST', 'TAX', 'LOSS')
                              AND b.reverses IS NOT DISTINCT FROM c.corrects_operation_id
        WHERE o.kind = 'CORRECTION' GROUP BY 1, 2 HAVING count(b.operation_id) <> 1""",
    "a cause has its line": """
        SELECT c.cause_id AS holder_id, c.operation_id::text AS kind, 'lines' AS currency, 1 AS kept, 0 AS proved
        FROM correction c LEFT JOIN operation o ON o.id = c.operation_id AND o.kind = 'CORRECTION'
             AND o.holder_id = (SELECT id FROM alliance)
        WHERE o.id IS NULL""",
    "only what has a cause is a line by hand": """
        SELECT b.holder_id, b.operation_id::text AS kind, 'millionths' AS currency, b.amount AS kept, 0 AS proved
        FROM obligation b LEFT JOIN correction c ON c.operation_id = b.operation_id
        WHERE b.kind IN ('CORRECTION', 'INTEREST', 'TAX', 'LOSS') AND c.operation_id IS NULL""",
    "a correction is between the parties of its line": """
        SELECT b.holder_id, b.operation_id::text AS kind, 'millionths' AS currency, b.amount AS kept, 0 AS proved
        FROM correction c JOIN obligation b ON b.operation_id = c.operation_id
                           AND b.holder_id = (SELECT id FROM alliance)
        LEFT JOIN obligation l ON l.holder_id = c.corrects_holder_id AND l.operation_id = c.corrects_operation_id
                             AND l.seq = c.corrects_seq
                             AND least(l.debtor_id, l.creditor_id) = least(b.debtor_id, b.creditor_id)
                             AND greatest(l.debtor_id, l.creditor_id) = greatest(b.debtor_id, b.creditor_id)
        WHERE c.corrects_operation_id IS NOT NULL AND l.operation_id IS NULL""",
    "an adjustment says why, and two are not one": """
        SELECT c.operation_id AS holder_id, 'ADJUSTMENT' AS kind, 'lines' AS currency, 1 AS kept, 0 AS proved
        FROM correction c WHERE c.cause = 'ADJUSTMENT' AND (btrim(c.why) = '' OR c.approved_by = c.who)""",
}
