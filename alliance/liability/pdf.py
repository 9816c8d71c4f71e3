"""A closed month for people, as PDF: a table a programme. All of it is in memory; a cohort is a line."""

import io
from datetime import UTC

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Flowable, LongTable, Paragraph, SimpleDocTemplate, Spacer, TableStyle

from alliance.liability.queries import Cohort, Liability, Programme
from alliance.liability.sheet import shown, told
from domain.money import half_even
from domain.programs.catalogue import MICRO_PLACES, Catalogue

_POINTS = ("granted", "redeemed", "exchanged", "expired", "closing")
_MONEY = ("opening", "in", "earned", "change", "closing", "current", "nonCurrent")
_HEAD = (
    *("Issued", "Granted", "Used", "Exchanged", "Expired", "Points left"),
    *("Opening", "Came in", "Earned", "Catch-up", "Deferred", "Current", "Later"),
)
_STYLE = TableStyle(
    [
        ("FONT", (0, 0), (-1, -1), "Helvetica", 7.5),
        ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", 7.5),
        ("FONT", (0, -1), (-1, -1), "Helvetica-Bold", 7.5),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.5, colors.black),
        ("LINEABOVE", (0, -1), (-1, -1), 0.5, colors.black),
    ]
)


def printed(catalogue: Catalogue, found: Liability) -> bytes:
    """The month of a merchant, which is named by its code: any reader has letters for that."""
    styles, money = getSampleStyleSheet(), catalogue.alliance.settlement_currency
    all_of_it = told(catalogue, found)
    parts: list[Flowable] = [
        Paragraph(f"Deferred revenue for points: {all_of_it['merchant']}, {all_of_it['month']}", styles["Title"]),
        Paragraph(f"In {money}. Closed {found.closed_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC.", styles["Normal"]),
    ]
    for programme, words in zip(found.programmes, all_of_it["programmes"], strict=True):
        table = LongTable(
            [
                _HEAD,
                *((f"{cohort.issued:%Y-%m}", *_line(cohort)) for cohort in programme.cohorts),
                ("Together", *_line(programme)),
            ],
            repeatRows=1,
        )
        table.setStyle(_STYLE)
        role = "principal" if words["principal"] else "agent"
        heading = f"{programme.currency} ({role}): {_plain(words['estimate']['told'])}"
        parts += [Spacer(0, 12), Paragraph(heading, styles["Heading2"]), table]
    page = io.BytesIO()
    title = f"{all_of_it['merchant']} {all_of_it['month']}"
    SimpleDocTemplate(page, pagesize=landscape(A4), title=title, invariant=1).build(parts)
    return page.getvalue()


def _line(part: Cohort | Programme) -> list[str]:
    figures = shown(part.money)
    return [f"{getattr(part.points, name):,}" for name in _POINTS] + [_cents(figures[name]) for name in _MONEY]


def _cents(amount: str) -> str:
    """Two places are enough for people."""
    whole = half_even(int(amount.replace(".", "")), 10 ** (MICRO_PLACES - 2))
    return f"{'-' if whole < 0 else ''}{abs(whole) // 100:,}.{abs(whole) % 100:02}"


def _plain(words: str) -> str:
    """As Helvetica can set it, and no markup."""
    known = words.encode("cp1252", "replace").decode("cp1252")
    return known.replace("&", "&amp;").replace("<", "&lt;")
