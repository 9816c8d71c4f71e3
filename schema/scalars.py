"""Our own scalars: the framework's accept NaN, 1e400, floats and naive times.

What a scalar refuses is a `BadInput`, which reaches the client as BAD_USER_INPUT with the path of the value.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from domain.money import MAX_INTEGER

Points = NewType("Points", int)
Decimal = NewType("Decimal", str)
CurrencyCode = NewType("CurrencyCode", str)
JSON = NewType("JSON", object)
LogIndex = NewType("LogIndex", int)

_DIGITS = re.compile(r"-?[0-9]{1,17}", re.ASCII)
_DECIMAL = re.compile(r"-?(?:[0-9]+)(?:\.[0-9]+)?", re.ASCII)
_CODE = re.compile(r"[A-Z]{3}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII)


class BadInput(GraphQLError):
    """A value that a scalar does not take."""

    def __init__(self, message: str) -> None:
        super().__init__(message, extensions={"code": "BAD_USER_INPUT"})


def parse_points(value: object) -> int:
    """An integer, or a string of digits, within ±(2^53-1)."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput("Points must be an integer or a string of digits")
    if abs(value) > MAX_INTEGER:
        raise BadInput("Points must lie within ±9007199254740991 (2^53-1)")
    return value


def serialize_points(value: int) -> int:
    """An integer that every client can read exactly; more than that is a fault of ours."""
    if abs(value) > MAX_INTEGER:
        raise ValueError("a number of points passes 2^53-1")
    return value


def parse_log_index(value: object) -> int:
    """A number of operations: an integer or a string of digits, not below zero."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
        raise BadInput("LogIndex must be an integer, or a string of digits, from 0 to 9007199254740991 (2^53-1)")
    return value


def parse_decimal(value: object) -> str:
    """A string with a plain, finite decimal number of at most 18 digits; kept as text, never a float."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise BadInput('Decimal must be a string with a plain decimal number, such as "12.50"')
    if sum(character.isdigit() for character in value) > 18:
        raise BadInput("Decimal may have at most 18 digits")
    return value


def parse_currency_code(value: object) -> str:
    """Three capital letters; whether ISO 4217 knows them is for the rules to say."""
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise BadInput("CurrencyCode must be three capital letters, by ISO 4217")
    return value


def parse_datetime(value: object) -> datetime:
    """An RFC 3339 time with its offset, as an aware datetime in UTC."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise BadInput("DateTime must be RFC 3339 with an offset, such as 2017-01-01T11:53:26-05:00")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput("DateTime names a time that does not exist") from None


def parse_date(value: object) -> date:
    """A calendar date, YYYY-MM-DD."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise BadInput("Date must be YYYY-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise BadInput("Date names a day that does not exist") from None


def _isoformat(value: date) -> str:
    return value.isoformat()


def _same(value: Any) -> Any:
    return value


def _scalar(name: str, about: str, serialize: Callable[[Any], Any], parse: Callable[[Any], Any]) -> ScalarDefinition:
    definition: ScalarDefinition = strawberry.scalar(
        name=name, description=about, serialize=serialize, parse_value=parse
    )
    return definition


SCALARS: dict[object, ScalarDefinition] = {
    Points: _scalar(
        "Points",
        "A number of points. In: an integer or a string of digits; out: an integer. Never beyond ±(2^53-1).",
        serialize_points,
        parse_points,
    ),
    Decimal: _scalar(
        "Decimal",
        'A decimal number as a string, such as "12.50"; at most 18 digits, no exponent, never a float.',
        _same,
        parse_decimal,
    ),
    CurrencyCode: _scalar("CurrencyCode", "A currency of ISO 4217, such as USD.", _same, parse_currency_code),
    datetime: _scalar("DateTime", "A moment: RFC 3339 with an offset.", _isoformat, parse_datetime),
    date: _scalar("Date", "A calendar date: YYYY-MM-DD.", _isoformat, parse_date),
    LogIndex: _scalar(
        "LogIndex",
        "A place in the log of operations, or how many there are: an integer, which may pass 2^31.",
        _same,
        parse_log_index,
    ),
    JSON: _scalar("JSON", "Any JSON value.", _same, _same),
}
