"""Rights, without I/O: codes, where one stands, what it costs where. Money in millionths."""

import base64
import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from domain.benefits.model import ENDS, RightStatus

_LENGTH = 16
"""Characters of a code: 80 bits, which nobody guesses."""

_LOOKALIKES = str.maketrans("018", "OIB")


@dataclass(frozen=True, slots=True)
class Codes:
    """Codes by a secret: each is the HMAC of its right's id, so that its member is shown it whenever they ask, and the
    database, which keeps a keyed hash of it, tells nobody."""

    secret: bytes

    def of(self, right_id: UUID) -> str:
        """The code, in groups of four letters and digits."""
        digest = hmac.digest(self.secret, b"right code\0" + right_id.bytes, "sha256")
        letters = base64.b32encode(digest).decode()[:_LENGTH]
        return "-".join(letters[at : at + 4] for at in range(0, _LENGTH, 4))

    def hashed(self, code: str) -> bytes:
        """What is kept of a code, however it was typed: small letters, spaces, a zero for an O."""
        letters = "".join(letter for letter in code.upper().translate(_LOOKALIKES) if letter.isalnum())
        return hmac.digest(self.secret, b"right hash\0" + letters.encode(), "sha256")


class Charge(NamedTuple):
    """What the grantor owes for one use at a merchant, and on top of it who owes the operator which fees."""

    amount: int
    fees: tuple[tuple[UUID, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Price:
    """What a use at merchant `at` costs by a version of an agreement, and what not showing up does, if anything."""

    at: UUID
    agreement_id: UUID
    version: int
    use: Charge
    no_show: Charge | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is kept with the right."""
        kept = {"at": str(self.at), "agreement": str(self.agreement_id), "version": self.version}
        kept |= {"use": _charge_json(self.use)}
        return kept if self.no_show is None else kept | {"noShow": _charge_json(self.no_show)}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "Price":
        """The opposite of `to_json`."""
        no_show = _charge(kept["noShow"]) if "noShow" in kept else None
        return cls(UUID(kept["at"]), UUID(kept["agreement"]), kept["version"], _charge(kept["use"]), no_show)


def _charge_json(charge: Charge) -> dict[str, Any]:
    return {"amount": charge.amount, "fees": [[str(payer), amount] for payer, amount in charge.fees]}


def _charge(kept: dict[str, Any]) -> Charge:
    return Charge(kept["amount"], tuple((UUID(payer), amount) for payer, amount in kept["fees"]))


@dataclass(slots=True, eq=False)
class BookingState:
    """A booking while a batch is decided; `owed` is what is reserved for it. `row` is one that is yet to be written."""

    holder_id: UUID
    id: UUID
    merchant_id: UUID
    expires_at: datetime
    cancel_until: datetime | None
    owed: list[Any] | None = None
    ended: str | None = None
    row: dict[str, Any] | None = None

    @classmethod
    def of(cls, row: dict[str, Any]) -> "BookingState":
        """A new one."""
        names = ("holder_id", "id", "merchant_id", "expires_at", "cancel_until", "owed")
        return cls(**{name: row[name] for name in names}, row=row)

    def add(self, *ends: int) -> None:
        """Take in how it ended; what is yet to be written is written so."""
        for (column, status), count in zip(ENDS.items(), ends, strict=True):
            if count:
                self.ended = status
                if self.row is not None:
                    self.row[column] = count

    def is_over(self, as_of: datetime) -> bool:
        """Whether nobody came, and nobody had promised to: then it is in nobody's way."""
        return self.cancel_until is None and self.expires_at <= as_of


@dataclass(slots=True)
class RightState:
    """A right while a batch is decided."""

    holder_id: UUID
    id: UUID
    grantor_id: UUID
    kind: str
    currency: str
    quantity: int
    valid_from: datetime
    expires_at: datetime | None
    at: frozenset[UUID]
    prices: tuple[Price, ...]
    cost: int | None
    own_cost: int
    stocked: bool
    code_hash: bytes
    remaining: int
    booked: int = 0
    cancelled: int = 0
    expired: int = 0
    bookings: list[BookingState] = field(default_factory=list)

    def add(self, remaining: int, booked: int, cancelled: int, expired: int) -> None:
        """Take in what was decided."""
        self.remaining += remaining
        self.booked += booked
        self.cancelled += cancelled
        self.expired += expired

    @property
    def free(self) -> int:
        """What is left of it and not booked."""
        return self.remaining - self.booked

    @property
    def used(self) -> int:
        """How often it was used, or missed."""
        return self.quantity - self.remaining - self.cancelled - self.expired

    def open_bookings(self) -> list[BookingState]:
        """Those that have not ended, the oldest first."""
        return [booking for booking in self.bookings if booking.ended is None]

    def price_at(self, merchant_id: UUID) -> Price | None:
        """What a use at a partner costs; None at its grantor, and where it is not used."""
        return next((price for price in self.prices if price.at == merchant_id), None)


def status_of(
    *,
    remaining: int,
    used: int,
    cancelled: int,
    expired: int,
    valid_from: datetime,
    expires_at: datetime | None,
    as_of: datetime,
) -> RightStatus:
    """Where a right stands at a moment. What has expired is so whether or not that was booked (R2)."""
    if remaining:
        if expires_at is not None and expires_at <= as_of:
            return RightStatus.EXPIRED
        return RightStatus.NOT_YET_VALID if as_of < valid_from else RightStatus.VALID
    if used:
        return RightStatus.USED
    return RightStatus.EXPIRED if expired else RightStatus.CANCELLED


def set_aside(prices: Sequence[Price], own_cost: int) -> int:
    """What of a budget a use may cost at the most: the dearest place where it may be used."""
    return max([own_cost, *(price.use.amount for price in prices)])


def returned(right: RightState, price: Price | None, no_show: bool = False) -> int:
    """What of the budget set aside for a use comes back once it is known what it costs: at this price, or (None) at the
    grantor's own."""
    if right.cost is None:
        return 0
    if price is None:
        return right.cost - right.own_cost
    charge = price.no_show if no_show else price.use
    return right.cost - (charge.amount if charge is not None else 0)


def places(prices: Collection[Price], grantor_id: UUID, at_home: bool) -> frozenset[UUID]:
    """All merchants where a right may be used."""
    return frozenset({price.at for price in prices} | ({grantor_id} if at_home else set()))
