"""Who may see and do what as merchants settle: breaks, disputes, money, default, liability; see policies.py."""

from resolvers.policy import PARENT, Policy, by
from resolvers.viewer import Scope
from schema import (
    banking_policies,
    calendar_policies,
    claim_policies,
    default_policies,
    invoice_policies,
    liability_policies,
)
from schema.fields import fields

APPROVERS = by("merchant", "operator", scope=Scope.APPROVALS_WRITE)
APPROVALS = by("merchant", "operator", "auditor", scope=Scope.SETTLEMENT_READ)

BREAKS = by("merchant", "operator", "auditor", scope=Scope.SETTLEMENT_READ)
BREAK_WORKERS = by("merchant", "operator", scope=Scope.RECONCILE_WRITE)
RERATERS = by("operator", scope=Scope.SETTLEMENT_WRITE)
PARTNER_FILES = by("merchant", "operator", scope=Scope.SETTLEMENT_READ)
RECONCILERS = by("merchant", "operator", scope=Scope.RECONCILE_WRITE)
RERATES = by("merchant", "operator", "auditor", scope=Scope.SETTLEMENT_READ)

QUERIES: dict[str, Policy | None] = {
    **fields(APPROVALS, "approvals"),
    **fields(RERATERS, "previewRerate"),
    **fields(RERATES, "rerates"),
    **fields(BREAKS, "breaks breakAges"),
    **fields(PARTNER_FILES, "partnerFiles checkPartnerFile"),
}

MUTATIONS: dict[str, Policy | None] = {
    **fields(APPROVERS, "approve refuseApproval withdrawApproval"),
    **fields(RERATERS, "rerate rerateAgain adjustLine"),
    **fields(BREAK_WORKERS, "assignBreaks noteBreaks claimBreaks writeOffBreaks adjustBreaks"),
    **fields(RECONCILERS, "submitPartnerFile"),
}

_ERROR = "code message path"

TYPES: dict[str, dict[str, Policy | None]] = {
    name: fields(PARENT, names)
    for name, names in {
        "Approval": "id act args amount reason status askedBy askedAt decidedBy decidedAt decision outcome merchant",
        **dict.fromkeys(("Approved", "ApprovalRefused", "ApprovalWithdrawn"), "approval"),
        "SameHands": _ERROR,
        "ApprovalClosed": f"{_ERROR} status",
        "Rerate": "id agreement from to version prices reason asOf finishedAt done askedBy approvedBy totals",
        "RightPrice": "kind currency price",
        "RerateTotal": "debtor creditor cycle lines before after",
        "ReratePreview": "lines lookedAt complete totals samples left",
        "RerateSample": "kind debtor creditor currency points priceBefore priceAfter before after",
        "NotRerated": "reason lines",
        "Rerated": "preview approval",
        "RerateBegun": "rerate",
        "NothingToRerate": _ERROR,
        "Break": "id merchant counterparty cycle outcome status key lineNumber line ours theirs difference orderRef "
        "occurredOn openedAt dueAt ageDays owner closedAt closedBy reason resolution notes",
        "BreakNote": "text by at",
        "BreakAge": "youngest oldest count amount",
        "BreaksWorked": "items approval",
        "BreakItem": "break waits refusal",
        "BreakClosed": f"{_ERROR} status",
        "BreakWaits": f"{_ERROR} until",
        "BreakMoved": _ERROR,
        "NothingToClaim": _ERROR,
        "LineAdjusted": "operation approval",
        "ActRefused": f"{_ERROR} act refusal",
        "PartnerFile": "id name key digest size status mapping day dryRun receivedAt submittedAt finishedAt lines"
        " merchant partner cycle amount tolerated outcomes refusal problems progress supersededBy",
        "ReconOutcomeCount": "outcome theirs ours theirSum ourSum",
        "PartnerFileProblem": "line column reason",
        "PartnerFileRefusal": "code message",
        "PartnerFileProgress": "step done total",
        "PartnerFileColumn": "meaning column",
        "PartnerFileCheck": "ok lines skipped amount columns refusal problemCount problems",
        "PartnerFileSubmitted": "file",
        "PartnerFileBusy": f"{_ERROR} status",
    }.items()
}

LISTED = "Approval Rerate Claim Break PartnerFile Invoice"
"""Types that are listed in connections."""

QUERIES |= liability_policies.QUERIES
for _part in (banking_policies, calendar_policies, claim_policies, default_policies, invoice_policies):
    QUERIES |= _part.QUERIES
    MUTATIONS |= _part.MUTATIONS
    TYPES |= _part.TYPES
TYPES |= liability_policies.TYPES
LISTED += f" {banking_policies.LISTED} {default_policies.LISTED} {liability_policies.LISTED}"
