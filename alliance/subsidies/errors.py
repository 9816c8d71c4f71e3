"""How a subsidy refuses. To others than its merchants it says no more than that there is none left (A14)."""

from domain.errors import Refusal


class SubsidyExhausted(Refusal):
    """No more points of `currency` may be issued for less than is paid for them, by `version` of `agreement`."""

    code = "SUBSIDY_EXHAUSTED"
    text = {"en": "no more {currency} can be issued here for now", "zh-CN": "此处暂时无法再发放 {currency}"}
