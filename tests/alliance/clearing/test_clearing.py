"""Who owes whom (A1), at which version's price (A2), in which cycle (A7)."""

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest
from sqlalchemy import select

from alliance.agreements.book import Fee
from alliance.clearing.commands import earn_request, redeem_request
from alliance.clearing.errors import NoAgreement, TooLate
from alliance.clearing.rules import share_of
from alliance.settlement.model import CycleTransition, SettlementCycle
from domain.errors import InvalidInput, NotFound
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import InsufficientPoints, MemberNotActive
from tests.alliance.support import CLIENT, NOON, House, days, key


async def test_a01_the_worked_example(house: House) -> None:
    member = await house.member()
    granted = await house.earn(member, "fuel", 1_000)
    assert await house.owed(granted) == [("EARN", "fuel", "grocer", 1_000, "9.000000")]
    spent = await house.spend(member, "fuel", 600)
    assert await house.owed(spent) == [("SPEND", "grocer", "fuel", 600, "5.400000")]
    exchanged = await house.use(member, await house.quote(member, points_out=400))
    assert await house.owed(exchanged) == [("EXCHANGE", "grocer", "fuel", 400, "3.200000")]
    [lot] = await house.lots(member, "FUE")
    assert (lot.granted, lot.price) == (320, 1_000_000)
    assert (lot.issuer_id, lot.funder_id) == (house.id("fuel"), house.id("grocer"))
    returned = await house.reverse(member, granted)
    assert (returned.points, returned.data["shortfall"]) == (0, 1_000)
    assert await house.owed(returned) == []


async def test_a01_the_lot_keeps_what_its_funder_paid(house: House) -> None:
    member = await house.member()
    await house.earn(member, "fuel", 1_000)
    await house.earn(member, "grocer", 10)
    funded, own = await house.lots(member, "GRO")
    assert (funded.issuer_id, funded.funder_id, funded.price) == (house.id("grocer"), house.id("fuel"), 900_000)
    assert (own.issuer_id, own.funder_id, own.price) == (house.id("grocer"), house.id("grocer"), 0)


async def test_a01_nothing_is_owed_between_a_merchant_and_itself(house: House) -> None:
    member = await house.member()
    earned = await house.earn(member, "grocer", 500)
    await house.spend(member, "grocer", 200)
    await house.reverse(member, earned)
    assert await house.count("obligation") == 0


async def test_a01_a_clawback_credits_only_what_is_recovered(house: House) -> None:
    member = await house.member()
    granted = await house.earn(member, "fuel", 1_000)
    await house.spend(member, "grocer", 400)
    returned = await house.reverse(member, granted)
    assert await house.owed(returned) == [("EARN", "fuel", "grocer", -600, "-5.400000")]


async def test_a01_a_cancelled_spend_and_a_cancelled_exchange_owe_it_back(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 1_000)
    spent = await house.spend(member, "fuel", 600)
    assert await house.owed(await house.reverse(member, spent)) == [("SPEND", "grocer", "fuel", -600, "-5.400000")]
    exchanged = await house.use(member, await house.quote(member, points_out=400))
    back = await house.reverse(member, exchanged)
    assert await house.owed(back) == [("EXCHANGE", "grocer", "fuel", -400, "-3.200000")]
    assert sum(o.amount for o in await house.obligations()) == 0


async def test_a01_fees_are_lines_of_their_own(house: House) -> None:
    fee = Fee(frozenset({"earn", "redeem", "exchange"}), Fraction("0.01"), 0, "issuer")
    flat = Fee(frozenset({"redeem"}), Fraction(0), 50_000, "partner")
    house.agree(replace(house.version(), fees=(fee, flat)))
    member = await house.member()
    granted = await house.earn(member, "fuel", 1_000)
    assert await house.owed(granted) == [
        ("EARN", "fuel", "grocer", 1_000, "9.000000"),
        ("FEE", "grocer", "operator", 1_000, "0.090000"),
    ]
    spent = await house.spend(member, "fuel", 600)
    lines = [
        ("SPEND", "grocer", "fuel", 600, "5.400000"),
        ("FEE", "grocer", "operator", 600, "0.054000"),
        ("FEE", "fuel", "operator", 600, "0.050000"),
    ]
    assert await house.owed(spent) == lines
    back = await house.reverse(member, spent)
    assert await house.owed(back) == [(k, d, c, -p, f"-{amount}") for k, d, c, p, amount in lines]
    await house.spend(member, "grocer", 250)
    returned = await house.reverse(member, granted)
    assert await house.owed(returned) == [
        ("EARN", "fuel", "grocer", -750, "-6.750000"),
        ("FEE", "grocer", "operator", -750, "-0.067500"),
    ]


def test_a01_a_share_is_rounded_half_even_to_the_millionth() -> None:
    assert [share_of(amount, Fraction(1, 100)) for amount in (50, 150, 250, 249, 251, -50)] == [0, 2, 2, 2, 3, 0]


async def test_a01_no_agreement_no_points(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 100)
    with pytest.raises(NoAgreement) as refused:
        await house.earn(member, "grocer", 100, of="FUE")
    assert refused.value.data == {"merchant": "grocer", "event": "earn", "currency": "FUE"}
    assert await house.lots(member, "FUE") == []
    house.agree()
    with pytest.raises(NoAgreement):
        await house.spend(member, "fuel", 1)
    with pytest.raises(NoAgreement):
        await house.quote(member, points_out=100)
    assert await house.count("obligation") == await house.count("settlement_cycle") == 0


async def test_a01_the_refusal_is_remembered_with_the_key(house: House) -> None:
    member, once = await house.member(), key()
    agreed = house.version()
    house.agree()
    with pytest.raises(NoAgreement):
        await house.earn(member, "fuel", 100, key=once)
    house.agree(agreed)
    with pytest.raises(NoAgreement):
        await house.earn(member, "fuel", 100, key=once)
    assert (await house.earn(member, "fuel", 100)).points == 100


async def test_a01_a_partner_earns_by_its_own_rules(house: House) -> None:
    member = await house.member()
    request = earn_request(
        house.runtime,
        member_id=member,
        merchant=house.runtime.catalogue.merchants["fuel"],
        amount=4_199,
        money="USD",
        currency="GRO",
        occurred_at=NOON,
        as_of=NOON,
        key=key(),
        client_id=CLIENT,
    )
    posted = await house.runtime.engine.post(request)
    assert posted.points == 41
    assert await house.owed(posted) == [("EARN", "fuel", "grocer", 41, "0.369000")]


async def test_a01_a_repeated_key_owes_once(house: House) -> None:
    member, once = await house.member(), key()
    first = await house.earn(member, "fuel", 100, key=once)
    again = await house.earn(member, "fuel", 100, key=once)
    assert again.duplicate
    assert again.operation_id == first.operation_id
    assert await house.count("obligation") == 1


async def test_a01_what_is_refused_owes_nothing(house: House) -> None:
    member, frozen = await house.member(), await house.member("FROZEN")
    with pytest.raises(InsufficientPoints):
        await house.spend(member, "fuel", 1)
    with pytest.raises(MemberNotActive):
        await house.earn(frozen, "fuel", 1)
    with pytest.raises(InvalidInput):
        await house.earn(member, "fuel", 2**53 - 1)
    assert await house.count("obligation") == 0


async def test_r10_a_dry_run_answers_alike_and_writes_nothing(house: House) -> None:
    member = await house.member()
    simulated = await house.earn(member, "fuel", 1_000, dry_run=True)
    assert (simulated.points, simulated.operation_id) == (1_000, None)
    for table in ("obligation", "settlement_cycle", "operation", "idempotency_key"):
        assert await house.count(table) == 0


async def test_unknown_currency_and_store_are_named(house: House) -> None:
    member = await house.member()
    with pytest.raises(NotFound) as refused:
        await house.earn(member, "fuel", 1, of="XYZ")
    assert refused.value.path == ("currency",)
    with pytest.raises(NotFound) as refused:
        await house.earn(member, "fuel", 1, store="nowhere")
    assert refused.value.path == ("store",)


async def test_a02_the_version_of_the_event_time_counts(house: House) -> None:
    change = NOON - days(2)
    house.agree(
        house.redeeming(8_000, version=2, valid_from=change), replace(house.version(), valid_to=change, version=1)
    )
    member = await house.member()
    await house.earn(member, "grocer", 1_000)
    before = await house.spend(member, "fuel", 100, occurred_at=change - timedelta(seconds=1))
    at = await house.spend(member, "fuel", 100, occurred_at=change)
    assert await house.owed(before) == [("SPEND", "grocer", "fuel", 100, "0.900000")]
    assert await house.owed(at) == [("SPEND", "grocer", "fuel", 100, "0.800000")]
    assert [(o.agreement_version, o.late) for o in await house.obligations()] == [(1, False), (2, False)]


async def test_a02_a_reversal_is_at_the_originals_price(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 1_000)
    spent = await house.spend(member, "fuel", 100)
    house.agree(house.redeeming(8_000, version=2))
    back = await house.reverse(member, spent, as_of=NOON + days(1))
    assert await house.owed(back) == [("SPEND", "grocer", "fuel", -100, "-0.900000")]
    assert {(o.agreement_version, o.price) for o in await house.obligations()} == {(1, 900_000)}


@pytest.mark.parametrize(("late", "amount"), [(days(7), "0.900000"), (days(7) + timedelta(seconds=1), "0.800000")])
async def test_a02_a_late_event_is_flagged_and_dearer_for_its_sender(
    house: House, late: timedelta, amount: str
) -> None:
    change = NOON - days(2)
    house.agree(
        house.redeeming(8_000, version=2, valid_from=change), replace(house.version(), valid_to=change, version=1)
    )
    member = await house.member()
    await house.earn(member, "grocer", 1_000)
    spent = await house.spend(member, "fuel", 100, occurred_at=NOON - late)
    assert await house.owed(spent) == [("SPEND", "grocer", "fuel", 100, amount)]
    assert [o.late for o in await house.obligations()] == [amount == "0.800000"]


async def test_a02_a_late_event_goes_by_the_dearest_of_all_versions_since(house: House) -> None:
    """The redemption price went from 0.009 down to 0.007, and up to 0.008 again: who waited for that gets 0.007."""
    sample, low, up = house.version(), NOON - days(9), NOON - days(3)
    house.agree(
        house.redeeming(8_000, version=3, valid_from=up),
        house.redeeming(7_000, version=2, valid_from=low, valid_to=up),
        replace(sample, valid_to=low),
    )
    member = await house.member()
    await house.earn(member, "grocer", 1_000)
    spent = await house.spend(member, "fuel", 100, occurred_at=NOON - days(20))
    assert await house.owed(spent) == [("SPEND", "grocer", "fuel", 100, "0.700000")]
    assert [(o.agreement_version, o.late) for o in await house.obligations()] == [(2, True)]


async def test_a02_how_late_is_accepted_is_the_alliance_s(house: House) -> None:
    catalogue = house.runtime.catalogue
    house.runtime.catalogue = replace(catalogue, alliance=replace(catalogue.alliance, accept_late=days(1)))
    member = await house.member()
    await house.earn(member, "fuel", 10, occurred_at=NOON - days(1))
    await house.earn(member, "fuel", 10, occurred_at=NOON - days(1) - timedelta(microseconds=1))
    assert [o.late for o in await house.obligations()] == [False, True]


@pytest.mark.parametrize("at", ["grocer", "fuel"])
async def test_a02_past_sixty_days_the_operator_decides(house: House, at: str) -> None:
    member, moment, again = await house.member(), NOON - days(60), key()
    await house.earn(member, at, 100, occurred_at=moment)
    late = {"occurred_at": moment - timedelta(microseconds=1)}
    for verb in (house.earn, house.spend):
        with pytest.raises(TooLate) as refused:
            await verb(member, at, 10, **late, key=again if verb == house.earn else key())
        assert (refused.value.data, refused.value.path) == ({"days": 60}, ("occurredAt",))
    with pytest.raises(TooLate):
        await house.earn(member, at, 10, **late, key=again)
    earned = await house.earn(member, at, 10, **late, decided=True)
    spent = await house.spend(member, at, 10, **late, decided=True)
    assert (earned.points, spent.points) == (10, 10)
    assert {o.late for o in await house.obligations()} == ({True} if at == "fuel" else set())


async def test_a02_more_than_five_minutes_ahead_is_refused(house: House) -> None:
    member = await house.member()
    await house.earn(member, "fuel", 1, occurred_at=NOON + timedelta(minutes=5))
    with pytest.raises(InvalidInput) as refused:
        await house.earn(member, "fuel", 1, occurred_at=NOON + timedelta(minutes=5, microseconds=1))
    assert refused.value.path == ("occurredAt",)


async def test_a07_a_reversal_of_a_settled_item_falls_in_the_open_cycle(house: House) -> None:
    member = await house.member()
    granted = await house.earn(member, "fuel", 1_000)
    cycle = await house.through(await house.close())
    assert cycle.status == "SETTLED"
    await house.reverse(member, granted)
    first, second = await house.obligations()
    assert first.cycle_id == cycle.id != second.cycle_id
    assert (second.amount, second.reverses) == (-9_000_000, granted.operation_id)


async def test_a07_closing_under_load_puts_each_obligation_in_one_cycle(house: House) -> None:
    members = [await house.member() for _ in range(40)]
    await house.earn(members[0], "fuel", 1)
    other = PostingEngine(house.runtime.database)
    await other.start()
    second = House(replace(house.runtime, engine=other))
    stop = asyncio.Event()

    async def keep_earning(at: House, member: uuid.UUID) -> int:
        earned = 0
        while not stop.is_set():
            earned += (await at.earn(member, "fuel", 3)).points
        return earned

    async def close_often() -> int:
        for _ in range(6):
            enough = await house.count("obligation") + 50
            while await house.count("obligation") < enough:
                pass
            await house.close()
        stop.set()
        return 1

    try:
        work = (keep_earning((house, second)[i % 2], member) for i, member in enumerate(members))
        earned = sum(await asyncio.gather(close_often(), *work))
    finally:
        await other.stop()
    obligations = await house.obligations()
    assert sum(obligation.points for obligation in obligations) == earned
    async with house.runtime.database.session() as session:
        cycles = list(await session.scalars(select(SettlementCycle)))
        numbers = {cycle.id: cycle.number for cycle in cycles}
        opened = {cycle.number: cycle.booked_at for cycle in cycles}
        closed = {numbers[row.cycle_id]: row.at for row in await session.scalars(select(CycleTransition))}
    assert sorted(numbers.values()) == [1, 2, 3, 4, 5, 6, 7]
    assert len({obligation.cycle_id for obligation in obligations}) >= 6
    for obligation in obligations:
        number = numbers[obligation.cycle_id]
        assert number not in closed or obligation.booked_at < closed[number]
        assert number == 1 or obligation.booked_at > opened[number]


async def test_a07_the_first_cycle_opens_with_the_first_obligation(house: House) -> None:
    assert await house.count("settlement_cycle") == 0
    members = [await house.member() for _ in range(5)]
    await asyncio.gather(*(house.earn(member, "fuel", 1) for member in members))
    async with house.runtime.database.session() as session:
        [cycle] = (await session.scalars(select(SettlementCycle))).all()
    assert (cycle.number, cycle.status, cycle.opens_at) == (1, "OPEN", NOON)


async def test_redeem_request_knows_the_issuer(house: House) -> None:
    request = redeem_request(
        house.runtime,
        member_id=await house.member(),
        merchant=house.runtime.catalogue.merchants["fuel"],
        points=5,
        currency="GRO",
        occurred_at=NOON,
        as_of=NOON,
        key=None,
        client_id=None,
    )
    assert (request.issuer_id, request.merchant_id) == (house.id("grocer"), house.id("fuel"))
