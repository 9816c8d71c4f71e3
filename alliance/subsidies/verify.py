"""The proof of subsidies: what is kept as drawn is what operations drew, and within the budget that was agreed on."""

CHECKS = {
    "subsidy used is what was drawn": """
        SELECT agreement_id AS holder_id, 'version ' || agreement_version AS kind, currency,
               coalesce(u.used, 0) AS kept, coalesce(d.amount, 0) AS proved
        FROM subsidy_use u
        FULL JOIN (SELECT agreement_id, agreement_version, currency, sum(amount) AS amount
                   FROM subsidy_draw GROUP BY 1, 2, 3) d USING (agreement_id, agreement_version, currency)
        WHERE coalesce(u.used, 0) <> coalesce(d.amount, 0)""",
    "subsidy stays within its budget": """
        SELECT u.agreement_id AS holder_id, 'version ' || u.agreement_version AS kind, u.currency,
               u.used AS kept, b.budget AS proved
        FROM subsidy_use u
        JOIN agreement_version v ON v.agreement_id = u.agreement_id AND v.version = u.agreement_version
        CROSS JOIN LATERAL (
            SELECT (item -> 'budget' ->> 'amount')::numeric * 1000000 AS budget
            FROM jsonb_array_elements(v.terms -> 'subsidies') AS item WHERE item ->> 'of' = u.currency) AS b
        WHERE u.used > b.budget""",
}
