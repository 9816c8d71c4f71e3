"""Too often."""

from domain.errors import Refusal


class TooManyAttempts(Refusal):
    """Tried so often that one has to wait `retry_after` seconds."""

    code = "TOO_MANY_ATTEMPTS"
    text = {
        "en": "too many attempts: try again in {retry_after} s",
        "zh-CN": "尝试次数过多，请在 {retry_after} 秒后重试",
    }
    remembered = False
