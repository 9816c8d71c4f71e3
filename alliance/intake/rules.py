"""From the bytes of a feed's line to a checked purchase or return. Pure."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import msgspec
import orjson

from alliance.intake.errors import MalformedLine
from alliance.intake.model import (
    Decision,
    Identifier,
    Line,
    MemberLine,
    Money,
    Purchase,
    Return,
    RightGrantLine,
    RightUseLine,
    TopUpLine,
)
from domain.errors import InvalidInput
from domain.ledger.returns import QUANTITY_PLACES, Asked
from domain.money import from_minor, scaled, to_minor
from domain.programs.rules import Valued

T = TypeVar("T")
EARLIEST_YEAR = 1970


class _Typed(msgspec.Struct):
    type: str = "PURCHASE"


class _Keyed(msgspec.Struct):
    key: str


class Order(NamedTuple):
    """What an order is valued from: amounts in minor units of `money`."""

    money: str | None = None
    lines: list[tuple[int, str | None]] | None = None
    amount: int | None = None
    points: int | None = None
    tenders: Sequence[tuple[str, int]] = ()


_purchases = msgspec.json.Decoder(Purchase)
_returns = msgspec.json.Decoder(Return)
_decisions = msgspec.json.Decoder(Decision)
_KINDS = {"RETURN": Return, "TOP_UP": TopUpLine, "CONFIRM": Decision, "REJECT": Decision}
_KINDS |= {"RIGHT_GRANT": RightGrantLine, "RIGHT_USE": RightUseLine}
_granted = msgspec.json.Decoder(RightGrantLine)
_used = msgspec.json.Decoder(RightUseLine)
_members = msgspec.json.Decoder(MemberLine)
_top_ups = msgspec.json.Decoder(TopUpLine)
_types = msgspec.json.Decoder(_Typed)
_keys = msgspec.json.Decoder(_Keyed)
_encode = msgspec.json.Encoder().encode
_other = re.compile(rb'"(?:RETURN|CONFIRM|REJECT|TOP_UP|RIGHT_GRANT|RIGHT_USE)"')
_anything = msgspec.json.Decoder()
_place = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_field = re.compile(r"(?:missing required|unknown) field `([^`]*)`")

_quantity = lru_cache(maxsize=4096)(scaled)


def read(said: dict[str, Any]) -> Line:
    """The line that these values are, as JSON would have them but for times, checked as `parse` does.

    Raises InvalidInput.
    """
    kind = _KINDS.get(said.get("type", "PURCHASE"), Purchase)
    try:
        line: Line = msgspec.convert(said, kind)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    return _checked(line)


def sent(line: Line | MemberLine) -> bytes:
    """The line as JSON, in our order: what is compared when its key comes again. Raises InvalidInput for a NUL."""
    encoded = _encode(line)
    if b"\\u0000" in encoded:
        _require_no_nul(encoded)
    return encoded


def parse(raw: bytes) -> Line:
    """The line, checked as far as that goes without the database. Raises MalformedLine, InvalidInput."""
    if b"\\u0000" in raw:
        _require_no_nul(raw)
    # Only what may be no purchase is decoded twice: nearly all lines are.
    kind = _decode(_types, raw).type if _other.search(raw) else "PURCHASE"
    line: Line
    match kind:
        case "RETURN":
            line = _decode(_returns, raw)
        case "TOP_UP":
            line = _decode(_top_ups, raw)
        case "RIGHT_GRANT":
            line = _decode(_granted, raw)
        case "RIGHT_USE":
            line = _decode(_used, raw)
        case "CONFIRM" | "REJECT":
            line = _decode(_decisions, raw)
        case _:
            line = _decode(_purchases, raw)
    return _checked(line)


def parse_member(raw: bytes) -> MemberLine:
    """The line of an enrolment, checked likewise. Raises MalformedLine, InvalidInput."""
    if b"\\u0000" in raw:
        _require_no_nul(raw)
    line = _decode(_members, raw)
    if line.occurredAt is not None and line.occurredAt.year < EARLIEST_YEAR:
        raise InvalidInput(reason=f"occurredAt is before {EARLIEST_YEAR}", path=("occurredAt",))
    return line


def _checked(line: Line) -> Line:
    if line.occurredAt is not None and line.occurredAt.year < EARLIEST_YEAR:
        raise InvalidInput(reason=f"occurredAt is before {EARLIEST_YEAR}", path=("occurredAt",))
    if not isinstance(line, RightUseLine):
        _check_member(line.member)
    if isinstance(line, Purchase):
        _check(line)
    return line


def _check_member(member: Identifier) -> None:
    """A member is named in one way. Raises InvalidInput."""
    if member.token is not msgspec.UNSET:
        if member.type or member.value or member.issuer:
            raise InvalidInput(reason="give a token, or type and value", path=("member", "token"))
    elif not member.type or not member.value:
        missing = "value" if member.type else "type"
        raise InvalidInput(reason=f"Object missing required field `{missing}`", path=("member", missing))


def key_of(raw: bytes) -> str | None:
    """The key of a line that was refused, if one can be read."""
    try:
        key = _keys.decode(raw).key
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return key[:200]


def order_of(purchase: Purchase) -> Order:
    """What a purchase is valued from, in integers. Raises InvalidInput."""
    if purchase.points is not None:
        return Order(points=int(purchase.points))
    sent = purchase.amount
    lines = purchase.lines or []
    money = lines[0].amount.currency if sent is None else sent.currency
    tenders = _each("tenders", [tender.amount for tender in purchase.tenders or ()], money)
    paid = [(tender.kind, minor) for tender, minor in zip(purchase.tenders or (), tenders, strict=True)]
    if sent is not None:
        return Order(money, amount=_minor(sent, money), tenders=paid)
    amounts = _each("lines", [line.amount for line in lines], money)
    return Order(money, [(minor, line.category) for minor, line in zip(amounts, lines, strict=True)], tenders=paid)


def asked_of(back: Return) -> Asked:
    """What comes back. Raises InvalidInput."""
    if back.lines is not None and back.amount is not None:
        raise InvalidInput(reason="give at most one of lines and amount", path=("amount",))
    if back.amount is not None:
        return Asked(amount=_minor(back.amount, back.amount.currency), money=back.amount.currency)
    if back.lines is None:
        return Asked()
    if not back.lines:
        raise InvalidInput(reason="lines must not be empty", path=("lines",))
    lines = []
    for number, line in enumerate(back.lines):
        try:
            lines.append((line.ref, None if line.quantity is None else _quantity(line.quantity, QUANTITY_PLACES)))
        except InvalidInput as refusal:
            raise refusal.at("lines", str(number), "quantity") from None
    return Asked(lines=tuple(lines))


def kept_lines(purchase: Purchase, valued: Valued) -> orjson.Fragment:
    """What is kept of the lines, so that a return can name them, as `domain.ledger.returns.order_of` reads it: JSON."""
    lines = purchase.lines or ()
    money = lines[0].amount.currency if lines else None
    paid = None if valued.paid is None or money is None else from_minor(valued.paid, money)
    kept: list[Any] = [
        (line.ref, line.sku, line.category, line.quantity, line.amount.amount, given)
        for line, given in zip(lines, valued.lines, strict=True)
    ]
    return orjson.Fragment(_encode([money, paid, *kept]))


def _each(name: str, amounts: Sequence[Money], money: str) -> list[int]:
    """Amounts of the list `name` in minor units. Raises InvalidInput, with the path to the first that is wrong."""
    try:
        return [_minor(sent, money) for sent in amounts]
    except InvalidInput:
        for number, sent in enumerate(amounts):
            try:
                _minor(sent, money)
            except InvalidInput as refusal:
                raise refusal.at(name, str(number)) from None
        raise


def _minor(sent: Money, money: str) -> int:
    """A sent amount in minor units of `money`. Raises InvalidInput, also for another currency or a negative amount."""
    minor = _minor_units(sent.amount, sent.currency)
    if sent.currency != money:
        reason = f"all amounts of an order are in one currency, here {money}"
        raise InvalidInput(reason=reason, path=("amount", "currency"))
    if minor < 0:
        raise InvalidInput(reason="an amount must not be negative", path=("amount", "amount"))
    return minor


@lru_cache(maxsize=65536)
def _minor_units(amount: str, currency: str) -> int:
    """Prices repeat: to remember those seen last costs less than to read each again. Raises InvalidInput."""
    try:
        return to_minor(amount, currency)
    except InvalidInput as refusal:
        raise InvalidInput(path=("amount", *(refusal.path or ("amount",))), **refusal.data) from None


def _check(purchase: Purchase) -> None:
    """What the types cannot say. Raises InvalidInput."""
    if (purchase.lines is None) + (purchase.amount is None) + (purchase.points is None) != 2:
        raise InvalidInput(reason="exactly one of lines, amount and points is needed", path=())
    if purchase.lines is None:
        return
    if not purchase.lines:
        raise InvalidInput(reason="lines must not be empty", path=("lines",))
    for number, line in enumerate(purchase.lines):
        try:
            negative = _quantity(line.quantity, QUANTITY_PLACES) < 0
        except InvalidInput as refusal:
            raise InvalidInput(path=("lines", str(number), "quantity"), **refusal.data) from None
        if negative:
            raise InvalidInput(reason="a quantity must not be negative", path=("lines", str(number), "quantity"))


def _decode(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedLine(reason=str(error)) from None
    except RecursionError:
        raise MalformedLine(reason="nested too deeply") from None


def _invalid(message: str) -> InvalidInput:
    """msgspec's words with its path as ours: `$.lines[0].amount` is lines, 0, amount."""
    found = _place.match(message)
    what, path = (found["what"], found["path"] or "") if found else (message, "")
    parts = [part for part in re.split(r"[.\[\]]", path) if part]
    if (field := _field.search(what)) is not None:
        parts.append(field[1])
    return InvalidInput(reason=what, path=parts)


def _require_no_nul(raw: bytes) -> None:
    """PostgreSQL's text has no NUL. Raises InvalidInput if a string of the line has one."""
    try:
        _require_plain(_anything.decode(raw), ())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedLine(reason=str(error)) from None


def _require_plain(value: object, path: tuple[str, ...]) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidInput(reason="a string must not contain NUL", path=path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _require_plain(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _require_plain(inner, (*path, str(number)))
