"""What a line says to whom, and how lines add up. Pure functions.

Amounts are millionths of the settlement currency, prices 10^-8 of it for a point, both written as decimal strings.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.money import MICRO, exponent, half_even, unscaled

FORMAT = "tessera-statement-1"

Line = dict[str, Any]
"""A line as both parties see it; `orderRef` and `store` only where it happened at the one whose statement it is."""

_BYTES = 12
_BLOCK = 64


class Pseudonyms:
    """Names that the two merchants of a pair share, and that lead nobody to a member or an operation (A14)."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._pairs: dict[tuple[UUID, UUID], bytes] = {}

    def operation(self, one: UUID, other: UUID, operation_id: UUID) -> str:
        """The reference of an operation between these two."""
        return self._name(one, other, b"line", operation_id)

    def member(self, one: UUID, other: UUID, holder_id: UUID) -> str:
        """The name of a member between these two: the same in all cycles, another in every other pair."""
        return self._name(one, other, b"member", holder_id)

    def halves(self, one: UUID, other: UUID) -> tuple[bytes, bytes]:
        """The pair's key as the inner and the outer hash of HMAC take it (RFC 2104): a database makes names of
        millions of operations by them."""
        key = self._key_of(one, other).ljust(_BLOCK, b"\0")
        return bytes(byte ^ 0x36 for byte in key), bytes(byte ^ 0x5C for byte in key)

    def _name(self, one: UUID, other: UUID, kind: bytes, id_: UUID) -> str:
        return hmac.digest(self._key_of(one, other), kind + id_.bytes, "sha256")[:_BYTES].hex()

    def _key_of(self, one: UUID, other: UUID) -> bytes:
        key = self._pairs.get((one, other))
        if key is None:
            key = hmac.digest(self._key, b"".join(sorted((one.bytes, other.bytes))), "sha256")
            self._pairs[one, other] = key
        return key


def line_of(
    row: Mapping[str, Any], holder_id: UUID, operation_id: UUID, viewer: UUID, all_: bool, names: Pseudonyms,
    codes: Mapping[str, str], currency: str,
) -> Line:  # fmt: skip
    """The line of an obligation in the statement of `viewer`, who sees `all_` as the operator. `codes` are by id."""
    debtor, creditor = UUID(row["debtor_id"]), UUID(row["creditor_id"])
    own = all_ or row["merchant_id"] == str(viewer)
    reverses = row.get("reverses")
    return {
        "type": "line" if reverses is None else "adjustment",
        "reference": names.operation(debtor, creditor, operation_id),
        "seq": row["seq"],
        "kind": row["kind"],
        "debtor": codes[row["debtor_id"]],
        "creditor": codes[row["creditor_id"]],
        "member": names.member(debtor, creditor, holder_id),
        "currency": row["currency"],
        "points": row["points"],
        "price": None if row.get("price") is None else price(row["price"]),
        "amount": {"amount": micro(row["amount"]), "currency": currency},
        "agreementVersion": row["agreement_version"],
        "occurredAt": row["occurred_at"],
        "bookedAt": row["booked_at"],
        "late": row["late"],
        "reverses": None if reverses is None else names.operation(debtor, creditor, UUID(reverses)),
        "orderRef": row.get("order_ref") if own else None,
        "store": row.get("store") if own else None,
    }


def micro(amount: int) -> str:
    """Millionths as a decimal string with all six places."""
    return _fixed(amount, 6)


def price(value: int) -> str:
    """10^-8 as a decimal string with all eight places."""
    return _fixed(value, 8)


def _fixed(value: int, places: int) -> str:
    whole, part = divmod(abs(value), 10**places)
    return f"{'-' if value < 0 else ''}{whole}.{part:0{places}}"


@dataclass(slots=True)
class Balance:
    """A merchant's account with one partner over a cycle, in millionths; positive is to be received."""

    opening: int = 0
    lines: int = 0
    adjustments: int = 0
    count: int = 0

    @property
    def closing(self) -> int:
        """What `net` and `carried` are made of."""
        return self.opening + self.lines + self.adjustments

    def net(self, unit: int) -> int:
        """What is to be settled, in minor units of `unit` millionths, rounded half-even (A6)."""
        return half_even(self.closing, unit)

    def told(self, currency: str) -> dict[str, Any]:
        """As it stands in a statement: decimal strings. What rounding left is `carried`."""
        places = exponent(currency)
        unit = MICRO // 10**places
        net = self.net(unit)
        return {
            "opening": micro(self.opening),
            "lines": micro(self.lines),
            "adjustments": micro(self.adjustments),
            "closing": micro(self.closing),
            "net": unscaled(net, places),
            "carried": micro(self.closing - net * unit),
            "count": self.count,
        }


@dataclass(slots=True)
class Totals:
    """What the lines of a statement come to, so far, by the partner's code."""

    viewer: str
    partners: dict[str, Balance]
    first: str | None = None
    last: str | None = None

    def add(self, debtor: str, creditor: str, amount: int, key: str, *, adjustment: bool) -> None:
        """Count a line of `amount` millionths, whose key in the pair is `key`."""
        partner, signed = (creditor, -amount) if debtor == self.viewer else (debtor, amount)
        balance = self.partners.setdefault(partner, Balance())
        balance.count += 1
        if adjustment:
            balance.adjustments += signed
        else:
            balance.lines += signed
        self.first = self.first or key
        self.last = key

    @property
    def count(self) -> int:
        """How many lines."""
        return sum(balance.count for balance in self.partners.values())

    @property
    def sum(self) -> int:
        """What they come to, in millionths; positive is to be received."""
        return sum(balance.lines + balance.adjustments for balance in self.partners.values())

    def trailer(self, currency: str) -> dict[str, Any]:
        """What the end of a file says of the whole of it (A11)."""
        unit = MICRO // 10 ** exponent(currency)
        balances = self.partners.values()
        return {
            "count": self.count,
            "sum": micro(self.sum),
            "opening": micro(sum(balance.opening for balance in balances)),
            "closing": micro(sum(balance.closing for balance in balances)),
            "position": unscaled(sum(balance.net(unit) for balance in balances), exponent(currency)),
            "first": self.first,
            "last": self.last,
        }


def key_of(line: Mapping[str, Any]) -> str:
    """What names a line between its two parties: matched on by both."""
    return f"{line['reference']}-{line['seq']}"
