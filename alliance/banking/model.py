"""What banks are told and what they tell. Amounts are minor units of the settlement currency."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Mode(StrEnum):
    """Through whose hands the money of a settlement goes (L6)."""

    DIRECT = "direct"
    CUSTODIAN = "custodian"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Account:
    """An account at a bank, by its IBAN or by another number."""

    name: str
    iban: str | None = None
    other: str | None = None
    bic: str | None = None

    @property
    def number(self) -> str:
        """By which it is known, without spaces."""
        return plain_number(self.iban or self.other or "")


def plain_number(number: str) -> str:
    """The number of an account as it is compared: without spaces, dashes and strokes, in capitals."""
    return "".join(character for character in number if character.isalnum()).upper()


@dataclass(frozen=True, slots=True)
class Transfer:
    """One payment of a file of payments. `reference` is what the payee's bank is to hand on (end to end)."""

    reference: str
    to: Account
    amount: int
    text: str


@dataclass(frozen=True, slots=True)
class Order:
    """A file of payments from one account, made on a day; `planned_at` is when they came to be planned."""

    initiator: str
    debtor: Account
    currency: str
    due: date
    planned_at: datetime
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A booked movement of an account: positive came in. `number` is the bank's own, unique in its statement."""

    number: str
    amount: int
    value_date: date
    reference: str = ""
    text: str = ""
    name: str = ""
    account: str = ""
    reversal: bool = False


@dataclass(frozen=True, slots=True)
class BankStatement:
    """Movements of one account (None: the file does not say of which)."""

    id: str
    account: str | None
    entries: tuple[Entry, ...]
