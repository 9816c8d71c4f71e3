"""Who may see invoices, and record those of partners' own books; see policies.py."""

from resolvers.policy import PARENT, Policy, by
from resolvers.viewer import Scope
from schema.fields import fields

INVOICES = by("merchant", "operator", "auditor", scope=Scope.SETTLEMENT_READ)

QUERIES: dict[str, Policy | None] = fields(INVOICES, "invoices invoice invoiceMatch")

MUTATIONS: dict[str, Policy | None] = fields(by("merchant", "operator", scope=Scope.INVOICES_WRITE), "recordInvoice")

TYPES: dict[str, dict[str, Policy | None]] = {
    name: fields(PARENT, names)
    for name, names in {
        "Invoice": "id number kind issuedOn dueOn issuer recipient exact net taxRate tax gross files cycle lines match",
        "InvoiceParty": "code name taxId address",
        "InvoiceLine": "kind adjustment currency points price count amount taxed",
        "InvoiceMatch": "issuer recipient stated invoiced difference taxStated setOff opening net carried suspended"
        " unpaid recorded",
        "RecordedInvoice": "number issuedOn net taxRate tax gross netDifference addsUp",
        "InvoiceRecorded": "match",
        "AlreadyRecorded": "code message path number",
    }.items()
}
