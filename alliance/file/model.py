"""The shape of the alliance file: every key it may have. docs/alliance-file.md says what each means."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WrapValidator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ValidationError

from alliance.file.agreement import Agreement
from alliance.file.banking import Account, AllianceSettlement
from alliance.file.contacts import Contacts
from alliance.file.defaults import Defaults
from alliance.file.feeds import Feed
from alliance.file.guard import Guard
from alliance.file.identifying import IdentifierType, MemberNumbers
from alliance.file.invoicing import Invoice
from alliance.file.liability import Liability
from alliance.file.members import Members
from alliance.file.notifications import Notifications
from alliance.file.partner_files import PartnerFile
from alliance.file.timing import CalendarDays, CalendarRegion, Cycle
from alliance.file.values import (
    Code,
    Count,
    Day,
    Days,
    DecimalText,
    Document,
    IsoCurrency,
    Money,
    Name,
    Points,
    Positive,
    Region,
    Share,
    TypeName,
    Version,
    WaitDays,
    Word,
    Zone,
    as_multiplier,
    distinct,
    each,
    falling,
    positive,
    refusal,
)
from domain.programs.catalogue import ALONE


class AgreementNotice(Document):
    """How long beforehand agreements are accepted and ended, and for how long points run off after one."""

    start: Days = 0
    end: Days = 90
    run_off: Days = 30
    exit: Days = 90


class ByHand(Document):
    """What one person may do by hand; all else takes a second one (A16)."""

    limits: dict[TypeName, Positive] = {}
    alone: Annotated[list[TypeName], AfterValidator(distinct)] = [*ALONE]


class Alliance(Document):
    """What holds for all merchants."""

    code: Code
    name: Name
    settlement_currency: IsoCurrency
    timezone: Zone
    calendar: CalendarRegion | None = None
    holidays: CalendarDays = []
    working_days: CalendarDays = []
    consent: Literal["merchants", "operator"] = "merchants"
    accept_late_days: Annotated[int, Field(ge=0, le=60)] = 7
    round_trip_tolerance: Share = "0.05"
    notice: AgreementNotice = AgreementNotice()
    cycle: Cycle = Cycle()
    by_hand: ByHand = ByHand()
    contacts: Contacts = []
    settlement: AllianceSettlement = AllianceSettlement()
    defaults: Defaults = Defaults()
    invoice: Invoice | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Alliance":
        for day in sorted({*self.holidays} & {*self.working_days}):
            raise refusal(f"{day} is both a holiday and a working day")
        return self


class Settings(Document):
    """How a merchant wants to be served."""

    enrol_on_purchase: bool = False
    clawback: Literal["never_below_zero", "pending_only", "none", "unlimited"] = "never_below_zero"
    on_return: Literal["reevaluate", "proportional"] = "reevaluate"
    unique_orders: bool = False
    group: Code | None = None
    adjust_limit: Annotated[int, Field(ge=0, le=10**12)] = 1_000
    adjust_per_day: Annotated[int, Field(ge=0, le=10**12)] = 10_000
    grace_days: Annotated[int, Field(ge=1, le=3_650)] = 30
    grace_on_fault: Annotated[int, Field(ge=0, le=3_650)] = 30
    offline_codes: Annotated[int, Field(ge=0, le=168)] = 72
    guard: Guard | None = None
    member_numbers: MemberNumbers | None = None


class Settlement(Document):
    """How far the alliance trusts a merchant: its cap is both together; without a limit there is none (A5).

    And at which bank it is paid.
    """

    credit_limit: DecimalText | None = None
    collateral: DecimalText = "0"
    reserve: DecimalText | None = None
    contacts: Contacts = []
    account: Account | None = None
    fund: DecimalText = "0"


class Store(Document):
    """A place where a merchant sells."""

    code: Word
    name: Name


class Expiry(Document):
    """When points end; each policy takes the keys that `_fits` names."""

    policy: Literal["rolling", "fixed", "end_of_year", "anniversary", "inactivity", "never"]
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
            "anniversary": {"years"},
            "inactivity": {"days", "months"},
            "never": set(),
        }
        given = {name for name in ("days", "months", "round_up_to", "on", "years") if getattr(self, name) is not None}
        if extra := given - allowed[self.policy]:
            raise refusal(f"{to_camel(min(extra))} has no meaning in policy {self.policy}")
        if self.policy in ("rolling", "inactivity") and (self.days is None) == (self.months is None):
            raise refusal(f"policy {self.policy} needs either days or months")
        if self.policy == "fixed" and self.on is None:
            raise refusal("policy fixed needs the date: on")
        return self


class Redemption(Document):
    """How far points pay for an order."""

    unit: Count = 1
    minimum: Count = 1
    max_share: Annotated[Share, AfterValidator(positive)] = "1"
    max_money: Money | None = None


class Gifts(Document):
    """Whether members give points to each other, and how many."""

    allowed: bool = False
    max_points: Count = 10_000
    per_day: Annotated[int, Field(ge=1, le=10_000)] = 5
    max_depth: Annotated[int, Field(ge=1, le=100)] = 3
    wait_days: WaitDays = 0


class Notice(Document):
    """When members have to be told before their points end."""

    days: Annotated[list[Annotated[int, Field(ge=0, le=365)]], Field(min_length=2, max_length=2)]

    @model_validator(mode="after")
    def _fits(self) -> "Notice":
        if self.days[0] >= self.days[1]:
            raise refusal("days are the least and the most, such as [30, 60]")
        return self


class ForcedExit(Document):
    """When what a member does not spend is sold for change."""

    times: Literal[2, 3] = 2
    measure: Literal["worth", "quantity"] = "worth"
    into: Points


class Limit(Document):
    """How many points below zero."""

    limit: Annotated[int, Field(ge=1, le=10**12)]


def _negative(value: Any, handler: Callable[[Any], Any]) -> Any:
    try:
        return handler(value)
    except ValidationError:
        raise refusal("negative is never, by_reversal, or {limit: 500}") from None


Negative = Annotated[Literal["never", "by_reversal"] | Limit, WrapValidator(_negative)]


class Pending(Document):
    """How long points wait before they are active."""

    days: Annotated[int, Field(ge=1, le=3_660)] | None = None
    until: Literal["event"] | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Pending":
        if (self.days is None) == (self.until is None):
            raise refusal("pending is either days or until: event")
        return self


class RuleLimits(Document):
    """How many points a member earns by a rule at most (R9)."""

    per_transaction: Count | None = None
    per_day: Count | None = None
    per_week: Count | None = None
    per_month: Count | None = None
    over: Literal["truncate", "refuse"] = "truncate"

    @model_validator(mode="after")
    def _fits(self) -> "RuleLimits":
        if not self.model_fields_set - {"over"}:
            names = ", ".join(field.alias or name for name, field in type(self).model_fields.items() if name != "over")
            raise refusal(f"limits name at least one of {names}")
        return self


class Limits(RuleLimits):
    """How many points a member earns of a currency at most, and how many they may have (R9)."""

    balance: Count | None = None


class CurrencyTerms(Document):
    """What a version of a currency's policy says."""

    worth: Money | None = None
    redemption: Redemption | None = None
    expiry: Expiry = Expiry(policy="never")
    negative: Negative = "never"
    gifts: Gifts = Gifts()
    card: Count | None = None
    limits: Limits | None = None
    pending: Pending | None = None
    forced_exit: ForcedExit | None = None
    notice: Notice | None = None
    reminders: Annotated[list[Annotated[int, Field(ge=1, le=365)]], Field(max_length=10), AfterValidator(falling)] = []
    liability: Liability | None = None

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
    kind: Literal["points", "tier_credits", "stored_value", "stamps"]
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

    category: Annotated[list[Word], Field(min_length=1), AfterValidator(distinct)]


class When(Document):
    """Which purchases are meant: lines of these categories, members of these tiers."""

    category: Annotated[list[Word], Field(min_length=1), AfterValidator(distinct)] | None = None
    tier: Annotated[list[Code], Field(min_length=1), AfterValidator(distinct)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> "When":
        if self.category is None and self.tier is None:
            raise refusal("when names a category or a tier")
        return self


class EarningRule(Document):
    """A version of a rule."""

    code: Code
    version: Version
    from_: Day = Field(alias="from")
    to: Day | None = None
    currency: Points | None = None
    of: Points | None = None
    points: Annotated[int, Field(ge=0, le=10**9)] | None = None
    per: Money | None = None
    multiplier: Annotated[str, BeforeValidator(as_multiplier)] | None = None
    bonus: Annotated[int, Field(ge=0, le=10**9)] | None = None
    at_least: Money | None = None
    base: Literal["paid", "price"] | None = None
    cap: Count | None = None
    round: Round | None = None
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    stacks: bool = False
    when: When | None = None
    except_: Lines | None = Field(default=None, alias="except")
    expiry: Expiry | None = None
    pending: Pending | None = None
    limits: RuleLimits | None = None

    @model_validator(mode="after")
    def _fits(self) -> "EarningRule":
        if self.currency is not None and self.of is not None:
            raise refusal("a rule names its points either by currency or by of")
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


class LevelGrant(Document):
    """A right that comes with a tier."""

    kind: Code
    quantity: Annotated[int, Field(ge=1, le=1_000)] | None = None


class Level(Document):
    """A tier, how many credits reach it, and the rights that come with it."""

    code: Code
    name: Name
    threshold: Count
    grants: Annotated[list[LevelGrant], Field(min_length=1), each] | None = None


class Months(Document):
    """So many months, rolling."""

    months: Annotated[int, Field(ge=1, le=120)]


def _period(value: Any, handler: Callable[[Any], Any]) -> Any:
    try:
        return handler(value)
    except ValidationError:
        raise refusal("period is calendar_year, or {months: 12}") from None


class Tiers(Document):
    """The tiers of a merchant's programme."""

    credits: Points
    period: Annotated[Literal["calendar_year"] | Months, WrapValidator(_period)] = "calendar_year"
    lasts: Literal["period", "balance"] = "period"
    levels: Annotated[list[Level], Field(min_length=1), each]
    after_return: Literal["if_lifted", "now", "at_period_end", "keep"] = "if_lifted"
    return_days: Annotated[int, Field(ge=1, le=3_650)] = 30


class Benefit(Document):
    """A kind of right that a merchant grants."""

    code: Code
    name: Name
    uses: Annotated[int, Field(ge=1, le=1_000)] = 1
    expiry: Expiry = Expiry(policy="never")
    at: Annotated[list[Code], Field(min_length=1), AfterValidator(distinct)] | None = None
    stock: Annotated[int, Field(ge=0, le=10**12)] | None = None
    budget: Money | None = None
    cost: Money | None = None
    per_member: Count | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Benefit":
        if self.expiry.policy in ("anniversary", "inactivity"):
            raise refusal("a right ends on a date known when it is granted")
        if self.cost is not None and self.budget is None:
            raise refusal("cost is taken of a budget")
        return self


class Merchant(Document):
    """A merchant, its stores, points and rules."""

    code: Code
    name: Name
    jurisdiction: Region
    timezone: Zone | None = None
    settings: Settings = Settings()
    settlement: Settlement = Settlement()
    invoice: Invoice | None = None
    stores: Annotated[list[Store], each] = []
    currencies: Annotated[list[Currency], each] = []
    earning: Annotated[list[EarningRule], each] = []
    tiers: Tiers | None = None
    notifications: Notifications | None = None
    benefits: Annotated[list[Benefit], each] = []
    partner_files: Annotated[list[PartnerFile], each] = []

    @property
    def candidates(self) -> list[Currency]:
        """Of which one is the default: its points, or whatever it has where it has no points."""
        return [currency for currency in self.currencies if currency.kind == "points"] or self.currencies

    def is_default(self, currency: Currency) -> bool:
        """Whether that is what is meant where a caller names none."""
        return currency.default or [currency] == self.candidates


class Header(Document):
    """The first section."""

    alliance: Alliance


class Sections(Document):
    """The lists."""

    identifiers: Annotated[list[IdentifierType], each] = []
    merchants: Annotated[list[Merchant], each] = []
    agreements: Annotated[list[Agreement], each] = []
    feeds: Annotated[list[Feed], each] = []


class AllianceDocument(Sections, Header):
    """The whole file."""

    members: Members | None = None
