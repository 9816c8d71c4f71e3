"""How objections, claims and what is done about them are refused."""

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


class ClaimTooEarly(Refusal):
    """The line's cycle, of this `number`, is not settled: until it is confirmed, lines are objected to."""

    code = "CLAIM_TOO_EARLY"
    text = {"en": "cycle {number} is not settled yet", "zh-CN": "第 {number} 期尚未结清"}


class ClaimTooLate(Refusal):
    """Claims on lines of this cycle were raised until `until` (RFC 3339)."""

    code = "CLAIM_TOO_LATE"
    text = {"en": "claims were heard until {until}", "zh-CN": "索赔期已于 {until} 截止"}


class ClaimTooLarge(Refusal):
    """No more than `room` of the line can be claimed. A decimal amount of money."""

    code = "CLAIM_TOO_LARGE"
    text = {"en": "no more than {room} of this line can be claimed", "zh-CN": "该明细最多可索赔 {room}"}


class LineInDispute(Refusal):
    """The line is in dispute already, or the operator has decided on it."""

    code = "LINE_IN_DISPUTE"
    text = {"en": "this line is in dispute, or was decided on", "zh-CN": "该明细正在争议中或已有裁定"}


class WrongClaimStatus(Refusal):
    """In its state and round this step is not the caller's to take."""

    code = "WRONG_CLAIM_STATUS"
    text = {
        "en": "{move} is not possible: the claim is {status}, in round {round}",
        "zh-CN": "无法执行 {move}：索赔状态为 {status}，第 {round} 轮",
    }


class AnswerTooLate(Refusal):
    """The step was to be taken until `until` (RFC 3339): silence has decided."""

    code = "ANSWER_TOO_LATE"
    text = {"en": "this was to be done until {until}: silence decides", "zh-CN": "期限已于 {until} 截止，逾期视为默认"}


class TooManyAttachments(Refusal):
    """So many files of this merchant belong to no claim yet."""

    code = "TOO_MANY_ATTACHMENTS"
    text = {"en": "{most} files wait for their claims already", "zh-CN": "已有 {most} 个文件尚未用于索赔"}
