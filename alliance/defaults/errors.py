"""How a default, and what is deposited against one, is refused."""

from domain.errors import Refusal


class PayInNotMissing(Refusal):
    """Nothing that `merchant` was to pay in cycle `number` is missing."""

    code = "PAY_IN_NOT_MISSING"
    text = {
        "en": "nothing that {merchant} was to pay in cycle {number} is missing",
        "zh-CN": "{merchant} 在结算周期 {number} 中没有未到账的应付款",
    }


class GraceNotOver(Refusal):
    """What is missing may still be paid until `until` (RFC 3339)."""

    code = "GRACE_NOT_OVER"
    text = {"en": "it may still be paid until {until}", "zh-CN": "宽限期至 {until}，在此之前仍可付款"}


class DefaultNotRepaid(Refusal):
    """A merchant in default is restored once it has repaid what others lost; `missing` is left."""

    code = "DEFAULT_NOT_REPAID"
    text = {"en": "{missing} of what others lost has not been repaid", "zh-CN": "其他方的损失尚有 {missing} 未偿还"}


class DepositNeeded(Refusal):
    """Of what is deposited only `releasable` is not needed."""

    code = "DEPOSIT_NEEDED"
    text = {"en": "no more than {releasable} can be released", "zh-CN": "最多可释放 {releasable}"}


class PointsNotHonoured(Refusal):
    """`merchant` is in default, and its points are taken at its own tills alone."""

    code = "POINTS_NOT_HONOURED"
    text = {
        "en": "points of {merchant} can be spent at partners no more",
        "zh-CN": "{merchant} 的积分已不能在合作商户使用",
    }
