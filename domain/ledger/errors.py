"""How the ledger refuses."""

from collections.abc import Sequence
from typing import Any

from domain.errors import Refusal


class Overloaded(Exception):
    """The engine's queue is full, or a call waited past its deadline: try again after `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"the posting queue is full, try again in {retry_after} s")


class Unposted(Refusal):
    """The answer of a feed to what could not be posted for a reason that is ours: the same key may be tried again."""

    code = "INTERNAL"
    text = {"en": "this could not be posted; try it again", "zh-CN": "未能入账，请重试"}
    remembered = False


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


class LimitExceeded(Refusal):
    """An earn would pass one of its currency's limits: `limit` (its name), `cap`, `used`, `requested` (R9)."""

    code = "LIMIT_EXCEEDED"
    text = {
        "en": "{requested} points would pass the limit {limit} of {cap}, of which {used} are used",
        "zh-CN": "{requested} 积分将超过限额 {limit}（上限 {cap}，已用 {used}）",
    }


class NotPending(Refusal):
    """Nothing of the earn is pending, so that nothing can be confirmed or rejected."""

    code = "NOT_PENDING"
    text = {"en": "nothing of the operation is pending", "zh-CN": "该操作没有待生效的积分"}


class MemberNotActive(Refusal):
    """The member may look, but not move points: `status`; `until`, where one is frozen for a while."""

    code = "MEMBER_NOT_ACTIVE"
    text = {"en": "the member is {status}", "zh-CN": "会员状态为 {status}，无法操作"}


class MemberMerged(MemberNotActive):
    """The member became another while the call was under way: whoever made it asks again who is meant."""

    remembered = False

    def __init__(self, *, path: Sequence[str] = (), **data: Any) -> None:
        super().__init__(path=path, **{"status": "CLOSED"} | data)


class NotMerged(Refusal):
    """Nobody was merged who is called so, or it was undone."""

    code = "NOT_MERGED"
    text = {"en": "the member was not merged into another", "zh-CN": "该会员未被合并"}


class MergeBlocked(Refusal):
    """Two members do not become one yet: `obstacles` are what is in the way, each with its `kind` and figures."""

    code = "MERGE_BLOCKED"
    text = {"en": "the members cannot be merged: {kinds}", "zh-CN": "会员无法合并：{kinds}"}

    def __init__(self, *, obstacles: Sequence[dict[str, Any]] = (), path: Sequence[str] = (), **data: Any) -> None:
        kinds = ", ".join(dict.fromkeys(str(one["kind"]) for one in obstacles))
        super().__init__(path=path, **{"obstacles": list(obstacles), "kinds": kinds} | data)


class UnmergeBlocked(MergeBlocked):
    """A merge cannot be undone any more: `obstacles` are what became of what was carried."""

    code = "UNMERGE_BLOCKED"
    text = {"en": "the merge cannot be undone: {kinds}", "zh-CN": "合并无法撤销：{kinds}"}


class HolderStopped(Refusal):
    """The books of this wallet differ, and nothing is posted to it until they are put right."""

    code = "HOLDER_STOPPED"
    text = {
        "en": "nothing is posted to this wallet until its books are put right",
        "zh-CN": "该账户账目有出入，核对更正之前暂停记账",
    }
    remembered = False


class DuplicateOrder(Refusal):
    """The merchant declares orders unique, and this one has been booked: `operation` is the first one's id."""

    code = "DUPLICATE_ORDER"
    text = {"en": "order {order} has been booked before", "zh-CN": "订单 {order} 已入账"}


class AlreadyCaptured(Refusal):
    """The hold was captured before: `operation` is the capture's id."""

    code = "ALREADY_CAPTURED"
    text = {"en": "the hold was captured before", "zh-CN": "该冻结已被扣款"}


class AlreadyReleased(Refusal):
    """The hold was released before."""

    code = "ALREADY_RELEASED"
    text = {"en": "the hold was released before", "zh-CN": "该冻结已被解除"}


class HoldLapsed(Refusal):
    """The hold's time is over: `expired` says when."""

    code = "HOLD_LAPSED"
    text = {"en": "the hold lapsed at {expired}", "zh-CN": "该冻结已于 {expired} 失效"}


class HoldExceeded(Refusal):
    """More is to be captured than was held: `held`, `requested`."""

    code = "HOLD_EXCEEDED"
    text = {
        "en": "{requested} points were asked for, {held} are held",
        "zh-CN": "冻结积分不足：需要 {requested}，已冻结 {held}",
    }


class AlreadyReversed(Refusal):
    """The operation was reversed before: `operation` is the reversal's id."""

    code = "ALREADY_REVERSED"
    text = {"en": "the operation was reversed before", "zh-CN": "该操作已被撤销"}


class ReturnExceedsOrder(Refusal):
    """More is to come back than is left: `left`, `requested`, as quantity, amount or points."""

    code = "RETURN_EXCEEDS_ORDER"
    text = {
        "en": "{requested} are to come back, {left} are left",
        "zh-CN": "退回数量超出：请求 {requested}，剩余 {left}",
    }


class OperationArchived(Refusal):
    """The operation was archived: it is settled for good, and nothing of it is here to be undone."""

    code = "OPERATION_ARCHIVED"
    text = {"en": "the operation was archived and cannot be changed", "zh-CN": "该操作已归档，无法再变更"}


class NotReversible(Refusal):
    """An operation of this `kind` cannot be reversed."""

    code = "NOT_REVERSIBLE"
    text = {"en": "an operation of kind {kind} cannot be reversed", "zh-CN": "类型为 {kind} 的操作无法撤销"}


class GiftsNotAllowed(Refusal):
    """Points of this `currency` are not for giving."""

    code = "GIFTS_NOT_ALLOWED"
    text = {"en": "points of {currency} cannot be given", "zh-CN": "{currency} 积分不可转赠"}


class GiftLimitExceeded(Refusal):
    """A member gives at most `cap` a day and has given `used`; `limit` says of what: POINTS or GIFTS."""

    code = "GIFT_LIMIT_EXCEEDED"
    text = {
        "en": "the day's limit of {limit} is {cap}, {used} are used",
        "zh-CN": "当日转赠上限（{limit}）为 {cap}，已用 {used}",
    }


class GivenTooOften(Refusal):
    """Points that went through `depth` gifts are not given on; of the others there are `available`."""

    code = "GIVEN_TOO_OFTEN"
    text = {
        "en": "points are given on at most {depth} times; {available} points may still be given",
        "zh-CN": "积分最多可转赠 {depth} 次，目前可转赠 {available} 积分",
    }


class GiftNotWhole(Refusal):
    """A gift is taken back whole or not at all: of its `points`, `available` are left."""

    code = "GIFT_NOT_WHOLE"
    text = {"en": "of the {points} points given, {available} are left", "zh-CN": "已赠 {points} 积分，仅剩 {available}"}


class AdjustmentLimitExceeded(Refusal):
    """By hand a client moves at most `cap` points and has moved `used`; `per` says in what: ONE or DAY."""

    code = "ADJUSTMENT_LIMIT_EXCEEDED"
    text = {
        "en": "adjustments are limited to {cap} points ({per}), {used} are used",
        "zh-CN": "调整上限为 {cap} 积分（{per}），已用 {used}",
    }


class NothingToReinstate(Refusal):
    """Of what this operation expired, only `available` have not been reinstated, and `requested` were asked for."""

    code = "NOTHING_TO_REINSTATE"
    text = {
        "en": "{requested} points were asked for, {available} can be reinstated",
        "zh-CN": "需要恢复 {requested} 积分，可恢复 {available}",
    }
