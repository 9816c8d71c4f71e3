"""Who may see and change the business calendar and deadlines, and read reports; see policies.py."""

from resolvers.policy import PARENT, Policy, by
from resolvers.viewer import Scope
from schema.fields import fields

KEEPERS = by("operator", scope=Scope.CALENDAR_WRITE)

READERS = by("merchant", "operator", "auditor", scope=Scope.SETTLEMENT_READ)

QUERIES: dict[str, Policy | None] = fields(READERS, "businessCalendar")

QUERIES |= fields(READERS, "exposureHistory settlementHistory ageing backAtZero obligationTotals")

MUTATIONS: dict[str, Policy | None] = fields(KEEPERS, "declareBusinessDays extendDeadline")

MUTATIONS |= fields(by("merchant", "operator", scope=Scope.CORRECTIONS_WRITE), "waiveFee writeOffBalance")

TYPES: dict[str, dict[str, Policy | None]] = {
    name: fields(PARENT, names)
    for name, names in {
        "BusinessDay": "date business holiday declared marks",
        "CalendarMark": "kind at cycle",
        "DeadlineExtension": "kind before until at",
        "BusinessDaysDeclared": "days",
        "DeadlineExtended": "cycle approval",
        "CutOffExposure": "cycle merchant owed cap percent alerts highest",
        "SettledCycle": "cycle netting days",
        "OpenItems": "what merchant against fromDays toDays count amount",
        "BackAtZero": "merchant partner lines within share",
        **dict.fromkeys(("FeeWaived", "BalanceWrittenOff"), "amount approval"),
        "ObligationTotal": "debtor creditor kind lines amount",
    }.items()
}
TYPES["DeadlineExtension"] |= fields(by("operator", "auditor", scope=Scope.SETTLEMENT_READ), "by reason")
