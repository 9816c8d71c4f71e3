"""A cycle from open to settled (A6 to A9), who may see what of it (A14), and what the calendar does by itself."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from alliance.clearing.model import Obligation
from alliance.clearing.queries import count, lines
from alliance.exposure.positions import add
from alliance.settlement import commands, queries
from alliance.settlement.closing import close_cycle, ensure_open_cycle, open_next
from alliance.settlement.commands import confirm_statement
from alliance.settlement.errors import EarlierCycleOpen, LaterCycleStated, WrongCycleStatus
from alliance.settlement.model import CycleStatus, SettlementCycle
from alliance.settlement.rules import Report
from alliance.settlement.schedule import advance_due, close_due, open_due
from domain.base import new_id
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.ledger.model import Operation
from tests.alliance.support import NOON, WHO, House, agreed, days

CENT = 10_000
STEPS = ("issue_statements", "confirm_statement", "net_cycle", "settle_cycle", "record_receipts")


async def owe(house: House, rows: Sequence[tuple[uuid.UUID, uuid.UUID, int]]) -> None:
    """Obligations of the open cycle in cents, between parties that need not be merchants of the sample."""
    async with house.runtime.database.transaction() as session:
        cycle = await ensure_open_cycle(session, NOON)
        pacts = await agreed(session, [(debtor, creditor) for debtor, creditor, _ in rows])
        ids = [new_id() for _ in rows]
        place = {"holder_id": uuid.UUID(int=1), "occurred_at": NOON}
        operation = place | {"kind": "ADJUST", "merchant_id": uuid.UUID(int=3), "as_of": NOON}
        await session.execute(insert(Operation), [operation | {"id": id_} for id_ in ids])
        row = place | {
            "seq": 0,
            "cycle_id": cycle.id,
            "kind": "FEE",
            "currency": "GRO",
            "agreement_version": 1,
        }
        await session.execute(
            insert(Obligation),
            [
                row
                | {"operation_id": id_, "debtor_id": debtor, "creditor_id": creditor, "merchant_id": creditor}
                | {"points": cents, "amount": cents * CENT, "agreement_id": pacts[debtor, creditor]}
                for id_, (debtor, creditor, cents) in zip(ids, rows, strict=True)
            ],
        )
        owed: Counter[uuid.UUID] = Counter()
        for debtor, creditor, cents in rows:
            owed[debtor] += cents * CENT
            owed[creditor] -= cents * CENT
        await add(session, owed)


async def positions(house: House, cycle: SettlementCycle) -> dict[uuid.UUID, tuple[int, int]]:
    async with house.runtime.database.session() as session:
        found = (await queries.net_positions(session, [cycle], "USD"))[cycle.id]
    return {position.merchant_id: (position.amount, position.open) for position in found}


async def test_a07_the_life_of_a_cycle(house: House) -> None:
    member = await house.member()
    await house.earn(member, "fuel", 10_000)
    await house.spend(member, "fuel", 2_000)
    cycle = await house.close(NOON + days(1))
    assert (cycle.number, cycle.status, cycle.closes_at) == (1, "CLOSED", NOON + days(1))
    fuel, grocer = house.id("fuel"), house.id("grocer")
    assert await positions(house, cycle) == {fuel: (-7_200, -7_200), grocer: (7_200, 7_200)}
    for step in STEPS[:3]:
        cycle = await house.step(step, cycle)
        assert await positions(house, cycle) == {fuel: (-7_200, -7_200), grocer: (7_200, 7_200)}
    async with house.runtime.database.session() as session:
        [payment] = (await queries.payments(session, [cycle.id]))[cycle.id]
    assert (payment.payer_id, payment.payee_id, payment.amount, payment.status) == (fuel, grocer, 7_200, "PLANNED")
    cycle = await house.step("settle_cycle", cycle)
    assert (cycle.status, await positions(house, cycle)) == (
        "SETTLING",
        {fuel: (-7_200, -7_200), grocer: (7_200, 7_200)},
    )
    cycle = await house.step("record_receipts", cycle)
    assert await positions(house, cycle) == {fuel: (-7_200, 0), grocer: (7_200, 0)}
    async with house.runtime.database.session() as session:
        [payment] = (await queries.payments(session, [cycle.id]))[cycle.id]
        taken = (await queries.transitions(session, [cycle.id]))[cycle.id]
        following = await queries.open_cycle(session)
    assert (payment.status, payment.paid_at) == ("PAID", NOON)
    assert [row.status for row in taken] == ["CLOSED", "STATED", "CONFIRMED", "NETTED", "SETTLING", "SETTLED"]
    assert {(row.who, row.why) for row in taken} == {(WHO, "test")}
    assert following is not None
    assert (following.number, following.opens_at) == (2, NOON + days(1))


async def test_a07_no_step_is_skipped_or_taken_twice(house: House) -> None:
    await house.earn(await house.member(), "fuel", 10_000)
    async with house.runtime.database.session() as session:
        cycle = await queries.open_cycle(session)
    assert cycle is not None
    for taken in range(len(STEPS) + 1):
        if taken == 0:
            await house.close()
        else:
            await house.step(STEPS[taken - 1], cycle)
        before = [await house.count(table) for table in ("pair_net", "statement", "net_position", "payment")]
        for step in STEPS[:taken] + STEPS[taken + 1 :]:
            with pytest.raises(WrongCycleStatus):
                await house.step(step, cycle)
        assert [await house.count(t) for t in ("pair_net", "statement", "net_position", "payment")] == before
    with pytest.raises(WrongCycleStatus):
        await _close(house, cycle.id)


async def _close(house: House, cycle_id: uuid.UUID) -> None:
    async with house.runtime.database.transaction() as session:
        await open_next(session, as_of=NOON, cycle_id=cycle_id)
    async with house.runtime.database.transaction() as session:
        await close_cycle(session, cycle_id, who=WHO, why="again", as_of=NOON)


async def test_a06_a_thousand_spends_of_33_points_at_0_0085(house: House) -> None:
    house.agree(house.redeeming(8_500))
    members = [await house.member() for _ in range(50)]
    await asyncio.gather(*(house.earn(member, "grocer", 33 * 20) for member in members))
    await asyncio.gather(*(house.spend(member, "fuel", 33) for member in members for _ in range(20)))
    assert await house.count("obligation") == 1_000
    cycle = await house.through(await house.close(), "net_cycle")
    assert await positions(house, cycle) == {house.id("grocer"): (-28_050, -28_050), house.id("fuel"): (28_050, 28_050)}


async def test_a06_the_rest_opens_the_next_cycle(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 10_000)
    house.agree(house.redeeming(8_500))
    await house.spend(member, "fuel", 1_235)
    first = await house.through(await house.close(), "net_cycle")
    await house.spend(member, "fuel", 1_235)
    second = await house.through(await house.close(), "net_cycle")
    async with house.runtime.database.session() as session:
        nets = await queries.pair_nets(session, [first, second], "USD")
    one, other = nets[first.id][0], nets[second.id][0]
    sign = 1 if one.first == house.id("fuel") else -1
    assert (sign * one.lines, sign * one.net, sign * one.carried) == (10_497_500, 1_050, -2_500)
    assert (sign * other.opening, sign * other.closing, sign * other.net) == (-2_500, 10_495_000, 1_050)
    assert sign * other.carried == -5_000


async def test_a08_each_payment_is_recorded_by_who_received_it(house: House) -> None:
    a, b, c = sorted(new_id() for _ in range(3))
    await owe(house, [(a, b, 5_000), (c, b, 3_000)])
    cycle = await house.through(await house.close(), "settle_cycle")
    async with house.runtime.database.session() as session:
        planned = (await queries.payments(session, [cycle.id]))[cycle.id]
    assert [(p.seq, p.payer_id, p.payee_id, p.amount, p.status) for p in planned] == [
        (1, a, b, 5_000, "PLANNED"),
        (2, c, b, 3_000, "PLANNED"),
    ]
    for named in ({"number": 3}, {"number": 1, "payee_id": a}, {"payee_id": c}):
        with pytest.raises(NotFound):
            await house.step("record_receipts", cycle, **named)
    for wrong in ({"number": 1, "amount": 4_999}, {"amount": 8_000}, {"number": 1, "reference": "x" * 201}):
        with pytest.raises(InvalidInput):
            await house.step("record_receipts", cycle, **wrong)
    for _ in range(2):
        cycle = await house.step("record_receipts", cycle, number=1, payee_id=b, amount=5_000, reference="bank 7")
        assert (cycle.status, await positions(house, cycle)) == (
            "SETTLING",
            {a: (-5_000, 0), b: (8_000, 3_000), c: (-3_000, -3_000)},
        )
    with pytest.raises(WrongCycleStatus):
        await house.step("abort_cycle", cycle)
    assert (await house.step("record_receipts", cycle)).status == "SETTLED"
    assert (await house.step("record_receipts", cycle, number=2)).status == "SETTLED"
    async with house.runtime.database.session() as session:
        made = (await queries.payments(session, [cycle.id]))[cycle.id]
    assert [(p.status, p.reference) for p in made] == [("PAID", "bank 7"), ("PAID", None)]


async def test_a08_twelve_obligations_of_five_parties(house: House) -> None:
    a, b, c, d, e = parties = [new_id() for _ in range(5)]
    twelve = [(a, b, 900), (b, a, 700), (a, c, 300), (c, a, 500), (b, c, 400), (c, b, 250)]
    twelve += [(d, a, 100), (b, d, 350), (c, d, 150), (d, c, 600), (e, a, 50), (d, e, 80)]
    await owe(house, [(debtor, creditor, 100 * units) for debtor, creditor, units in twelve])
    cycle = await house.through(await house.close())
    async with house.runtime.database.session() as session:
        saved = (await queries.reports(session, [cycle], "USD"))[cycle.id]
        own = (await queries.reports(session, [cycle], "USD", party=e))[cycle.id]
        made = (await queries.payments(session, [cycle.id]))[cycle.id]
    assert saved == Report(
        gross=438_000 * CENT,
        bilateral=158_000,
        multilateral=58_000,
        obligations=12,
        debts=12,
        nets=8,
        payments=4,
        carried=0,
    )
    assert own == Report(
        gross=13_000 * CENT, bilateral=13_000, multilateral=3_000, obligations=2, debts=2, nets=2, payments=1, carried=0
    )
    expected = zip(parties, (15_000, -30_000, 40_000, -28_000, 3_000), strict=True)
    assert await positions(house, cycle) == {party: (amount, 0) for party, amount in expected}
    assert len(made) <= 4


async def test_a08_a_position_under_the_minimum_is_carried(house: House) -> None:
    a, b, c = sorted(new_id() for _ in range(3))
    await owe(house, [(a, b, 5_000), (c, b, 999)])
    cycle = await house.through(await house.close())
    assert await positions(house, cycle) == {a: (-5_000, 0), b: (5_999, 0), c: (-999, 0)}
    async with house.runtime.database.session() as session:
        made = (await queries.payments(session, [cycle.id]))[cycle.id]
    assert [(p.payer_id, p.amount, p.status) for p in made] == [(a, 5_000, "PAID"), (c, 999, "CARRIED")]
    await owe(house, [(c, b, 1)])
    following = await house.through(await house.close())
    assert await positions(house, following) == {b: (1_000, 0), c: (-1_000, 0)}


async def test_a08_netting_again_by_hand_gives_the_stored_nets(house: House) -> None:
    a, b, c = (new_id() for _ in range(3))
    await owe(house, [(a, b, 5_000), (b, c, 7_000), (c, a, 2_000)])
    closed = await house.close()
    async with house.runtime.database.session() as session:
        before = await queries.pair_nets(session, [closed], "USD")
    netted = await house.through(closed, "net_cycle")
    async with house.runtime.database.session() as session:
        assert await queries.pair_nets(session, [netted], "USD") == before


async def test_a09_both_sides_see_the_same_statement(house: House) -> None:
    member = await house.member()
    granted = await house.earn(member, "fuel", 10_000)
    await house.through(await house.close())
    await house.spend(member, "fuel", 1_000)
    await house.reverse(member, granted)
    cycle = await house.through(await house.close(), "issue_statements")
    fuel, grocer = house.id("fuel"), house.id("grocer")
    async with house.runtime.database.session() as session:
        found = await queries.statements(session, [(cycle, fuel), (cycle, grocer), (cycle, new_id())], "USD")
    assert set(found) == {(cycle.id, fuel), (cycle.id, grocer)}
    mine, theirs = found[cycle.id, fuel], found[cycle.id, grocer]
    assert (mine.opening, mine.lines, mine.adjustments) == (0, 9_000_000, 81_000_000)
    assert (mine.closing, mine.position, mine.issued_at, mine.confirmed_at) == (90_000_000, 9_000, NOON, None)
    for name in ("opening", "lines", "adjustments", "closing", "position"):
        assert getattr(theirs, name) == -getattr(mine, name)
    assert [line.merchant_id for line in mine.partners] == [grocer]
    assert mine.lines + mine.adjustments == sum(
        o.amount * (1 if o.creditor_id == fuel else -1) for o in await house.obligations() if o.cycle_id == cycle.id
    )


async def test_a09_each_confirms_and_the_operator_may_confirm_the_rest(house: House) -> None:
    a, b, c = (new_id() for _ in range(3))
    await owe(house, [(a, b, 5_000), (b, c, 7_000), (house.id("operator"), a, 100)])
    cycle = await house.step("issue_statements", await house.close())
    assert (await house.step("confirm_statement", cycle, merchant_id=a)).status == "STATED"
    assert (await house.step("confirm_statement", cycle, merchant_id=a)).status == "STATED"
    with pytest.raises(NotFound):
        await house.step("confirm_statement", cycle, merchant_id=new_id())
    assert (await house.step("confirm_statement", cycle)).status == "CONFIRMED"


async def test_a09_a_cycle_without_obligations_goes_through(house: House) -> None:
    cycle = await house.through(await house.close())
    assert cycle.status == "SETTLED"
    assert await positions(house, cycle) == {}


async def test_a07_cycles_are_stated_in_order(house: House) -> None:
    first, second = await house.close(), await house.close()
    with pytest.raises(EarlierCycleOpen) as refused:
        await house.step("issue_statements", second)
    assert refused.value.data == {"number": 1}
    await house.through(first, "net_cycle")
    assert (await house.step("issue_statements", second)).status == "STATED"


@pytest.mark.parametrize("last", ["close", *STEPS[:3]])
async def test_a07_an_aborted_cycle_opens_the_next_with_all_it_held(house: House, last: str) -> None:
    a, b = (new_id() for _ in range(2))
    await owe(house, [(a, b, 5_000)])
    cycle = await house.close()
    if last != "close":
        await house.through(cycle, last)
    aborted = await house.step("abort_cycle", cycle)
    assert aborted.status == "ABORTED"
    assert await positions(house, aborted) == {}
    await owe(house, [(a, b, 2_000)])
    following = await house.through(await house.close())
    assert await positions(house, following) == {a: (-7_000, 0), b: (7_000, 0)}


async def test_a07_what_is_settled_or_built_upon_is_not_aborted(house: House) -> None:
    settled = await house.through(await house.close())
    with pytest.raises(WrongCycleStatus):
        await house.step("abort_cycle", settled)
    netted = await house.through(await house.close(), "net_cycle")
    await house.step("issue_statements", await house.close())
    with pytest.raises(LaterCycleStated):
        await house.step("abort_cycle", netted)


@pytest.mark.parametrize(("first", "then"), [("abort_cycle", "issue_statements"), ("issue_statements", "abort_cycle")])
async def test_a07_a_cycle_is_not_stated_while_the_one_before_is_aborted(house: House, first: str, then: str) -> None:
    """The two steps are of different cycles, but each rests on the state of the other's."""
    a, b = (new_id() for _ in range(2))
    await owe(house, [(a, b, 5_000)])
    netted = await house.through(await house.close(), "net_cycle")
    await owe(house, [(a, b, 2_000)])
    of = {"abort_cycle": netted, "issue_statements": await house.close()}
    async with house.runtime.database.transaction() as session:
        named = {"who": WHO, "why": "test", "as_of": NOON}
        await getattr(commands, first)(session, house.runtime.catalogue.alliance, of[first].id, **named)
        other = asyncio.create_task(house.step(then, of[then]))
        await asyncio.wait([other], timeout=0.5)
    if then == "abort_cycle":
        with pytest.raises(LaterCycleStated):
            await other
        return
    following = await other
    for step in STEPS[1:]:
        following = await house.step(step, following)
    assert await positions(house, following) == {a: (-7_000, 0), b: (7_000, 0)}


async def test_a07_two_who_close_at_once_close_one_cycle(house: House) -> None:
    async with house.runtime.database.transaction() as session:
        cycle = await ensure_open_cycle(session, NOON)
    results = await asyncio.gather(*(_close(house, cycle.id) for _ in range(8)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType"] + ["WrongCycleStatus"] * 7
    assert await house.count("settlement_cycle") == 2


async def test_unknown_cycle_is_not_found(house: House) -> None:
    async with house.runtime.database.transaction() as session:
        with pytest.raises(NotFound):
            await confirm_statement(session, new_id(), who=WHO, why="", as_of=NOON)


async def test_cycles_are_read_by_id_number_and_page(house: House) -> None:
    closed = [await house.close() for _ in range(3)]
    async with house.runtime.database.session() as session:
        assert set(await queries.by_ids(session, [closed[0].id, new_id()])) == {closed[0].id}
        assert {n: c.id for n, c in (await queries.by_numbers(session, [2, 99])).items()} == {2: closed[1].id}
        newest = await queries.page(session, first=2)
        older = await queries.page(session, before=newest[-1].number)
    assert [cycle.number for cycle in (*newest, *older)] == [4, 3, 2, 1]


def _place(line: Obligation) -> tuple[uuid.UUID, int]:
    return (line.operation_id, line.seq)


async def _page_through(
    house: House, cycle: SettlementCycle, *parties: uuid.UUID, backward: bool = False
) -> list[tuple[uuid.UUID, int]]:
    """All lines that these parties see, three a page."""
    found: list[tuple[uuid.UUID, int]] = []
    async with house.runtime.database.session() as session:
        while True:
            end = {"before" if backward else "after": found[-1] if found else None}
            page = await lines(session, cycle.id, parties, 3, backward=backward, **end)
            if not page:
                assert len(found) == await count(session, cycle.id, parties)
                return found
            found += map(_place, page)


async def test_a14_a_merchant_sees_its_own_lines_positions_and_payments(house: House) -> None:
    grocer, fuel = house.id("grocer"), house.id("fuel")
    other = new_id()
    member = await house.member()
    await house.earn(member, "fuel", 10_000)
    await house.spend(member, "fuel", 500)
    await house.earn(member, "fuel", 10, of="FUE")
    await house.spend(member, "grocer", 10, of="FUE")
    await owe(house, [(grocer, other, 90_000), (fuel, grocer, 40)])
    async with house.runtime.database.session() as session:
        cycle = await queries.open_cycle(session)
    assert cycle is not None
    rows = await house.obligations()
    everything = [_place(row) for row in rows]
    of_fuel = [_place(row) for row in rows if fuel in (row.debtor_id, row.creditor_id)]
    assert (len(everything), len(of_fuel)) == (5, 4)
    assert await _page_through(house, cycle) == everything
    assert await _page_through(house, cycle, backward=True) == everything[::-1]
    assert await _page_through(house, cycle, fuel) == of_fuel
    assert await _page_through(house, cycle, fuel, backward=True) == of_fuel[::-1]
    assert await _page_through(house, cycle, fuel, grocer) == of_fuel
    assert await _page_through(house, cycle, fuel, fuel) == of_fuel
    assert await _page_through(house, cycle, fuel, other) == []
    assert len(await _page_through(house, cycle, other)) == 1

    closed = await house.through(await house.close(), "net_cycle")
    async with house.runtime.database.session() as session:
        own = (await queries.net_positions(session, [closed], "USD", party=fuel))[closed.id]
        pairs = (await queries.pair_nets(session, [closed], "USD", party=other))[closed.id]
        paid = (await queries.payments(session, [closed.id], party=fuel))[closed.id]
        [statement] = (await queries.statements(session, [(closed, fuel)], "USD")).values()
    assert [position.merchant_id for position in own] == [fuel]
    assert [{pair.first, pair.second} for pair in pairs] == [{grocer, other}]
    assert all(fuel in (payment.payer_id, payment.payee_id) for payment in paid)
    assert [line.merchant_id for line in statement.partners] == [grocer]


async def test_a07_the_calendar_closes_and_silence_confirms(house: House) -> None:
    alliance = house.runtime.catalogue.alliance
    await house.earn(await house.member(), "fuel", 10_000)
    monday = datetime(2017, 6, 5, 4, tzinfo=UTC)

    async def due(as_of: datetime) -> list[str]:
        steps: list[str] = []
        async with house.runtime.database.transaction() as session:
            await open_due(session, alliance, as_of)
        async with house.runtime.database.transaction() as session:
            if (closed := await close_due(session, alliance, as_of)) is not None:
                steps.append(closed.status)
        while True:
            async with house.runtime.database.transaction() as session:
                if (moved := await advance_due(session, alliance, as_of)) is None:
                    return steps
                steps.append(moved.status)

    assert await due(monday - days(1)) == []
    assert await due(monday) == [CycleStatus.CLOSED, CycleStatus.STATED]
    assert await due(monday) == []
    assert await due(monday + days(3)) == []
    assert await due(monday + days(4)) == [CycleStatus.CONFIRMED, CycleStatus.NETTED, CycleStatus.SETTLING]
    assert await due(monday + days(7)) == [CycleStatus.CLOSED, CycleStatus.STATED]


async def test_a06_sums_pass_what_one_obligation_may_be(house: House) -> None:
    fuel, grocer = house.id("fuel"), house.id("grocer")
    most = 9 * 10**11  # cents: near the largest amount that one obligation can have
    await owe(house, [(fuel, grocer, most)] * 1100)
    cycle = await house.step("issue_statements", await house.close())
    assert await positions(house, cycle) == {fuel: (-most * 1100, -most * 1100), grocer: (most * 1100, most * 1100)}
    cycle = await house.step("abort_cycle", cycle)
    assert cycle.status == "ABORTED"


async def test_a16_more_than_one_person_records_is_matched_with_what_a_bank_reports(house: House) -> None:
    await owe(house, [(house.id("fuel"), house.id("grocer"), 2_500)])
    cycle = await house.through(await house.close(), "settle_cycle")
    with pytest.raises(NotAllowed):
        await house.step("record_receipts", cycle, alone=24_999_999)
    assert (await house.step("record_receipts", cycle, alone=25_000_000)).status == "SETTLED"
