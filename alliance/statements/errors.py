"""How files of statements are refused."""

from domain.errors import Refusal


class NotInCheckpoint(Refusal):
    """Lines of the statement came into the log after it had `size` leaves, or are not in it yet."""

    code = "NOT_IN_CHECKPOINT"
    text = {
        "en": "the log of {size} operations does not hold all lines of this statement (yet)",
        "zh-CN": "包含 {size} 个操作的日志中尚无此对账单的全部明细",
    }


class NotSigned(Refusal):
    """The statement was issued and is not signed yet; the scheduler signs within seconds."""

    code = "NOT_SIGNED"
    text = {"en": "this statement is not signed yet", "zh-CN": "此对账单尚未签名"}
