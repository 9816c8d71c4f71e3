"""A mail to staff in words: its title, then what it tells of, a line for each figure."""

import re
from collections.abc import Sequence
from datetime import datetime

from alliance.staff.figures import Fact
from alliance.staff.kinds import mail_of
from alliance.staff.model import StaffMail
from domain.programs.catalogue import Catalogue

LABELS = {
    "accepted": ("accepted", "已接受"),
    "account": ("account", "账户"),
    "act": ("act", "操作"),
    "against": ("against", "被异议方"),
    "amount": ("amount", "金额"),
    "approval": ("approval id", "复核编号"),
    "asOf": ("as of", "时间"),
    "cap": ("cap", "上限"),
    "cycle": ("cycle id", "结算周期编号"),
    "break": ("break id", "差异编号"),
    "claim": ("claim id", "索赔编号"),
    "claimed": ("claimed", "索赔金额"),
    "day": ("day", "日期"),
    "deadline": ("deadline", "截止事项"),
    "dueAt": ("due before", "截止（不含）"),
    "differing": ("lines that differ", "差异笔数"),
    "file": ("file id", "文件编号"),
    "from": ("from", "原截止时间"),
    "holidays": ("no business days", "非工作日"),
    "level": ("percent of the cap", "上限百分比"),
    "lines": ("lines", "明细笔数"),
    "loss": ("loss", "损失"),
    "mapping": ("as", "格式"),
    "matched": ("lines that match", "匹配笔数"),
    "merchant": ("merchant", "商户"),
    "merchants": ("merchants", "商户"),
    "number": ("cycle", "结算周期"),
    "objectionsUntil": ("objections are heard before", "异议截止（不含）"),
    "outcome": ("outcome", "差异类型"),
    "paymentsDue": ("payments are due before", "付款截止（不含）"),
    "position": ("your position (above zero: to receive)", "贵方头寸（正数为应收）"),
    "status": ("status", "状态"),
    "step": ("step", "步骤"),
    "toPay": ("you have to pay", "贵方应付"),
    "toReceive": ("you are to receive", "贵方应收"),
    "reason": ("why", "原因"),
    "undeclared": ("as public holidays have it again", "恢复默认"),
    "until": ("until", "延长至"),
    "used": ("used", "已使用"),
    "workingDays": ("business days", "工作日"),
}
"""What a figure is called, in English and Chinese; another is called as in docs/events.md."""

_MORE = {"en": "and {more} more", "zh-CN": "另有 {more} 项"}
_FOOT = {
    "en": "Sent by {alliance} to the contacts of {party}. Please do not reply.",
    "zh-CN": "本邮件由 {alliance} 发送给 {party} 的联系人，请勿回复。",
}
_COLON = {"en": ": ", "zh-CN": "："}


def written(catalogue: Catalogue, mail: StaffMail, language: str) -> tuple[str, str]:
    """Subject and text of a mail."""
    known = mail_of(mail.kind)
    title = known.zh if language == "zh-CN" else known.en
    numbers = {value for item in mail.data for name, _, value in item if name == "number"}
    cycle = f" ({_label('number', language)} {numbers.pop()})" if len(numbers) == 1 else ""
    many = f" × {mail.count}" if mail.count > 1 else ""
    parts = [f"{title}{many}{cycle}"]
    parts += ["\n".join(_lines(catalogue, item, language)) for item in mail.data]
    if mail.count > len(mail.data):
        parts.append(_MORE[language].format(more=mail.count - len(mail.data)))
    merchant = catalogue.merchants_by_id.get(mail.party_id)
    party = catalogue.alliance.name if merchant is None else merchant.name
    parts.append(_FOOT[language].format(alliance=catalogue.alliance.name, party=party))
    return f"{catalogue.alliance.name}{_COLON[language]}{parts[0]}", "\n\n".join(parts) + "\n"


def _lines(catalogue: Catalogue, item: Sequence[Fact], language: str) -> list[str]:
    return [f"{_label(name, language)}{_COLON[language]}{_value(catalogue, kind, value)}" for name, kind, value in item]


def _label(name: str, language: str) -> str:
    if name not in LABELS:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    return LABELS[name][language == "zh-CN"]


def _value(catalogue: Catalogue, kind: str, value: object) -> str:
    """Merchants by name, money with its currency, times by the alliance's clock."""
    alliance = catalogue.alliance
    match kind:
        case "MERCHANT":
            known = catalogue.merchants.get(str(value))
            return str(value) if known is None else known.name
        case "MONEY":
            return f"{value} {alliance.settlement_currency}"
        case "TIME":
            at = datetime.fromisoformat(str(value)).astimezone(alliance.timezone)
            return f"{at:%Y-%m-%d %H:%M} {alliance.timezone.key}"
        case _:
            return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
