"""Rows for spreadsheets: CSV, and texts that none takes for a formula."""

import csv
import io
from collections.abc import Iterable

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def rows(values: Iterable[Iterable[object]]) -> str:
    """Rows as CSV."""
    page = io.StringIO()
    csv.writer(page).writerows(values)
    return page.getvalue()


def shown(value: str | None) -> str | None:
    """A text that merchants chose, such that a spreadsheet shows it."""
    return f"'{value}" if value is not None and value.startswith(_FORMULA) else value
