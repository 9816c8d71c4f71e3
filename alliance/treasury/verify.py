"""What `tessera verify` proves of money accounts."""

CHECKS = {
    "money balance is the sum of its entries": """
        SELECT party_id AS holder_id, account AS kind, 'minor units' AS currency, coalesce(b.balance, 0) AS kept,
               coalesce(e.amount, 0) AS proved
        FROM money_balance b
        FULL JOIN (SELECT party_id, account, sum(amount) AS amount FROM money_entry GROUP BY 1, 2) e
             USING (party_id, account)
        WHERE coalesce(b.balance, 0) <> coalesce(e.amount, 0)""",
    "money that moves sums to zero": """
        SELECT transaction_id AS holder_id, t.kind, 'minor units' AS currency, sum(amount) AS kept, 0 AS proved
        FROM money_entry e LEFT JOIN money_transaction t ON t.id = e.transaction_id
        GROUP BY transaction_id, t.kind, t.id HAVING sum(amount) <> 0 OR t.id IS NULL""",
}
