"""How clearing refuses."""

from domain.errors import Refusal


class NoAgreement(Refusal):
    """No agreement in force at the time of the event lets this merchant do this with another's points."""

    code = "NO_AGREEMENT"
    text = {
        "en": "no agreement in force lets {merchant} {event} {currency}",
        "zh-CN": "没有生效的协议允许 {merchant} 对 {currency} 执行 {event}",
    }


class TooLate(Refusal):
    """What happened more than `days` days ago is booked only if the operator decides so: then the operator sends it."""

    code = "TOO_LATE"
    text = {
        "en": "it happened more than {days} days ago: the operator decides whether it is booked",
        "zh-CN": "该事件发生于 {days} 天以前：是否入账由联盟运营方决定",
    }


class NotSpendable(Refusal):
    """What this `currency` counts is never spent: tier credits (R11)."""

    code = "NOT_SPENDABLE"
    text = {"en": "{currency} cannot be spent", "zh-CN": "{currency} 不可消费"}
    remembered = False


class WholeCardsOnly(Refusal):
    """Stamps of this `currency` are spent by whole cards of `card`."""

    code = "WHOLE_CARDS_ONLY"
    text = {"en": "{currency} are spent by whole cards of {card}", "zh-CN": "{currency} 须按整卡（{card} 枚）使用"}
    remembered = False


class TooNew(Refusal):
    """New accounts wait before they give points away or exchange them: this one until `until`."""

    code = "TOO_NEW"
    text = {"en": "a new account may do this from {until} on", "zh-CN": "新账户须等到 {until} 方可操作"}


class NotATender(Refusal):
    """A tender of this `kind` is paid by a redemption of such points; this is another `operation`."""

    code = "NOT_A_TENDER"
    text = {
        "en": "an operation of kind {operation}, or of other points, is no tender of kind {kind}",
        "zh-CN": "类型为 {operation} 的操作或其他积分不能作为 {kind} 支付",
    }


class TenderUsed(Refusal):
    """The redemption has paid for another order: `order` is the operation that it earned by."""

    code = "TENDER_USED"
    text = {"en": "this redemption has paid for another order", "zh-CN": "该笔消费已用于支付另一订单"}


class TenderDiffers(Refusal):
    """A tender's `amount` is not what its redemption is `worth`, both in `currency`."""

    code = "TENDER_DIFFERS"
    text = {
        "en": "the redemption is worth {worth} {currency}, and the tender says {amount}",
        "zh-CN": "该笔消费价值 {worth} {currency}，支付金额却为 {amount}",
    }
