"""How a partner's file is refused, as a whole: before it is matched, or before it is even kept."""

from domain.errors import Refusal


class PartnerFileUnreadable(Refusal):
    """Lines cannot be read: `problems` of them; the first is in `line` (and `column`), and why is its `reason`."""

    code = "PARTNER_FILE_UNREADABLE"
    text = {
        "en": "{problems} lines cannot be read; line {line}, {column}: {reason}",
        "zh-CN": "{problems} 行无法读取；第 {line} 行，{column}：{reason}",
    }
    remembered = False


class TrailerDiffers(Refusal):
    """What the end of the file says of it is not what its lines come to. `what` differs, `said` and `found`."""

    code = "TRAILER_DIFFERS"
    text = {
        "en": "the trailer does not add up: {what} is {said} there, and {found} in the lines",
        "zh-CN": "文件尾不符：{what} 在文件尾为 {said}，按明细为 {found}",
    }
    remembered = False


class TrailerMissing(Refusal):
    """The file ends without the trailer that it has to carry: it may be cut off."""

    code = "TRAILER_MISSING"
    text = {"en": "the file has no trailer: it may be cut off", "zh-CN": "文件缺少文件尾，可能不完整"}
    remembered = False


class FileColumnMissing(Refusal):
    """A column that the mapping names is not in the file."""

    code = "FILE_COLUMN_MISSING"
    text = {"en": "column {column!r} is missing", "zh-CN": "缺少列 {column!r}"}
    remembered = False


class PartnerFileTooLarge(Refusal):
    """The file has more than `limit` bytes."""

    code = "PARTNER_FILE_TOO_LARGE"
    text = {"en": "the file has more than {limit} bytes", "zh-CN": "文件超过 {limit} 字节"}
    remembered = False


class PartnerFileBusy(Refusal):
    """The file is being reconciled, or was for another period: `status`."""

    code = "PARTNER_FILE_BUSY"
    text = {
        "en": "the file is {status}, for this or another period: send it under another key",
        "zh-CN": "该文件状态为 {status}（本期或其他期间），请使用其他键重新发送",
    }
    remembered = False
