"""How a file, or a row of one, is refused before any rule of the ledger has looked at it."""

from domain.errors import Refusal


class FeedOutOfBounds(Refusal):
    """The feed's folder lies outside of what the operator allows."""

    code = "FEED_OUT_OF_BOUNDS"
    text = {"en": "{url} is not allowed by the settings of this service", "zh-CN": "本服务的设置不允许访问 {url}"}
    remembered = False


class FileRepeated(Refusal):
    """A file of the same content was taken in before: `run` says when."""

    code = "FILE_REPEATED"
    text = {"en": "the same content was taken in by run {run}", "zh-CN": "相同内容已由运行 {run} 处理"}
    remembered = False


class FileChanged(Refusal):
    """The file is not what it was when it was taken."""

    code = "FILE_CHANGED"
    text = {"en": "the file changed, or went, while it was read", "zh-CN": "文件在读取过程中被更改或移除"}
    remembered = False


class FileUnreadable(Refusal):
    """The file is not of its feed's format; `line` is where that shows."""

    code = "FILE_UNREADABLE"
    text = {"en": "line {line}: {reason}", "zh-CN": "第 {line} 行：{reason}"}
    remembered = False


class BrokenCsv(Refusal):
    """The row is no CSV."""

    code = "BROKEN_CSV"
    text = {"en": "not CSV in UTF-8: {reason}", "zh-CN": "不是有效的 UTF-8 CSV：{reason}"}
    remembered = False


class ColumnMissing(Refusal):
    """A column that the feed's mapping names is not in the file."""

    code = "COLUMN_MISSING"
    text = {"en": "column {column!r} is missing", "zh-CN": "缺少列 {column!r}"}
    remembered = False


class RowsDiffer(Refusal):
    """Rows of one order say different things of it."""

    code = "ROWS_DIFFER"
    text = {
        "en": "{column!r} is not the same in all rows of the order: line {line} differs",
        "zh-CN": "同一订单各行的 {column!r} 不一致：第 {line} 行不同",
    }
    remembered = False


class RunNotUndoable(Refusal):
    """Only a run that ended, and was not undone, can be undone: `status`."""

    code = "RUN_NOT_UNDOABLE"
    text = {"en": "the run is {status}: it cannot be undone", "zh-CN": "该运行状态为 {status}，无法撤销"}
    remembered = False
