"""Who may see and do what with payments, banks' statements and receipts; see policies.py."""

from resolvers.policy import PARENT, Policy
from schema.fields import fields

QUERIES: dict[str, Policy | None] = {}

MUTATIONS: dict[str, Policy | None] = {}

_ERROR = "code message path"

TYPES: dict[str, dict[str, Policy | None]] = {
    name: fields(PARENT, names)
    for name, names in {
        "PaymentFile": "messageId kind payer payments total path",
    }.items()
}

LISTED = ""
"""Types that are listed in connections."""
