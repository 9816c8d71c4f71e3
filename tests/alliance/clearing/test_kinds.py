"""One purchase, several kinds of points (R11): granted together, taken back together, and not all of them spent."""

import uuid
from itertools import permutations
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from alliance.clearing.adjustments import adjust_request
from alliance.clearing.commands import earn_request
from alliance.clearing.errors import NoAgreement, NotSpendable, WholeCardsOnly
from alliance.clearing.holds import capture_request, hold_request
from alliance.gifts.commands import gift_request
from alliance.proofs.leaves import read
from domain.ledger.errors import GiftsNotAllowed, InsufficientPoints
from domain.ledger.queries import holds
from domain.ledger.request import Posted
from domain.ledger.returns import Asked
from domain.money import from_minor
from tests.alliance.kinds import file_of, put_in_force
from tests.alliance.support import CLIENT, NOON, House, key

WALLETS = ("GRO", "VIP", "STAMP")


@pytest.fixture(autouse=True)
async def kinds(house: House) -> None:
    await put_in_force(house.runtime, file_of())


def buying(house: House, member: uuid.UUID, amounts: list[int], at: str = "grocer", **named: Any) -> Any:
    details = [(str(n), None, None, "1", from_minor(cents, "USD")) for n, cents in enumerate(amounts, 1)]
    named = {"as_of": NOON, "occurred_at": NOON, "key": key(), "client_id": CLIENT} | named
    return earn_request(
        house.runtime,
        member_id=member,
        merchant=house.runtime.catalogue.merchants[at],
        money="USD",
        lines=[(cents, None) for cents in amounts],
        details=details,
        **named,
    )


async def buy(house: House, member: uuid.UUID, *amounts: int, **named: Any) -> Posted:
    return await house.runtime.engine.post(buying(house, member, list(amounts), **named))


async def give_by_hand(house: House, member: uuid.UUID, currency: str, points: int) -> Posted:
    request = adjust_request(
        house.runtime,
        member_id=member,
        merchant=house.runtime.catalogue.merchants["grocer"],
        currency=currency,
        points=points,
        reason="goodwill",
        occurred_at=NOON,
        as_of=NOON,
        key=key(),
        client_id=CLIENT,
    )
    return await house.runtime.engine.post(request)


async def standing(house: House, member: uuid.UUID) -> tuple[int, ...]:
    """Posted points of each kind."""
    query = text("SELECT currency, posted FROM account WHERE holder_id = :member")
    async with house.runtime.database.session() as session:
        found = {row.currency: row.posted for row in await session.execute(query, {"member": member})}
    return tuple(found.get(currency, 0) for currency in WALLETS)


async def test_r11_one_purchase_grants_points_credits_and_stamps(house: House) -> None:
    member = await house.member()
    posted = await buy(house, member, 3_50, 4_25)
    assert posted.points == 8
    assert await standing(house, member) == (8, 7, 1)
    given = [(one["rule"], one["currency"], one["points"]) for one in posted.decisions]
    assert given == [("base", "GRO", 8), ("stamp", "STAMP", 1), ("credits", "VIP", 7)]
    assert await house.count("operation") == 1
    assert await house.count("obligation") == 0


async def test_r10_r11_a_dry_run_says_the_same_and_writes_nothing(house: House) -> None:
    member = await house.member()
    dry = await house.runtime.engine.post(buying(house, member, [6_00], dry_run=True))
    real = await buy(house, member, 6_00)
    assert (dry.points, dry.decisions) == (real.points, real.decisions)
    assert await house.count("operation") == 1


async def test_r11_credits_come_with_points_of_a_partner_too(house: House) -> None:
    """Whose points one picks says nothing about how much one bought; what the other's points cost is owed as ever."""
    member = await house.member()
    await buy(house, member, 10_00, currency="STAMP")
    assert await standing(house, member) == (0, 10, 1)
    funded = await buy(house, member, 10_00, at="fuel", currency="GRO")
    assert await house.owed(funded) == [("EARN", "fuel", "grocer", 10, "0.090000")]
    assert await standing(house, member) == (10, 10, 1)


async def test_r11_points_set_by_hand_bring_no_credits(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 50)
    assert await standing(house, member) == (50, 0, 0)


async def test_r11_tier_credits_are_not_spent_held_given_or_exchanged(house: House) -> None:
    member, friend = await house.member(), await house.member()
    await buy(house, member, 100_00)
    with pytest.raises(NotSpendable):
        await house.spend(member, "grocer", 10, of="VIP")
    common: dict[str, Any] = {"as_of": NOON, "key": key(), "client_id": CLIENT}
    grocer = house.runtime.catalogue.merchants["grocer"]
    with pytest.raises(NotSpendable):
        hold_request(house.runtime, member_id=member, merchant=grocer, points=10, currency="VIP", **common)
    for currency in ("VIP", "STAMP"):
        request = gift_request(
            house.runtime, giver_id=member, receiver_id=friend, currency=currency, points=1, **common
        )
        with pytest.raises(GiftsNotAllowed):
            await house.runtime.engine.post(request)
        with pytest.raises(NoAgreement):
            await house.quote(member, source=currency, points_out=1)


async def test_r11_stamps_are_spent_by_whole_cards(house: House) -> None:
    member = await house.member()
    await give_by_hand(house, member, "STAMP", 19)
    with pytest.raises(WholeCardsOnly) as refused:
        await house.spend(member, "grocer", 9, of="STAMP")
    assert refused.value.data == {"card": 10, "currency": "STAMP"}
    with pytest.raises(InsufficientPoints):
        await house.spend(member, "grocer", 20, of="STAMP")
    assert (await house.spend(member, "grocer", 10, of="STAMP")).points == 10
    assert await standing(house, member) == (0, 0, 9)


async def test_r11_r14_a_card_that_is_held_is_captured_whole(house: House) -> None:
    member = await house.member()
    await give_by_hand(house, member, "STAMP", 10)
    common: dict[str, Any] = {"as_of": NOON, "key": key(), "client_id": CLIENT}
    grocer = house.runtime.catalogue.merchants["grocer"]
    held = await house.runtime.engine.post(
        hold_request(house.runtime, member_id=member, merchant=grocer, points=10, currency="STAMP", **common)
    )
    place = (member, uuid.UUID(held.data["hold"]))
    async with house.runtime.database.session() as session:
        hold = (await holds(session, [place]))[place]
    with pytest.raises(WholeCardsOnly):
        await capture_request(house.runtime, hold=hold, points=4, **common)


async def test_r18_r19_a_return_takes_back_each_kind(house: House) -> None:
    """200 + 120 at a point a dollar and a stamp from 5.00: the stamp goes with the last of what reached it."""
    for order in permutations(Asked(lines=((ref, None),)) for ref in ("1", "2", "3")):
        member = await house.member()
        bought = await buy(house, member, 200_00, 120_00, 4_50)
        assert await standing(house, member) == (325, 324, 1)
        for asked in order:
            await house.reverse(member, bought, asked=asked)
        assert await standing(house, member) == (0, 0, 0)


async def test_r18_what_is_kept_earns_what_the_rules_give_for_it_of_each_kind(house: House) -> None:
    member = await house.member()
    bought = await buy(house, member, 3_60, 2_60)
    assert await standing(house, member) == (6, 6, 1)
    back = await house.reverse(member, bought, asked=Asked(lines=(("1", None),)))
    assert (back.points, back.data["taken"]) == (3, 3)
    assert await standing(house, member) == (3, 2, 0)


async def test_r18_points_that_come_back_by_number_take_their_share_of_the_rest(house: House) -> None:
    member = await house.member()
    bought = await buy(house, member, 10_00)
    await house.reverse(member, bought, asked=Asked(points=5))
    assert await standing(house, member) == (5, 5, 1)
    await house.reverse(member, bought, asked=Asked(points=5))
    assert await standing(house, member) == (0, 0, 0)


async def test_r24_credits_go_with_the_earn_below_zero_and_later_ones_pay_first(house: House) -> None:
    member = await house.member()
    bought = await buy(house, member, 100_00)
    await give_by_hand(house, member, "VIP", -80)
    await house.reverse(member, bought)
    assert await standing(house, member) == (0, -80, 0)
    await buy(house, member, 50_00)
    assert await standing(house, member) == (50, -30, 1)
    [first, second] = await house.lots(member, "VIP")
    assert (first.remaining, second.remaining) == (0, 0)


async def test_r17_r24_points_and_credits_may_be_owed_at_once(house: House) -> None:
    """Two debts of one operation, each in its currency; what is earned later pays each."""
    await put_in_force(house.runtime, file_of().replace("clawback: never_below_zero", "clawback: unlimited", 1))
    member = await house.member()
    bought = await buy(house, member, 100_00)
    await house.spend(member, "grocer", 60)
    await give_by_hand(house, member, "VIP", -80)
    await house.reverse(member, bought)
    assert await standing(house, member) == (-60, -80, 0)
    await buy(house, member, 100_00)
    assert await standing(house, member) == (40, 20, 1)
    assert await house.count("debt") == 2
    assert await house.count("debt_payment") == 2


async def test_r19_rules_that_changed_since_do_not_change_what_comes_back(house: House) -> None:
    member = await house.member()
    bought = await buy(house, member, 50_00, 50_00)
    later = """\
      - {code: credits, version: 2, from: 2017-05-01, of: VIP, points: 3, per: {amount: "1.00", currency: USD}}
"""
    await put_in_force(house.runtime, file_of().replace("      - {code: stamp,", f"{later}      - {{code: stamp,"))
    await house.reverse(member, bought, asked=Asked(lines=(("1", None),)))
    assert await standing(house, member) == (50, 50, 1)


async def test_the_leaf_proves_every_kind(house: House) -> None:
    member = await house.member()
    bought = await buy(house, member, 10_00)
    assert bought.operation_id is not None
    connection = await house.runtime.database.connect()
    try:
        [leaf] = await read(connection, [(member, bought.operation_id)])
    finally:
        await connection.close()
    assert leaf is not None
    assert [orjson.loads(entry)["currency"] for entry in leaf["entries"]] == ["GRO", "STAMP", "VIP"]
    assert len(leaf["lots"]) == 3
