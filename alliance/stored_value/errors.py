"""How stored value refuses (L4, L5)."""

from domain.errors import Refusal


class StoredValueElsewhere(Refusal):
    """Stored value of this `currency` is used at its issuer and its issuer's group, and `merchant` is neither."""

    code = "STORED_VALUE_ELSEWHERE"
    text = {
        "en": "{currency} is used only at its issuer and its group, not at {merchant}",
        "zh-CN": "{currency} 仅限发行方及其集团内使用，不可在 {merchant} 使用",
    }


class StoredValueNotExchanged(Refusal):
    """Stored value never becomes points, nor points stored value: `currency`."""

    code = "STORED_VALUE_NOT_EXCHANGED"
    text = {
        "en": "{currency} is money that was paid: it is not exchanged",
        "zh-CN": "{currency} 为预付储值，不可兑换",
    }
    remembered = False


class StoredValueNotEarned(Refusal):
    """Stored value is paid for, never earned: `currency`."""

    code = "STORED_VALUE_NOT_EARNED"
    text = {"en": "{currency} is paid for, not earned", "zh-CN": "{currency} 须充值获得，不可通过消费累积"}
    remembered = False


class StoredValueLimitExceeded(Refusal):
    """A wallet holds at most `cap` minor units there and has `used`; who is known by a verified identifier may more."""

    code = "STORED_VALUE_LIMIT_EXCEEDED"
    text = {
        "en": "the law limits the wallet to {cap} minor units, {used} are in it",
        "zh-CN": "依照法规该账户余额上限为 {cap}（最小货币单位），现有 {used}",
    }
