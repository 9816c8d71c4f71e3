"""Who may see and do what with payments, banks' statements and receipts; see policies.py."""

from resolvers.policy import PARENT, Policy, by
from resolvers.viewer import Scope
from schema.fields import fields

RECEIPTS = by("merchant", "operator", scope=Scope.SETTLEMENT_READ)
RECEIVERS = by("merchant", "operator", scope=Scope.RECEIPTS_WRITE)
RELEASERS = by("merchant", "operator", scope=Scope.PAYMENTS_RELEASE)

QUERIES: dict[str, Policy | None] = {
    **fields(RECEIPTS, "receipts unappliedCash"),
}

MUTATIONS: dict[str, Policy | None] = {
    **fields(RECEIVERS, "matchReceipt unmatchReceipt splitReceipt applyCash refundCash"),
    **fields(RELEASERS, "releasePayments holdPayment releaseHeldPayment"),
}

_ERROR = "code message path"

TYPES: dict[str, dict[str, Policy | None]] = {
    name: fields(PARENT, names)
    for name, names in {
        "PaymentFile": "messageId kind payer payments total path releasedAt",
        "Receipt": "id merchant payer number amount left valueDate reference text name account reversal status proposal"
        " payments steps",
        "ReceiptPart": "cycle payment amount",
        "ReceiptProposal": "payments by score",
        "ReceiptStep": "kind amount matchedBy by why approvedBy asOf",
        "UnappliedCash": "merchant amount",
        **dict.fromkeys(
            ("ReceiptMatched", "ReceiptUnmatched", "ReceiptSplit", "CashApplied", "CashRefunded"), "receipt approval"
        ),
        **dict.fromkeys(("PaymentsReleased", "PaymentHeld", "HeldPaymentReleased"), "cycle approval"),
        "NotMatching": f"{_ERROR} reason",
        "PayInsMissing": f"{_ERROR} number missing",
        "PaymentsChanged": _ERROR,
        "AccountMissing": f"{_ERROR} party",
    }.items()
}

LISTED = "Receipt"
"""Types that are listed in connections."""
