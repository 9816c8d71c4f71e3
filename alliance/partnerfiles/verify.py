"""What is proved of reconciled files (R26): each line of theirs has one outcome, and a break names a line as it is."""

CHECKS = {
    "a partner's file is its lines": """
        SELECT f.id AS holder_id, 'file' AS kind, 'millionths' AS currency, f.amount AS kept,
               coalesce(l.amount, 0) AS proved
        FROM partner_file f
        LEFT JOIN (SELECT file_id, count(*) AS lines, sum(amount) AS amount FROM partner_line GROUP BY 1) l
               ON l.file_id = f.id
        WHERE f.status IN ('DONE', 'SUPERSEDED') AND NOT f.dry_run
          AND (f.amount <> coalesce(l.amount, 0) OR f.lines <> coalesce(l.lines, 0))""",
    "outcomes are those of the lines": """
        SELECT f.id AS holder_id, coalesce(o.key, l.outcome) AS kind, 'lines' AS currency,
               coalesce((o.value ->> 'theirs')::bigint, 0) AS kept, coalesce(l.lines, 0) AS proved
        FROM partner_file f
        CROSS JOIN LATERAL jsonb_each(f.outcomes) AS o
        FULL JOIN (SELECT file_id, outcome, count(*) AS lines, sum(amount) AS amount FROM partner_line GROUP BY 1, 2) l
               ON l.file_id = f.id AND l.outcome = o.key
        WHERE coalesce(f.status IN ('DONE', 'SUPERSEDED') AND NOT f.dry_run, true)
          AND (coalesce((o.value ->> 'theirs')::bigint, 0) <> coalesce(l.lines, 0)
               OR coalesce((o.value ->> 'theirsSum')::numeric, 0) <> coalesce(l.amount, 0))""",
    "a break's side of ours is the line that it names": """
        SELECT b.merchant_id AS holder_id, b.id::text AS kind, 'millionths' AS currency, b.ours AS kept,
               CASE WHEN o.creditor_id = b.merchant_id THEN o.amount ELSE -o.amount END AS proved
        FROM recon_break b JOIN obligation o USING (holder_id, operation_id, seq)
        WHERE b.ours IS DISTINCT FROM CASE WHEN o.creditor_id = b.merchant_id THEN o.amount ELSE -o.amount END""",
    "a line of ours is matched by one file of a period": """
        SELECT f.merchant_id AS holder_id, l.operation_id::text AS kind, 'lines' AS currency,
               count(DISTINCT f.id) AS kept, 1 AS proved
        FROM partner_line l JOIN partner_file f ON f.id = l.file_id
        WHERE f.status = 'DONE' AND l.outcome = 'MATCHED' AND l.operation_id IS NOT NULL
        GROUP BY f.merchant_id, l.operation_id, l.seq HAVING count(DISTINCT f.id) > 1""",
}
