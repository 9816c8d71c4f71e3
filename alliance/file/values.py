"""What a value in the alliance file may be: its shapes, and what is said of one that is wrong."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WrapValidator,
    field_serializer,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError, ValidationError

from alliance.file.source import Items, Path
from domain.errors import InvalidInput
from domain.money import exponent

DECIMAL = re.compile(r"\d{1,12}(\.\d{1,8})?")
NO_MONEY = ("XXX", "XTS")


def refusal(reason: str) -> PydanticCustomError:
    """What a validator raises: the reason is shown as it is."""
    return PydanticCustomError("refused", "{reason}", {"reason": reason})


def _decimal(value: Any) -> Any:
    if isinstance(value, int | float):
        raise refusal(f'write it in quotes ("{value}"): numbers with a point are exact here')
    if not isinstance(value, str) or not DECIMAL.fullmatch(value):
        raise refusal(f'{str(value)[:40]!r} is not a number such as "12.50" (at most 12 digits and 8 places)')
    return canonical(value)


def canonical(number: str) -> str:
    """The one spelling of a decimal number: no zeros before or after it."""
    return f"{Decimal(number).normalize():f}"


def positive(value: str) -> str:
    if not Decimal(value):
        raise refusal("must be more than zero")
    return value


def _share(value: str) -> str:
    if Decimal(value) > 1:
        raise refusal("a share is from 0 to 1")
    return value


def _iso_currency(code: str) -> str:
    try:
        exponent(code)
    except InvalidInput as fault:
        raise refusal(fault.message()) from None
    if code in NO_MONEY:
        raise refusal(f"{code} is no money")
    return code


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise refusal(f"{name[:40]!r} is not a time zone of the IANA database, such as America/New_York")
    return name


def _printable(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise refusal("must be characters that print")
    return value


def as_multiplier(value: Any) -> Any:
    value = _decimal(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)
    if Decimal(value) < 1:
        raise refusal("a multiplier is at least 1")
    return value


def distinct(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise refusal("the same value twice")
    return values


def falling(days: list[int]) -> list[int]:
    if sorted(set(days), reverse=True) != days:
        raise refusal("days stand in falling order, such as [60, 30, 7]")
    return days


def _stored_day(value: Any, info: ValidationInfo) -> Any:
    """Dates are stored as text; in a file (which has a context) text is no date."""
    return date.fromisoformat(value) if info.context is None and isinstance(value, str) else value


def shaped(pattern: str, what: str) -> AfterValidator:
    """Text of a certain shape; `what` says which, with an example."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise refusal(f"{value[:40]!r} is not {what}")
        return value

    return AfterValidator(check)


def _each(value: Any, handler: Callable[[Any], list[Any]], info: ValidationInfo) -> list[Any]:
    """Check each item by itself, so that one that is wrong does not hide what is wrong with the rest."""
    reading = info.context
    if reading is None or not isinstance(value, Items):
        return handler(value)
    good = []
    for i, item in enumerate(value):
        path: Path = (*value.path, i)
        try:
            (checked,) = handler([item])
        except ValidationError as faults:
            reading.note(path, faults)
        else:
            reading.places[id(checked)] = path
            good.append(checked)
    return good


each = WrapValidator(_each)

Day = Annotated[date, BeforeValidator(_stored_day)]
DecimalText = Annotated[str, BeforeValidator(_decimal)]
Positive = Annotated[DecimalText, AfterValidator(positive)]
Share = Annotated[DecimalText, AfterValidator(_share)]
IsoCurrency = Annotated[str, AfterValidator(_iso_currency)]
Zone = Annotated[str, AfterValidator(_zone)]
Name = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
Word = Annotated[str, Field(max_length=100), AfterValidator(_printable)]
Code = Annotated[str, shaped(r"[a-z0-9][a-z0-9_-]{0,39}", "a code of small letters, digits, - and _, such as fuel")]
Points = Annotated[
    str, shaped(r"[A-Z][A-Z0-9_]{1,11}", "a points currency of 2 to 12 capitals and digits, such as GRO")
]
TypeName = Annotated[str, shaped(r"[A-Z][A-Z0-9_]{0,39}", "a type of capitals, digits and _, such as CARD")]
Region = Annotated[str, shaped(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", "a country or part of one by ISO 3166, such as US-OH")]
Version = Annotated[int, Field(ge=1, le=1_000_000)]
Count = Annotated[int, Field(ge=1, le=10**12)]
WaitDays = Annotated[int, Field(ge=0, le=3_650)]


class Document(BaseModel):
    """What all parts share: no unknown keys, no conversions, camelCase names."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, serialize_by_alias=True
    )

    def dump(self, *leave_out: str) -> dict[str, Any]:
        """As JSON, all defaults filled in and nothing that is null, without the keys named."""
        stored = self.model_dump(mode="json", exclude_none=True)
        return {key: value for key, value in stored.items() if key not in leave_out}


class Money(Document):
    """An amount of money; never a float."""

    amount: DecimalText
    currency: IsoCurrency

    @field_serializer("amount")
    def _with_minor_places(self, amount: str) -> str:
        whole, _, places = amount.partition(".")
        wanted = exponent(self.currency)
        return amount if len(places) >= wanted else f"{whole}.{places.ljust(wanted, '0')}"


class BusinessDays(Document):
    """Days of the alliance's calendar."""

    business: Annotated[int, Field(ge=0, le=400)]


def _days(value: Any, handler: Callable[[Any], Any]) -> Any:
    try:
        return handler(value)
    except ValidationError:
        raise refusal("days are a number from 0 to 400, or {business: 3} for business days") from None


Days = Annotated[Annotated[int, Field(ge=0, le=400)] | BusinessDays, WrapValidator(_days)]
