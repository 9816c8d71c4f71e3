"""How an exchange refuses."""

from domain.errors import Refusal


class QuoteExpired(Refusal):
    """The quote was good until `expired`."""

    code = "QUOTE_EXPIRED"
    text = {"en": "the quote expired at {expired}", "zh-CN": "报价已于 {expired} 过期"}


class QuoteUsed(Refusal):
    """The quote was used by `operation`."""

    code = "QUOTE_USED"
    text = {"en": "the quote has been used", "zh-CN": "报价已被使用"}


class CapExceeded(Refusal):
    """A member, or all together, may exchange `cap` points a day between these currencies; `used` are exchanged."""

    code = "CAP_EXCEEDED"
    text = {"en": "the cap is {cap}, {used} is used", "zh-CN": "上限为 {cap}，已用 {used}"}


class BelowMinimum(Refusal):
    """At least `minimum` points must go out for anything to come in."""

    code = "BELOW_MINIMUM"
    text = {"en": "at least {minimum} points must be exchanged", "zh-CN": "至少需要兑换 {minimum} 积分"}


class TooManyExchanges(Refusal):
    """A member may exchange `cap` times a day between these currencies and has done so `used` times."""

    code = "TOO_MANY_EXCHANGES"
    text = {"en": "at most {cap} exchanges a day, {used} were made", "zh-CN": "每日最多兑换 {cap} 次，已兑换 {used} 次"}
