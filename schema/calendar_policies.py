"""Who may see and change the business calendar and deadlines; see policies.py."""

from resolvers.policy import PARENT, Policy, by
from resolvers.viewer import Scope
from schema.fields import fields

KEEPERS = by("operator", scope=Scope.CALENDAR_WRITE)

QUERIES: dict[str, Policy | None] = fields(
    by("merchant", "operator", "auditor", scope=Scope.SETTLEMENT_READ), "businessCalendar"
)

MUTATIONS: dict[str, Policy | None] = fields(KEEPERS, "declareBusinessDays extendDeadline")

TYPES: dict[str, dict[str, Policy | None]] = {
    name: fields(PARENT, names)
    for name, names in {
        "BusinessDay": "date business holiday declared marks",
        "CalendarMark": "kind at cycle",
        "DeadlineExtension": "kind before until at",
        "BusinessDaysDeclared": "days",
        "DeadlineExtended": "cycle approval",
    }.items()
}
TYPES["DeadlineExtension"] |= fields(by("operator", "auditor", scope=Scope.SETTLEMENT_READ), "by reason")
