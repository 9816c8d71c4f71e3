"""Who may see what is owed for points that are out; see policies.py."""

from resolvers.policy import PARENT, Policy, by
from resolvers.viewer import Scope
from schema.fields import fields

QUERIES: dict[str, Policy | None] = fields(
    by("merchant", "operator", "auditor", scope=Scope.LIABILITY_READ), "liability"
)

TYPES: dict[str, dict[str, Policy | None]] = {
    name: fields(PARENT, names)
    for name, names in {
        "Liability": "merchant month endsAt closedAt programmes",
        "LiabilityProgramme": "currency estimate points money postings cohorts",
        "LiabilityEstimate": "use by why policyVersion payable curve",
        "LiabilityAge": "age used ended atRisk cohorts",
        "LiabilityCohort": "issued points money use",
        "LiabilityPoints": "opening granted exchangedIn redeemed exchanged expired adjusted reversed transferred"
        " closing",
        "LiabilityMoney": "opening sold funded takenSold takenFunded commission redeemed exchanged change closing"
        " current nonCurrent",
        "LiabilityPosting": "account amount",
    }.items()
}

LISTED = "LiabilityCohort"
"""Types that are listed in connections."""
