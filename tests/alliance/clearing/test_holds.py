"""Holds at a partner: captured at the hold's version and price, whatever is in force then (R14, A1, A2)."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from alliance.clearing.errors import NoAgreement
from alliance.clearing.holds import capture_request, hold_request
from domain.errors import InvalidInput, NotFound
from domain.ledger.errors import InsufficientPoints
from domain.ledger.model import Hold
from domain.ledger.queries import holds
from domain.ledger.request import Posted
from tests.alliance.support import CLIENT, NOON, House, days, key


@pytest.fixture
async def member(house: House) -> Any:
    made = await house.member()
    await house.earn(made, "grocer", 1000)
    return made


async def hold(house: House, member: Any, at: str, points: int, of: str = "GRO", **named: Any) -> Hold:
    merchant = house.runtime.catalogue.merchants[at]
    common = {"as_of": NOON, "key": key(), "client_id": CLIENT} | named
    request = hold_request(house.runtime, member_id=member, merchant=merchant, points=points, currency=of, **common)
    posted = await house.runtime.engine.post(request)
    async with house.runtime.database.session() as session:
        (found,) = (await holds(session, [(member, hold_id(posted))])).values()
    return found


def hold_id(posted: Posted) -> UUID:
    return UUID(posted.data["hold"])


async def capture(house: House, held: Hold, points: int | None = None, **named: Any) -> Posted:
    common = {"as_of": NOON, "key": key(), "client_id": CLIENT} | named
    return await house.runtime.engine.post(await capture_request(house.runtime, hold=held, points=points, **common))


async def test_r14_a1_what_is_owed_arises_on_capture(house: House, member: Any) -> None:
    held = await hold(house, member, "fuel", 600)
    assert await house.obligations() == []
    captured = await capture(house, held, 500)
    lines = await house.owed(captured)
    assert lines[0] == ("SPEND", "grocer", "fuel", 500, "4.500000")
    undone = await house.reverse(member, captured)
    assert (await house.owed(undone))[0] == ("SPEND", "grocer", "fuel", -500, "-4.500000")


async def test_r14_a2_captured_at_the_holds_version_and_price(house: House, member: Any) -> None:
    held = await hold(house, member, "fuel", 600, seconds=7 * 86_400)
    dearer = replace(house.redeeming(11_000), version=2, valid_from=NOON + days(1))
    house.agree(replace(house.version(), valid_to=NOON + days(1)), dearer)
    captured = await capture(house, held, as_of=NOON + days(2))
    assert (await house.owed(captured))[0] == ("SPEND", "grocer", "fuel", 600, "5.400000")
    later = await hold(house, member, "fuel", 100, as_of=NOON + days(2))
    captured = await capture(house, later, as_of=NOON + days(2))
    assert (await house.owed(captured))[0] == ("SPEND", "grocer", "fuel", 100, "1.100000")


async def test_r14_a_hold_of_a_version_that_this_process_has_not_read_yet(house: House, member: Any) -> None:
    held = await hold(house, member, "fuel", 600)
    house.agree()
    house.runtime.catalogue = replace(house.runtime.catalogue, revision=0)
    captured = await capture(house, held)
    assert (await house.owed(captured))[0] == ("SPEND", "grocer", "fuel", 600, "5.400000")


async def test_at_the_issuer_nothing_is_owed(house: House, member: Any) -> None:
    captured = await capture(house, await hold(house, member, "grocer", 600))
    assert captured.points == 600
    assert await house.obligations() == []


async def test_what_cannot_be_held_is_refused(house: House, member: Any) -> None:
    with pytest.raises(InsufficientPoints):
        await hold(house, member, "fuel", 1001)
    with pytest.raises(NotFound):
        await hold(house, member, "fuel", 1, store="nowhere")
    with pytest.raises(InvalidInput):
        await hold(house, member, "fuel", 1, seconds=0)
    house.agree()
    with pytest.raises(NoAgreement):
        await hold(house, member, "fuel", 1)
