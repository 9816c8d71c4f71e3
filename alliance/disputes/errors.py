"""How an objection is refused."""

from domain.errors import Refusal


class ObjectionTooLate(Refusal):
    """Objections to this statement were heard until `until` (RFC 3339)."""

    code = "OBJECTION_TOO_LATE"
    text = {"en": "objections were heard until {until}", "zh-CN": "异议期已于 {until} 截止"}


class ObjectionUnfounded(Refusal):
    """The line is not as the objection says; `reason` is the kind of objection."""

    code = "OBJECTION_UNFOUNDED"
    text = {"en": "the line is not as the objection says: {reason}", "zh-CN": "该明细与异议所述不符：{reason}"}


class ObjectionLimitExceeded(Refusal):
    """With these lines more than `cap` of the pair's gross would be in dispute; `used` is. Decimal amounts of money."""

    code = "OBJECTION_LIMIT_EXCEEDED"
    text = {
        "en": "at most a tenth of what two merchants owe each other in a cycle may be objected to",
        "zh-CN": "每个周期双方往来总额中最多十分之一可提出异议",
    }


class AlreadyObjected(Refusal):
    """The line is in dispute already."""

    code = "ALREADY_OBJECTED"
    text = {"en": "this line was objected to already", "zh-CN": "该明细已提出异议"}
