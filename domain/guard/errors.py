"""How debits are barred. Members' own words for it: my points are locked, I have to wait, this phone is new."""

from domain.errors import Refusal


class PointsLocked(Refusal):
    """The member has locked their points: `until` (RFC 3339), or until they unlock them (None)."""

    code = "POINTS_LOCKED"
    text = {"en": "the member has locked their points", "zh-CN": "会员已锁定积分"}


class CoolingOff(Refusal):
    """An identifier of the member's changed (its `type`), and nothing is spent `until` then (RFC 3339)."""

    code = "COOLING_OFF"
    text = {
        "en": "points cannot be spent until {until}: what the member is recognised by has changed ({type})",
        "zh-CN": "会员识别方式（{type}）已变更，{until} 之前不可使用积分",
    }


class DeviceLimit(Refusal):
    """New devices spend at most `cap` points a day and have spent `used`; this one is new `until` then.

    None: the call names no device, which counts as a new one.
    """

    code = "DEVICE_LIMIT"
    text = {
        "en": "new devices spend at most {cap} points a day, {used} are used",
        "zh-CN": "新设备每日最多使用 {cap} 积分，已用 {used}",
    }
