"""Of which events, and of which deadlines, staff is told: one line each, with its title in each language."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.events.kinds import EventKind


class Topic(StrEnum):
    """What a contact asks for."""

    SETTLEMENT = "settlement"
    DISPUTES = "disputes"
    PAYMENTS = "payments"
    RECONCILIATION = "reconciliation"


@dataclass(frozen=True, slots=True)
class Mail:
    """A kind of mail: its topic, and its title in English and Chinese.

    `to` names the fields of the event's data that hold the merchants who get it; without it all get it whose side of
    the alliance the event is. The operator gets it too, unless it is `theirs`: the business of a merchant alone.
    """

    topic: Topic
    en: str
    zh: str
    to: tuple[str, ...] = ()
    theirs: bool = False


_S, _D, _P, _R = Topic.SETTLEMENT, Topic.DISPUTES, Topic.PAYMENTS, Topic.RECONCILIATION

OF_EVENTS: Mapping[str, Mail] = {
    EventKind.STATEMENT_CONFIRMED: Mail(_S, "Statement confirmed", "对账单已确认"),
    EventKind.LINES_OBJECTED: Mail(_D, "Lines of your statement are objected to", "对账单明细被提出异议", ("against",)),
    EventKind.CLAIM_STEP: Mail(_D, "A claim or objection has moved on", "索赔或异议有新进展"),
    EventKind.CLAIM_UNDECIDED: Mail(_D, "A claim was decided by nobody in time", "索赔逾期未裁决，按原账执行"),
    EventKind.LINES_RERATED: Mail(_D, "Lines were rated again", "明细已重新计价"),
    EventKind.PARTNER_FILE_RECONCILED: Mail(_R, "Your file was reconciled", "贵方文件已对账"),
    EventKind.PARTNER_FILE_MISSING: Mail(_R, "A file that was due has not come", "应收文件未收到"),
    EventKind.BREAK_ASSIGNED: Mail(_R, "A break has an owner", "差异已指派"),
    EventKind.BREAK_CLOSED: Mail(_R, "A break was closed", "差异已关闭"),
    EventKind.CAP_ALERT: Mail(_S, "Exposure is near the cap", "敞口接近上限"),
    EventKind.MERCHANT_FROZEN: Mail(_S, "Merchant frozen", "商户已冻结"),
    EventKind.MERCHANT_RESTORED: Mail(_S, "Merchant restored", "商户已恢复"),
    EventKind.DEFAULT_DECLARED: Mail(_S, "A default was declared", "已宣告违约"),
    EventKind.DEFAULT_BORNE: Mail(_P, "A loss of a default is borne", "违约损失已分摊"),
    EventKind.DEFAULT_RECOVERED: Mail(_P, "Money of a default came in", "违约款项已追回"),
    EventKind.PAYMENT_RELEASED: Mail(_P, "A payment was released", "付款已放行", ("to",)),
    EventKind.RECEIPT_MATCHED: Mail(_P, "A payment has come in", "款项已到账", ("from", "to")),
    EventKind.RECEIPT_UNMATCHED: Mail(_P, "A payment has not come in after all", "到账已撤销", ("from", "to")),
    EventKind.HONOURING_ENDED: Mail(_S, "Points of a merchant in default are honoured no more", "违约商户积分停止兑付"),
    EventKind.DEPOSIT_MOVED: Mail(_P, "A deposit has moved", "保证金账户变动"),
    EventKind.CALENDAR_CHANGED: Mail(_S, "The business calendar has changed", "工作日历已变更"),
    EventKind.DEADLINE_EXTENDED: Mail(_S, "A deadline was extended", "截止时间已延长"),
    EventKind.APPROVAL_ASKED: Mail(_S, "An act by hand waits for a second person", "人工操作待复核", theirs=True),
    EventKind.APPROVAL_DECIDED: Mail(_S, "An act by hand was decided", "人工操作已有复核结果", theirs=True),
}
"""By kind of event."""

OF_STEPS: Mapping[str, Mail] = {
    "STATED": Mail(_S, "Statement issued", "对账单已出具"),
    "SETTLING": Mail(_P, "Payments are to be made", "应付款项已生成"),
    "ABORTED": Mail(_S, "Settlement cycle given up", "结算周期已中止"),
}
"""By the status that a cycle entered: whoever has a part in the cycle is told."""

OF_DEADLINES: Mapping[str, Mail] = {
    "OBJECTIONS_END": Mail(_D, "Objections are heard for one more business day", "异议期将于一个工作日后截止"),
    "ANSWER_DUE": Mail(_D, "An answer to a claim is due within one business day", "索赔答复将于一个工作日内到期"),
    "PAYMENT_DUE": Mail(_P, "A payment is due within one business day", "款项将于一个工作日内到期"),
    "PAYMENT_LATE": Mail(_P, "A payment is late", "款项已逾期"),
}
"""By deadline that comes near or has passed."""


def mail_of(kind: str) -> Mail:
    """A kind of mail, as it is kept. Raises KeyError."""
    found = OF_EVENTS.get(kind) or OF_DEADLINES.get(kind)
    return found or OF_STEPS[kind.removeprefix("CYCLE_")]
