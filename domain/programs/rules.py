"""What a purchase earns and when points end. Pure functions; integers and dates only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from domain.errors import InvalidInput
from domain.money import MAX_INTEGER, PRICE, exponent
from domain.programs.catalogue import PRICE_PLACES, Currency, Merchant
from domain.programs.earning import Contribution, Tariff
from domain.programs.terms import ExpiryPolicy, RuleTerms

Line = tuple[int, str | None]
Tender = tuple[str, int]

MONEY_TENDERS = frozenset({"MONEY", "STORED_VALUE"})


@dataclass(frozen=True, slots=True)
class Valued:
    """What a purchase earns: `points` in all, the same by rule (`decisions`: rule, version, points) and by line.

    `paid` is what of it was paid in money, in minor units; None is all. `parts` are there where some rule has terms of
    its own: which points under which.
    """

    points: int
    decisions: list[dict[str, Any]]
    lines: list[int]
    paid: int | None = None
    parts: tuple[tuple[RuleTerms | None, int], ...] = ()

    def cut_to(self, points: int) -> "Valued":
        """As many points and no more, by line in proportion; what each rule gave stays."""
        return self if points == self.points else replace(self, points=points, lines=_shared(points, self.lines))


def points_for_order(currency: Currency, amount: int, money: str, moment: datetime) -> int:
    """The most points (smallest units) that may pay for an order of `amount` minor units of `money` (R15).

    By the policy in force at `moment`: what a point is worth, up to its share of the order and its cap in money. Raises
    InvalidInput where no worth is published, or one in other money.
    """
    policy = currency.policy_at(moment)
    if policy.worth is None or policy.worth_currency is None or not policy.worth:
        reason = f"{currency.code} has no published worth: say how many points"
        raise InvalidInput(reason=reason, path=("orderAmount",))
    if money != policy.worth_currency:
        reason = f"{currency.code} is worth {policy.worth_currency}"
        raise InvalidInput(reason=reason, path=("orderAmount", "currency"))
    covered = amount * 10 ** (PRICE_PLACES - exponent(money)) * policy.redemption.max_share
    if policy.redemption.max_money is not None:
        covered = min(covered, policy.redemption.max_money)
    return int(covered * 10**currency.scale // policy.worth)


def worth_of(currency: Currency, units: int, moment: datetime) -> tuple[int, str] | None:
    """Minor units (rounded towards zero) and money of what these smallest units of points are worth to members.

    By the policy in force at `moment`; None where the issuer publishes no worth.
    """
    policy = currency.policy_at(moment)
    if policy.worth is None or policy.worth_currency is None:
        return None
    minor = abs(units) * policy.worth * 10 ** exponent(policy.worth_currency) // (PRICE * 10**currency.scale)
    return minor if units >= 0 else -minor, policy.worth_currency


def value_purchase(
    merchant: Merchant,
    currency: str,
    money: str,
    lines: Sequence[Line],
    tenders: Sequence[Tender],
    occurred_at: datetime,
    tier: str | None = None,
) -> Valued:
    """What `lines` bought at `merchant` earn in `currency` by the rules of `occurred_at` (R8, R10), for a `tier`.

    Lines are (amount, category) and tenders (kind, amount), amounts in minor units of `money`. Points and coupons among
    the tenders earn nothing: what was paid in money is shared over the lines in proportion. Raises InvalidInput for a
    negative amount, or for a money in which this merchant has no rules though it has some in another.
    """
    by_pair = merchant.earning if tier is None else merchant.by_tier.get(tier, merchant.earning)
    earning = by_pair.get((currency, money))
    tariff = None if earning is None else earning.at(occurred_at)
    total = 0
    for i, (amount, _) in enumerate(lines):
        if amount < 0:
            raise InvalidInput(reason="an amount below zero earns nothing", path=("lines", str(i), "amount"))
        total += amount
    if earning is None:
        _refuse_other_money(merchant, currency, money)
    if tariff is None:
        return Valued(0, [], [0] * len(lines))
    paid = _paid_in_money(total, tenders) if tenders else total
    if paid == total:
        return value_lines(tariff, lines)
    return replace(value_lines(tariff, lines, paid, total), paid=paid)


def value_lines(
    tariff: Tariff, lines: Sequence[Line], paid: int = 1, of: int = 1, kept: Fraction = Fraction(1)
) -> Valued:
    """What the part of lines that is `kept` earns by a tariff, where `paid / of` of it counts; all by a rule whose base
    is the price. Raises InvalidInput for too many points."""
    weights: list[list[int] | None] = [None] * len(tariff.contributions)
    factors, otherwise = tariff.factors, tariff.otherwise
    for i, (amount, category) in enumerate(lines):
        for index, factor in factors.get(category, otherwise):
            row = weights[index]
            if row is None:
                row = weights[index] = [0] * len(lines)
            row[i] = amount * factor

    decisions: list[dict[str, Any]] = []
    parts: list[tuple[RuleTerms | None, int]] = []
    by_line = [0] * len(lines)
    special = False
    for contribution, row in zip(tariff.contributions, weights, strict=True):
        if row is None:
            continue
        unit = contribution.unit
        part, whole = (1, 1) if contribution.by_price else (paid, of)
        if kept != 1:
            part, whole = part * kept.numerator, whole * kept.denominator
        if part != whole:
            row, unit = [weight * part for weight in row], unit * whole
        shares = _rounded(contribution, row, unit)
        by_line = [points + share for points, share in zip(by_line, shares, strict=True)]
        given = sum(shares)
        decisions.append({"rule": contribution.code, "version": contribution.version, "points": given})
        parts.append((contribution.terms, given))
        special = special or contribution.terms is not None
    points = sum(by_line)
    if points > MAX_INTEGER:
        raise InvalidInput(reason="more points than can be counted", path=("lines",))
    return Valued(points, decisions, by_line, parts=tuple(parts) if special else ())


def _paid_in_money(total: int, tenders: Sequence[Tender]) -> int:
    """The part of `total` that was paid in money: never more than what points and coupons leave of it."""
    money = other = 0
    for i, (kind, amount) in enumerate(tenders):
        if amount < 0:
            raise InvalidInput(reason="a tender below zero", path=("tenders", str(i), "amount"))
        if kind in MONEY_TENDERS:
            money += amount
        else:
            other += amount
    return max(0, min(money, total - other))


def _rounded(contribution: Contribution, weights: list[int], unit: int) -> list[int]:
    """Whole points a line. By order: rounded once, then shared over the lines by largest remainder, ties in order."""
    if contribution.bonus is not None:
        reached = sum(weights) >= contribution.least * unit
        return _shared(contribution.bonus if reached else 0, weights)
    if not contribution.by_order:
        shares = [contribution.round(weight, unit) for weight in weights]
    else:
        shares = [weight // unit for weight in weights]
        left = contribution.round(sum(weights), unit) - sum(shares)
        if left:
            for i in sorted(range(len(weights)), key=lambda i: weights[i] % unit, reverse=True)[:left]:
                shares[i] += 1
    if contribution.cap is not None and sum(shares) > contribution.cap:
        return _shared(contribution.cap, shares)
    return shares


def _shared(points: int, weights: list[int]) -> list[int]:
    """`points` over lines in proportion, by largest remainder, ties in order; all to the first where nothing weighs."""
    whole = sum(weights)
    if not whole:
        return [points, *[0] * (len(weights) - 1)]
    shares = [points * weight // whole for weight in weights]
    left = points - sum(shares)
    for i in sorted(range(len(weights)), key=lambda i: points * weights[i] % whole, reverse=True)[:left]:
        shares[i] += 1
    return shares


def _refuse_other_money(merchant: Merchant, currency: str, money: str) -> None:
    known = sorted(other for points, other in merchant.earning if points == currency)
    if known:
        raise InvalidInput(reason=f"{merchant.code} gives {currency} for {', '.join(known)}, not {money}")


def expiry_instant(
    policy: ExpiryPolicy, granted_at: datetime, zone: ZoneInfo, joined_at: datetime | None = None
) -> datetime | None:
    """The first instant at which a lot granted at `granted_at` is no longer valid; None is never (R3, R4).

    That is the first instant after its expiry date in `zone`. rolling: `days` or `months` after the day of the grant
    (31 January + 1 month is the end of February), moved to the end of that month, quarter or year by `round_up_to`;
    fixed: the date `on`; end_of_year: 31 December, `years` later; anniversary: the first anniversary of joining after
    the day of the grant, `years` later (without `joined_at`, the member joins with this grant); inactivity: as rolling,
    counted from the last activity, which is the grant until there is another.
    """
    joined = (joined_at or granted_at).astimezone(zone).date() if policy.kind == "anniversary" else None
    return _end_of_lot(policy, granted_at.astimezone(zone).date(), zone, joined)


def active_instant(days: int, granted_at: datetime, zone: ZoneInfo) -> datetime:
    """When points that wait `days` become active: the first instant of that day after the day of the grant."""
    day = granted_at.astimezone(zone).date() + timedelta(days=days)
    return datetime.combine(day, time(), zone).astimezone(UTC)


def period_bounds(period: str, moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The day, week (from Monday) or month of `moment` in `zone`: its first instant and the first after it."""
    day = moment.astimezone(zone).date()
    match period:
        case "month":
            first, before = day.replace(day=1), day.replace(day=1) + relativedelta(months=1)
        case "week":
            first = day - timedelta(days=day.weekday())
            before = first + timedelta(days=7)
        case _:
            first, before = day, day + timedelta(days=1)
    return (
        datetime.combine(first, time(), zone).astimezone(UTC),
        datetime.combine(before, time(), zone).astimezone(UTC),
    )


@lru_cache(maxsize=4096)
def _end_of_lot(policy: ExpiryPolicy, granted: date, zone: ZoneInfo, joined: date | None) -> datetime | None:
    match policy.kind:
        case "never":
            return None
        case "fixed":
            assert policy.on is not None
            last = policy.on
        case "end_of_year":
            last = date(granted.year + policy.years, 12, 31)
        case "anniversary":
            last = _anniversary(joined or granted, granted, policy.years)
        case "rolling" | "inactivity":
            last = _period_end(granted + relativedelta(days=policy.days, months=policy.months), policy.round_up_to)
    return datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)


def day_bounds(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The day of `moment` in `zone`: its first instant and the first after it, both in UTC."""
    today = moment.astimezone(zone).date()
    first, after = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (today, today + timedelta(days=1)))
    return first, after


def _anniversary(joined: date, granted: date, years: int) -> date:
    """The first anniversary of `joined` after `granted`, and `years` on (29 February: else the 28th)."""
    whole = granted.year - joined.year
    if joined + relativedelta(years=whole) <= granted:
        whole += 1
    return joined + relativedelta(years=max(whole, 1) + years)


def _period_end(day: date, period: str | None) -> date:
    match period:
        case "month":
            return day + relativedelta(day=31)
        case "quarter":
            return day + relativedelta(month=-(-day.month // 3) * 3, day=31)
        case "year":
            return date(day.year, 12, 31)
        case _:
            return day
