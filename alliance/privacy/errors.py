"""How erasure is refused."""

from domain.errors import Refusal


class UnderLegalHold(Refusal):
    """What is known of the member must be kept `until` then (None: until the hold is released)."""

    code = "UNDER_LEGAL_HOLD"
    text = {
        "en": "the member's data must be kept under a legal hold (until: {until})",
        "zh-CN": "该会员的数据因法律保留须继续保存（至：{until}）",
    }
    remembered = False


class AlreadyErased(Refusal):
    """There is nothing left to erase or to export."""

    code = "ALREADY_ERASED"
    text = {"en": "the member was erased", "zh-CN": "该会员的个人数据已删除"}
