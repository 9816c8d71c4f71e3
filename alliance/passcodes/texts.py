"""What the message with a code says."""

from domain.contacts.model import ContactChannel
from domain.passcodes.commands import LIFE

SUBJECT = {"en": "Your code for {merchant}", "zh-CN": "{merchant}验证码"}
TEXT = {
    "en": "{merchant}: your code is {code}. It is good for {minutes} minutes. Tell it to nobody.",
    "zh-CN": "【{merchant}】您的验证码是 {code}，{minutes} 分钟内有效。请勿告诉他人。",
}
CHANNELS = {"e164": ContactChannel.SMS, "email": ContactChannel.EMAIL}
"""By how an identifier is normalised: what reaches it."""


def words(language: str, merchant: str, code: str) -> tuple[str, str]:
    """Subject and text."""
    minutes = int(LIFE.total_seconds()) // 60
    found = language if language in TEXT else "en"
    return SUBJECT[found].format(merchant=merchant), TEXT[found].format(merchant=merchant, code=code, minutes=minutes)
