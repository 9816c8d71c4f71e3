"""From the bytes of a feed's line to a checked purchase or return. Pure."""

import re
from functools import lru_cache

import msgspec

from alliance.intake.errors import MalformedLine
from alliance.intake.model import Money, Purchase, Return
from domain.errors import InvalidInput, Refusal
from domain.money import scaled, to_minor

QUANTITY_PLACES = 6
EARLIEST_YEAR = 1970

_purchases = msgspec.json.Decoder(Purchase)
_returns = msgspec.json.Decoder(Return)
_either = msgspec.json.Decoder(msgspec.defstruct("Head", [("type", str, "PURCHASE")]))
_keys = msgspec.json.Decoder(msgspec.defstruct("Keyed", [("key", str)]))
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
    is_return = b'"RETURN"' in raw and _decode(_either, raw).type == "RETURN"
    line: Purchase | Return = _decode(_returns if is_return else _purchases, raw)
    if line.occurredAt is not None and line.occurredAt.year < EARLIEST_YEAR:
        raise InvalidInput(reason=f"occurredAt is before {EARLIEST_YEAR}", path=("occurredAt",))
    if isinstance(line, Purchase):
        _check(line)
    return line


def key_of(raw: bytes) -> str | None:
    """The key of a line that was refused, if one can be read."""
    try:
        key: str = _keys.decode(raw).key
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return key[:200]


def amount_of(money: Money, *path: str) -> int:
    """A sent amount in minor units. Raises InvalidInput, also for a negative one."""
    try:
        minor = minor_units(money.amount, money.currency)
    except Refusal as refusal:
        raise refusal.at(*path, *(() if refusal.path else ("amount",))) from None
    if minor < 0:
        raise InvalidInput(reason="an amount must not be negative", path=(*path, "amount"))
    return minor


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


def _decode(decoder: msgspec.json.Decoder[msgspec.Struct], raw: bytes) -> msgspec.Struct:
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
