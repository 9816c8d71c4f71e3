"""A journal as text: for beancount, or as plain rows."""

from itertools import count
from typing import Protocol

from alliance.journal.model import Balance, Record, Transaction
from alliance.journal.names import commodity
from alliance.statements.spreadsheet import rows
from domain.programs.catalogue import Catalogue

OPENED = "1970-01-01"
"""Since when all accounts are open."""


class Writer(Protocol):
    """Writes a journal, record by record."""

    def head(self) -> str:
        """What comes first."""
        ...

    def opened(self, account: str, counted: str) -> str:
        """Before an account is named for the first time: it and its commodity."""
        ...

    def record(self, record: Record) -> str:
        """One record."""
        ...


class Beancount:
    """The text format of beancount 3. Balances are exact: without `~ 0` it would let a last decimal place differ."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def head(self) -> str:
        """Options, and a name for each currency."""
        alliance = self._catalogue.alliance
        lines = [
            f'option "title" {_quoted(alliance.name)}',
            f'option "operating_currency" "{alliance.settlement_currency}"',
        ]
        for code, currency in sorted(self._catalogue.currencies.items()):
            named = commodity(code, alliance.settlement_currency)
            lines.append(f"\n{OPENED} commodity {named}\n  name: {_quoted(currency.name)}")
        return "\n".join(lines) + "\n\n"

    def opened(self, account: str, counted: str) -> str:
        """A directive `open`."""
        return f"{OPENED} open {account} {counted}\n"

    def record(self, record: Record) -> str:
        """A transaction, or a directive `balance`."""
        if isinstance(record, Balance):
            amount = f"{record.amount:f} ~ 0 {record.commodity}"
            return f"{record.day} balance {record.account} {amount}\n  source: {_quoted(record.source)}\n"
        lines = [f"\n{record.day} * {_quoted(record.narration)}", f"  lines: {record.lines}"]
        for posting in record.postings:
            lines.append(f"  {posting.account}  {posting.amount:f} {posting.commodity}")
            lines += [] if posting.place is None else [f"    place: {_quoted(posting.place)}"]
        return "\n".join(lines) + "\n"


class Csv:
    """One row a posting and one a balance."""

    HEAD = ("type", "number", "day", "narration", "lines", "account", "amount", "commodity", "place", "source")

    def __init__(self) -> None:
        self._numbers = count(1)

    def head(self) -> str:
        """The names of columns."""
        return rows([self.HEAD])

    def opened(self, account: str, counted: str) -> str:
        """Nothing."""
        return ""

    def record(self, record: Record) -> str:
        """Rows; those of a transaction have one number."""
        number = next(self._numbers)
        if isinstance(record, Balance):
            kept = (record.account, f"{record.amount:f}", record.commodity, None, record.source)
            return rows([("balance", number, record.day, None, None, *kept)])
        return rows(self._row(number, record, at) for at in range(len(record.postings)))

    def _row(self, number: int, record: Transaction, at: int) -> tuple[object, ...]:
        posting = record.postings[at]
        moved = (posting.account, f"{posting.amount:f}", posting.commodity, posting.place, None)
        return ("posting", number, record.day, record.narration, record.lines, *moved)


def _quoted(told: str) -> str:
    escaped = told.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
