"""A bank's statement as CSV: which column is what is in the alliance file."""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

from alliance.banking.camt import MOST_TEXT
from alliance.banking.errors import StatementRefused
from alliance.banking.model import BankStatement, Entry
from alliance.file.banking import BankCsv
from domain.errors import InvalidInput
from domain.money import to_minor

CONTINUED = "csv"
"""The statement of all files whose entries have numbers of their own: files may overlap."""

LONGEST_NUMBER = 100


def statement(content: bytes, currency: str, form: BankCsv) -> BankStatement:
    """The entries of a file. Raises StatementRefused for one that is not as `form` says, naming the line."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StatementRefused(reason="it is not UTF-8") from None
    if "\0" in text:
        raise StatementRefused(reason="a character U+0000 is in it")
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=form.delimiter, strict=True)
    columns = form.columns
    try:
        named = set(rows.fieldnames or ())
        wanted = (columns.date, columns.amount, columns.text, columns.id, columns.currency)
        if lacking := [name for name in wanted if name is not None and name not in named]:
            raise StatementRefused(reason=f"it lacks the column {lacking[0]!r}")
        entries = tuple(_entries(rows, currency, form))
    except csv.Error:
        raise StatementRefused(reason=f"line {rows.line_num} is no CSV") from None
    if columns.id is not None and len({entry.number for entry in entries}) < len(entries):
        raise StatementRefused(reason="two entries have the same number")
    id_ = CONTINUED if columns.id is not None else f"{CONTINUED} {sha256(content).hexdigest()[:16]}"
    return BankStatement(id_, None, entries)


def _entries(rows: Any, currency: str, form: BankCsv) -> Iterator[Entry]:
    columns = form.columns
    for place, row in enumerate(rows, 1):
        if columns.currency is not None and row[columns.currency] != currency:
            raise StatementRefused(reason=f"line {rows.line_num} is not in {currency}, in which is settled")
        yield Entry(
            number=_number(row[columns.id], rows.line_num) if columns.id is not None else str(place),
            amount=_amount(row[columns.amount], currency, form, rows.line_num),
            value_date=_day(row[columns.date], form, rows.line_num),
            text=_of(row, columns.text)[:MOST_TEXT],
            name=_of(row, columns.name)[:140],
            account=_of(row, columns.account)[:40],
        )


def _number(said: str | None, line: int) -> str:
    number = (said or "").strip()
    if not 0 < len(number) <= LONGEST_NUMBER:
        raise StatementRefused(reason=f"line {line} has no number of at most {LONGEST_NUMBER} characters")
    return number


def _of(row: Mapping[str, str | None], column: str | None) -> str:
    return " ".join((row.get(column or "") or "").split())


def _amount(said: str | None, currency: str, form: BankCsv, line: int) -> int:
    try:
        return to_minor((said or "").strip().replace(form.decimal, "."), currency)
    except InvalidInput:
        raise StatementRefused(reason=f"line {line} has no amount of {currency}") from None


def _day(said: str | None, form: BankCsv, line: int) -> date:
    try:
        return datetime.strptime((said or "").strip(), form.date_format).replace(tzinfo=UTC).date()
    except ValueError:
        raise StatementRefused(reason=f"line {line} has no date as {form.date_format}") from None
