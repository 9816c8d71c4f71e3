"""When a funder pays, and who keeps what points cost that are never spent (A1)."""

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import text

from alliance.agreements.book import AgreementVersion, Fee
from alliance.clearing.adjustments import adjust_request
from alliance.clearing.tiers import expire_request
from alliance.gifts.commands import gift_request
from alliance.verify import verify
from domain.ledger.due import DueWallet
from domain.ledger.request import Posted
from domain.ledger.returns import Asked
from domain.programs.terms import PendingTerms
from tests.alliance.clearing.test_clawback import clawing
from tests.alliance.clearing.test_grants import activate, terms
from tests.alliance.clearing.test_holds import capture, hold
from tests.alliance.support import CLIENT, NOON, House, days, key

LATER = NOON + days(400)
SOON = {"as_of": NOON + timedelta(minutes=1)}


def funded(house: House, funding: str = "at_redemption", **changes: Any) -> AgreementVersion:
    """The sample's agreement, but for when fuel pays for GRO; a split pays 0.0036 of 0.009 at issue."""
    version = house.version()
    place = (house.id("fuel"), "GRO")
    at_use = {"at_issue": 0, "split": 5_400, "at_redemption": 9_000}[funding]
    keeps = {"at_issue": "issuer", "at_redemption": "funder"}.get(funding)
    changed: dict[str, Any] = {"funding": funding, "at_use": at_use, "breakage_to": keeps} | changes
    return replace(version, earn={**version.earn, place: replace(version.earn[place], **changed)})


@pytest.fixture
async def member(house: House) -> uuid.UUID:
    """A member, where fuel pays at redemption."""
    house.agree(funded(house))
    return await house.member()


async def expire(house: House, member: uuid.UUID, as_of: datetime = LATER) -> Posted:
    """Book what of GRO is past its date."""
    wallet = DueWallet(member, "GRO", house.id("grocer"), 1)
    return await house.runtime.engine.post(expire_request(house.runtime, wallet, as_of))


async def give(house: House, giver: uuid.UUID, receiver: uuid.UUID, points: int) -> Posted:
    """A gift of GRO."""
    request = gift_request(
        house.runtime,
        giver_id=giver,
        receiver_id=receiver,
        currency="GRO",
        points=points,
        as_of=NOON,
        key=key(),
        client_id=CLIENT,
    )
    return await house.runtime.engine.post(request)


async def paid(house: House) -> int:
    """What fuel owes the grocer for what it granted, in millionths."""
    lines = [line for line in await house.obligations() if line.kind in ("EARN", "FUNDING", "BREAKAGE")]
    return sum(line.amount if line.debtor_id == house.id("fuel") else -line.amount for line in lines)


def funding(points: int, amount: str) -> tuple[str, str, str, int, str]:
    return ("FUNDING", "fuel", "grocer", points, amount)


async def test_a01_at_redemption_the_worked_example(house: House, member: uuid.UUID) -> None:
    granted = await house.earn(member, "fuel", 1_000)
    assert await house.owed(granted) == []
    [lot] = await house.lots(member, "GRO")
    assert (lot.funder_id, lot.price, lot.agreement_version) == (house.id("fuel"), 900_000, 1)
    spent = await house.spend(member, "fuel", 600)
    assert await house.owed(spent) == [("SPEND", "grocer", "fuel", 600, "5.400000"), funding(600, "5.400000")]
    expired = await expire(house, member)
    assert (expired.points, await house.owed(expired)) == (400, [])
    assert await paid(house) == 5_400_000


async def test_a01_a_split_pays_part_at_issue_and_the_rest_when_spent(house: House) -> None:
    house.agree(funded(house, "split"))
    member = await house.member()
    granted = await house.earn(member, "fuel", 1_000)
    assert await house.owed(granted) == [("EARN", "fuel", "grocer", 1_000, "3.600000")]
    assert await house.owed(await house.spend(member, "grocer", 600)) == [funding(600, "3.240000")]
    returned = await house.reverse(member, granted)
    assert await house.owed(returned) == [("EARN", "fuel", "grocer", -400, "-1.440000")]
    assert await paid(house) == 600 * 9_000


async def test_a01_only_the_lots_that_are_spent_are_paid_for(house: House, member: uuid.UUID) -> None:
    await house.earn(member, "grocer", 50)
    await house.earn(member, "fuel", 100, **SOON)
    assert await house.owed(await house.spend(member, "grocer", 40, **SOON)) == []
    spent = await house.spend(member, "grocer", 60, **SOON)
    assert await house.owed(spent) == [funding(50, "0.450000")]
    part = await house.reverse(member, spent, asked=Asked(points=30), **SOON)
    assert await house.owed(part) == [funding(-30, "-0.270000")]
    assert await house.owed(await house.reverse(member, spent, **SOON)) == [funding(-20, "-0.180000")]
    assert await paid(house) == 0


async def test_a01_what_is_exchanged_is_paid_for_too(house: House, member: uuid.UUID) -> None:
    await house.earn(member, "fuel", 400)
    exchanged = await house.use(member, await house.quote(member, points_out=400))
    assert await house.owed(exchanged) == [
        ("EXCHANGE", "grocer", "fuel", 400, "3.200000"),
        funding(400, "3.600000"),
    ]
    [lot] = await house.lots(member, "FUE")
    assert (lot.funder_id, lot.agreement_version) == (house.id("grocer"), None)
    back = await house.reverse(member, exchanged)
    assert [line[3:] for line in await house.owed(back)] == [(-400, "-3.200000"), (-400, "-3.600000")]


async def test_a01_a_hold_is_paid_for_when_it_is_captured(house: House, member: uuid.UUID) -> None:
    await house.earn(member, "fuel", 100)
    held = await hold(house, member, "fuel", 80)
    assert await house.count("obligation") == 0
    assert funding(30, "0.270000") in await house.owed(await capture(house, held, 30))


@pytest.mark.parametrize(
    ("keeps", "lines"),
    [
        ("funder", []),
        ("issuer", [("BREAKAGE", "fuel", "grocer", 400, "3.600000")]),
    ],
)
async def test_a01_breakage_at_redemption(house: House, keeps: str, lines: list[Any]) -> None:
    house.agree(funded(house, breakage_to=keeps))
    member = await house.member()
    await house.earn(member, "fuel", 1_000)
    await house.spend(member, "fuel", 600)
    assert await house.owed(await expire(house, member)) == lines


@pytest.mark.parametrize(
    ("keeps", "lines"),
    [
        ("issuer", []),
        ("funder", [("BREAKAGE", "grocer", "fuel", 400, "3.600000")]),
    ],
)
async def test_a01_breakage_at_issue(house: House, keeps: str, lines: list[Any]) -> None:
    house.agree(funded(house, "at_issue", breakage_to=keeps))
    member = await house.member()
    assert len(await house.owed(await house.earn(member, "fuel", 1_000))) == 1
    assert len(await house.owed(await house.spend(member, "fuel", 600))) == 1
    assert await house.owed(await expire(house, member)) == lines


@pytest.mark.parametrize(
    ("keeps", "lines"),
    [
        (None, []),
        ("issuer", [("BREAKAGE", "fuel", "grocer", 400, "2.160000")]),
        ("funder", [("BREAKAGE", "grocer", "fuel", 400, "1.440000")]),
    ],
)
async def test_a01_breakage_of_a_split(house: House, keeps: str | None, lines: list[Any]) -> None:
    house.agree(funded(house, "split", breakage_to=keeps))
    member = await house.member()
    await house.earn(member, "fuel", 400)
    assert await house.owed(await expire(house, member)) == lines


async def test_a01_what_is_taken_back_unspent_costs_nothing(house: House, member: uuid.UUID) -> None:
    granted = await house.earn(member, "fuel", 1_000)
    assert await house.owed(await house.reverse(member, granted)) == []


async def test_a01_a_returned_sale_is_credited_for_what_is_recovered(house: House, member: uuid.UUID) -> None:
    granted = await house.earn(member, "fuel", 1_000)
    await house.spend(member, "grocer", 700)
    await house.earn(member, "grocer", 500)
    returned = await house.reverse(member, granted)
    assert returned.data == {"taken": 800, "shortfall": 200}
    assert await house.owed(returned) == [funding(-500, "-4.500000")]
    assert await paid(house) == 200 * 9_000


async def test_a01_points_that_stand_in_for_another_sale_are_paid_for(house: House, member: uuid.UUID) -> None:
    """Fuel granted for two sales at two prices; the points of the one are spent, and taken of the other."""
    first = await house.earn(member, "fuel", 100)
    place, dear = (house.id("fuel"), "GRO"), house.version()
    terms = replace(dear.earn[place], owed=4_000, at_use=4_000)
    house.agree(replace(dear, version=2, earn={place: terms}), dear)
    other = await house.earn(member, "fuel", 100, **SOON)
    await house.spend(member, "grocer", 100, **SOON)
    returned = await house.reverse(member, first, **SOON)
    assert await house.owed(returned) == [funding(100, "0.400000"), funding(-100, "-0.900000")]
    assert await paid(house) == 100 * 4_000
    assert await house.owed(await house.reverse(member, other, **SOON)) == []


@pytest.mark.parametrize("after", ["repaid", "cancelled"])
@pytest.mark.parametrize("bears", ["earner", "issuer"])
@pytest.mark.parametrize("mode", ["unlimited", "never_below_zero"])
async def test_a01_a_returned_sale_costs_nothing_once_all_is_recovered(
    house: House, mode: str, bears: str, after: str
) -> None:
    house.agree(funded(house, shortfall_to=bears))
    clawing(house, mode)
    member = await house.member()
    granted = await house.earn(member, "fuel", 100)
    spent = await house.spend(member, "grocer", 100)
    await house.reverse(member, granted)
    assert await paid(house) == (0 if bears == "issuer" else 900_000)
    if after == "cancelled":
        await house.reverse(member, spent)
        assert await paid(house) == 0
    elif mode == "unlimited":
        await house.earn(member, "grocer", 60)
        await house.earn(member, "grocer", 60)
        assert await paid(house) == 0
    assert not (await _verified(house)).differences


async def test_a01_a_debt_is_repaid_with_points_that_are_not_paid_for(house: House, member: uuid.UUID) -> None:
    clawing(house)
    granted = await house.earn(member, "fuel", 100)
    await house.spend(member, "grocer", 100)
    await house.reverse(member, granted)
    repaying = await house.earn(member, "fuel", 150)
    assert await house.owed(repaying) == []
    assert await paid(house) == 900_000
    assert await house.owed(await house.reverse(member, repaying)) == []


async def test_a01_points_that_waited_are_paid_for_when_they_are_spent(house: House, member: uuid.UUID) -> None:
    terms(house, pending=PendingTerms(days=1))
    house.agree(funded(house, "split"))
    granted = await house.earn(member, "fuel", 100)
    assert await house.owed(granted) == []
    active = await activate(house, member, granted, NOON + days(2))
    assert await house.owed(active) == [("EARN", "fuel", "grocer", 100, "0.360000")]
    spent = await house.spend(member, "grocer", 40, as_of=NOON + days(2))
    assert await house.owed(spent) == [funding(40, "0.216000")]
    returned = await house.reverse(member, granted, as_of=NOON + days(2))
    assert await house.owed(returned) == [("EARN", "fuel", "grocer", -60, "-0.216000")]


async def test_a01_gifts_keep_who_pays(house: House, member: uuid.UUID) -> None:
    await house.earn(member, "fuel", 100)
    bob = await house.member()
    assert await house.owed(await give(house, member, bob, 60)) == []
    assert await house.owed(await house.spend(bob, "grocer", 60)) == [funding(60, "0.540000")]


async def test_a01_goodwill_of_a_partners_staff_is_paid_for_when_it_is_spent(house: House, member: uuid.UUID) -> None:
    request = adjust_request(
        house.runtime,
        member_id=member,
        merchant=house.runtime.catalogue.merchants["fuel"],
        currency="GRO",
        points=50,
        reason="sorry",
        occurred_at=NOON,
        as_of=NOON,
        key=key(),
        client_id=CLIENT,
    )
    assert await house.owed(await house.runtime.engine.post(request)) == []
    assert await house.owed(await house.spend(member, "grocer", 50)) == [funding(50, "0.450000")]


async def test_a01_a_fee_on_an_earn_is_of_the_whole_price_at_once(house: House) -> None:
    fee = Fee(frozenset({"earn"}), Fraction("0.01"), 0, "partner")
    house.agree(replace(funded(house), fees=(fee,)))
    member = await house.member()
    granted = await house.earn(member, "fuel", 1_000)
    assert await house.owed(granted) == [("FEE", "fuel", "operator", 1_000, "0.090000")]
    assert await house.owed(await house.spend(member, "grocer", 400)) == [funding(400, "3.600000")]
    returned = await house.reverse(member, granted)
    assert await house.owed(returned) == [("FEE", "fuel", "operator", -600, "-0.054000")]


async def test_a01_a_version_that_is_no_longer_in_force_is_still_paid_by(house: House, member: uuid.UUID) -> None:
    await house.earn(member, "fuel", 100)
    async with house.runtime.database.transaction() as session:
        await session.execute(
            text("""UPDATE agreement_version SET terms = jsonb_set(terms, '{earn,0,funding}', '"at_redemption"')""")
        )
    house.agree()
    assert await house.owed(await house.spend(member, "grocer", 10)) == [funding(10, "0.090000")]


async def _verified(house: House) -> Any:
    await house.keep_agreed()
    async with house.runtime.database.session() as session:
        return await verify(session)
