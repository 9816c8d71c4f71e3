"""The report on breakage: what ended, of whom, and what it moves between merchants (A1)."""

import uuid
from datetime import date, timedelta
from typing import Any

import pytest

from alliance.clearing.breakage import Breakage, breakage
from domain.errors import InvalidInput
from domain.ledger.request import Posted
from tests.alliance.clearing.test_funding import expire, funded
from tests.alliance.support import NOON, House, days
from tests.ledger_support import reinstate, rows

YEAR = (date(2018, 1, 1), date(2019, 1, 1))
ENDS = NOON.replace(year=2018, month=7, day=1, hour=3)
"""23:00 of the 30th of June for the grocer."""


async def report(house: House, *span: date, merchant: uuid.UUID | None = None) -> list[Breakage]:
    async with house.runtime.database.session() as session:
        return list(await breakage(session, *(span or YEAR), merchant))


async def ended(house: House, member: uuid.UUID, at: str, points: int, as_of: Any = ENDS) -> Posted:
    await house.earn(member, at, points)
    return await expire(house, member, as_of)


async def test_r07_breakage_is_reported_by_funder_and_month_of_the_issuer(house: House) -> None:
    house.agree(funded(house, "at_redemption", breakage_to="issuer"))
    ann = await house.member()
    await house.earn(ann, "grocer", 50)
    await ended(house, ann, "fuel", 400)
    grocer, fuel = house.id("grocer"), house.id("fuel")
    by_fuel = Breakage("GRO", grocer, fuel, "2018-06", 400, 400 * 900_000, 3_600_000)
    by_grocer = Breakage("GRO", grocer, grocer, "2018-06", 50, 0, 0)
    assert {*await report(house)} == {by_fuel, by_grocer}
    assert await report(house, date(2018, 7, 1), date(2018, 8, 1)) == []
    assert await report(house, date(2018, 6, 30), date(2018, 7, 1), merchant=fuel) == [by_fuel]
    assert await report(house, *YEAR, merchant=house.id("operator")) == []
    booked = "SELECT -sum(amount) FROM entry WHERE counter_account = 'BREAKAGE'"
    assert [list(row) for row in await rows(house.runtime.database, booked)] == [[450]]


async def test_r05_what_was_brought_back_is_taken_off(house: House) -> None:
    ann = await house.member()
    posted = await ended(house, ann, "grocer", 100)
    back = reinstate(ann, posted.operation_id, 30, as_of=ENDS + days(40))
    await house.runtime.engine.post(back)
    assert [(row.month, row.points) for row in await report(house)] == [("2018-06", 100), ("2018-08", -30)]
    await expire(house, ann, ENDS + days(80))
    assert sum(row.points for row in await report(house)) == 100


@pytest.mark.parametrize("span", [0, -1])
async def test_an_empty_span_is_refused(house: House, span: int) -> None:
    with pytest.raises(InvalidInput, match="after from"):
        await report(house, YEAR[0], YEAR[0] + timedelta(days=span))
