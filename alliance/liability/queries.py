"""Closed months: what was deferred, how it came about, what it rests on, and what is to be booked for it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.liability.model import LiabilityEstimate, LiabilityMonth
from alliance.liability.rules import Sums


@dataclass(frozen=True, slots=True)
class Points:
    """How many points were out at the beginning of a month, what became of them in it, and how many were out then.

    opening + granted + exchanged_in - redeemed - exchanged - expired - adjusted - reversed + transferred = closing.
    """

    opening: int
    granted: int
    exchanged_in: int
    redeemed: int
    exchanged: int
    expired: int
    adjusted: int
    reversed: int
    transferred: int
    closing: int


@dataclass(frozen=True, slots=True)
class Money:
    """What was deferred, in millionths: as `rules.Rolled`; of what is left then, `current` within a year."""

    opening: int
    sold: int
    funded: int
    taken_sold: int
    taken_funded: int
    commission: int
    redeemed: int
    exchanged: int
    change: int
    closing: int
    current: int

    @property
    def non_current(self) -> int:
        """Expected to be used later than within a year."""
        return self.closing - self.current


@dataclass(frozen=True, slots=True)
class Cohort:
    """The points of one month of issue: how they came to a month's end. Of those left the share `use` will be used,
    `soon` within a year; both of 10^9."""

    issued: date
    points: Points
    money: Money
    use: int
    soon: int


@dataclass(frozen=True, slots=True)
class Programme:
    """A currency's cohorts, oldest first, at a month's end; and what was expected of its points."""

    currency: str
    estimate: LiabilityEstimate
    cohorts: Sequence[Cohort]

    @property
    def points(self) -> Points:
        """Of all."""
        return _together(Points, [cohort.points for cohort in self.cohorts])

    @property
    def money(self) -> Money:
        """Of all."""
        return _together(Money, [cohort.money for cohort in self.cohorts])


@dataclass(frozen=True, slots=True)
class Liability:
    """A merchant's closed month."""

    merchant_id: UUID
    month: date
    ends_at: datetime
    closed_at: datetime
    programmes: Sequence[Programme]


class Account(StrEnum):
    """Where what a month made of points is booked. SALES and FUNDING are what was taken for them and is deferred:
    the one was in the issuer's sales, the other in what others owe it."""

    DEFERRED = "DEFERRED"
    SALES = "SALES"
    FUNDING = "FUNDING"
    REVENUE = "REVENUE"
    EXCHANGED = "EXCHANGED"
    COMMISSION = "COMMISSION"
    PAYABLE = "PAYABLE"
    CHANGE = "CHANGE"


@dataclass(frozen=True, slots=True)
class LiabilityPosting:
    """`amount` millionths into an account; a credit is below zero. Those of a currency and month sum to zero."""

    month: date
    currency: str
    account: Account
    amount: int


async def last_month(session: AsyncSession, merchant_id: UUID) -> date | None:
    """The last that is closed."""
    query = select(func.max(LiabilityMonth.month)).where(LiabilityMonth.merchant_id == merchant_id)
    return await session.scalar(query)


async def liability(session: AsyncSession, merchant_id: UUID, month: date) -> Liability | None:
    """A merchant's closed month; None while it is not."""
    closed = await session.get(LiabilityMonth, (merchant_id, month))
    if closed is None:
        return None
    of = {"merchant_id": merchant_id, "month": month}
    estimates = await session.scalars(select(LiabilityEstimate).filter_by(**of).order_by(LiabilityEstimate.currency))
    found: dict[str, list[Cohort]] = defaultdict(list)
    for row in await session.execute(_COHORTS, of):
        found[row.currency].append(_cohort(row))
    programmes = [Programme(estimate.currency, estimate, found[estimate.currency]) for estimate in estimates]
    return Liability(merchant_id, month, closed.ends_at, closed.closed_at, programmes)


_POINTS = ("granted", "exchanged_in", "redeemed", "exchanged", "expired", "adjusted", "reversed", "transferred")

# A cohort that nothing is left of, and nothing happened to, has no row.
_COHORTS = text(f"""
    SELECT h.*, {", ".join(f"coalesce(b.{name}, 0) AS {name}_before" for name in _POINTS)}
    FROM liability_cohort h LEFT JOIN LATERAL (
        SELECT * FROM liability_cohort b
        WHERE b.merchant_id = h.merchant_id AND b.currency = h.currency AND b.issued = h.issued AND b.month < h.month
        ORDER BY b.month DESC LIMIT 1) b ON true
    WHERE h.merchant_id = :merchant_id AND h.month = :month ORDER BY h.currency, h.issued""")  # noqa: S608


def _cohort(row: Any) -> Cohort:
    now = {name: getattr(row, name) for name in _POINTS}
    before = {name: getattr(row, f"{name}_before") for name in _POINTS}
    opening, closing = (Sums(**sums).outstanding for sums in (before, now))
    points = Points(opening=opening, closing=closing, **{name: now[name] - before[name] for name in _POINTS})
    kept = ("opening", "sold", "funded", "taken_sold", "taken_funded", "commission", "change", "current")
    money = {name: getattr(row, name) for name in kept}
    money |= {"redeemed": row.redeemed_money, "exchanged": row.exchanged_money, "closing": row.deferred}
    return Cohort(row.issued, points, Money(**money), row.use, row.soon)


Figures = TypeVar("Figures", Points, Money)


def _together(kind: type[Figures], parts: Sequence[Figures]) -> Figures:
    return kind(**{one.name: sum(getattr(part, one.name) for part in parts) for one in fields(kind)})


async def postings(session: AsyncSession, merchant_id: UUID, month: date) -> list[LiabilityPosting]:
    """What a closed month is booked as: those of a currency sum to zero. Nothing while it is not closed."""
    found = await liability(session, merchant_id, month)
    return [
        LiabilityPosting(month, programme.currency, account, amount)
        for programme in (found.programmes if found is not None else ())
        for account, amount in booked(programme.money, principal=programme.estimate.payable is None).items()
        if amount
    ]


def booked(moved: Money, *, principal: bool) -> dict[Account, int]:
    """What moved in a month, by account. What an agent's points are used for is owed to who served; no revenue."""
    return {
        Account.DEFERRED: moved.opening - moved.closing,
        Account.SALES: moved.sold - moved.taken_sold,
        Account.FUNDING: moved.funded - moved.taken_funded,
        Account.REVENUE: -moved.redeemed if principal else 0,
        Account.EXCHANGED: -moved.exchanged if principal else 0,
        Account.PAYABLE: 0 if principal else -moved.redeemed - moved.exchanged,
        Account.COMMISSION: -moved.commission,
        Account.CHANGE: -moved.change,
    }
