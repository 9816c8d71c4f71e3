"""How codes are refused."""

from domain.errors import Refusal


class MemberCodeExpired(Refusal):
    """The code was shown after its time (or, by a till's clock, before it); it was good until `until`."""

    code = "MEMBER_CODE_EXPIRED"
    text = {
        "en": "this code was good until {until}: have the member show a new one",
        "zh-CN": "该会员码已于 {until} 失效，请出示新码",
    }


class MemberCodeUsed(Refusal):
    """A code is good for one effect, and had it."""

    code = "MEMBER_CODE_USED"
    text = {
        "en": "this code has been used: have the member show a new one",
        "zh-CN": "该会员码已使用，请出示新码",
    }
