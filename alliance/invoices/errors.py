"""How a partner's invoice is refused to be recorded."""

from domain.errors import Refusal


class AlreadyRecorded(Refusal):
    """An issuer has one invoice of a number."""

    code = "ALREADY_RECORDED"
    text = {
        "en": "an invoice {number} of this merchant was recorded before",
        "zh-CN": "该商家编号为 {number} 的发票已登记",
    }
