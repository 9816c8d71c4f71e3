"""What `tessera verify` proves of invoices and interest."""

CHECKS = {
    "an invoice is the sum of its lines": """
        SELECT i.issuer_id AS holder_id, i.number AS kind, 'millionths' AS currency, i.exact AS kept,
               coalesce(sum(l.amount), 0) AS proved
        FROM invoice i LEFT JOIN invoice_line l ON l.invoice_id = i.id
        GROUP BY i.id HAVING i.exact <> coalesce(sum(l.amount), 0)
           OR abs(i.net * {unit} - i.exact) * 2 > {unit} OR i.gross <> i.net + i.tax""",
    "tax on an invoice is its rate's": """
        SELECT i.issuer_id AS holder_id, i.number AS kind, 'minor units' AS currency, i.tax AS kept,
               round(coalesce(sum(l.amount) FILTER (WHERE l.taxed), 0) * i.tax_rate / (1000000 * {unit})) AS proved
        FROM invoice i LEFT JOIN invoice_line l ON l.invoice_id = i.id
        GROUP BY i.id
        HAVING abs(i.tax * 1000000 * {unit} - coalesce(sum(l.amount) FILTER (WHERE l.taxed), 0) * i.tax_rate) * 2
               > 1000000 * {unit}""",
    "what was stated was invoiced": """
        SELECT issuer_id AS holder_id, cycle_id || ' ' || recipient_id AS kind, 'millionths' AS currency,
               coalesce(i.amount, 0) AS kept, coalesce(o.amount, 0) AS proved
        FROM (SELECT cycle_id, issuer_id, recipient_id, sum(exact) AS amount FROM invoice GROUP BY 1, 2, 3) i
        FULL JOIN (SELECT b.cycle_id, b.creditor_id AS issuer_id, b.debtor_id AS recipient_id, sum(b.amount) AS amount
                   FROM obligation b JOIN invoiced_cycle d ON d.cycle_id = b.cycle_id AND d.issuer_id = b.creditor_id
                   WHERE b.kind <> 'TAX' GROUP BY 1, 2, 3) o USING (cycle_id, issuer_id, recipient_id)
        WHERE coalesce(i.amount, 0) <> coalesce(o.amount, 0)""",
    "numbers of invoices have no gaps": """
        SELECT issuer_id AS holder_id, 'serial' AS kind, 'documents' AS currency, coalesce(s.last, 0) AS kept,
               coalesce(i.count, 0) AS proved
        FROM invoice_serial s
        FULL JOIN (SELECT issuer_id, count(*) AS count, max(serial) AS last, min(serial) AS first
                   FROM invoice GROUP BY 1) i USING (issuer_id)
        WHERE coalesce(s.last, 0) <> coalesce(i.count, 0) OR i.last <> i.count OR i.first <> 1""",
    "an issuer's documents for a cycle are as many as were issued": """
        SELECT issuer_id AS holder_id, cycle_id::text AS kind, 'documents' AS currency,
               coalesce(d.documents, 0) AS kept, coalesce(i.count, 0) AS proved
        FROM invoiced_cycle d
        FULL JOIN (SELECT cycle_id, issuer_id, count(*) AS count FROM invoice GROUP BY 1, 2) i
             USING (cycle_id, issuer_id)
        WHERE coalesce(d.documents, 0) <> coalesce(i.count, 0)""",
    "tax that is owed is on an invoice": """
        SELECT issuer_id AS holder_id, operation_id::text AS kind, 'millionths' AS currency,
               coalesce(b.amount, 0) AS kept, coalesce(i.tax, 0) * {unit} AS proved
        FROM (SELECT d.issuer_id, b.operation_id, b.debtor_id AS recipient_id, b.amount
              FROM correction c JOIN obligation b ON b.operation_id = c.operation_id AND b.kind = 'TAX'
              LEFT JOIN invoiced_cycle d ON d.id = c.cause_id AND d.issuer_id = b.creditor_id
              WHERE c.cause = 'INVOICE') b
        FULL JOIN (SELECT issuer_id, tax_operation_id AS operation_id, recipient_id, tax FROM invoice
                   WHERE tax <> 0 OR tax_operation_id IS NOT NULL) i USING (issuer_id, operation_id, recipient_id)
        WHERE coalesce(b.amount, 0) <> coalesce(i.tax, 0) * {unit} OR i.issuer_id IS NULL OR b.issuer_id IS NULL""",
    "interest that is owed is on a late payment": """
        SELECT coalesce(i.payer_id, b.debtor_id) AS holder_id,
               coalesce(i.cycle_id || ' ' || i.seq, b.operation_id::text) AS kind,
               'millionths' AS currency, coalesce(b.amount, 0) AS kept, coalesce(i.amount, 0) AS proved
        FROM late_interest i
        FULL JOIN (SELECT b.operation_id, b.debtor_id, b.creditor_id, b.amount
                   FROM correction c JOIN obligation b ON b.operation_id = c.operation_id AND b.kind = 'INTEREST'
                   WHERE c.cause = 'INTEREST') b
             ON b.operation_id = i.operation_id AND b.debtor_id = i.payer_id AND b.creditor_id = i.payee_id
        WHERE coalesce(b.amount, 0) <> coalesce(i.amount, 0)""",
    "interest is its rate's, on what was paid late": """
        SELECT i.payer_id AS holder_id, i.cycle_id || ' ' || i.seq AS kind, 'millionths' AS currency, i.amount AS kept,
               round(i.principal::numeric * i.rate * i.days / (1000000 * i.basis)) AS proved
        FROM late_interest i
        LEFT JOIN payment p ON p.cycle_id = i.cycle_id AND p.seq = i.seq AND p.status = 'PAID'
        WHERE abs(i.amount::numeric * 1000000 * i.basis - i.principal::numeric * i.rate * i.days) * 2
              > 1000000 * i.basis OR p.amount * {unit} <> i.principal""",
}
