"""What the proof of the books compares of members who were merged; see checks.py. No balance follows from it."""

CHECKS = {
    "a merge carries lots as they are": """
        SELECT l.holder_id, l.operation_id::text AS kind, l.currency, l.price AS kept, coalesce(s.price, -1) AS proved
        FROM lot l
        LEFT JOIN LATERAL (SELECT * FROM all_lot s
                           WHERE s.holder_id = l.source_holder_id AND s.id = l.source_lot_id OFFSET 0) s ON true
        WHERE l.root_lot_id IS NOT NULL AND l.operation_id NOT IN (SELECT target_id FROM all_repair)
          AND l.source_holder_id <> l.holder_id
          AND (l.currency, l.issuer_id, l.funder_id, l.price, l.granted_at, l.depth, l.agreement_version,
               l.root_holder_id, l.root_lot_id, l.sliding_id IS NULL,
               CASE WHEN l.sliding_id IS NULL THEN l.expires_at END)
              IS DISTINCT FROM
              (s.currency, s.issuer_id, s.funder_id, s.price, s.granted_at, s.depth, s.agreement_version,
               coalesce(s.root_holder_id, s.holder_id), coalesce(s.root_lot_id, s.id), s.sliding_id IS NULL,
               CASE WHEN s.sliding_id IS NULL THEN s.expires_at END)""",
    "a debt that a merge moved is of a reversal": """
        SELECT d.holder_id, d.operation_id::text AS kind, d.currency, d.points AS kept, 0 AS proved
        FROM debt d
        LEFT JOIN LATERAL (SELECT reverses FROM all_operation o WHERE o.holder_id = d.source_holder_id
                                                                  AND o.id = d.source_operation_id OFFSET 0) o ON true
        WHERE d.source_operation_id IS NOT NULL AND o.reverses IS NULL
          AND d.operation_id NOT IN (SELECT target_id FROM all_repair)""",
    "nothing of who was merged is alive": """
        SELECT a.holder_id, l.id::text AS kind, l.currency, l.remaining AS kept, 0 AS proved
        FROM member_alias a JOIN lot l ON l.holder_id = a.holder_id AND NOT l.spent
        LEFT JOIN (SELECT holder_id, max(as_of) AS last FROM operation GROUP BY 1) o ON o.holder_id = a.holder_id
        LEFT JOIN sliding_expiry s ON s.holder_id = l.holder_id AND s.id = l.sliding_id
        WHERE coalesce(s.expires_at, l.expires_at) IS NULL
           OR coalesce(s.expires_at, l.expires_at) > greatest(o.last, a.merged_at)""",
    "who was merged leads to whom they are now": """
        SELECT a.holder_id, a.into_id::text AS kind, '?' AS currency, 1 AS kept, 0 AS proved
        FROM member_alias a
        LEFT JOIN LATERAL (SELECT survivor_id FROM all_member_alias n WHERE n.holder_id = a.into_id OFFSET 0) n ON true
        WHERE a.survivor_id <> coalesce(n.survivor_id, a.into_id)""",
}
