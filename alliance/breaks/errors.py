"""How working a break is refused."""

from domain.errors import Refusal


class BreakClosed(Refusal):
    """It ended before: it was claimed, adjusted, written off, or matched."""

    code = "BREAK_CLOSED"
    text = {"en": "this break is closed: {status}", "zh-CN": "该差异已结案：{status}"}


class BreakWaits(Refusal):
    """A difference in time only: until `until` (RFC 3339) the other side may still book it."""

    code = "BREAK_WAITS"
    text = {"en": "it may still be booked until {until}", "zh-CN": "{until} 之前仍可能入账"}


class BreakMoved(Refusal):
    """Our line was corrected otherwise: what is left of the break is told by those corrections."""

    code = "BREAK_MOVED"
    text = {"en": "our line was corrected otherwise", "zh-CN": "我方明细已另行更正"}


class NothingToClaim(Refusal):
    """The difference is in favour of the other side, or of nobody known."""

    code = "NOTHING_TO_CLAIM"
    text = {"en": "the difference is not in this merchant's favour", "zh-CN": "该差异并非对本商户有利"}
