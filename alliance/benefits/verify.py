"""What rights make owed (A15), computed again from what was done to them; see `domain.ledger.checks`."""

CHECKS = {
    "a right used at a partner is owed for, once, at the version of its grant": """
        SELECT holder_id, operation_id::text AS kind, currency, coalesce(b.amount, 0) AS kept,
               coalesce(s.amount, 0) AS proved
        FROM (SELECT m.holder_id, m.operation_id, r.currency,
                     sum(-m.amount * (price #>> ARRAY[CASE coalesce(u.kind, o.kind) WHEN 'RIGHT_USE' THEN 'use'
                                                      ELSE 'noShow' END, 'amount'])::bigint) AS amount
              FROM right_move m
              JOIN member_right r ON r.holder_id = m.holder_id AND r.id = m.right_id
              JOIN operation o ON o.holder_id = m.holder_id AND o.id = m.operation_id
              LEFT JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses
              CROSS JOIN LATERAL jsonb_array_elements(r.prices) AS price
              WHERE price ->> 'at' = o.merchant_id::text
                AND coalesce(u.kind, o.kind) IN ('RIGHT_USE', 'RIGHT_NO_SHOW')
              GROUP BY 1, 2, 3) s
        FULL JOIN (SELECT holder_id, operation_id, currency, sum(amount) AS amount FROM obligation
                   WHERE kind = 'RIGHT' GROUP BY 1, 2, 3) b USING (holder_id, operation_id, currency)
        WHERE coalesce(b.amount, 0) <> coalesce(s.amount, 0)
          AND operation_id NOT IN (SELECT target_id FROM all_repair)""",
    "the prices of a right are those of its agreements": """
        SELECT r.holder_id, r.id::text AS kind, r.currency, (price #>> '{use,amount}')::bigint AS kept,
               coalesce((item #>> '{price,amount}')::numeric * 1000000, 0)::bigint AS proved
        FROM member_right r CROSS JOIN LATERAL jsonb_array_elements(r.prices) AS price
        JOIN agreement_version v ON v.agreement_id = (price ->> 'agreement')::uuid
                                AND v.version = (price ->> 'version')::bigint
        LEFT JOIN LATERAL (
            SELECT item FROM jsonb_array_elements(v.terms -> 'rights') AS item
            JOIN merchant g ON g.code = item ->> 'grantor' JOIN merchant m ON m.code = item ->> 'at'
            WHERE g.id = r.grantor_id AND m.id::text = price ->> 'at' AND item ->> 'kind' = r.kind) t ON true
        WHERE (price #>> '{use,amount}')::bigint
              <> coalesce((item #>> '{price,amount}')::numeric * 1000000, 0)::bigint
           OR coalesce((price #>> '{noShow,amount}')::bigint, 0)
              <> coalesce((item #>> '{noShow,amount}')::numeric * 1000000, 0)::bigint""",
}
