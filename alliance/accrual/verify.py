"""What is proved of runs over files: they count what they booked, and what was undone is reversed (R26)."""

CHECKS = {
    "a run counts what it booked": """
        SELECT r.id AS holder_id, 'run' AS kind, 'lines' AS currency, r.posted AS kept, coalesce(p.lines, 0) AS proved
        FROM accrual_run r
        LEFT JOIN (SELECT run_id, count(DISTINCT line) AS lines FROM accrual_posting
                   WHERE NOT EXISTS (SELECT FROM accrual_refusal f
                                     WHERE f.run_id = accrual_posting.run_id AND f.line = accrual_posting.line)
                   GROUP BY run_id) p ON p.run_id = r.id
        WHERE r.status IN ('DONE', 'UNDOING', 'UNDONE') AND r.refusal IS NULL AND r.posted <> coalesce(p.lines, 0)""",
    "a run is its parts": """
        SELECT r.id AS holder_id, 'run' AS kind, 'lines' AS currency, r.read AS kept, coalesce(p.read, 0) AS proved
        FROM accrual_run r
        LEFT JOIN (SELECT run_id, sum(read) AS read FROM accrual_part GROUP BY run_id) p ON p.run_id = r.id
        WHERE r.status IN ('DONE', 'FAILED', 'UNDOING', 'UNDONE') AND r.read <> coalesce(p.read, 0)""",
    "what an undo reversed is reversed": """
        SELECT p.holder_id, p.operation_id::text AS kind, 'operations' AS currency, 1 AS kept, 0 AS proved
        FROM accrual_posting p LEFT JOIN operation o ON o.holder_id = p.holder_id AND o.id = p.undone_by
        WHERE p.undone_by IS NOT NULL AND o.reverses IS DISTINCT FROM p.operation_id
          AND NOT EXISTS (SELECT FROM log_leaf l WHERE l.operation_id = p.undone_by AND o.id IS NULL)""",
}
