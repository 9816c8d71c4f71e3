"""From the bytes of a feed's line to a checked purchase or return. Pure."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import msgspec

from alliance.intake.errors import MalformedLine
from alliance.intake.model import Money, OrderLine, Purchase, Return
from domain.errors import InvalidInput
from domain.money import scaled, to_minor

T = TypeVar("T")
QUANTITY_PLACES = 6
EARLIEST_YEAR = 1970


class _Typed(msgspec.Struct):
    type: str = "PURCHASE"


class _Keyed(msgspec.Struct):
    key: str


class Order(NamedTuple):
    """What an order is valued from: amounts in minor units of `money`. `details` are kept with the operation."""

    money: str | None = None
    lines: list[tuple[int, str | None]] | None = None
    details: list[dict[str, Any]] | None = None
    amount: int | None = None
    points: int | None = None
    tenders: Sequence[tuple[str, int]] = ()


_purchases = msgspec.json.Decoder(Purchase)
_returns = msgspec.json.Decoder(Return)
_types = msgspec.json.Decoder(_Typed)
_keys = msgspec.json.Decoder(_Keyed)
_anything = msgspec.json.Decoder()
_place = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_field = re.compile(r"(?:missing required|unknown) field `([^`]*)`")

minor_units = lru_cache(maxsize=65536)(to_minor)
"""`to_minor` of the prices seen last: prices repeat, and a decimal costs more to read than to remember."""

_quantity = lru_cache(maxsize=4096)(scaled)


def parse(raw: bytes) -> Purchase | Return:
    """The line, checked as far as that goes without the database. Raises MalformedLine, InvalidInput."""
    if b"\\u0000" in raw:
        _require_no_nul(raw)
    # Only what may be a return is decoded twice: nearly all lines are purchases.
    is_return = b'"RETURN"' in raw and _decode(_types, raw).type == "RETURN"
    line: Purchase | Return = _decode(_returns, raw) if is_return else _decode(_purchases, raw)
    if line.occurredAt is not None and line.occurredAt.year < EARLIEST_YEAR:
        raise InvalidInput(reason=f"occurredAt is before {EARLIEST_YEAR}", path=("occurredAt",))
    if isinstance(line, Purchase):
        _check(line)
    return line


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
    money = purchase.amount.currency if purchase.amount is not None else _lines_of(purchase)[0].amount.currency
    tenders = [
        (tender.kind, _minor(tender.amount, money, "tenders", number))
        for number, tender in enumerate(purchase.tenders or ())
    ]
    if purchase.amount is not None:
        return Order(money, amount=_minor(purchase.amount, money), tenders=tenders)
    sent = _lines_of(purchase)
    amounts = [_minor(line.amount, money, "lines", number) for number, line in enumerate(sent)]
    lines = [(amount, line.category) for amount, line in zip(amounts, sent, strict=True)]
    return Order(money, lines=lines, details=[_detail(line) for line in sent], tenders=tenders)


def _detail(line: OrderLine) -> dict[str, Any]:
    """What is kept of a line, so that a return can name it."""
    kept: dict[str, Any] = {"ref": line.ref} if line.ref is not None else {}
    if line.sku is not None:
        kept["sku"] = line.sku
    if line.category is not None:
        kept["category"] = line.category
    kept["quantity"] = line.quantity
    kept["amount"] = line.amount.amount
    kept["currency"] = line.amount.currency
    return kept


def _lines_of(purchase: Purchase) -> list[OrderLine]:
    return purchase.lines or []


def _minor(sent: Money, money: str, *place: str | int) -> int:
    """A sent amount in minor units of `money`. Raises InvalidInput, also for another currency or a negative amount."""
    try:
        minor = minor_units(sent.amount, sent.currency)
    except InvalidInput as refusal:
        raise _misplaced(refusal, place) from None
    if minor < 0:
        raise _misplaced(InvalidInput(reason="an amount must not be negative"), place)
    if sent.currency != money:
        reason = f"all amounts of an order are in one currency, here {money}"
        raise _misplaced(InvalidInput(reason=reason, path=("currency",)), place)
    return minor


def _misplaced(refusal: InvalidInput, place: Sequence[str | int]) -> InvalidInput:
    """A refusal of an amount, with the path to it."""
    return InvalidInput(path=(*map(str, place), "amount", *(refusal.path or ("amount",))), **refusal.data)


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

    def walk(value: object, path: tuple[str, ...]) -> None:
        if isinstance(value, str) and "\0" in value:
            raise InvalidInput(reason="a string must not contain NUL", path=path)
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, (*path, key))
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                walk(inner, (*path, str(number)))

    try:
        walk(_anything.decode(raw), ())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedLine(reason=str(error)) from None
