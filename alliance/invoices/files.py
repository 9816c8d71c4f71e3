"""An invoice as a file: JSON, CSV, or PDF for people."""

import io
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any

import orjson
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from alliance.invoices.model import Invoice, InvoiceLine
from alliance.statements.pdf import BOLD, CHINESE, PLAIN, is_latin, known
from alliance.statements.rules import micro, price
from alliance.statements.spreadsheet import rows, shown
from domain.money import from_minor, unscaled
from domain.programs.catalogue import MICRO_PLACES

KINDS = ("json", "csv", "pdf")

HEAD = ("number", "kind", "line", "of", "adjustment", "currency", "points", "price", "count", "amount", "taxed")
FOOT = ("net", "taxRate", "tax", "gross")

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "INVOICE": "Invoice {number}",
        "CREDIT_NOTE": "Credit note {number}",
        "dates": "Issued {issued}   Due {due}   Cycle {cycle}",
        "from": "From",
        "to": "To",
        "taxId": "Tax number {tax_id}",
        "line": "For",
        "adjustment": "{kind}, taken back",
        "points": "Points",
        "price": "Price",
        "amount": "Amount {currency}",
        "net": "Net",
        "tax": "Tax {rate} %",
        "gross": "Gross",
        "note": "* without tax. It is settled with the cycle of its statement; tax with the cycle that was open.",
    },
    "zh-CN": {
        "INVOICE": "账单 Invoice {number}",
        "CREDIT_NOTE": "贷记单 Credit note {number}",
        "dates": "开具日期 {issued}   到期日 {due}   结算周期 {cycle}",
        "from": "开具方 From",
        "to": "接收方 To",
        "taxId": "税号 {tax_id}",
        "line": "项目 For",
        "adjustment": "{kind} 冲回",
        "points": "积分 Points",
        "price": "单价 Price",
        "amount": "金额 Amount {currency}",
        "net": "净额 Net",
        "tax": "税额 {rate} %",
        "gross": "合计 Gross",
        "note": "* 不含税。净额随对账单所属周期结算，税额随当时的周期结算。",
    },
}
_HEIGHT: float = A4[1]
_LEFT, _LINE = float(20 * mm), float(6 * mm)
_POINTS, _PRICE, _AMOUNT = float(110 * mm), float(140 * mm), float(190 * mm)


def told(invoice: Invoice, lines: Sequence[InvoiceLine], cycle: int) -> dict[str, Any]:
    """All that it says, as data; amounts are decimal strings."""
    money = {name: from_minor(getattr(invoice, name), invoice.currency) for name in ("net", "tax", "gross")}
    return {
        "number": invoice.number,
        "kind": invoice.kind,
        "cycle": cycle,
        "issuedOn": invoice.issued_on.isoformat(),
        "dueOn": invoice.due_on.isoformat(),
        "issuer": invoice.issuer,
        "recipient": invoice.recipient,
        "currency": invoice.currency,
        "lines": [
            {
                "kind": line.kind,
                "adjustment": line.adjustment,
                "currency": line.currency,
                "points": line.points,
                "price": None if line.price is None else price(line.price),
                "count": line.count,
                "amount": micro(line.amount),
                "taxed": line.taxed,
            }
            for line in lines
        ],
        "taxRate": unscaled(invoice.tax_rate, MICRO_PLACES),
    } | money


def content(invoice: Invoice, lines: Sequence[InvoiceLine], cycle: int, kind: str, language: str = "en") -> bytes:
    """A file of one of KINDS; the same bytes for the same invoice and language."""
    said = told(invoice, lines, cycle)
    if kind == "json":
        return orjson.dumps(said, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return _csv(said).encode() if kind == "csv" else _pdf(said, WORDS.get(language, WORDS["en"]))


def _csv(said: dict[str, Any]) -> str:
    """One row a line, then one with what they come to."""
    own = (shown(said["number"]), said["kind"])
    names = ("kind", "adjustment", "currency", "points", "price", "count", "amount", "taxed")
    body = [(*own, at, *(line[name] for name in names)) for at, line in enumerate(said["lines"], start=1)]
    return rows([HEAD, *body, FOOT, [said[name] for name in FOOT]])


def _pdf(said: dict[str, Any], words: dict[str, str]) -> bytes:
    """One page: there are as many lines as kinds and prices."""
    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, invariant=1)
    title = words[said["kind"]].format(number=said["number"])
    canvas.setTitle(title)
    y = _HEIGHT - 2 * _LEFT
    _put(canvas, title, _LEFT, y, size=15, bold=True)
    issued, due = (date.fromisoformat(said[name]).isoformat() for name in ("issuedOn", "dueOn"))
    _put(canvas, words["dates"].format(issued=issued, due=due, cycle=said["cycle"]), _LEFT, y - 1.5 * _LINE)
    for at, who in ((_LEFT, "issuer"), (_POINTS, "recipient")):
        _party(canvas, said[who], words, words["from" if who == "issuer" else "to"], at, y - 3.5 * _LINE)
    y -= 9 * _LINE
    _row(canvas, y, words["line"], words["points"], words["price"], words["amount"].format(**said), bold=True)
    for line in said["lines"]:
        y = _next(canvas, y)
        kind = words["adjustment"].format(kind=line["kind"]) if line["adjustment"] else line["kind"]
        points = f"{line['points']} {line['currency']}" if line["points"] else ""
        mark = "" if line["taxed"] else " *"
        _row(canvas, y, f"{kind} ({line['count']}){mark}", points, line["price"] or "", line["amount"])
    rate = f"{(Decimal(said['taxRate']) * 100).normalize():f}"
    for name, text in (("net", words["net"]), ("tax", words["tax"].format(rate=rate)), ("gross", words["gross"])):
        y = _next(canvas, y)
        _row(canvas, y, text, "", "", said[name], bold=name == "gross")
    _put(canvas, words["note"], _LEFT, y - 3 * _LINE, size=8)
    canvas.showPage()
    canvas.save()
    return file.getvalue()


def _party(canvas: Canvas, party: dict[str, Any], words: dict[str, str], title: str, x: float, y: float) -> None:
    lines = [party["name"], *_broken(party.get("address", "")), party["code"]]
    lines += [words["taxId"].format(tax_id=party["taxId"])] if "taxId" in party else []
    _put(canvas, title, x, y, bold=True)
    for at, text in enumerate(filter(None, lines), start=1):
        _put(canvas, text, x, y - at * 0.8 * _LINE)


def _row(canvas: Canvas, y: float, first: str, points: str, cost: str, amount: str, *, bold: bool = False) -> None:
    _put(canvas, first, _LEFT, y, bold=bold)
    for text, at in ((points, _POINTS + 15 * mm), (cost, _PRICE + 15 * mm), (amount, _AMOUNT)):
        _put(canvas, text, at, y, bold=bold, right=True)


def _next(canvas: Canvas, y: float) -> float:
    """A line down; on a new page where this one is full."""
    if y - _LINE > _LEFT:
        return y - _LINE
    canvas.showPage()
    return _HEIGHT - _LEFT


def _put(
    canvas: Canvas, text: str, x: float, y: float, *, size: int = 9, bold: bool = False, right: bool = False
) -> None:
    """A text, each part of it in a font that has its letters."""
    drawn = []
    for latin, run in groupby(text, is_latin):
        letters = "".join(run)
        drawn.append((letters, BOLD if bold else PLAIN) if latin else (known(letters), CHINESE))
    if right:
        x -= sum(pdfmetrics.stringWidth(letters, font, size) for letters, font in drawn)
    for letters, font in drawn:
        canvas.setFont(font, size)
        canvas.drawString(x, y, letters)
        x += pdfmetrics.stringWidth(letters, font, size)


def _broken(address: str) -> list[str]:
    """An address on lines of at most 40 letters, broken at its commas."""
    lines: list[str] = []
    for part in filter(None, (part.strip() for part in address.split(","))):
        if lines and len(lines[-1]) + len(part) < 40:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return lines
