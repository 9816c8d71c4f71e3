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


class ObjectionsOpen(Refusal):
    """Merchants may object until `until` (RFC 3339), and have not all confirmed."""

    code = "OBJECTIONS_OPEN"
    text = {
        "en": "merchants may object until {until}; say why it is confirmed for them before",
        "zh-CN": "商户可在 {until} 之前提出异议；提前代为确认须说明原因",
    }


class LaterCycleStated(Refusal):
    """A later cycle, `number`, was stated with the rest of this one as its opening balance."""

    code = "LATER_CYCLE_STATED"
    text = {"en": "cycle {number} already builds on this one", "zh-CN": "结算周期 {number} 已以本周期为基础"}


class PayInsMissing(Refusal):
    """Nobody is paid before all pay-ins of cycle `number` are in or covered (A12); `missing` is what lacks."""

    code = "PAY_INS_MISSING"
    text = {
        "en": "nobody is paid before all of cycle {number} is paid in: {missing} is missing",
        "zh-CN": "结算周期 {number} 的款项尚未全部缴入，尚缺 {missing}，不得付款",
    }
    remembered = False
