"""Closing: what is being posted meanwhile, what a death leaves, what is refused (A7)."""

import asyncio
import random
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from alliance.clearing.riders import OPEN_CYCLE
from alliance.settlement import queries
from alliance.settlement.closing import CYCLE_LOCK, close_cycle, drained, open_next
from alliance.settlement.errors import EarlierCycleOpen, LaterCycleStated, WrongCycleStatus
from alliance.settlement.model import CycleStatus, SettlementCycle
from alliance.settlement.schedule import close_due, open_due
from domain.base import new_id
from domain.errors import InvalidInput
from tests.alliance.settlement.test_cycles import STEPS, owe, positions
from tests.alliance.support import NOON, WHO, House, days

A, B, C = (uuid.UUID(int=n) for n in (1, 2, 3))


async def test_a07_nobody_waits_for_a_closing_and_what_was_begun_stays_in_its_cycle(house: House) -> None:
    """A posting that read the old cycle is written after the new one was opened: the old one is closed after it."""
    member, other = await house.member(), await house.member()
    await house.earn(member, "fuel", 10)
    connection = await house.runtime.database.connect()
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock_shared($1, $2)", *CYCLE_LOCK)
            (old,) = {found.id for found in (await OPEN_CYCLE.load(connection, [NOON])).values()}
            task = asyncio.create_task(house.close(NOON + days(1)))
            while await house.count("settlement_cycle") == 1:
                assert not task.done()
            async with asyncio.timeout(5):
                later = await house.earn(other, "fuel", 20)
            assert not task.done()
            await connection.execute("UPDATE obligation SET booked_at = clock_timestamp() WHERE cycle_id = $1", old)
        cycle = await task
    finally:
        await connection.close()
    assert (cycle.id, cycle.status, cycle.closes_at) == (old, "CLOSED", NOON + days(1))
    places = {row.operation_id: row.cycle_id for row in await house.obligations()}
    assert places.pop(later.operation_id) != old
    assert set(places.values()) == {old}
    assert await positions(house, cycle) == {house.id("fuel"): (-9, -9), house.id("grocer"): (9, 9)}


async def test_a07_a_closing_that_died_is_finished_by_whoever_comes_next(house: House) -> None:
    """Between opening the next cycle and closing this one: the calendar goes on, and by hand nothing else is closed."""
    alliance = house.runtime.catalogue.alliance
    await house.earn(await house.member(), "fuel", 100)
    monday = datetime(2017, 6, 5, 4, tzinfo=UTC)
    async with house.runtime.database.transaction() as session:
        begun = await open_due(session, alliance, monday)
    assert begun is not None
    assert (begun.number, begun.status, begun.closes_at) == (1, "OPEN", monday)
    await house.earn(await house.member(), "fuel", 200)
    async with house.runtime.database.transaction() as session:
        again = await open_next(session, as_of=monday + days(1))
        assert (again.id, again.closes_at) == (begun.id, monday)
        assert (await open_due(session, alliance, monday + days(1))) is again
        closed = await close_due(session, alliance, monday + days(1))
    assert closed is not None
    assert (closed.number, closed.status, closed.closes_at) == (1, "CLOSED", monday)
    assert await house.count("settlement_cycle") == 2
    assert await positions(house, closed) == {house.id("fuel"): (-90, -90), house.id("grocer"): (90, 90)}
    async with house.runtime.database.transaction() as session:
        assert await close_due(session, alliance, monday + days(1)) is None


async def test_a07_two_who_close_the_open_cycle_at_once_close_the_same(house: House) -> None:
    await house.earn(await house.member(), "fuel", 100)

    async def begin() -> int:
        async with house.runtime.database.transaction() as session:
            return (await open_next(session, as_of=NOON)).number

    async with house.runtime.database.transaction() as session:
        await open_next(session, as_of=NOON)
        other = asyncio.create_task(begin())
        await asyncio.wait([other], timeout=0.2)
        assert not other.done()
    assert await other == 1
    assert await house.count("settlement_cycle") == 2


async def test_a07_missed_cut_offs_make_one_long_cycle(house: House) -> None:
    """Down for five Mondays: what was booked before is one cycle, and the next is cut off as usual."""
    alliance = house.runtime.catalogue.alliance
    await house.earn(await house.member(), "fuel", 100)
    back = datetime(2017, 7, 5, 12, tzinfo=UTC)
    for at, number in ((back, 2), (back + days(4), 2), (back + days(5), 3)):
        async with house.runtime.database.transaction() as session:
            await open_due(session, alliance, at)
            await close_due(session, alliance, at)
        async with house.runtime.database.session() as session:
            found = await queries.open_cycle(session)
        assert found is not None
        assert found.number == number


async def test_a07_a_cycle_is_closed_by_two_steps_in_order(house: House) -> None:
    await house.earn(await house.member(), "fuel", 100)
    async with house.runtime.database.session() as session:
        cycle = await queries.open_cycle(session)
        assert cycle is not None
        with pytest.raises(RuntimeError, match="was not opened"):
            await close_cycle(session, cycle.id, who=WHO, why="", as_of=NOON)


async def test_a07_no_step_is_taken_in_the_future(house: House) -> None:
    await house.earn(await house.member(), "fuel", 10_000)
    soon = datetime.now(UTC) + timedelta(minutes=10)
    with pytest.raises(InvalidInput) as refused:
        await house.close(soon)
    assert refused.value.path == ("asOf",)
    cycle = await house.close()
    for step in STEPS:
        with pytest.raises(InvalidInput):
            await house.step(step, cycle, as_of=soon)
        cycle = await house.step(step, cycle, as_of=NOON)


async def test_a07_steps_are_recorded_with_who_and_why(house: House) -> None:
    cycle = await house.close()
    with pytest.raises(InvalidInput) as refused:
        await house.step("issue_statements", cycle, why="x" * 501)
    assert refused.value.path == ("reason",)
    await house.step("issue_statements", cycle, why="end of the week", who=A)
    async with house.runtime.database.session() as session:
        taken = (await queries.transitions(session, [cycle.id]))[cycle.id]
    assert [(row.seq, row.status, row.who, row.why, row.as_of) for row in taken] == [
        (1, "CLOSED", WHO, "test", NOON),
        (2, "STATED", A, "end of the week", NOON),
    ]


async def test_a10_deadlines_are_kept_with_the_cycle(house: House) -> None:
    """By the alliance's calendar: three business days to object, five to pay, over Independence Day."""
    thursday = datetime(2017, 6, 29, 16, tzinfo=UTC)
    cycle = await house.step("issue_statements", await house.close(thursday), as_of=thursday)
    assert cycle.objections_until == datetime(2017, 7, 6, 4, tzinfo=UTC)
    cycle = await house.step("confirm_statement", cycle)
    cycle = await house.step("net_cycle", cycle, as_of=thursday)
    assert cycle.payments_due == datetime(2017, 7, 8, 4, tzinfo=UTC)


async def test_drained_waits_for_nobody_where_nobody_posts(house: House) -> None:
    async with house.runtime.database.session() as session:
        await drained(session)


async def test_a07_later_cycles_are_given_up_first(house: House) -> None:
    a, b = sorted(new_id() for _ in range(2))
    cycles = []
    for cents in (5_000, 3_000, 2_000):
        await owe(house, [(a, b, cents)])
        cycles.append(await house.close())
    first, second, third = cycles
    await house.through(first, "net_cycle")
    await house.step("issue_statements", second)
    with pytest.raises(LaterCycleStated) as refused:
        await house.step("abort_cycle", first)
    assert refused.value.data == {"number": 2}
    await house.step("abort_cycle", second)
    await house.step("abort_cycle", first)
    assert (await house.step("issue_statements", third)).status == "STATED"
    assert await positions(house, third) == {a: (-10_000, -10_000), b: (10_000, 10_000)}


async def test_a07_a_cycle_may_be_given_up_before_the_one_before_it_is_netted(house: House) -> None:
    """What the earlier one leaves goes through the aborted ones, as soon as it is known."""
    a, b = sorted(new_id() for _ in range(2))
    cycles = []
    for cents in (999, 3_000, 0, 2_000):
        if cents:
            await owe(house, [(a, b, cents)])
        cycles.append(await house.close())
    first, second, third, fourth = cycles
    await house.step("abort_cycle", third)
    await house.step("abort_cycle", second)
    with pytest.raises(EarlierCycleOpen) as refused:
        await house.step("issue_statements", fourth)
    assert refused.value.data == {"number": 1}
    await house.through(first)  # 9.99 is less than the least payment: it is carried
    assert await positions(house, await house.through(fourth, "net_cycle")) == {a: (-5_999, -5_999), b: (5_999, 5_999)}


@pytest.mark.parametrize("seed", range(4))
async def test_a07_giving_up_cycles_changes_nobodys_claims(house: House, seed: int) -> None:
    """Random steps and aborts: what a party is owed is what it was paid and what is still in reckoning."""
    chance = random.Random(seed)
    parties = sorted(new_id() for _ in range(3))
    owed: Counter[uuid.UUID] = Counter()
    paid: Counter[uuid.UUID] = Counter()
    for _ in range(24):
        match chance.randrange(5):
            case 0 | 1:
                debtor, creditor = chance.sample(parties, 2)
                cents = chance.randrange(1, 5_000)
                await owe(house, [(debtor, creditor, cents)])
                owed.update({debtor: -cents, creditor: cents})
            case 2:
                await house.close()
            case _:
                await _some_step(house, chance)
    for cycle in reversed(await _cycles(house)):
        if cycle.status == CycleStatus.OPEN:
            continue
        while cycle.status not in (CycleStatus.SETTLED, CycleStatus.ABORTED):
            await _some_step(house, chance)
            (cycle,) = [one for one in await _cycles(house) if one.id == cycle.id]
    async with house.runtime.database.session() as session:
        for payments in (await queries.payments(session, [one.id for one in await _cycles(house)])).values():
            for payment in payments:
                if payment.status == "PAID":
                    paid.update({payment.payer_id: -payment.amount, payment.payee_id: payment.amount})
        last = await queries.open_cycle(session)
        assert last is not None
        left = (await queries.pair_nets(session, [last], "USD"))[last.id]
    for pair in left:
        assert pair.closing % 10_000 == 0
        paid.update({pair.first: pair.closing // 10_000, pair.second: -pair.closing // 10_000})
    assert {party: cents for party, cents in paid.items() if cents} == {p: cents for p, cents in owed.items() if cents}


async def _some_step(house: House, chance: random.Random) -> None:
    """The next step of a cycle, or its end."""
    waiting = [one for one in await _cycles(house) if one.status not in ("OPEN", "SETTLED", "ABORTED")]
    if not waiting:
        return
    cycle = chance.choice(waiting)
    step = STEPS[("CLOSED", "STATED", "CONFIRMED", "NETTED", "SETTLING").index(cycle.status)]
    try:
        await house.step(chance.choice([step, step, step, "abort_cycle"]), cycle)
    except (EarlierCycleOpen, LaterCycleStated, WrongCycleStatus):
        return


async def _cycles(house: House) -> list[SettlementCycle]:
    async with house.runtime.database.session() as session:
        return list(await queries.page(session, first=1000))
