"""Lines by hand between merchants (A7, A16): in the open cycle, netted, positioned, proved and told like any other."""

import uuid
from typing import Any

import pytest

from alliance.clearing.model import ObligationKind
from alliance.corrections.commands import Line, book
from alliance.corrections.model import Cause
from alliance.settlement import queries
from alliance.verify import verify
from domain.base import new_id
from domain.errors import NotFound
from tests.alliance.exposure.support import cap, limits, used
from tests.alliance.feed.test_sequence import happened, sealed
from tests.alliance.support import NOON, WHO, House


async def booked(house: House, *lines: Line, cause: Cause = Cause.ADJUSTMENT) -> list[uuid.UUID]:
    named: dict[str, Any] = {"cause": cause, "cause_id": new_id(), "who": WHO, "why": "agreed", "as_of": NOON}
    async with house.runtime.database.transaction() as session:
        return await book(session, house.runtime.catalogue.alliance, lines, **named)


async def differing(house: House) -> set[str]:
    async with house.runtime.database.session() as session:
        return {difference.check for difference in (await verify(session)).differences}


async def test_a07_a16_a_line_by_hand_is_of_the_open_cycle_and_corrects_a_settled_one(house: House) -> None:
    member = await house.member()
    await house.earn(member, "fuel", 1000)
    spent = await house.spend(member, "fuel", 600)
    settled = await house.through(await house.close())
    [line] = [row for row in await house.obligations() if row.operation_id == spent.operation_id]
    place = (line.holder_id, line.operation_id, line.seq)
    grocer, fuel, operator = house.id("grocer"), house.id("fuel"), house.id("operator")
    [one, two] = await booked(
        house,
        Line(line.debtor_id, line.creditor_id, -400_000, corrects=place),
        Line(fuel, operator, 50_000, kind=ObligationKind.TAX),
    )
    async with house.runtime.database.session() as session:
        open_ = await queries.open_cycle(session)
        assert open_ is not None
        assert open_.id != settled.id
        totals = (await queries.pair_totals(session, [open_.id]))[open_.id]
    assert {(house.code(t.debtor), house.code(t.creditor), t.lines, t.adjustments) for t in totals} == {
        ("grocer", "fuel", 0, -400_000),
        ("fuel", "operator", 50_000, 0),
    }
    rows = {row.operation_id: row for row in await house.obligations()}
    assert (rows[one].reverses, rows[one].order_ref, rows[one].merchant_id) == (
        line.operation_id,
        line.order_ref,
        line.merchant_id,
    )
    assert rows[two].kind == "TAX"
    await sealed(house.runtime.database)
    told = [event for event in await happened(house, merchant_id=grocer) if event.kind == "LINE_CORRECTED"]
    assert [event.id for event in told] == [one]
    assert await differing(house) == set()
    await house.through(await house.close())
    assert await differing(house) == set()


async def test_a05_positions_follow_a_line_by_hand_whatever_the_cap(house: House) -> None:
    await limits(house, grocer=cap("1.00"))
    await booked(house, Line(house.id("grocer"), house.id("fuel"), 2_500_000))
    assert await used(house, "grocer") == 2.5
    assert await differing(house) == set()


async def test_a16_a_correction_is_of_a_line_between_the_two(house: House) -> None:
    member = await house.member()
    await house.earn(member, "fuel", 1000)
    [line] = [row for row in await house.obligations() if row.kind == "EARN"]
    place = (line.holder_id, line.operation_id, line.seq)
    with pytest.raises(NotFound):
        await booked(house, Line(house.id("operator"), house.id("fuel"), 1, corrects=place))
    with pytest.raises(NotFound):
        await booked(house, Line(line.debtor_id, line.creditor_id, 1, corrects=(*place[:2], 99)))


async def test_the_proof_sees_a_line_by_hand_without_its_cause(house: House) -> None:
    [one] = await booked(house, Line(house.id("grocer"), house.id("fuel"), 1_000))
    connection = await house.runtime.database.connect()
    try:
        row = await connection.fetchrow("DELETE FROM correction WHERE operation_id = $1 RETURNING *", one)
        assert {"a line by hand has its cause", "only what has a cause is a line by hand"} <= await differing(house)
        await connection.copy_records_to_table("correction", records=[tuple(row)], columns=list(row.keys()))
    finally:
        await connection.close()
