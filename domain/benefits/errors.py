"""How rights refuse."""

from domain.errors import Refusal


class RightNotFound(Refusal):
    """No right has this code, or it is not within the caller's reach."""

    code = "RIGHT_NOT_FOUND"
    text = {"en": "no such right was found", "zh-CN": "未找到该权益"}
    remembered = False


class RightNotUsable(Refusal):
    """By the terms of its grant, or for want of an agreement, it is not used at this `merchant`."""

    code = "RIGHT_NOT_USABLE"
    text = {"en": "this right cannot be used at {merchant}", "zh-CN": "该权益不可在 {merchant} 使用"}


class RightNotYetValid(Refusal):
    """It begins at `valid_from`."""

    code = "RIGHT_NOT_YET_VALID"
    text = {"en": "this right is valid from {valid_from} on", "zh-CN": "该权益自 {valid_from} 起有效"}


class RightExpired(Refusal):
    """It was valid until `expired`."""

    code = "RIGHT_EXPIRED"
    text = {"en": "this right expired at {expired}", "zh-CN": "该权益已于 {expired} 过期"}


class RightAlreadyUsed(Refusal):
    """Of it `left` uses are free here, and `requested` were asked for."""

    code = "RIGHT_ALREADY_USED"
    text = {
        "en": "{left} uses are left of this right, {requested} were asked for",
        "zh-CN": "该权益剩余 {left} 次，请求使用 {requested} 次",
    }


class RightWithdrawn(Refusal):
    """Its grantor has cancelled it."""

    code = "RIGHT_WITHDRAWN"
    text = {"en": "this right was cancelled", "zh-CN": "该权益已取消"}


class RightBooked(Refusal):
    """What is left of it is set aside: `booked` uses."""

    code = "RIGHT_BOOKED"
    text = {"en": "{booked} uses of this right are booked", "zh-CN": "该权益有 {booked} 次已被预约"}


class RightSoldOut(Refusal):
    """Of the stock or the budget no more than `left` uses are left."""

    code = "RIGHT_SOLD_OUT"
    text = {"en": "sold out: {left} left, {requested} asked for", "zh-CN": "已售罄：剩余 {left}，请求 {requested}"}


class RightLimitExceeded(Refusal):
    """A member may have `cap` of this kind, and has had `used`."""

    code = "RIGHT_LIMIT_EXCEEDED"
    text = {"en": "a member may have {cap} of these, and has had {used}", "zh-CN": "每位会员限 {cap}，已领取 {used}"}


class BookingEnded(Refusal):
    """The booking is over: `status` says how."""

    code = "BOOKING_ENDED"
    text = {"en": "this booking is over: {status}", "zh-CN": "该预约已结束：{status}"}
