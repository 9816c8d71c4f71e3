"""Who may see and do what as merchants settle: breaks, disputes, money, default, liability; see policies.py."""

from resolvers.policy import PARENT, Policy, by
from resolvers.viewer import Scope
from schema.fields import fields

APPROVERS = by("merchant", "operator", scope=Scope.APPROVALS_WRITE)
APPROVALS = by("merchant", "operator", "auditor", scope=Scope.SETTLEMENT_READ)

QUERIES: dict[str, Policy | None] = {
    **fields(APPROVALS, "approvals"),
}

MUTATIONS: dict[str, Policy | None] = {
    **fields(APPROVERS, "approve refuseApproval withdrawApproval"),
}

_ERROR = "code message path"

TYPES: dict[str, dict[str, Policy | None]] = {
    name: fields(PARENT, names)
    for name, names in {
        "Approval": "id act args amount reason status askedBy askedAt decidedBy decidedAt decision outcome merchant",
        **dict.fromkeys(("Approved", "ApprovalRefused", "ApprovalWithdrawn"), "approval"),
        "SameHands": _ERROR,
        "ApprovalClosed": f"{_ERROR} status",
        "ActRefused": f"{_ERROR} act refusal",
    }.items()
}

LISTED = "Approval"
"""Types that are listed in connections."""
