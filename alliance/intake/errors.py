"""How a feed's line is refused before any rule has looked at it."""

from domain.errors import Refusal


class MalformedLine(Refusal):
    """The line is not JSON."""

    code = "MALFORMED_LINE"
    text = {"en": "not JSON: {reason}", "zh-CN": "不是有效的 JSON：{reason}"}
    remembered = False


class LineTooLong(Refusal):
    """The line is longer than a line may be; it was not read."""

    code = "LINE_TOO_LONG"
    text = {"en": "a line has at most {limit} bytes", "zh-CN": "每行最多 {limit} 字节"}
    remembered = False
