"""Versions of a currency's policy: worth, redemption, gifts, limits, expiry."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, Literal

from domain.money import PRICE, scaled
from domain.programs.deferring import BY_HISTORY, LiabilityTerms, liability_terms
from domain.programs.model import CurrencyPolicyRow
from domain.programs.terms import EarnLimits, ExpiryPolicy, PendingTerms, expiry_terms, limit_terms, pending_terms

PRICE_PLACES = len(str(PRICE)) - 1


@dataclass(frozen=True, slots=True)
class RedemptionTerms:
    """How far points pay for an order (R15): `unit` and `minimum` in smallest units, `max_money` in 10^-8 of `worth`'s
    money, None without a cap."""

    unit: int = 1
    minimum: int = 1
    max_share: Fraction = Fraction(1)
    max_money: int | None = None


@dataclass(frozen=True, slots=True)
class GiftPolicy:
    """The most points and gifts that a member gives a day, and how many gifts a point goes through at most.

    A member waits `wait_days` after joining before they give.
    """

    max_points: int
    per_day: int
    max_depth: int
    wait_days: int = 0


@dataclass(frozen=True, slots=True)
class ForcedExitTerms:
    """When points are sold (R13): once more than `times` what was spent was earned, as `measure` says, and for what."""

    times: int
    measure: Literal["worth", "quantity"]
    into: str


@dataclass(frozen=True, slots=True)
class CurrencyPolicy:
    """A version of a currency's policy. `worth` is the published worth of a point, in 10^-8 of `worth_currency`.

    `floor` is how far below zero a reversal may take a wallet; None is without end. Without `gifts` its points
    are not for giving. Stamps are spent by whole cards of `card`, where there are cards.
    """

    version: int
    valid_from: datetime | None
    valid_to: datetime | None
    worth: int | None
    worth_currency: str | None
    expiry: ExpiryPolicy
    floor: int | None
    redemption: RedemptionTerms = RedemptionTerms()
    gifts: GiftPolicy | None = None
    card: int | None = None
    limits: EarnLimits | None = None
    pending: PendingTerms | None = None
    forced_exit: ForcedExitTerms | None = None
    notice: tuple[int, int] | None = None
    reminders: tuple[int, ...] = ()
    liability: LiabilityTerms = BY_HISTORY

    @property
    def plain(self) -> bool:
        """Whether an earn is one lot that ends on a date known beforehand, however many points it has."""
        return self.limits is None and self.pending is None and self.expiry.kind != "anniversary"


def currency_policy(row: CurrencyPolicyRow) -> CurrencyPolicy:
    """The version of a row."""
    worth = row.definition.get("worth")
    return CurrencyPolicy(
        version=row.version,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        worth=None if worth is None else scaled(worth["amount"], PRICE_PLACES),
        worth_currency=None if worth is None else worth["currency"],
        expiry=expiry_terms(row.definition["expiry"]),
        floor=_floor(row.definition["negative"]),
        limits=limit_terms(row.definition.get("limits")),
        pending=pending_terms(row.definition.get("pending")),
        redemption=_redemption(row.definition.get("redemption", {})),
        gifts=_gifts(row.definition.get("gifts")),
        card=row.definition.get("card"),
        forced_exit=_forced_exit(row.definition.get("forcedExit")),
        notice=_notice(row.definition.get("notice")),
        reminders=tuple(row.definition.get("reminders", ())),
        liability=liability_terms(row.definition.get("liability")),
    )


def _redemption(stored: dict[str, Any]) -> RedemptionTerms:
    most = stored.get("maxMoney")
    return RedemptionTerms(
        unit=stored.get("unit", 1),
        minimum=stored.get("minimum", 1),
        max_share=Fraction(stored.get("maxShare", "1")),
        max_money=None if most is None else scaled(most["amount"], PRICE_PLACES),
    )


def _gifts(stored: dict[str, Any] | None) -> GiftPolicy | None:
    if stored is None or not stored["allowed"]:
        return None
    return GiftPolicy(stored["maxPoints"], stored["perDay"], stored["maxDepth"], stored.get("waitDays", 0))


def _notice(stored: dict[str, Any] | None) -> tuple[int, int] | None:
    """Days before points end: at least, and at most."""
    return None if stored is None else (stored["days"][0], stored["days"][1])


def _forced_exit(stored: dict[str, Any] | None) -> ForcedExitTerms | None:
    return None if stored is None else ForcedExitTerms(stored["times"], stored["measure"], stored["into"])


def _floor(negative: str | dict[str, int]) -> int | None:
    if isinstance(negative, dict):
        return negative["limit"]
    return 0 if negative == "never" else None
