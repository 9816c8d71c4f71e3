"""What `tessera verify` proves of what was given up: only fees and interest are waived, and no more than they are."""

CHECKS = {
    "no more is waived than was owed": """
        SELECT l.holder_id, l.operation_id::text AS kind, 'millionths' AS currency, l.amount AS kept,
               -sum(b.amount) AS proved
        FROM correction c
        JOIN obligation b ON b.operation_id = c.operation_id AND b.holder_id = (SELECT id FROM alliance)
        JOIN obligation l ON l.holder_id = c.corrects_holder_id AND l.operation_id = c.corrects_operation_id
                         AND l.seq = c.corrects_seq
        WHERE c.cause = 'WAIVER' GROUP BY l.holder_id, l.operation_id, l.seq
        HAVING -sum(b.amount) > l.amount OR min(l.kind) NOT IN ('FEE', 'INTEREST')""",
    "what is given up is a creditor's": """
        SELECT b.holder_id, b.operation_id::text AS kind, 'millionths' AS currency, b.amount AS kept, 0 AS proved
        FROM correction c
        JOIN obligation b ON b.operation_id = c.operation_id AND b.holder_id = (SELECT id FROM alliance)
        WHERE c.cause IN ('WAIVER', 'WRITE_OFF') AND b.amount >= 0""",
}
