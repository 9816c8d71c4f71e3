"""What became of rights: told day by day, and settled with everything else."""

from dataclasses import fields
from datetime import datetime

from alliance.benefits.queries import RightsLine, report
from alliance.clearing.queries import lines
from alliance.settlement.queries import net_positions
from tests.alliance.benefits.support import HOUR, Rights
from tests.alliance.support import NOON, House, days

FIGURES = [field.name for field in fields(RightsLine) if not field.name.endswith("_id") and field.name != "kind"]


async def told(house: House, first: datetime, before: datetime, party: str | None = None) -> dict[str, dict[str, int]]:
    """By place, the figures that are not zero."""
    async with house.runtime.database.session() as session:
        lines: list[RightsLine] = await report(session, first, before, None if party is None else house.id(party))
    return {
        house.code(line.at_id): {name: value for name in FIGURES if (value := getattr(line, name))} for line in lines
    }


async def test_a15_the_days_report_says_what_is_granted_used_cleared_and_out(house: House, rights: Rights) -> None:
    member = await house.member()
    right, other = await rights.grant(member, quantity=4), await rights.grant(member, quantity=2)
    used = await rights.use(right, quantity=2)
    await rights.restore(right, await rights.use(right))
    booking = await rights.reserve(right, promised=1)
    first, before = NOON - HOUR, NOON + HOUR
    assert await told(house, first, before) == {
        "grocer": {"granted": 6, "outstanding": 4, "booked": 1},
        "fuel": {"used": 3, "restored": 1, "owed": 8_000_000},
    }
    assert await told(house, first, before, "fuel") == {"fuel": {"used": 3, "restored": 1, "owed": 8_000_000}}
    await rights.end(right, booking, lapses=True, as_of=NOON + 2 * HOUR)
    await rights.cancel(other, as_of=NOON + 2 * HOUR)
    assert await told(house, NOON + HOUR, NOON + 3 * HOUR) == {
        "grocer": {"cancelled": 2, "outstanding": 1},
        "fuel": {"no_shows": 1, "owed": 1_000_000},
    }
    assert used.points == 2


async def test_a15_what_has_not_returned_to_zero_is_told(house: House, rights: Rights) -> None:
    right = await rights.grant(await house.member(), quantity=3)
    over = right.expires_at
    assert over is not None
    booking = await rights.reserve(right, as_of=over - HOUR, hours=3)
    await rights.reserve(right, as_of=over - HOUR, hours=1)
    night = (over, over + days(1))
    assert (await told(house, over - days(1), over))["grocer"] == {
        "outstanding": 3,
        "booked": 2,
        "overdue": 2,
        "over": 1,
    }
    await rights.expire(right, over)
    for one in await rights.bookings(right):
        await rights.end(right, one, lapses=True, as_of=booking.expires_at)
    await rights.expire(right, booking.expires_at)
    assert await told(house, *night) == {"grocer": {"expired": 3}}
    assert await told(house, night[1], night[1] + days(1)) == {}


async def test_a15_a9_a8_a_cycle_states_and_nets_rights_with_all_else(house: House, rights: Rights) -> None:
    member = await house.member()
    right = await rights.grant(member, quantity=3)
    await rights.use(right, quantity=2)
    await house.earn(member, "fuel", 1000)
    cycle = await house.through(await house.close(), "net_cycle")
    async with house.runtime.database.session() as session:
        stated = await lines(session, cycle.id, [house.id("grocer"), house.id("fuel")], 10)
        (found,) = (await net_positions(session, [cycle], "USD")).values()
    assert [(one.kind, one.currency, one.points, one.amount) for one in stated] == [
        ("RIGHT", "grocer/car_wash", 2, 8_000_000),
        ("EARN", "GRO", 1000, 9_000_000),
    ]
    assert {house.code(one.merchant_id): one.amount for one in found} == {"grocer": 100, "fuel": -100}
