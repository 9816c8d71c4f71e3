"""Who may see and do what with claims and objections; see policies.py."""

from resolvers.policy import PARENT, Policy, by
from resolvers.viewer import Scope
from schema.fields import fields

READERS = by("merchant", "operator", "auditor", scope=Scope.SETTLEMENT_READ)
PARTIES = by("merchant", "operator", scope=Scope.CLAIMS_WRITE)
OPERATOR = by("operator", scope=Scope.CLAIMS_WRITE)

QUERIES: dict[str, Policy | None] = fields(READERS, "claims claim")

MUTATIONS: dict[str, Policy | None] = fields(PARTIES, "raiseClaim answerClaim") | fields(OPERATOR, "decideClaim")

_ERROR = "code message path"

TYPES: dict[str, dict[str, Policy | None]] = {
    name: fields(PARENT, names)
    for name, names in {
        "Claim": "id door status round by against line claimCode claimed quantity granted accepted waitsFor dueAt"
        " raisedAt decidedAt steps",
        "ClaimStep": "number move side merchant at amount text attachments",
        "Attachment": "id name mediaType size sha256 path",
        **dict.fromkeys(("ClaimRaised", "ClaimAnswered", "ClaimDecided"), "claim"),
        "ClaimTooEarly": f"{_ERROR} number",
        "ClaimTooLate": f"{_ERROR} until",
        "ClaimTooLarge": f"{_ERROR} room",
        "LineInDispute": _ERROR,
        "WrongClaimStatus": f"{_ERROR} status round",
        "AnswerTooLate": f"{_ERROR} until",
    }.items()
}
