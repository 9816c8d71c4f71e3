"""The shape of the alliance file: every key it may have. docs/alliance-file.md says what each means."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal
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
    model_validator,
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


def _positive(value: str) -> str:
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


def _multiplier(value: Any) -> Any:
    value = _decimal(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)
    if Decimal(value) < 1:
        raise refusal("a multiplier is at least 1")
    return value


def _distinct(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise refusal("the same value twice")
    return values


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


def later(*values: str) -> BeforeValidator:
    """Values that the rules know and this version does not yet."""

    def check(value: Any) -> Any:
        if value in values:
            raise refusal(f"{value!r} is not supported in this version")
        return value

    return BeforeValidator(check)


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
Positive = Annotated[DecimalText, AfterValidator(_positive)]
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


class Cycle(Document):
    """When the alliance settles, and its deadlines."""

    every: Literal["day", "week", "month"] = "week"
    objection_days: Days = BusinessDays(business=3)
    payment_days: Days = BusinessDays(business=5)
    claim_days: Days = 180
    min_payment: DecimalText = "0"


class Alliance(Document):
    """What holds for all merchants."""

    code: Code
    name: Name
    settlement_currency: IsoCurrency
    timezone: Zone
    calendar: Region | None = None
    consent: Literal["merchants", "operator"] = "merchants"
    cycle: Cycle = Cycle()


class IdentifierType(Document):
    """A kind of identifier by which members are recognised."""

    type: TypeName
    issuer: Word | None = None
    normalise: Literal["e164", "email"] | None = None
    unique: Literal["issuer", "alliance"]
    at_till: bool = False
    verify: Literal["code"] | None = None


class Settings(Document):
    """How a merchant wants to be served."""

    enrol_on_purchase: bool = False
    clawback: Annotated[Literal["never_below_zero", "none", "unlimited"], later("pending_only")] = "never_below_zero"
    on_return: Literal["reevaluate", "proportional"] = "reevaluate"
    unique_orders: bool = False
    adjust_limit: Annotated[int, Field(ge=0, le=10**12)] = 1_000
    adjust_per_day: Annotated[int, Field(ge=0, le=10**12)] = 10_000
    grace_days: Annotated[int, Field(ge=1, le=3_650)] = 30


class Settlement(Document):
    """How far the alliance trusts a merchant."""

    credit_limit: DecimalText = "0"
    collateral: DecimalText = "0"


class Store(Document):
    """A place where a merchant sells."""

    code: Word
    name: Name


class Expiry(Document):
    """When points end; each policy takes the keys that `_fits` names."""

    policy: Annotated[Literal["rolling", "fixed", "end_of_year", "never"], later("anniversary", "inactivity")]
    days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    months: Annotated[int, Field(ge=1, le=1_200)] | None = None
    round_up_to: Literal["month", "quarter", "year"] | None = None
    on: Day | None = None
    years: Annotated[int, Field(ge=0, le=100)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Expiry":
        allowed = {
            "rolling": {"days", "months", "round_up_to"},
            "fixed": {"on"},
            "end_of_year": {"years"},
            "never": set(),
        }
        given = {name for name in ("days", "months", "round_up_to", "on", "years") if getattr(self, name) is not None}
        if extra := given - allowed[self.policy]:
            raise refusal(f"{to_camel(min(extra))} has no meaning in policy {self.policy}")
        if self.policy == "rolling" and (self.days is None) == (self.months is None):
            raise refusal("policy rolling needs either days or months")
        if self.policy == "fixed" and self.on is None:
            raise refusal("policy fixed needs the date: on")
        return self


class Redemption(Document):
    """How far points pay for an order."""

    unit: Count = 1
    minimum: Count = 1
    max_share: Annotated[Share, AfterValidator(_positive)] = "1"
    max_money: Money | None = None


class Gifts(Document):
    """Whether members give points to each other, and how many."""

    allowed: bool = False
    max_points: Count = 10_000
    per_day: Annotated[int, Field(ge=1, le=10_000)] = 5
    max_depth: Annotated[int, Field(ge=1, le=100)] = 3


class Limit(Document):
    """How many points below zero."""

    limit: Annotated[int, Field(ge=1, le=10**12)]


def _negative(value: Any, handler: Callable[[Any], Any]) -> Any:
    try:
        return handler(value)
    except ValidationError:
        raise refusal("negative is never, by_reversal, or {limit: 500}") from None


Negative = Annotated[Literal["never", "by_reversal"] | Limit, WrapValidator(_negative)]


class CurrencyTerms(Document):
    """What a version of a currency's policy says."""

    worth: Money | None = None
    redemption: Redemption | None = None
    expiry: Expiry = Expiry(policy="never")
    negative: Negative = "never"
    gifts: Gifts = Gifts()

    @model_validator(mode="after")
    def _redeemable(self) -> "CurrencyTerms":
        if self.redemption is None:
            return self
        if self.worth is None:
            raise refusal("redemption needs a worth")
        most = self.redemption.max_money
        if most is not None and most.currency != self.worth.currency:
            raise refusal(f"redemption.maxMoney must be in {self.worth.currency}, as worth is")
        return self


class Policy(CurrencyTerms):
    """A version of a currency's policy after the first."""

    version: Annotated[int, Field(ge=2, le=1_000_000)]
    from_: Day = Field(alias="from")


class CurrencyNames(Document):
    """What a currency is."""

    code: Points
    kind: Annotated[Literal["points"], later("credits", "stored_value")]
    default: bool = False
    name: Name
    scale: Literal[0] = 0


class Currency(CurrencyTerms, CurrencyNames):
    """A currency and its policy: version 1 on itself, later ones in `policies`."""

    policies: Annotated[list[Policy], each] = []


class Round(Document):
    """How points become whole."""

    mode: Literal["floor", "half_up", "half_even", "ceiling"] = "floor"
    by: Literal["line", "order"] = "line"


class Lines(Document):
    """Which lines of an order are meant."""

    category: Annotated[list[Word], Field(min_length=1), AfterValidator(_distinct)]


class EarningRule(Document):
    """A version of a rule."""

    code: Code
    version: Version
    from_: Day = Field(alias="from")
    to: Day | None = None
    currency: Points | None = None
    points: Annotated[int, Field(ge=0, le=10**9)] | None = None
    per: Money | None = None
    multiplier: Annotated[str, BeforeValidator(_multiplier)] | None = None
    bonus: Annotated[int, Field(ge=0, le=10**9)] | None = None
    at_least: Money | None = None
    cap: Count | None = None
    round: Round | None = None
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    stacks: bool = False
    when: Lines | None = None
    except_: Lines | None = Field(default=None, alias="except")

    @model_validator(mode="after")
    def _fits(self) -> "EarningRule":
        if (self.points is None) != (self.per is None):
            raise refusal("points and per belong together")
        if (self.bonus is None) != (self.at_least is None):
            raise refusal("bonus and atLeast belong together")
        if (self.points, self.multiplier, self.bonus).count(None) != 2:
            raise refusal("a rule gives either points per money, a multiplier or a bonus")
        if self.bonus is not None and (self.round is not None or self.cap is not None):
            raise refusal("a bonus is given whole: it has neither round nor cap")
        if self.per is not None and not Decimal(self.per.amount):
            raise refusal("per must be more than zero")
        return self


class Merchant(Document):
    """A merchant, its stores, points and rules."""

    code: Code
    name: Name
    jurisdiction: Region
    timezone: Zone | None = None
    settings: Settings = Settings()
    settlement: Settlement = Settlement()
    stores: Annotated[list[Store], each] = []
    currencies: Annotated[list[Currency], each] = []
    earning: Annotated[list[EarningRule], each] = []


class Exchange(Document):
    """Points that may become another's."""

    from_: Points = Field(alias="from")
    to: Points
    rate: Positive
    clearing_value: Money
    block: Count = 1
    step: Count = 1
    daily_cap_per_member: Count | None = None


class Earn(Document):
    """Points that a party may grant though they are the other's."""

    at: Code
    of: Points
    issue_price: Money
    share: Share = "1"
    funding: Annotated[Literal["at_issue"], later("at_redemption", "split")] = "at_issue"
    breakage_to: Annotated[Literal["issuer"], later("funder")] = "issuer"


class Redeem(Document):
    """Points that may be spent at a party though they are the other's."""

    at: Code
    of: Points
    redemption_price: Money


class Right(Document):
    """What a party is owed for a right of the other's members."""

    grantor: Code
    at: Code
    kind: Code
    price: Money
    no_show: Money | None = None


class Fee(Document):
    """What the operator takes."""

    for_: Annotated[
        list[Literal["earn", "redeem", "exchange", "right"]], Field(min_length=1), AfterValidator(_distinct)
    ] = Field(alias="for")
    share: Share | None = None
    amount: Money | None = None
    payer: Literal["issuer", "partner"]

    @model_validator(mode="after")
    def _fits(self) -> "Fee":
        if (self.share is None) == (self.amount is None):
            raise refusal("a fee is either a share or an amount")
        return self


class Agreement(Document):
    """A version of what two merchants agreed on."""

    merchants: Annotated[list[Code], Field(min_length=2, max_length=2), AfterValidator(_distinct)]
    version: Version
    from_: Day = Field(alias="from")
    to: Day | None = None
    exchange: Annotated[list[Exchange], each] = []
    earn: Annotated[list[Earn], each] = []
    redeem: Annotated[list[Redeem], each] = []
    rights: Annotated[list[Right], each] = []
    fees: Annotated[list[Fee], each] = []


class Header(Document):
    """The first section."""

    alliance: Alliance


class Sections(Document):
    """The lists."""

    identifiers: Annotated[list[IdentifierType], each] = []
    merchants: Annotated[list[Merchant], each] = []
    agreements: Annotated[list[Agreement], each] = []


class AllianceDocument(Sections, Header):
    """The whole file."""
