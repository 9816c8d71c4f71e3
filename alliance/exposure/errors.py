"""How caps and freezes refuse. They say no figures: a member never sees what merchants owe each other (A14)."""

from domain.errors import Refusal


class MerchantAtCap(Refusal):
    """`merchant` would come to owe the alliance more than it may; there is room again as it settles."""

    code = "MERCHANT_AT_CAP"
    text = {
        "en": "{merchant} cannot take on more for now: try again later",
        "zh-CN": "{merchant} 暂时无法承接更多，请稍后再试",
    }


class MerchantFrozen(Refusal):
    """`merchant` is frozen: none of its points are issued, it grants none, and none are exchanged for or from them."""

    code = "MERCHANT_FROZEN"
    text = {
        "en": "{merchant} takes part in nothing new for now: what members have stays theirs",
        "zh-CN": "{merchant} 暂停新的发放与兑换，会员已有积分不受影响",
    }


class MerchantNotFrozen(Refusal):
    """`merchant` is not frozen: there is nothing to restore."""

    code = "MERCHANT_NOT_FROZEN"
    text = {"en": "{merchant} is not frozen", "zh-CN": "{merchant} 未被冻结"}
