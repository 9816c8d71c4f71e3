"""The catalogue: everything a programme is, read once and kept in memory, with its earning rules compiled."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.money import MICRO, scaled, to_minor
from domain.programs.benefits import Benefit, benefit
from domain.programs.earning import Earning, EarningRule, compile_earning, compile_tiers
from domain.programs.guarding import NO_GUARD, GuardTerms, guard_terms
from domain.programs.identifying import IdentifierType as IdentifierType
from domain.programs.identifying import identifier_type
from domain.programs.model import (
    AllianceRow,
    BenefitRow,
    CurrencyPolicyRow,
    CurrencyRow,
    EarningRuleRow,
    IdentifierTypeRow,
    MerchantRow,
    StoreRow,
)
from domain.programs.notifying import NotificationTerms, notification_terms
from domain.programs.numbering import NumberRange, number_range
from domain.programs.policies import PRICE_PLACES as PRICE_PLACES
from domain.programs.policies import CurrencyPolicy as CurrencyPolicy
from domain.programs.policies import ForcedExitTerms as ForcedExitTerms
from domain.programs.policies import GiftPolicy as GiftPolicy
from domain.programs.policies import RedemptionTerms as RedemptionTerms
from domain.programs.policies import currency_policy
from domain.programs.profiles import MemberTerms, load_member_terms
from domain.programs.staffing import Contact, contacts_of
from domain.programs.terms import EarnLimits as EarnLimits
from domain.programs.terms import ExpiryPolicy as ExpiryPolicy
from domain.programs.terms import PendingTerms as PendingTerms
from domain.programs.terms import rule_terms
from domain.programs.tiering import TierProgramme, tier_programme

MICRO_PLACES = len(str(MICRO)) - 1


@dataclass(frozen=True, slots=True)
class Days:
    """A span of time: calendar days, or business days of the alliance's calendar."""

    count: int
    business: bool


TWO_WEEKS, FOUR_WEEKS = Days(10, business=True), Days(20, business=True)


@dataclass(frozen=True, slots=True)
class CycleTerms:
    """How often the alliance settles and what the deadlines are. `min_payment` is in minor units.

    Of a dispute, `answer` is how long the other party has, `round` the raiser, `decision` the operator. Cycles end at
    `cut_off`, a time of day in the alliance's zone: on a Monday, on the 1st (and 16th), or on the last of
    so many business days.
    """

    every: Literal["day", "week", "half_month", "month"] | Days
    objection: Days
    payment: Days
    claim: Days
    min_payment: int
    cut_off: time = time()
    answer: Days = TWO_WEEKS
    round: Days = TWO_WEEKS
    decision: Days = FOUR_WEEKS
    grace: Days = Days(1, True)


@dataclass(frozen=True, slots=True)
class CalendarTerms:
    """Whose business days count: those of a region, and what the alliance itself says of some days."""

    region: str | None = None
    holidays: frozenset[date] = frozenset()
    working_days: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class DefaultTerms:
    """When a merchant is in default (A12): whether its cycle may be netted again without it, and for how long the
    reserve honours its points."""

    renet: bool = False
    honour: Days = Days(90, False)


@dataclass(frozen=True, slots=True)
class NoticeTerms:
    """How long before a version of an agreement starts it is accepted at the latest, how long before an agreement ends
    that is said, and for how long after it points may still be spent at the partner."""

    start: Days = Days(0, False)
    end: Days = Days(90, False)
    run_off: Days = Days(30, False)
    exit: Days = Days(90, False)


ALONE = ("FREEZE",)
"""What one person does where the alliance says nothing: it takes nothing from anybody, and waiting might."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """What one person may do by hand (A16): up to `limits`, millionths of the settlement currency, by act; and the acts
    without an amount that one does `alone`. All else takes a second person."""

    limits: Mapping[str, int] = field(default_factory=dict)
    alone: frozenset[str] = frozenset(ALONE)


@dataclass(frozen=True, slots=True)
class Alliance:
    """The alliance of this database; its id is also the operator's in obligations."""

    id: uuid.UUID
    code: str
    name: str
    settlement_currency: str
    timezone: ZoneInfo
    calendar: CalendarTerms
    consent: Literal["merchants", "operator"]
    cycle: CycleTerms
    accept_late: timedelta = timedelta(days=7)
    notice: NoticeTerms = NoticeTerms()
    by_hand: ByHand = field(default_factory=ByHand)
    contacts: tuple[Contact, ...] = ()
    defaults: DefaultTerms = DefaultTerms()


@dataclass(frozen=True, slots=True)
class Currency:
    """Points, or another `kind`: tier_credits, stored_value, stamps. `policies` are in time order.

    `scale` is the decimal places of its smallest unit. `sliding` are all its policies of inactivity, of whatever
    version or rule: what activity moves.
    """

    code: str
    merchant_id: uuid.UUID
    kind: str
    name: str
    scale: int
    policies: tuple[CurrencyPolicy, ...]
    sliding: tuple[ExpiryPolicy, ...] = ()

    def policy_at(self, moment: datetime) -> CurrencyPolicy:
        """The policy in force at `moment`; the first one has always been."""
        for policy in reversed(self.policies):
            if policy.valid_from is None or policy.valid_from <= moment:
                return policy
        return self.policies[0]


@dataclass(frozen=True, slots=True)
class Merchant:
    """A house of the alliance. Limits are in millionths of the settlement currency; stores map codes to names.

    `beside` are its own currencies that rules grant beside the points of a purchase. By hand, one of its clients moves
    at most `adjust_limit` points at once and `adjust_per_day` a day; expired points that come back live `grace_days`,
    spent ones that come back because it was at fault `grace_on_fault` days at least.
    Its feeds may bring codes of members for `offline_codes` hours after they were shown.
    Merchants of one `group` take each other's stored value.
    `fund` is what it has promised to the guarantee fund; its points are refused at partners from `unhonoured_since`.
    `by_tier` is the earning of members of tiers that rules name; all others have `earning`.
    """

    id: uuid.UUID
    code: str
    name: str
    jurisdiction: str
    timezone: ZoneInfo
    enrol_on_purchase: bool
    clawback: Literal["never_below_zero", "pending_only", "none", "unlimited"]
    on_return: Literal["reevaluate", "proportional"]
    unique_orders: bool
    credit_limit: int | None
    collateral: int
    stores: Mapping[str, str]
    currencies: tuple[str, ...]
    default_currency: str | None
    earning: Mapping[tuple[str, str], Earning]
    group: str | None = None
    adjust_limit: int = 1_000
    adjust_per_day: int = 10_000
    grace_days: int = 30
    grace_on_fault: int = 30
    offline_codes: int = 72
    beside: tuple[str, ...] = ()
    tiers: TierProgramme | None = None
    by_tier: Mapping[str, Mapping[tuple[str, str], Earning]] = field(default_factory=dict)
    notifications: NotificationTerms | None = None
    frozen_since: datetime | None = None
    fund: int = 0
    unhonoured_since: datetime | None = None
    benefits: Mapping[str, Benefit] = field(default_factory=dict)
    guard: GuardTerms = NO_GUARD
    member_numbers: NumberRange | None = None
    partner_files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    contacts: tuple[Contact, ...] = ()

    @property
    def cap(self) -> int | None:
        """How far it may come to owe the others (A5), in millionths; None is without end."""
        return None if self.credit_limit is None else self.credit_limit + self.collateral


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All of it, at one revision: NO_ALLIANCE and empty until an alliance file was applied."""

    alliance: Alliance
    merchants: Mapping[str, Merchant]
    merchants_by_id: Mapping[uuid.UUID, Merchant]
    currencies: Mapping[str, Currency]
    identifier_types: Mapping[str, IdentifierType]
    revision: int
    members: MemberTerms = field(default_factory=MemberTerms)

    def issuer_of(self, currency: str) -> Merchant:
        """The merchant that issues a currency. Raises KeyError."""
        return self.merchants_by_id[self.currencies[currency].merchant_id]


NO_ALLIANCE = Alliance(
    id=uuid.UUID(int=0),
    code="",
    name="",
    settlement_currency="XXX",
    timezone=ZoneInfo("UTC"),
    calendar=CalendarTerms(),
    consent="merchants",
    cycle=CycleTerms("week", Days(3, True), Days(5, True), Days(180, False), 0),
)


async def load_catalogue(session: AsyncSession) -> Catalogue:
    """Read the whole catalogue. With no alliance applied yet it is empty: NO_ALLIANCE at revision 0."""
    alliance = (await session.scalars(select(AllianceRow))).one_or_none()
    if alliance is None:
        return Catalogue(NO_ALLIANCE, {}, {}, {}, {}, 0)
    rows = (await session.scalars(select(CurrencyRow).order_by(CurrencyRow.code))).all()
    policies: dict[str, list[CurrencyPolicy]] = defaultdict(list)
    for policy in await session.scalars(select(CurrencyPolicyRow).order_by(CurrencyPolicyRow.version)):
        policies[policy.currency].append(currency_policy(policy))
    defaults = {row.merchant_id: row.code for row in rows if row.is_default and row.kind == "points"}
    rules: dict[uuid.UUID, list[EarningRule]] = defaultdict(list)
    sliding: dict[str, set[ExpiryPolicy]] = defaultdict(set)
    for row in await session.scalars(select(EarningRuleRow)):
        rule = _rule(row, defaults.get(row.merchant_id, ""))
        rules[row.merchant_id].append(rule)
        if rule.terms is not None and rule.terms.expiry is not None:
            sliding[rule.currency].add(rule.terms.expiry)
    for code, versions in policies.items():
        sliding[code] |= {version.expiry for version in versions}
    stores: dict[uuid.UUID, dict[str, str]] = defaultdict(dict)
    for store in await session.scalars(select(StoreRow).order_by(StoreRow.code)):
        stores[store.merchant_id][store.code] = store.name
    benefits: dict[uuid.UUID, dict[str, Benefit]] = defaultdict(dict)
    for kind in await session.scalars(select(BenefitRow).order_by(BenefitRow.code)):
        benefits[kind.merchant_id][kind.code] = benefit(kind.definition | {"code": kind.code}, kind.merchant_id)
    members = await load_member_terms(session)
    merchants = [
        replace(
            _merchant(row, stores[row.id], [c for c in rows if c.merchant_id == row.id], rules[row.id]),
            benefits=benefits[row.id],
            guard=guard_terms(members.guard, row.settings.get("guard")),
        )
        for row in await session.scalars(select(MerchantRow).order_by(MerchantRow.code))
    ]
    types = [identifier_type(row.type, row.definition) for row in await session.scalars(select(IdentifierTypeRow))]
    return Catalogue(
        alliance=alliance_of(alliance),
        merchants={merchant.code: merchant for merchant in merchants},
        merchants_by_id={merchant.id: merchant for merchant in merchants},
        currencies=_with_periods([_currency(row, policies[row.code], sliding[row.code]) for row in rows], merchants),
        identifier_types={declared.type: declared for declared in types},
        revision=alliance.revision,
        members=members,
    )


def alliance_of(row: AllianceRow) -> Alliance:
    """The alliance of a row."""
    cycle = row.terms["cycle"]
    return Alliance(
        id=row.id,
        code=row.code,
        name=row.name,
        settlement_currency=row.settlement_currency,
        timezone=ZoneInfo(row.timezone),
        calendar=_calendar(row.terms),
        consent=row.terms["consent"],
        cycle=CycleTerms(
            every=days_of(cycle["every"]) if isinstance(cycle["every"], dict) else cycle["every"],
            objection=days_of(cycle["objectionDays"]),
            payment=days_of(cycle["paymentDays"]),
            claim=days_of(cycle["claimDays"]),
            min_payment=to_minor(cycle["minPayment"], row.settlement_currency),
            cut_off=time.fromisoformat(cycle.get("cutOff", "00:00")),
            answer=_days(cycle, "answerDays", TWO_WEEKS),
            round=_days(cycle, "roundDays", TWO_WEEKS),
            decision=_days(cycle, "decisionDays", FOUR_WEEKS),
            grace=days_of(cycle.get("graceDays", {"business": 1})),
        ),
        accept_late=timedelta(days=row.terms.get("acceptLateDays", 7)),
        notice=notice_terms(row.terms.get("notice"), NoticeTerms()),
        by_hand=_by_hand(row.terms.get("byHand", {})),
        contacts=contacts_of(row.terms),
        defaults=_defaults(row.terms.get("defaults", {})),
    )


def _by_hand(said: Mapping[str, Any]) -> ByHand:
    limits = {act: scaled(amount, MICRO_PLACES) for act, amount in said.get("limits", {}).items()}
    return ByHand(limits, frozenset(said.get("alone", ALONE)))


def _defaults(said: Mapping[str, Any]) -> DefaultTerms:
    return DefaultTerms(said.get("renet", False), days_of(said.get("honourDays", 90)))


def _days(cycle: Mapping[str, Any], name: str, default: Days) -> Days:
    """A span that files of before it was asked for do not have."""
    return days_of(cycle[name]) if name in cycle else default


def _calendar(terms: Mapping[str, Any]) -> CalendarTerms:
    own = (frozenset(map(date.fromisoformat, terms.get(name, ()))) for name in ("holidays", "workingDays"))
    return CalendarTerms(terms.get("calendar"), *own)


def notice_terms(stored: Mapping[str, Any] | None, default: NoticeTerms) -> NoticeTerms:
    """Notice as the alliance file has it, what is not said there by `default`."""
    said = {key: days_of(days) for key, days in (stored or {}).items()}
    return NoticeTerms(
        said.get("start", default.start),
        said.get("end", default.end),
        said.get("runOff", default.run_off),
        said.get("exit", default.exit),
    )


def days_of(stored: int | dict[str, int]) -> Days:
    """Days as the alliance file has them."""
    return Days(stored, False) if isinstance(stored, int) else Days(stored["business"], True)


def _merchant(
    row: MerchantRow, stores: Mapping[str, str], currencies: Iterable[CurrencyRow], rules: Sequence[EarningRule]
) -> Merchant:
    return Merchant(
        id=row.id,
        code=row.code,
        name=row.name,
        jurisdiction=row.jurisdiction,
        timezone=ZoneInfo(row.timezone),
        enrol_on_purchase=row.settings["enrolOnPurchase"],
        clawback=row.settings["clawback"],
        on_return=row.settings["onReturn"],
        unique_orders=row.settings["uniqueOrders"],
        credit_limit=scaled(limit, MICRO_PLACES) if (limit := row.settlement.get("creditLimit")) is not None else None,
        collateral=scaled(row.settlement["collateral"], MICRO_PLACES),
        stores=stores,
        currencies=tuple(currency.code for currency in currencies),
        default_currency=next((currency.code for currency in currencies if currency.is_default), None),
        earning=compile_earning(rules),
        group=row.settings.get("group"),
        adjust_limit=row.settings.get("adjustLimit", 1_000),
        adjust_per_day=row.settings.get("adjustPerDay", 10_000),
        grace_days=row.settings.get("graceDays", 30),
        grace_on_fault=row.settings.get("graceOnFault", 30),
        offline_codes=row.settings.get("offlineCodes", 72),
        beside=tuple(sorted({rule.currency for rule in rules if rule.beside})),
        tiers=tier_programme(row.tiers, row.id, ZoneInfo(row.timezone)),
        by_tier=compile_tiers(rules),
        notifications=notification_terms(row.notifications),
        partner_files={one["code"]: one for one in row.partner_files},
        frozen_since=row.frozen_since,
        fund=scaled(row.settlement.get("fund", "0"), MICRO_PLACES),
        unhonoured_since=row.unhonoured_since,
        member_numbers=number_range(row.settings.get("memberNumbers")),
        contacts=contacts_of(row.settlement),
    )


def _currency(row: CurrencyRow, policies: Iterable[CurrencyPolicy], expiries: Iterable[ExpiryPolicy]) -> Currency:
    sliding = tuple(expiry for expiry in expiries if expiry.kind == "inactivity")
    return Currency(row.code, row.merchant_id, row.kind, row.name, row.scale, tuple(policies), sliding)


def _with_periods(currencies: Iterable[Currency], merchants: Iterable[Merchant]) -> dict[str, Currency]:
    """Currencies by code; the credits of tiers end with the tiers' period."""
    known = {currency.code: currency for currency in currencies}
    for merchant in merchants:
        if merchant.tiers is not None:
            months, credits = merchant.tiers.months, known[merchant.tiers.credits]
            expiry = ExpiryPolicy("end_of_year") if months is None else ExpiryPolicy("rolling", months=months)
            policies = tuple(replace(policy, expiry=expiry) for policy in credits.policies)
            known[credits.code] = replace(credits, policies=policies)
    return known


def _rule(row: EarningRuleRow, default_currency: str) -> EarningRule:
    stored: dict[str, Any] = row.definition
    per, rounding, least = stored.get("per"), stored.get("round"), stored.get("atLeast")
    money = per or least
    return EarningRule(
        code=row.code,
        version=row.version,
        currency=stored.get("of") or stored.get("currency", default_currency),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        rate=None if per is None else Fraction(stored["points"], to_minor(per["amount"], per["currency"])),
        money=None if money is None else money["currency"],
        multiplier=Fraction(stored["multiplier"]) if "multiplier" in stored else None,
        rounding=None if rounding is None else (rounding["mode"], rounding["by"]),
        priority=stored["priority"],
        stacks=stored["stacks"],
        categories=_named(stored, "category"),
        tiers=_named(stored, "tier"),
        excluded=frozenset(stored["except"]["category"]) if "except" in stored else frozenset(),
        bonus=stored.get("bonus"),
        least=0 if least is None else to_minor(least["amount"], least["currency"]),
        cap=stored.get("cap"),
        by_price=stored.get("base") == "price",
        beside=stored.get("of", default_currency) != default_currency,
        terms=rule_terms(row.code, row.version, stored),
    )


def _named(stored: dict[str, Any], what: str) -> frozenset[str] | None:
    """What a rule's `when` names of this; None for all."""
    named = stored.get("when", {}).get(what)
    return None if named is None else frozenset(named)
