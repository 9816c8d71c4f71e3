"""A statement for people: what each partner's account comes to, and the first lines, as PDF.

Built in memory, so only so many lines are printed; all of them are in the other files. Chinese is set in a font that
readers bring along (Adobe-GB1): nothing has to be installed here. What it lacks becomes a question mark; and since a
reader may have no such font, columns are named in both languages, and merchants by their codes too.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from alliance.statements.model import Head
from alliance.statements.rules import Balance, Line, Totals

MOST = 2000
"""Lines that are printed."""

PLAIN, BOLD, CHINESE = "Helvetica", "Helvetica-Bold", "STSong-Light"
_MARGIN, _LINE = 15 * mm, 4.6 * mm

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Statement of {merchant}",
        "cycle": "Cycle {cycle} of {alliance}: from {opens} until {closes}, issued {issued}",
        "figures": "In {currency}. What is to be received is above zero.",
        "partner": "Partner",
        "opening": "Opening",
        "lines": "Lines",
        "adjustments": "Adjustments",
        "closing": "Closing",
        "net": "To settle",
        "carried": "Carried",
        "count": "Count",
        "all": "Together",
        "booked": "Booked",
        "occurred": "Occurred",
        "kind": "Kind",
        "points": "Points",
        "amount": "Amount",
        "order": "Order",
        "reference": "Reference",
        "more": "The first {shown} of {count} lines. All of them are in the JSON Lines and CSV files.",
        "signed": "What binds is the signed file of JSON Lines: SHA-256 {hash}",
        "unsigned": "Not signed yet.",
        "page": "Page {page}",
    },
    "zh-CN": {
        "title": "{merchant} 对账单",
        "cycle": "{alliance} 第 {cycle} 个结算周期：{opens} 至 {closes}，{issued} 出具",
        "figures": "货币：{currency}。正数为应收，负数为应付。",
        "partner": "合作方 Partner",
        "opening": "期初余额 Opening",
        "lines": "本期发生 Lines",
        "adjustments": "调整 Adjustments",
        "closing": "期末余额 Closing",
        "net": "应结算 Net",
        "carried": "结转 Carried",
        "count": "笔数 Count",
        "all": "合计 Together",
        "booked": "入账时间 Booked",
        "occurred": "发生时间 Occurred",
        "kind": "类型 Kind",
        "points": "积分 Points",
        "amount": "金额 Amount",
        "order": "订单 Order",
        "reference": "编号 Reference",
        "more": "共 {count} 条明细，此处列出前 {shown} 条；全部明细见 JSON Lines 与 CSV 文件。",
        "signed": "以签名的 JSON Lines 文件为准：SHA-256 {hash}",
        "unsigned": "尚未签名。",
        "page": "第 {page} 页",
    },
}

_BALANCE = ("opening", "lines", "adjustments", "closing", "net", "carried", "count")
_BALANCE_AT = (95, 128, 161, 194, 220, 243, 267)
_COLUMNS = (("booked", 0), ("occurred", 36), ("kind", 72), ("partner", 96), ("order", 130), ("reference", 166))
_POINTS_AT, _AMOUNT_AT = 240, 267


@dataclass(frozen=True, slots=True)
class Printed:
    """What is printed: names by id, balances by partner's code, the first lines, and the hash that was signed."""

    head: Head
    names: Mapping[UUID, str]
    balances: Mapping[str, Balance]
    lines: Sequence[Line]
    hashed: str | None
    language: str


def pdf(printed: Printed) -> bytes:
    """The file; the same bytes for the same statement and language."""
    return _Pages(printed).made()


class _Pages:
    def __init__(self, printed: Printed) -> None:
        pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))
        self._printed = printed
        self._words = WORDS.get(printed.language, WORDS["en"])
        self._file = io.BytesIO()
        self._width, self._height = landscape(A4)
        self._canvas = Canvas(self._file, pagesize=(self._width, self._height), invariant=1)
        self._page = 0
        self._y = 0.0

    def made(self) -> bytes:
        """Heading, accounts, lines."""
        head, words = self._printed.head, self._words
        name = {code: _called(self._printed.names.get(id_, code), code) for id_, code in head.codes.items()}
        self._begin()
        self._canvas.setTitle(words["title"].format(merchant=name[head.merchant]))
        self._put(words["title"].format(merchant=name[head.merchant]), 0, size=15, bold=True)
        self._down(2)
        times = {"opens": head.opens_at, "closes": head.closes_at, "issued": head.issued_at}
        told = {key: f"{moment:%Y-%m-%d %H:%M} UTC" for key, moment in times.items()}
        self._put(words["cycle"].format(cycle=head.cycle, alliance=name[head.alliance], **told), 0)
        self._down()
        self._put(words["figures"].format(currency=head.currency), 0)
        self._down(2)
        self._accounts(name)
        self._lines(name)
        self._end()
        self._canvas.save()
        return self._file.getvalue()

    def _accounts(self, name: Mapping[str, str]) -> None:
        words, currency = self._words, self._printed.head.currency
        self._put(words["partner"], 0, bold=True)
        for column, at in zip(_BALANCE, _BALANCE_AT, strict=True):
            self._put(words[column], at, bold=True, right=True)
        self._rule()
        for partner, balance in sorted(self._printed.balances.items()):
            self._row(name[partner], balance.told(currency))
        trailer = Totals("", dict(self._printed.balances)).trailer(currency)
        together = {"opening": trailer["opening"], "closing": trailer["closing"], "net": trailer["position"]}
        self._rule()
        self._row(words["all"], together | {"count": trailer["count"]}, bold=True)
        hashed = self._printed.hashed
        self._down()
        self._put(words["unsigned"] if hashed is None else words["signed"].format(hash=hashed), 0)
        self._down(2)

    def _row(self, first: str, values: Mapping[str, object], *, bold: bool = False) -> None:
        self._down()
        self._put(first, 0, bold=bold)
        for column, at in zip(_BALANCE, _BALANCE_AT, strict=True):
            self._put(str(values.get(column, "")), at, bold=bold, right=True)

    def _lines(self, name: Mapping[str, str]) -> None:
        head, lines = self._printed.head, self._printed.lines
        count = sum(balance.count for balance in self._printed.balances.values())
        if not lines:
            return
        if count > len(lines):
            self._put(self._words["more"].format(shown=len(lines), count=count), 0)
            self._down()
        self._titles()
        for line in lines:
            if self._down():
                self._titles()
                self._down()
            owing = line["debtor"] == head.merchant
            cells = {
                "booked": line["bookedAt"][:19].replace("T", " "),
                "occurred": line["occurredAt"][:19].replace("T", " "),
                "kind": line["kind"],
                "partner": name[line["creditor"] if owing else line["debtor"]][:20],
                "order": (line["orderRef"] or "")[:22],
                "reference": f"{line['reference']}-{line['seq']}",
            }
            for column, at in _COLUMNS:
                self._put(cells[column], at)
            amount = line["amount"]["amount"]
            signed = amount.removeprefix("-") if owing and amount.startswith("-") else f"-{amount}" if owing else amount
            self._put(f"{line['points']} {line['currency']}", _POINTS_AT, right=True)
            self._put(signed, _AMOUNT_AT, right=True)

    def _titles(self) -> None:
        for column, at in _COLUMNS:
            self._put(self._words[column], at, bold=True)
        self._put(self._words["points"], _POINTS_AT, bold=True, right=True)
        self._put(self._words["amount"], _AMOUNT_AT, bold=True, right=True)
        self._rule()

    def _put(self, text: str, at: float, *, size: int = 9, bold: bool = False, right: bool = False) -> None:
        """A text at so many millimetres from the margin, each part of it in a font that has its letters."""
        runs = [("".join(run), latin) for latin, run in groupby(text, is_latin)]
        drawn = [(run, BOLD if bold else PLAIN) if latin else (known(run), CHINESE) for run, latin in runs]
        x = _MARGIN + at * mm
        if right:
            x -= sum(pdfmetrics.stringWidth(run, font, size) for run, font in drawn)
        for run, font in drawn:
            self._canvas.setFont(font, size)
            self._canvas.drawString(x, self._y, run)
            x += pdfmetrics.stringWidth(run, font, size)

    def _rule(self) -> None:
        self._canvas.line(_MARGIN, self._y - 1.4 * mm, self._width - _MARGIN, self._y - 1.4 * mm)
        self._y -= 0.6 * mm

    def _down(self, lines: int = 1) -> bool:
        """Go down; whether that began another page."""
        self._y -= lines * _LINE
        if self._y > _MARGIN:
            return False
        self._end()
        self._begin()
        return True

    def _begin(self) -> None:
        self._page += 1
        self._y = self._height - _MARGIN

    def _end(self) -> None:
        self._y = _MARGIN / 2
        self._put(f"{self._printed.head.file}   {self._words['page'].format(page=self._page)}", 0, size=8)
        self._canvas.showPage()


def _called(name: str, code: str) -> str:
    """A merchant's name; with its code where a reader without Chinese fonts would print nothing."""
    return name if all(map(is_latin, name)) else f"{name} ({code})"


def is_latin(letter: str) -> bool:
    """Whether the fonts of every reader have it."""
    return letter.encode("cp1252", "ignore") != b""


def known(text: str) -> str:
    """A text of letters that Chinese fonts have."""
    return text.encode("gb2312", "replace").decode("gb2312")
