"""How clearing refuses."""

from domain.errors import Refusal


class NoAgreement(Refusal):
    """No agreement in force at the time of the event lets this merchant do this with another's points."""

    code = "NO_AGREEMENT"
    text = {
        "en": "no agreement in force lets {merchant} {event} {currency}",
        "zh-CN": "没有生效的协议允许 {merchant} 对 {currency} 执行 {event}",
    }
