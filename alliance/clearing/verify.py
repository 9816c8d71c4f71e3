"""What merchants owe each other, computed again from operations and agreements; see `domain.ledger.checks`.

Obligations of operations that were archived are left to the proof of their archive.
"""
# ruff: noqa: S608 - our own names

_PRICED = "(item #>> '{{{key},amount}}')::numeric * 100000000"

# The terms of all versions as rows; prices in 10^-8, as obligations have them.
EARN = f"""(
    SELECT agreement_id, version, at, currency, bears, price * (1 - of_issue) AS at_use, price * of_issue AS at_issue,
           CASE WHEN keeps = 'funder' THEN -price * of_issue WHEN keeps = 'issuer' THEN price * (1 - of_issue)
                ELSE 0 END AS at_end
    FROM (SELECT agreement_id, version, m.id AS at, item ->> 'of' AS currency, item ->> 'breakageTo' AS keeps,
                 coalesce(item ->> 'shortfallTo', 'earner') = 'issuer' AS bears,
                 {_PRICED.format(key="issuePrice")} * (item ->> 'share')::numeric AS price,
                 CASE item ->> 'funding' WHEN 'at_issue' THEN 1 WHEN 'at_redemption' THEN 0
                      ELSE (item ->> 'atIssue')::numeric END AS of_issue
          FROM agreement_version v CROSS JOIN jsonb_array_elements(v.terms -> 'earn') AS item
          JOIN merchant m ON m.code = item ->> 'at') AS earn)"""
REDEEM = f"""(
    SELECT agreement_id, version, m.id AS at, item ->> 'of' AS currency,
           {_PRICED.format(key="redemptionPrice")} AS price
    FROM agreement_version v CROSS JOIN jsonb_array_elements(v.terms -> 'redeem') AS item
    JOIN merchant m ON m.code = item ->> 'at')"""
_RIGHT = f"""(
    SELECT agreement_id, version, g.id AS grantor, m.id AS at, g.code || '/' || (item ->> 'kind') AS currency,
           {_PRICED.format(key="price")} AS price, {_PRICED.format(key="noShow")} AS no_show
    FROM agreement_version v CROSS JOIN jsonb_array_elements(v.terms -> 'rights') AS item
    JOIN merchant g ON g.code = item ->> 'grantor' JOIN merchant m ON m.code = item ->> 'at')"""
EXCHANGE = f"""(
    SELECT agreement_id, version, item ->> 'from' AS currency, item ->> 'to' AS target,
           {_PRICED.format(key="clearingValue")} AS price
    FROM agreement_version v CROSS JOIN jsonb_array_elements(v.terms -> 'exchange') AS item)"""

# Points of an earn or of an adjustment that were asked back, and that were recovered: but for what gifts repaid, whose
# lines lie with the giver, and whom its holder was merged into. What gifts that were taken back repaid stands `apart`.
_BACK = """
    SELECT sum(coalesce((t.returned #>> ARRAY['beside', g.currency, '1'])::bigint, t.due)
               - coalesce(e.dropped, 0)) AS due,
           sum(coalesce(e.moved, 0) - coalesce(d.points, 0) + coalesce(p.points, 0)) AS recovered,
           sum(p.apart) AS apart
    FROM operation r JOIN operation_return t ON t.holder_id = r.holder_id AND t.operation_id = r.id
    LEFT JOIN LATERAL (SELECT -sum(amount) FILTER (WHERE account = 'POINTS') AS moved,
                              -sum(amount) FILTER (WHERE account = 'PENDING') AS dropped
                       FROM entry WHERE holder_id = r.holder_id AND operation_id = r.id AND currency = g.currency
                         AND counter_account NOT IN ('EXIT', 'POINTS')) e ON true
    LEFT JOIN LATERAL (SELECT sum(points) AS points FROM all_debt d WHERE d.operation_id = r.id
                         AND d.currency = g.currency AND (d.holder_id = r.holder_id OR d.source_holder_id = r.holder_id
                                                          AND d.source_operation_id = r.id)) d ON true
    LEFT JOIN LATERAL (SELECT sum(y.points) AS points, sum(y.points) FILTER (WHERE u.kind = 'GIFT') AS apart
                       FROM debt_payment y JOIN operation o ON o.holder_id = y.holder_id AND o.id = y.operation_id
                                                           AND o.kind NOT IN ('MERGE', 'UNMERGE')
                       LEFT JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses
                       WHERE y.holder_id = r.holder_id AND y.currency = g.currency AND (y.debt_id = r.id
                             OR y.debt_id IN (SELECT operation_id FROM debt m WHERE m.holder_id = r.holder_id
                                              AND m.source_holder_id = r.holder_id AND m.source_operation_id = r.id))
                      ) p ON true
    WHERE r.holder_id = g.holder_id AND r.reverses = g.earn_id"""

# What partners granted, by the earn that it was for: also what waited and became active.
_GRANTED = f"""(
    SELECT g.*, coalesce(x.bears, false) AS bears, coalesce(x.at_use, 0) AS at_use,
           coalesce(x.at_issue, g.price) AS at_issue,
           coalesce(CASE WHEN x.bears THEN b.due ELSE b.recovered END, 0) AS back,
           CASE WHEN x.bears THEN 0 ELSE coalesce(b.apart, 0) END AS apart
    FROM (SELECT l.holder_id, coalesce(p.operation_id, l.operation_id) AS earn_id, l.currency, l.issuer_id, l.funder_id,
                 l.price, coalesce(l.agreement_version, b.version) AS version, sum(l.granted) AS points
          FROM lot l
          JOIN operation o ON o.holder_id = l.holder_id AND o.id = l.operation_id
                          AND o.kind IN ('EARN', 'ACTIVATE', 'ADJUST')
          LEFT JOIN (SELECT DISTINCT holder_id, activated_by, operation_id FROM pending_grant) p
               ON p.holder_id = l.holder_id AND p.activated_by = l.operation_id
          LEFT JOIN (SELECT holder_id, operation_id, max(agreement_version) AS version FROM obligation
                     WHERE kind = 'EARN' AND reverses IS NULL GROUP BY 1, 2) b
               ON b.holder_id = l.holder_id AND b.operation_id = l.operation_id
          WHERE l.funder_id <> l.issuer_id AND l.source_lot_id IS NULL GROUP BY 1, 2, 3, 4, 5, 6, 7) g
    LEFT JOIN agreement a ON a.merchant_a = least(g.issuer_id, g.funder_id)
                         AND a.merchant_b = greatest(g.issuer_id, g.funder_id)
    LEFT JOIN {EARN} x ON x.agreement_id = a.id AND x.version = g.version AND x.at = g.funder_id
                       AND x.currency = g.currency
    LEFT JOIN LATERAL ({_BACK}) b ON true)"""

# Points of lots for which something moves later: how many were used, and how many ended. What a reversal took of whom
# its holder was merged into is used by it.
_USED = f"""
    SELECT l.holder_id, l.issuer_id, l.funder_id, l.agreement_version AS version, l.currency,
           sum(-a.amount) FILTER (WHERE o.kind IN ('REDEEM', 'EXCHANGE') OR o.id = l.operation_id
                                  OR u.kind IN ('REDEEM', 'EXCHANGE', 'OPENING', 'EARN')
                                  OR (u.kind = 'ADJUST' AND a.amount < 0)) AS used,
           sum(-a.amount) FILTER (WHERE o.kind = 'EXPIRE') AS ended
    FROM lot l JOIN allocation a ON a.holder_id = l.holder_id AND a.lot_id = l.id
    JOIN operation o ON o.holder_id = a.holder_id AND o.id = a.operation_id
    LEFT JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses
    WHERE l.agreement_version IS NOT NULL GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT l.holder_id, l.issuer_id, l.funder_id, l.agreement_version, l.currency, -sum(l.granted)::numeric, 0
    FROM lot l JOIN operation o ON o.holder_id = l.holder_id AND o.id = l.operation_id AND o.kind = 'REVERSAL'
    JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses AND u.kind IN ('REDEEM', 'EXCHANGE')
    WHERE l.agreement_version IS NOT NULL AND l.source_lot_id IS NOT NULL GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT o.holder_id, l.issuer_id, l.funder_id, l.agreement_version, l.currency, sum(-l.amount), 0
    FROM operation o JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses
                                     AND u.kind IN ('OPENING', 'EARN', 'ADJUST')
    JOIN (SELECT DISTINCT holder_id, operation_id, counter_holder_id FROM entry
          WHERE account = 'POINTS' AND counter_account = 'POINTS' AND amount > 0) e
         ON e.holder_id = o.holder_id AND e.operation_id = o.id
    CROSS JOIN LATERAL (SELECT l.*, a.amount FROM all_allocation a
                        JOIN all_lot l ON l.holder_id = a.holder_id AND l.id = a.lot_id
                        WHERE a.holder_id = e.counter_holder_id AND a.operation_id = o.id OFFSET 0) l
    WHERE l.agreement_version IS NOT NULL GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT holder_id, issuer_id, funder_id, version, currency, sum(apart - back), 0 FROM {_GRANTED} g
    WHERE at_use > 0 GROUP BY 1, 2, 3, 4, 5"""

CHECKS = {
    "a spend at a partner is owed for": f"""
        SELECT holder_id, operation_id::text AS kind, currency, coalesce(b.amount, 0) AS kept,
               coalesce(s.points * coalesce(b.price, s.price), 0) / 100 AS proved
        FROM (SELECT e.holder_id, e.operation_id, e.currency, -e.amount AS points, t.price
              FROM entry e JOIN operation o ON o.holder_id = e.holder_id AND o.id = e.operation_id
              LEFT JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses
              LEFT JOIN LATERAL (
                SELECT x.price FROM {REDEEM} x JOIN agreement_version v USING (agreement_id, version)
                WHERE x.at = o.merchant_id AND x.currency = e.currency AND v.status = 'IN_FORCE'
                  AND v.valid_from <= coalesce(u.occurred_at, o.occurred_at)
                  AND (v.valid_to IS NULL OR v.valid_to > coalesce(u.occurred_at, o.occurred_at)) LIMIT 1) t ON true
              WHERE e.counter_account = 'REDEMPTION' AND e.counter_holder_id <> o.merchant_id) s
        FULL JOIN (SELECT b.holder_id, b.operation_id, b.currency, max(b.price) AS price, sum(b.amount) AS amount
                   FROM obligation b JOIN operation o ON o.holder_id = b.holder_id AND o.id = b.operation_id
                   WHERE b.kind = 'SPEND' GROUP BY 1, 2, 3) b USING (holder_id, operation_id, currency)
        WHERE coalesce(b.amount, 0) <> coalesce(s.points * coalesce(b.price, s.price), 0) / 100
          AND operation_id NOT IN (SELECT target_id FROM repair)""",
    "an exchange is owed for": f"""
        SELECT holder_id, operation_id::text AS kind, currency, coalesce(b.amount, 0) AS kept,
               coalesce(s.points * coalesce(b.price, s.price), 0) / 100 AS proved
        FROM (SELECT e.holder_id, e.operation_id, e.currency, t.price,
                     -e.amount + coalesce(q.fee, 0) * sign(e.amount) AS points
              FROM entry e JOIN operation o ON o.holder_id = e.holder_id AND o.id = e.operation_id
              LEFT JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses
              LEFT JOIN quote_use w ON w.holder_id = o.holder_id AND w.operation_id = coalesce(o.reverses, o.id)
              LEFT JOIN quote q ON q.holder_id = w.holder_id AND q.id = w.quote_id
              LEFT JOIN LATERAL (
                SELECT x.price FROM {EXCHANGE} x JOIN agreement_version v USING (agreement_id, version)
                WHERE x.currency = e.currency AND v.status = 'IN_FORCE' AND x.target IN (
                        SELECT i.currency FROM entry i
                        WHERE i.holder_id = e.holder_id AND i.operation_id = e.operation_id)
                  AND v.valid_from <= coalesce(u.occurred_at, o.occurred_at)
                  AND (v.valid_to IS NULL OR v.valid_to > coalesce(u.occurred_at, o.occurred_at)) LIMIT 1) t ON true
              WHERE e.counter_account = 'EXCHANGE' AND (e.amount < 0) = (o.reverses IS NULL)) s
        FULL JOIN (SELECT b.holder_id, b.operation_id, b.currency, max(b.price) AS price, sum(b.amount) AS amount
                   FROM obligation b JOIN operation o ON o.holder_id = b.holder_id AND o.id = b.operation_id
                   WHERE b.kind = 'EXCHANGE' GROUP BY 1, 2, 3) b USING (holder_id, operation_id, currency)
        WHERE coalesce(b.amount, 0) <> coalesce(s.points * coalesce(b.price, s.price), 0) / 100
          AND operation_id NOT IN (SELECT target_id FROM repair)""",
    "what partners grant is owed for": f"""
        SELECT holder_id, earn_id::text AS kind, currency, coalesce(b.amount, 0) AS kept,
               coalesce(g.amount, 0) / 100 AS proved
        FROM (SELECT holder_id, earn_id, currency, sum(at_issue * (points - back)) AS amount
              FROM {_GRANTED} g GROUP BY 1, 2, 3) g
        FULL JOIN (SELECT b.holder_id, coalesce(b.reverses, p.operation_id, b.operation_id) AS earn_id, b.currency,
                          sum(b.amount) AS amount
                   FROM obligation b JOIN operation o ON o.holder_id = b.holder_id AND o.id = b.operation_id
                   LEFT JOIN (SELECT DISTINCT holder_id, activated_by, operation_id FROM pending_grant) p
                        ON p.holder_id = b.holder_id AND p.activated_by = b.operation_id
                   LEFT JOIN operation u ON u.holder_id = b.holder_id AND u.id = b.reverses
                   WHERE b.kind = 'EARN' AND (b.reverses IS NULL OR u.id IS NOT NULL) GROUP BY 1, 2, 3) b
             USING (holder_id, earn_id, currency)
        WHERE coalesce(b.amount, 0) <> coalesce(g.amount, 0) / 100
          AND earn_id NOT IN (SELECT target_id FROM repair)""",
    "what is paid when points are used or end is owed for": f"""
        SELECT holder_id, funder_id || ' ' || version AS kind, currency, coalesce(b.amount, 0) AS kept,
               coalesce(s.amount, 0) / 100 AS proved
        FROM (SELECT u.holder_id, u.funder_id, u.version, u.currency,
                     sum(coalesce(u.used, 0) * x.at_use + coalesce(u.ended, 0) * x.at_end) AS amount
              FROM ({_USED}) u
              JOIN agreement a ON a.merchant_a = least(u.issuer_id, u.funder_id)
                              AND a.merchant_b = greatest(u.issuer_id, u.funder_id)
              JOIN {EARN} x ON x.agreement_id = a.id AND x.version = u.version AND x.at = u.funder_id
                            AND x.currency = u.currency
              GROUP BY 1, 2, 3, 4) s
        FULL JOIN (SELECT b.holder_id, x.at AS funder_id, b.agreement_version AS version, b.currency,
                          sum(CASE WHEN x.at = b.debtor_id THEN b.amount ELSE -b.amount END) AS amount
                   FROM obligation b
                   JOIN operation o ON o.holder_id = b.holder_id AND o.id = b.operation_id
                                   AND o.kind NOT IN ('GIFT', 'POOL_IN', 'POOL_OUT', 'MERGE')
                   LEFT JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses
                   JOIN {EARN} x ON x.agreement_id = b.agreement_id AND x.version = b.agreement_version
                                 AND x.currency = b.currency AND x.at IN (b.debtor_id, b.creditor_id)
                   WHERE b.kind IN ('FUNDING', 'BREAKAGE') AND u.kind IS DISTINCT FROM 'GIFT' GROUP BY 1, 2, 3, 4) b
             USING (holder_id, funder_id, version, currency)
        WHERE coalesce(b.amount, 0) <> coalesce(s.amount, 0) / 100""",
    "a price is its agreement's": f"""
        SELECT b.holder_id, b.operation_id || ' ' || b.seq AS kind, b.currency, b.price AS kept, -1 AS proved
        FROM obligation b JOIN operation o ON o.holder_id = b.holder_id AND o.id = b.operation_id
        WHERE b.price IS NOT NULL AND o.kind <> 'CORRECTION' AND NOT CASE b.kind
          WHEN 'SPEND' THEN EXISTS (SELECT FROM {REDEEM} x WHERE x.agreement_id = b.agreement_id
            AND x.version = b.agreement_version AND x.at = b.creditor_id AND x.currency = b.currency
            AND x.price = b.price)
          WHEN 'EXCHANGE' THEN EXISTS (SELECT FROM {EXCHANGE} x WHERE x.agreement_id = b.agreement_id
            AND x.version = b.agreement_version AND x.currency = b.currency AND x.price = b.price)
          WHEN 'RIGHT' THEN EXISTS (SELECT FROM {_RIGHT} x WHERE x.agreement_id = b.agreement_id
            AND x.version = b.agreement_version AND x.grantor = b.debtor_id AND x.at = b.creditor_id
            AND x.currency = b.currency AND b.price IN (x.price, x.no_show))
          ELSE EXISTS (SELECT FROM {EARN} x WHERE x.agreement_id = b.agreement_id
            AND x.version = b.agreement_version AND x.at IN (b.debtor_id, b.creditor_id) AND x.currency = b.currency
            AND b.price = CASE b.kind WHEN 'EARN' THEN at_issue WHEN 'FUNDING' THEN at_use ELSE abs(at_end) END)
          END""",
}
