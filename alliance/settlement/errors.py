"""How a cycle refuses."""

from domain.errors import Refusal


class WrongCycleStatus(Refusal):
    """Cycle `number` is `status`; the step asked for starts from `needed`."""

    code = "WRONG_CYCLE_STATUS"
    text = {
        "en": "cycle {number} is {status}, not {needed}",
        "zh-CN": "结算周期 {number} 的状态为 {status}，应为 {needed}",
    }


class EarlierCycleOpen(Refusal):
    """Cycle `number` must be netted first: its rest is the opening balance of the one asked for."""

    code = "EARLIER_CYCLE_OPEN"
    text = {"en": "cycle {number} has not been netted yet", "zh-CN": "结算周期 {number} 尚未完成净额计算"}


class LaterCycleStated(Refusal):
    """A later cycle, `number`, was stated with the rest of this one as its opening balance."""

    code = "LATER_CYCLE_STATED"
    text = {"en": "cycle {number} already builds on this one", "zh-CN": "结算周期 {number} 已以本周期为基础"}
