"""What `tessera verify` proves of receipts, and of money that all pay into one account."""

# ruff: noqa: S608 - our own text

_APPLIED = "receipt_match m JOIN bank_receipt r ON r.id = m.receipt_id WHERE m.undone_by IS NULL"

CHECKS = {
    "no more of a receipt is applied than came": f"""
        SELECT r.owner_id AS holder_id, r.id::text AS kind, 'minor units' AS currency,
               coalesce(m.amount, 0) + r.refunded AS kept, abs(r.amount) AS proved
        FROM bank_receipt r
        LEFT JOIN (SELECT m.receipt_id, sum(m.amount) AS amount FROM {_APPLIED} GROUP BY 1) m ON m.receipt_id = r.id
        WHERE coalesce(m.amount, 0) + r.refunded > abs(r.amount)
           OR (r.status = 'SPLIT' AND (m.amount IS NOT NULL OR r.refunded > 0))
           OR (r.status = 'APPLIED') <> (r.status <> 'SPLIT' AND r.refunded = 0 AND m.amount = abs(r.amount))""",
    "parts of a receipt are the whole": """
        SELECT r.owner_id AS holder_id, r.id::text AS kind, 'minor units' AS currency,
               coalesce(sum(p.amount), 0) AS kept, r.amount AS proved
        FROM bank_receipt r LEFT JOIN bank_receipt p ON p.split_of = r.id
        WHERE r.status = 'SPLIT' OR p.id IS NOT NULL
        GROUP BY r.id HAVING r.status <> 'SPLIT' OR coalesce(sum(p.amount), 0) <> r.amount""",
    "a payment that came by receipts is paid by them": f"""
        SELECT p.payee_id AS holder_id, m.cycle_id || ' ' || m.seq AS kind, 'minor units' AS currency,
               sum(m.amount) AS kept, coalesce(p.amount, 0) AS proved
        FROM (SELECT m.*, r.held AND r.amount > 0 AS inward FROM {_APPLIED}) m
        LEFT JOIN payment p ON p.cycle_id = m.cycle_id AND p.seq = m.seq
             AND CASE WHEN m.inward THEN p.paid_in_on IS NOT NULL ELSE p.status = 'PAID' END
        GROUP BY p.payee_id, p.amount, m.cycle_id, m.seq, m.inward HAVING sum(m.amount) <> coalesce(p.amount, 0)""",
    "unapplied cash is what is left of receipts": """
        SELECT party_id AS holder_id, 'UNAPPLIED' AS kind, 'minor units' AS currency,
               coalesce(e.amount, 0) AS kept, coalesce(l.amount, 0) AS proved
        FROM (SELECT e.party_id, -sum(e.amount) AS amount
              FROM money_entry e JOIN money_transaction t ON t.id = e.transaction_id
              WHERE e.account = 'UNAPPLIED'
                AND t.kind IN ('RECEIPT_IN', 'RECEIPT_MATCHED', 'RECEIPT_UNMATCHED', 'CASH_REFUNDED')
              GROUP BY 1 HAVING sum(e.amount) <> 0) e
        FULL JOIN (SELECT coalesce(r.payer_id, (SELECT id FROM alliance)) AS party_id,
                          sum(r.amount - r.refunded - coalesce(m.amount, 0)) AS amount
                   FROM bank_receipt r
                   LEFT JOIN (SELECT receipt_id, sum(amount) AS amount FROM receipt_match WHERE undone_by IS NULL
                              GROUP BY 1) m ON m.receipt_id = r.id
                   WHERE r.held AND r.amount > 0 AND NOT r.reversal AND r.status <> 'SPLIT'
                   GROUP BY 1 HAVING sum(r.amount - r.refunded - coalesce(m.amount, 0)) <> 0) l USING (party_id)
        WHERE coalesce(e.amount, 0) <> coalesce(l.amount, 0)""",
    "what is on its way is what was paid in and not out": """
        SELECT cycle_id AS holder_id, 'CLEARING' AS kind, 'minor units' AS currency,
               coalesce(e.amount, 0) AS kept, coalesce(p.amount, 0) AS proved
        FROM (SELECT coalesce(m.cycle_id, t.cause_id) AS cycle_id, -sum(e.amount) AS amount
              FROM money_entry e JOIN money_transaction t ON t.id = e.transaction_id
              LEFT JOIN receipt_match m ON m.id = t.cause_id
              WHERE e.account = 'CLEARING' GROUP BY 1 HAVING sum(e.amount) <> 0) e
        FULL JOIN (SELECT cycle_id, sum(amount) AS amount FROM payment
                   WHERE paid_in_on IS NOT NULL AND status <> 'PAID' GROUP BY 1) p USING (cycle_id)
        WHERE coalesce(e.amount, 0) <> coalesce(p.amount, 0)""",
    "a payment that is held back was not released": """
        SELECT p.payer_id AS holder_id, h.cycle_id || ' ' || h.seq AS kind, 'payments' AS currency,
               1 AS kept, 0 AS proved
        FROM payment_hold h JOIN payment p USING (cycle_id, seq)
        WHERE h.lifted_at IS NULL AND p.released_at IS NOT NULL AND p.released_at > h.held_at""",
    "what is in a released file was released": """
        SELECT f.party_id AS holder_id, f.message_id AS kind, 'payments' AS currency,
               count(p.seq) AS kept, jsonb_array_length(f.numbers) AS proved
        FROM released_file f
        CROSS JOIN LATERAL jsonb_array_elements_text(f.numbers) AS n (seq)
        LEFT JOIN payment p ON p.cycle_id = f.cycle_id AND p.seq = n.seq::int AND p.released_at IS NOT NULL
        GROUP BY f.id HAVING count(p.seq) <> jsonb_array_length(f.numbers)""",
}
