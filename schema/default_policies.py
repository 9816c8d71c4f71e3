"""Who may see and do what about defaults and deposits; see policies.py."""

from resolvers.policy import PARENT, Policy, by
from resolvers.viewer import Scope
from schema.fields import fields

DEFAULTS = by("merchant", "operator", "auditor", scope=Scope.SETTLEMENT_READ)
DECLARING = by("operator", scope=Scope.DEFAULTS_WRITE)
DEPOSITING = by("operator", scope=Scope.COLLATERAL_WRITE)

QUERIES: dict[str, Policy | None] = fields(DEFAULTS, "defaults moneyAccounts")

MUTATIONS: dict[str, Policy | None] = {
    **fields(DECLARING, "declareDefault recordRecovery"),
    **fields(by("merchant", "operator", scope=Scope.AGREEMENTS_WRITE), "announceExit withdrawExit"),
    **fields(DEPOSITING, "postCollateral releaseCollateral drawCollateral"),
}

_ERROR = "code message path"

TYPES: dict[str, dict[str, Policy | None]] = {
    name: fields(PARENT, names)
    for name, names in {
        "MerchantDefault": "id merchant cycle declaredAt honouredUntil endedAt reason waterfall shares recoveries",
        "DefaultShare": "merchant claim fund loss repaid honoured",
        "Recovery": "amount losses reserve fund collateral kept recordedAt reason",
        "Waterfall": "debts claims received missing collateral ownFund fund loss",
        "DefaultPreview": "waterfall shares graceUntil",
        "MoneyAccount": "merchant account balance promised",
        "DefaultDeclared": "default preview approval",
        "RecoveryRecorded": "default approval",
        "DepositMoved": "merchant accounts approval",
        "MerchantExit": "status announcedAt endsAt runsOffTo lastCycle claimsUntil withdrawnAt reason obstacles",
        **dict.fromkeys(("ExitAnnounced", "ExitWithdrawn"), "merchant exit"),
        **dict.fromkeys(("AlreadyLeaving", "NotLeaving"), f"{_ERROR} merchant"),
        "PayInNotMissing": f"{_ERROR} merchant number",
        "GraceNotOver": f"{_ERROR} until",
        "DefaultNotRepaid": f"{_ERROR} missing",
        "NotEnoughMoney": f"{_ERROR} account available requested",
        "PointsNotHonoured": f"{_ERROR} merchant",
        "DepositNeeded": f"{_ERROR} releasable",
    }.items()
}

LISTED = "MerchantDefault MoneyAccount"
"""Types that are listed in connections."""
