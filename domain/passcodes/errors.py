"""How one-time codes are refused."""

from domain.errors import Refusal


class WrongOneTimeCode(Refusal):
    """Not the code that was sent there last, or too late, or tried too often: which of it is not said."""

    code = "WRONG_ONE_TIME_CODE"
    text = {
        "en": "this is not the code that was sent, or it is no good any more: ask for another",
        "zh-CN": "验证码错误或已失效，请重新获取",
    }
    remembered = False
