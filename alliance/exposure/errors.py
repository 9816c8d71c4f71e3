"""How a cap refuses. It says nothing of figures: a member never sees what merchants owe each other (A14)."""

from domain.errors import Refusal


class MerchantAtCap(Refusal):
    """`merchant` would come to owe the alliance more than it may; there is room again as it settles."""

    code = "MERCHANT_AT_CAP"
    text = {
        "en": "{merchant} cannot take on more for now: try again later",
        "zh-CN": "{merchant} 暂时无法承接更多，请稍后再试",
    }
