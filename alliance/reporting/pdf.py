"""A report as PDF: a table that goes on over pages, in the fonts of statements."""

import io
from itertools import groupby

from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from alliance.reporting.tables import Table
from alliance.statements.pdf import BOLD, CHINESE, PLAIN, is_latin, known

_MARGIN, _LINE, _SIZE = 15 * mm, 5 * mm, 9
MOST = 5_000
"""Rows that are printed; all of them are in the CSV file."""


def pdf(table: Table) -> bytes:
    """The file; the same bytes for the same table."""
    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))
    file = io.BytesIO()
    width, height = landscape(A4)
    canvas = Canvas(file, pagesize=(width, height), invariant=1)
    canvas.setTitle(table.title)
    step = (width - 2 * _MARGIN) / len(table.columns)
    printed = list(table.rows[:MOST])
    a_page = int((height - 2 * _MARGIN) / _LINE) - 5
    pages = [printed[at : at + a_page] for at in range(0, len(printed), a_page)] or [[]]
    for number, page in enumerate(pages, start=1):
        y = height - _MARGIN
        _put(canvas, table.title, _MARGIN, y, size=14, bold=True)
        _put(canvas, f"{table.about}   {number}/{len(pages)}", _MARGIN, y - _LINE)
        y -= 3 * _LINE
        for at, name in enumerate(table.columns):
            _put(canvas, name, _MARGIN + at * step, y, bold=True)
        canvas.line(_MARGIN, y - 1.4 * mm, width - _MARGIN, y - 1.4 * mm)
        for row in page:
            y -= _LINE
            for at, name in enumerate(table.columns):
                _put(canvas, "" if row[name] is None else str(row[name]), _MARGIN + at * step, y)
        if number == len(pages) and len(table.rows) > MOST:
            _put(canvas, f"The first {MOST} of {len(table.rows)} rows.", _MARGIN, y - _LINE)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def _put(canvas: Canvas, text: str, x: float, y: float, *, size: int = _SIZE, bold: bool = False) -> None:
    """A text, each part of it in a font that has its letters."""
    for latin, run in groupby(text, is_latin):
        letters = "".join(run)
        part = letters if latin else known(letters)
        font = CHINESE if not latin else BOLD if bold else PLAIN
        canvas.setFont(font, size)
        canvas.drawString(x, y, part)
        x += pdfmetrics.stringWidth(part, font, size)
