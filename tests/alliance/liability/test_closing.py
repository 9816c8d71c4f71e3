"""Months' ends (A13) on the books of the sample alliance."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import select, text

from alliance.clearing.commands import earn_request
from alliance.gifts.commands import gift_request
from alliance.liability.closing import close_months
from alliance.liability.model import LiabilityCohort, LiabilityEstimate
from alliance.liability.queries import liability, postings
from alliance.liability.rules import WHOLE, deferred_part
from alliance.liability.verify import CHECKS
from alliance.verify import verify
from domain.ledger.request import Posted
from domain.programs.deferring import LiabilityTerms
from tests.alliance.clearing.test_funding import expire
from tests.alliance.support import CLIENT, House, key


def at(month: int, day: int = 15, year: int = 2017) -> datetime:
    return datetime(year, month, day, 16, tzinfo=UTC)


async def buy(house: House, member: uuid.UUID, cents: int, as_of: datetime, **named: Any) -> Posted:
    """A purchase at the grocer, valued by the rules: a point a dollar."""
    request = earn_request(
        house.runtime,
        member_id=member,
        merchant=house.runtime.catalogue.merchants["grocer"],
        amount=cents,
        money="USD",
        key=key(),
        client_id=CLIENT,
        as_of=as_of,
        occurred_at=as_of,
        **named,
    )
    return await house.runtime.engine.post(request)


async def close(house: House, as_of: datetime, **named: Any) -> list[tuple[str, date]]:
    async with house.runtime.database.transaction() as session:
        return await close_months(session, house.runtime.catalogue, as_of, **named)


def set_by_hand(house: House, terms: LiabilityTerms) -> None:
    """Points of the grocer's are estimated so."""
    catalogue = house.runtime.catalogue
    gro = catalogue.currencies["GRO"]
    changed = replace(gro, policies=tuple(replace(policy, liability=terms) for policy in gro.policies))
    house.runtime.catalogue = replace(catalogue, currencies={**catalogue.currencies, "GRO": changed})


async def give(house: House, giver: uuid.UUID, receiver: uuid.UUID, points: int, as_of: datetime) -> None:
    """A gift of GRO."""
    request = gift_request(
        house.runtime,
        giver_id=giver,
        receiver_id=receiver,
        currency="GRO",
        points=points,
        key=key(),
        client_id=CLIENT,
        as_of=as_of,
    )
    await house.runtime.engine.post(request)


def figures(row: LiabilityCohort) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in LiabilityCohort.__table__.columns}


async def cohorts(house: House, month: date, currency: str = "GRO") -> Sequence[LiabilityCohort]:
    async with house.runtime.database.session() as session:
        rows = select(LiabilityCohort).where(LiabilityCohort.month == month, LiabilityCohort.currency == currency)
        return (await session.scalars(rows.order_by(LiabilityCohort.issued))).all()


async def estimate(house: House, month: date) -> LiabilityEstimate:
    async with house.runtime.database.session() as session:
        rows = select(LiabilityEstimate).where(LiabilityEstimate.month == month, LiabilityEstimate.currency == "GRO")
        return (await session.scalars(rows)).one()


async def differences(house: House) -> list[Any]:
    await house.keep_agreed()
    async with house.runtime.database.session() as session:
        return list((await verify(session)).differences)


async def test_a13_months_are_closed_from_the_books(house: House) -> None:
    ann, bob = await house.member(), await house.member()
    sale = await buy(house, ann, 20_000, at(6))
    assert sale.points == 200
    await house.earn(ann, "fuel", 300, as_of=at(6, 20))  # at the agreed 0.009 a point
    await house.earn(bob, "grocer", 50, as_of=at(7, 2))  # without an order: at its worth
    await house.spend(ann, "fuel", 100, as_of=at(7, 3))
    assert await close(house, at(6, 30), merchants=["fuel"]) == [("fuel", date(2017, 5, 1))]
    assert await close(house, at(8, 3)) == [
        *(("fuel", date(2017, month, 1)) for month in (6, 7)),
        *(("grocer", date(2017, month, 1)) for month in (6, 7)),
    ]
    june = await cohorts(house, date(2017, 6, 1))
    price = round(deferred_part(Fraction(200), Fraction(2)) / 200 * 10**8)
    assert [(row.granted, row.value_sold, row.value_funded) for row in june] == [(500, 200 * price, 300 * 900_000)]
    assert june[0].deferred == round((200 * price + 300 * 900_000) / 100)
    assert (june[0].use, june[0].current) == (WHOLE, june[0].deferred)
    july = await cohorts(house, date(2017, 7, 1))
    assert [(row.issued.month, row.granted, row.redeemed) for row in july] == [(6, 500, 100), (7, 50, 0)]
    assert july[0].redeemed_money == round(100 * price / 100)
    assert july[1].deferred == 50 * 10_000
    assert await close(house, at(8, 3)) == []
    assert await differences(house) == []


async def test_a13_what_becomes_of_points_is_counted_once_in_the_cohort_they_were_issued_in(house: House) -> None:
    ann, bob = await house.member(), await house.member()
    first = await buy(house, ann, 40_000, at(6))
    await buy(house, ann, 10_000, at(7))
    await house.spend(ann, "grocer", 100, as_of=at(7, 20))
    await close(house, at(8, 3))
    # What is dated back is in the month that is closed next; so is the return of what was closed.
    await buy(house, bob, 5_000, at(7, 28))
    spent = await house.spend(ann, "fuel", 60, as_of=at(8, 5))
    await house.reverse(ann, spent, as_of=at(8, 6))
    await house.use(ann, await house.quote(ann, points_out=100, as_of=at(8, 7)), as_of=at(8, 7))
    await give(house, ann, bob, 50, at(8, 8))
    await house.reverse(ann, first, as_of=at(8, 9))
    await close(house, at(9, 3))
    assert [row.granted for row in await cohorts(house, date(2017, 7, 1))] == [400, 100]
    june, july = await cohorts(house, date(2017, 8, 1))
    assert (june.granted, june.redeemed, june.exchanged, june.transferred) == (400, 100, 100, 0)
    assert (july.granted, july.redeemed, july.transferred) == (150, 0, 0)
    # Ann had 150 of June left to be taken back, and all hers of July: 50 went on to Bob, and are his.
    assert (june.reversed, july.reversed) == (150, 100)
    (fuels,) = await cohorts(house, date(2017, 8, 1), "FUE")
    assert (fuels.exchanged_in, fuels.value_funded) == (80, 80 * 1_000_000)
    async with house.runtime.database.session() as session:
        found = await liability(session, house.id("grocer"), date(2017, 8, 1))
        booked = await postings(session, house.id("grocer"), date(2017, 8, 1))
    assert found is not None
    (gro,) = found.programmes
    points, money = gro.points, gro.money
    assert (points.opening, points.closing) == (400, 100)
    assert points.opening + points.granted - points.exchanged - points.reversed == points.closing
    assert sum(posting.amount for posting in booked) == 0
    assert {posting.account for posting in booked} - {"CHANGE"} == {"DEFERRED", "SALES", "EXCHANGED"}
    assert abs(sum(posting.amount for posting in booked if posting.account == "CHANGE")) <= 1  # millionths
    assert money.current == money.closing
    assert await differences(house) == []


async def test_a13_expiry_at_midnight_is_of_the_month_before_and_posts_nothing_that_was_expected(house: House) -> None:
    ann = await house.member()
    await buy(house, ann, 20_000, at(5, 31))
    set_by_hand(house, LiabilityTerms(breakage=Fraction(15, 100), by="A. Wood", why="first year"))
    await house.spend(ann, "grocer", 170, as_of=at(6))
    await expire(house, ann, datetime(2018, 6, 1, 4, tzinfo=UTC))
    await close(house, at(6, 3, 2018))
    (may,) = await cohorts(house, date(2018, 5, 1))
    assert (may.expired, may.deferred, may.change, may.redeemed_money) == (30, 0, 0, 0)
    (june,) = await cohorts(house, date(2017, 6, 1))
    price = round(deferred_part(Fraction(200), Fraction(2) * Fraction(85, 100)) / 200 * 10**8)
    assert (june.value_sold, june.deferred, june.redeemed_money) == (200 * price, 0, 2 * price)
    made = await estimate(house, date(2017, 6, 1))
    assert (made.use, made.by, made.why) == (WHOLE * 85 // 100, "A. Wood", "first year")
    assert await differences(house) == []


async def test_a13_the_curve_is_learnt_from_months_of_issue(house: House) -> None:
    members = [await house.member() for _ in range(5)]
    for month, member in enumerate(members, 1):
        await house.earn(member, "grocer", 100, as_of=at(month))
        await house.spend(member, "grocer", 40, as_of=at(month, 20))
        await house.spend(member, "grocer", 30, as_of=at(month + 1))
    await close(house, at(6, 3))
    made = await estimate(house, date(2017, 5, 1))
    assert made.curve == [[200, 0, 500, 5], [120, 0, 240, 4], [0, 0, 90, 3]]
    # All that is left after the last age that is known is taken to be used.
    assert made.use == WHOLE
    # In one go or month by month, it is the same.
    kept = [await cohorts(house, date(2017, month, 1)) for month in range(1, 6)]
    async with house.runtime.database.transaction() as session:
        for table in ("liability_cohort", "liability_estimate", "liability_month"):
            await session.execute(text(f"DELETE FROM {table}"))
    for month in range(2, 7):
        await close(house, at(month, 3))
    again = [await cohorts(house, date(2017, month, 1)) for month in range(1, 6)]
    assert [[figures(row) for row in rows] for rows in again] == [[figures(row) for row in rows] for rows in kept]
    assert await differences(house) == []


async def test_a13_what_is_not_over_is_seen_and_not_kept(house: House) -> None:
    await house.earn(await house.member(), "grocer", 100, as_of=at(6))
    async with house.runtime.database.session() as session:
        seen = await close_months(session, house.runtime.catalogue, at(6, 20), unfinished=True)
        assert ("grocer", date(2017, 6, 1)) in seen
    assert await cohorts(house, date(2017, 6, 1)) == []


async def test_a13_damage_is_found(house: House) -> None:
    await house.earn(await house.member(), "grocer", 100, as_of=at(5))
    await close(house, at(8, 3))
    assert await differences(house) == []
    for damage, found in {
        "UPDATE liability_cohort SET granted = granted + 1": "points of cohorts are those of lots",
        "UPDATE liability_cohort SET deferred = deferred + 2, change = change - 2": "what is deferred follows from",
        "UPDATE liability_cohort SET opening = opening + 2, change = change + 2": "a cohort opens with",
        "DELETE FROM liability_month WHERE month = '2017-06-01'": "every closed month follows",
    }.items():
        async with house.runtime.database.session() as session:
            await session.execute(text(damage))
            wrong = [name for name, sql in CHECKS.items() if (await session.execute(text(sql))).all()]
            assert any(name.startswith(found) for name in wrong), damage
            await session.rollback()
