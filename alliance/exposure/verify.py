"""The proof of positions: what is kept of a merchant with a cap is what it owes and has reserved, and not more."""

from alliance.exposure.queries import POSITIONS

CHECKS = {
    "position is what is owed and reserved": f"""
        SELECT merchant_id AS holder_id, part.kind, 'millionths' AS currency, part.kept, part.proved
        FROM exposure e LEFT JOIN ({POSITIONS}) AS p USING (merchant_id)
        CROSS JOIN LATERAL (VALUES ('owed', e.owed, coalesce(p.owed, 0)),
                                   ('reserved', e.reserved, coalesce(p.reserved, 0)),
                                   ('withheld', e.withheld, coalesce(p.withheld, 0))) AS part (kind, kept, proved)
        WHERE part.kept <> part.proved""",  # noqa: S608 - our own text
    "cap is what the file says": """
        SELECT merchant_id AS holder_id, 'cap' AS kind, 'millionths' AS currency,
               coalesce(e.cap, -1) AS kept, coalesce(m.cap, -1) AS proved
        FROM exposure e
        FULL JOIN (SELECT id AS merchant_id, ((settlement ->> 'creditLimit')::numeric
                                              + (settlement ->> 'collateral')::numeric) * 1000000 AS cap
                   FROM merchant WHERE settlement ? 'creditLimit') m USING (merchant_id)
        WHERE coalesce(e.cap, -1) <> coalesce(m.cap, -1)""",
}
