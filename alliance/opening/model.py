"""A table of opening balances: what its columns mean, and what its rows ask."""

from dataclasses import dataclass, field
from typing import Any

from domain.errors import Refusal
from domain.ledger.opening import Opening
from domain.ledger.request import Key
from domain.members.model import EnrolAsk

REPORTED = ("row", "error_code", "error_path", "error_message")
"""Columns that a report of refused rows adds; where such a report is fed back they say nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was read: its number in the file, from 1, and what its columns say; or how it is broken."""

    number: int
    values: dict[str, str]
    broken: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table; `identifiers` are those that name a member: (column, type, issuer or None)."""

    names: tuple[str, ...]
    identifiers: tuple[tuple[str, str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a row asks of `merchant`: a posting whose member is not known yet, named by identifiers or by number.

    `shown` are the columns of the identifiers, in the order of the `ask`.
    """

    request: Opening
    key: Key
    merchant: str
    ask: EnrolAsk | None
    shown: tuple[str, ...]
    number: str | None

    @property
    def name(self) -> str:
        """What the row is known by when it comes again."""
        return self.key.value

    @property
    def path(self) -> tuple[str, ...]:
        """The column that names the member."""
        return self.shown[:1] or ("number",)

    def placed(self, refusal: Refusal) -> Refusal:
        """A refusal of the ask, its path the column that it is about."""
        path = refusal.path
        known = path[:1] == ("identifiers",) and len(path) > 1 and path[1].isdigit()
        refusal.path = (self.shown[int(path[1])],) if known else self.path
        return refusal


@dataclass(slots=True)
class Tally:
    """What a table comes to, or came to: rows, those refused or known from before, members new, points by currency."""

    rows: int = 0
    refused: int = 0
    known: int = 0
    balances: int = 0
    enrolled: int = 0
    points: dict[str, int] = field(default_factory=dict)

    def add(self, currency: str, points: int) -> None:
        """Count a balance."""
        self.balances += 1
        self.points[currency] = self.points.get(currency, 0) + points

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return {name: getattr(self, name) for name in Tally.__slots__}
