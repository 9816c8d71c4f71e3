"""The proof of suspense: what is left out of the nets is what merchants object to, and no more than the lines."""

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
}
