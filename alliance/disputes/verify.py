"""The proof of disputes: what is left out of the nets is what merchants object to, and no more than the lines; it lies
in suspense until that is decided; what was accepted is corrected, and nothing else."""

CHECKS = {
    "suspense is what is objected to": """
        SELECT first_id AS holder_id, cycle_id || ' ' || second_id AS kind, 'millionths' AS currency,
               coalesce(p.suspended, 0) AS kept, coalesce(o.amount, 0) AS proved
        FROM pair_net p
        FULL JOIN (SELECT cycle_id, first_id, second_id, sum(amount) AS amount FROM objection GROUP BY 1, 2, 3) o
             USING (cycle_id, first_id, second_id)
        WHERE coalesce(p.suspended, 0) <> coalesce(o.amount, 0)""",
    "an objection is to the whole of its line": """
        SELECT o.merchant_id AS holder_id, o.operation_id || ' ' || o.seq AS kind, 'millionths' AS currency,
               o.amount AS kept, CASE WHEN l.creditor_id = o.first_id THEN l.amount ELSE -l.amount END AS proved
        FROM objection o
        JOIN obligation l USING (holder_id, operation_id, seq)
        WHERE l.cycle_id <> o.cycle_id
           OR o.amount <> CASE WHEN l.creditor_id = o.first_id THEN l.amount ELSE -l.amount END""",
    "suspense is what is not decided": """
        SELECT coalesce(o.merchant_id, d.raiser_id) AS holder_id, coalesce(o.id, d.id)::text AS kind,
               'millionths' AS currency, CASE WHEN o.released_in IS NULL THEN coalesce(o.amount, 0) ELSE 0 END AS kept,
               CASE WHEN d.decided_at IS NULL AND d.id IS NOT NULL THEN coalesce(o.amount, 0) ELSE 0 END AS proved
        FROM objection o FULL JOIN (SELECT * FROM dispute WHERE door = 'OBJECTION') d ON d.id = o.id
        WHERE o.id IS NULL OR d.id IS NULL OR (o.released_in IS NULL) <> (d.decided_at IS NULL)""",
    "what a dispute corrected is what was accepted": """
        SELECT d.raiser_id AS holder_id, coalesce(d.id, c.id)::text AS kind, 'millionths' AS currency,
               coalesce(c.amount, 0) AS kept, coalesce(d.accepted, 0) AS proved
        FROM dispute d
        FULL JOIN (SELECT c.cause_id AS id, c.cause, b.creditor_id, sum(b.amount) AS amount
                   FROM correction c JOIN obligation b ON b.operation_id = c.operation_id
                   WHERE c.cause IN ('CLAIM', 'OBJECTION') AND b.holder_id = (SELECT id FROM alliance)
                   GROUP BY 1, 2, 3) AS c
             ON c.id = d.id AND c.cause = d.door
        WHERE coalesce(d.accepted, 0) <> coalesce(CASE WHEN c.creditor_id = d.raiser_id THEN c.amount
                                                       WHEN c.creditor_id = d.against_id THEN -c.amount END, 0)""",
    "a dispute is as its last step left it": """
        SELECT d.raiser_id AS holder_id, d.id::text AS kind, 'steps' AS currency, 1 AS kept, count(s.seq) AS proved
        FROM dispute d LEFT JOIN dispute_step s ON s.dispute_id = d.id AND s.status = d.status
             AND s.seq = (SELECT max(seq) FROM dispute_step WHERE dispute_id = d.id)
        GROUP BY d.raiser_id, d.id HAVING count(s.seq) <> 1""",
}
