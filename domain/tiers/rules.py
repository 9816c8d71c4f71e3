"""When a tier begins, lasts and ends (R7, R24). Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.programs.tiering import Level, TierProgramme
from domain.tiers.model import TierReason


@dataclass(frozen=True, slots=True)
class TierState:
    """A row of MemberTier."""

    level: str | None
    valid_from: datetime
    until: datetime | None = None
    reason: str = TierReason.REACHED.value
    operation_id: UUID | None = None
    credits: int = 0
    threshold: int | None = None


INSTANT = timedelta(microseconds=1)

Tiers = Sequence[TierState]
"""The tiers of a member in one programme, oldest first."""

CreditsAt = Callable[[datetime], int]
"""What the credits came to just before an instant."""


def current(tiers: Tiers) -> TierState | None:
    """The last one."""
    return tiers[-1] if tiers else None


def level_at(tiers: Tiers, moment: datetime) -> str | None:
    """The level that was in force at a moment."""
    return next((tier.level for tier in reversed(tiers) if tier.valid_from <= moment), None)


def since(tiers: Tiers) -> datetime | None:
    """Since when the present level has been held without a break."""
    first = None
    for tier in reversed(tiers):
        if tier.level != tiers[-1].level:
            break
        first = tier.valid_from
    return first


def ended(programme: TierProgramme, tiers: Tiers, credits_at: CreditsAt, as_of: datetime) -> list[TierState]:
    """The tiers that began because others came to their end until `as_of`: what the credits gave at each end.

    A tier that is earned in one period is for the next. Where nobody looked for years, one follows the other.
    """
    added: list[TierState] = []
    last = current(tiers)
    while last is not None and last.until is not None and last.until <= as_of:
        end, credits = last.until, credits_at(last.until)
        level = programme.reached(credits)
        last = TierState(
            level=level.code if level else None,
            valid_from=end,
            until=programme.until(end - INSTANT) if level else None,
            reason=TierReason.ENDED.value,
            credits=credits,
            threshold=level.threshold if level else None,
        )
        added.append(last)
    return added


def settled(
    programme: TierProgramme, tiers: Tiers, credits_at: CreditsAt, credits: int, as_of: datetime
) -> list[TierState]:
    """What follows tiers that have ended, and what is left of one that depends on `credits`, now so many."""
    added = ended(programme, tiers, credits_at, as_of)
    fall = fallen(programme, [*tiers, *added], credits, as_of, None)
    return added if fall is None else [*added, fall]


def lifted(
    programme: TierProgramme, tiers: Tiers, credits: int, as_of: datetime, operation_id: UUID | None
) -> TierState | None:
    """The tier that so many credits lift to; None where they reach none above the present one."""
    level, last = programme.reached(credits), current(tiers)
    if level is None or programme.rank(level.code) <= programme.rank(last.level if last else None):
        return None
    return _tier(level, _after(last, as_of), programme.until(as_of), TierReason.REACHED, operation_id, credits)


def fallen(
    programme: TierProgramme, tiers: Tiers, credits: int, as_of: datetime, operation_id: UUID | None
) -> TierState | None:
    """The tier that is left where the present one follows the balance, and so many credits do not reach it."""
    last = current(tiers)
    if not programme.follows_balance or last is None:
        return None
    level = programme.reached(credits)
    if programme.rank(level.code if level else None) >= programme.rank(last.level):
        return None
    return _tier(level, _after(last, as_of), None, TierReason.BALANCE, operation_id, credits)


def returned(
    programme: TierProgramme,
    tiers: Tiers,
    credits: int,
    as_of: datetime,
    *,
    order_id: UUID,
    bought_at: datetime,
    operation_id: UUID,
) -> TierState | None:
    """What the return of an order does to the tier (R24); `credits` are what are left. None where that is nothing.

    `if_lifted`: it is lost now, if that order lifted the member and is inside its return window; else it lasts to the
    end of the period only.
    """
    last = current(tiers)
    level = programme.reached(credits)
    if last is None or programme.rank(level.code if level else None) >= programme.rank(last.level):
        return None
    how = "now" if programme.follows_balance else programme.after_return
    if how == "if_lifted":
        lifted_by = any(tier.operation_id == order_id and tier.reason == TierReason.REACHED for tier in tiers)
        how = "now" if lifted_by and programme.in_return_window(bought_at, as_of) else "at_period_end"
    begins = _after(last, as_of)
    if how == "now":
        return _tier(level, begins, last.until, TierReason.RETURNED, operation_id, credits)
    end = programme.year_of(as_of)[1]
    if how == "keep" or programme.months is not None or last.until is None or last.until <= end:
        return None
    return TierState(last.level, begins, end, TierReason.RETURNED.value, operation_id, credits, last.threshold)


def _tier(
    level: Level | None,
    begins: datetime,
    until: datetime | None,
    reason: TierReason,
    operation_id: UUID | None,
    credits: int,
) -> TierState:
    if level is None:
        return TierState(None, begins, None, reason.value, operation_id, credits)
    return TierState(level.code, begins, until, reason.value, operation_id, credits, level.threshold)


def _after(last: TierState | None, as_of: datetime) -> datetime:
    """Tiers follow one another, whatever the clocks of those who ask say."""
    return as_of if last is None else max(as_of, last.valid_from)
