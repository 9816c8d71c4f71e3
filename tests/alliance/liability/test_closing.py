"""Months' ends (A13) on the books of the sample alliance."""

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import select

from alliance.clearing.commands import earn_request
from alliance.liability.closing import close_months
from alliance.liability.model import LiabilityCohort, LiabilityEstimate
from alliance.liability.rules import WHOLE, deferred_part
from alliance.verify import verify
from domain.ledger.request import Posted
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
