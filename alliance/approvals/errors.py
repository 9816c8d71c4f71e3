"""How an approval is refused."""

from domain.errors import Refusal


class SameHands(Refusal):
    """Who asked for it cannot approve it too (A16)."""

    code = "SAME_HANDS"
    text = {"en": "somebody else than who asked for it has to decide", "zh-CN": "须由申请人以外的人审批"}
    remembered = False


class ApprovalClosed(Refusal):
    """It was decided before."""

    code = "APPROVAL_CLOSED"
    text = {"en": "this was decided before: {status}", "zh-CN": "该申请已处理：{status}"}


class ActRefused(Refusal):
    """What was asked for is not possible (any more): `refusal` is the code of what the act refused, `reason` its
    words. It stays waiting."""

    code = "ACT_REFUSED"
    text = {"en": "it cannot be done: {reason}", "zh-CN": "无法执行：{reason}"}
    remembered = False
