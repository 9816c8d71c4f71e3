"""What an attribute takes, and who sees it. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import orjson

from domain.errors import InvalidInput
from domain.money import MAX_INTEGER
from domain.profiles.errors import AttributeReadOnly, UnfitAttribute, UnknownAttribute
from domain.programs.profiles import Attribute

MAX_TEXT = 200
MAX_VALUES = 100
"""How many attributes are told of a member at once."""

_DECIMAL = re.compile(r"-?\d{1,12}(\.\d{1,8})?")
_TAG = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: the member, a merchant (its code), the operator, or an auditor, who sees nothing personal."""

    kind: Literal["member", "merchant", "operator", "auditor"]
    merchant: str | None = None


def sees(reader: Reader, attribute: Attribute) -> bool:
    """Whether a reader may see an attribute at all."""
    return _may(reader, attribute, attribute.read) and not (reader.kind == "auditor" and attribute.personal)


def sets(reader: Reader, attribute: Attribute) -> bool:
    """Whether a reader may set it."""
    return reader.kind != "auditor" and _may(reader, attribute, attribute.write)


def _may(reader: Reader, attribute: Attribute, allowed: frozenset[str]) -> bool:
    if reader.kind in ("operator", "auditor"):
        return True
    if reader.kind == "merchant" and attribute.merchant not in (None, reader.merchant):
        return False
    return reader.kind in allowed


def checked(attributes: Mapping[str, Attribute], reader: Reader, values: Mapping[str, Any]) -> dict[str, Any]:
    """What was told of a member, each value in its one spelling, None for one that is to go.

    Raises UnknownAttribute (also for what is out of reach), AttributeReadOnly, UnfitAttribute, each with its path.
    """
    told = {}
    for code, value in values.items():
        attribute = attributes.get(code)
        if attribute is None or not (sees(reader, attribute) or sets(reader, attribute)):
            raise UnknownAttribute(attribute=code[:40], path=(code,))
        if not sets(reader, attribute):
            raise AttributeReadOnly(attribute=code, path=(code,))
        told[code] = None if value is None else fitted(attribute, value)
    return told


def fitted(attribute: Attribute, value: Any) -> Any:
    """A value in its one spelling: decimals and dates as text. Raises UnfitAttribute."""
    found = _fitted(attribute, value)
    if found is None:
        raise UnfitAttribute(attribute=attribute.code, expected=_expected(attribute), path=(attribute.code,))
    return found


def _fitted(attribute: Attribute, value: Any) -> Any:
    """None for what does not fit."""
    match attribute.type, value:
        case "boolean", bool():
            return value
        case "integer", int() if not isinstance(value, bool) and abs(value) <= MAX_INTEGER:
            return value
        case "decimal", str() if _DECIMAL.fullmatch(value):
            plain = f"{Decimal(value).normalize():f}"
            return "0" if plain == "-0" else plain
        case "date", str() if _DATE.fullmatch(value):
            return _date(value)
        case "string", str():
            return _text(value)
        case "choice", str() if value in attribute.choices:
            return value
        case "choices", list() if value and all(one in attribute.choices for one in value):
            return [choice for choice in attribute.choices if choice in value]
        case _:
            return None


def _date(value: str) -> str | None:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return None


def _text(value: str) -> str | None:
    text = unicodedata.normalize("NFC", value.strip())
    return text if text and len(text) <= MAX_TEXT and text.isprintable() else None


def _expected(attribute: Attribute) -> str:
    choices = ", ".join(attribute.choices[:10]) + (", ..." if len(attribute.choices) > 10 else "")
    return {
        "string": f"a text of 1 to {MAX_TEXT} characters, all of which print",
        "integer": "a whole number from -(2^53-1) to 2^53-1",
        "decimal": 'a number as text, such as "12.50", with at most 12 digits and 8 places',
        "date": "a date, such as 2017-01-31",
        "boolean": "true or false",
        "choice": f"one of {choices}",
        "choices": f"a list of one or more of {choices}",
    }[attribute.type]


def stored(attribute: Attribute, value: Any) -> str:
    """A fitted value as the JSON that is stored: a decimal is a number there, so that it is ordered as one."""
    return str(value) if attribute.type == "decimal" else orjson.dumps(value).decode()


def shown(attribute: Attribute, text: str) -> Any:
    """A stored value as clients see it, from its JSON text."""
    return f"{Decimal(text).normalize():f}" if attribute.type == "decimal" else orjson.loads(text)


def tag_code(value: str) -> str:
    """A tag in its one spelling. Raises InvalidInput."""
    if _TAG.fullmatch(value) is None:
        raise InvalidInput(reason="must be small letters, digits, - and _, such as vip", path=("tag",))
    return value
