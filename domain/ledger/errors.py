"""How the ledger refuses."""

from domain.errors import Refusal


class Overloaded(Exception):
    """The engine's queue is full, or a call waited past its deadline: try again after `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"the posting queue is full, try again in {retry_after} s")


class InsufficientPoints(Refusal):
    """A debit asks for more than is available: `available`, `requested`."""

    code = "INSUFFICIENT_POINTS"
    text = {
        "en": "{requested} points were asked for, {available} are available",
        "zh-CN": "积分不足：需要 {requested}，可用 {available}",
    }


class BalanceLimitExceeded(Refusal):
    """A credit would take a wallet past the largest balance that clients can read exactly (2^53 - 1)."""

    code = "BALANCE_LIMIT_EXCEEDED"
    text = {"en": "the balance would pass {limit}", "zh-CN": "余额将超过上限 {limit}"}


class MemberNotActive(Refusal):
    """The member may look, but not move points: `status`."""

    code = "MEMBER_NOT_ACTIVE"
    text = {"en": "the member is {status}", "zh-CN": "会员状态为 {status}，无法操作"}


class DuplicateOrder(Refusal):
    """The merchant declares orders unique, and this one has been booked: `operation` is the first one's id."""

    code = "DUPLICATE_ORDER"
    text = {"en": "order {order} has been booked before", "zh-CN": "订单 {order} 已入账"}


class AlreadyReversed(Refusal):
    """The operation was reversed before: `operation` is the reversal's id."""

    code = "ALREADY_REVERSED"
    text = {"en": "the operation was reversed before", "zh-CN": "该操作已被撤销"}


class NotReversible(Refusal):
    """An operation of this `kind` cannot be reversed."""

    code = "NOT_REVERSIBLE"
    text = {"en": "an operation of kind {kind} cannot be reversed", "zh-CN": "类型为 {kind} 的操作无法撤销"}
