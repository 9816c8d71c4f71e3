"""Households as pools: invitations, roles, limits under concurrency, and their end (R6, R16, L5)."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from alliance.runtime import Runtime
from alliance.verify import verify
from tests.schema.support import NOW, Client, by_card
from tests.schema.test_lists import enrol
from tests.schema.test_pools import House, member_client
from tests.schema.test_statements import earn

LIMITED = "... on PoolLimitExceeded { moves per cap used }"


@pytest.fixture
async def house(operator: Client) -> House:
    """Ann's pool, of which Bob spends and into which Cid puts; Dora is in none."""
    made = House(operator, await enrol(operator, 4, uuid.uuid4().hex[:8]))
    made.pool = (await made.make(operator))["pool"]["id"]
    await made.add(1, "SPENDER")
    await made.add(2, "CONTRIBUTOR")
    return made


@pytest.fixture(autouse=True)
async def proved(runtime: Runtime) -> AsyncIterator[None]:
    yield
    async with runtime.database.session() as session:
        assert (await verify(session)).differences == []


async def limit(
    house: House, moves: str, per: str, points: int | None, client: Client | None = None, **who: Any
) -> Any:
    given = {"pool": house.pool, "moves": moves, "per": per, "points": points} | who
    want = "... on PoolLimitSet { pool { limits { moves per points together number } } }"
    return await (client or house.operator).do("setPoolLimit", "SetPoolLimitInput", want, **given)


async def move(house: House, mutation: str, who: int, points: int, client: Client | None = None) -> Any:
    given = {"pool": house.pool, "member": by_card(house.cards[who]), "points": points}
    success = "Contributed" if mutation == "contributeToPool" else "Withdrawn"
    want = f"... on {success} {{ points }} {LIMITED}"
    return await (client or house.operator).do(mutation, "PoolTransferInput", want, **given)


async def spend(house: House, who: int, points: int, client: Client | None = None, **more: Any) -> Any:
    given = {"merchant": "grocer", "member": by_card(house.cards[who]), "channel": "STORE", "points": points}
    want = f"... on Redeemed {{ points operation {{ id }} }} {LIMITED}"
    return await (client or house.operator).do("redeem", "RedeemInput", want, pool=house.pool, **given | more)


async def invite(house: House, who: int, role: str, client: Client | None = None) -> Any:
    given = {"pool": house.pool, "member": by_card(house.cards[who]), "role": role}
    want = "... on PoolMemberInvited { pool { invitations { role } } }"
    return await (client or house.operator).do("invitePoolMember", "InvitePoolMemberInput", want, **given)


async def reply(house: House, who: int, accept: bool, client: Client) -> Any:
    given = {"pool": house.pool, "member": by_card(house.cards[who]), "accept": accept}
    want = "... on PoolInvitationAnswered { pool { members { role leftAt } } }"
    return await client.do("answerPoolInvitation", "AnswerPoolInvitationInput", want, **given)


async def test_r16_limits_hold_for_each_person_and_for_all_however_many_ask_at_once(house: House) -> None:
    await earn(house.operator, house.cards[0], 500)
    await move(house, "contributeToPool", 0, 400)
    await limit(house, "SPEND", "DAY", 100)
    await limit(house, "SPEND", "DAY", 150, together=True)
    shown = await limit(house, "SPEND", "OPERATION", 60)
    assert [(one["per"], one["points"], one["together"]) for one in shown["pool"]["limits"]] == [
        ("DAY", 100, False),
        ("DAY", 150, True),
        ("OPERATION", 60, False),
    ]
    over = await spend(house, 1, 61)
    assert (over["code"], over["per"], over["cap"], over["used"]) == ("POOL_LIMIT_EXCEEDED", "OPERATION", 60, 0)
    bobs = await asyncio.gather(*[spend(house, 1, 30) for _ in range(8)])
    assert sorted(one["__typename"] for one in bobs) == ["PoolLimitExceeded"] * 5 + ["Redeemed"] * 3
    assert {one["used"] for one in bobs if "used" in one} == {90}
    anns = await asyncio.gather(*[spend(house, 0, 30) for _ in range(4)])
    assert [one["__typename"] for one in anns].count("Redeemed") == 2, "60 are left of the 150 of all"
    taken = await move(house, "withdrawFromPool", 0, 1)
    assert (taken["code"], taken["cap"], taken["used"]) == ("POOL_LIMIT_EXCEEDED", 150, 150)
    tomorrow = house.operator.at(NOW + timedelta(days=1))
    assert (await spend(house, 1, 30, tomorrow))["points"] == 30


async def test_what_came_back_is_not_spent_and_what_is_set_aside_is(house: House) -> None:
    await earn(house.operator, house.cards[0], 200)
    await move(house, "contributeToPool", 0, 200)
    await limit(house, "SPEND", "MONTH", 50, member=by_card(house.cards[1]))
    spent = await spend(house, 1, 50)
    assert (await spend(house, 0, 70))["points"] == 70, "the owner has no limit"
    assert (await spend(house, 1, 1))["code"] == "POOL_LIMIT_EXCEEDED"
    back = {"operation": spent["operation"]["id"], "reason": "returned"}
    await house.operator.do("reverse", "ReverseInput", "", **back)
    held = {"merchant": "grocer", "member": by_card(house.cards[1]), "channel": "STORE", "points": 40}
    hold = await house.operator.do(
        "holdPoints", "HoldPointsInput", "... on Held { hold { id } }", pool=house.pool, **held
    )
    over = await spend(house, 1, 11)
    assert (over["code"], over["used"]) == ("POOL_LIMIT_EXCEEDED", 40)
    await house.operator.do("captureHold", "CaptureHoldInput", "", hold=hold["hold"]["id"])
    assert (await spend(house, 1, 11))["used"] == 40
    await limit(house, "SPEND", "MONTH", None, member=by_card(house.cards[1]))
    assert (await spend(house, 1, 11))["points"] == 11


async def test_l05_contributions_have_limits_too(house: House) -> None:
    await earn(house.operator, house.cards[2], 100)
    await limit(house, "CONTRIBUTE", "WEEK", 30)
    assert (await move(house, "contributeToPool", 2, 30))["points"] == 30
    over = await move(house, "contributeToPool", 2, 1)
    assert (over["code"], over["moves"], over["used"]) == ("POOL_LIMIT_EXCEEDED", "CONTRIBUTE", 30)
    assert (await spend(house, 1, 30))["points"] == 30, "what is put in has its own limit"


async def test_who_is_asked_in_accepts_or_declines(house: House, anonymous: Client) -> None:
    owner, dora = await member_client(anonymous, house, 0), await member_client(anonymous, house, 3)
    bob = await member_client(anonymous, house, 1)
    assert (await invite(house, 3, "SPENDER", bob))["code"] == "NOT_IN_POOL"
    assert (await reply(house, 3, True, dora))["code"] == "NOT_INVITED"
    assert (await invite(house, 3, "SPENDER", owner))["pool"] == {"invitations": [{"role": "SPENDER"}]}
    query = "{ viewer { member { poolInvitations { role name merchant { code } poolId } } } }"
    [asked] = (await dora.run(query))["viewer"]["member"]["poolInvitations"]
    assert (asked["name"], asked["merchant"], asked["poolId"]) == ("Family", {"code": "grocer"}, house.pool)
    assert (await reply(house, 3, True, bob))["code"] == "NOT_FOUND", "nobody answers for another"
    assert (await reply(house, 3, False, dora))["__typename"] == "PoolInvitationAnswered"
    assert (await reply(house, 3, True, dora))["code"] == "NOT_INVITED"
    await invite(house, 3, "CONTRIBUTOR", owner)
    joined = await reply(house, 3, True, dora)
    assert [one["role"] for one in joined["pool"]["members"]][-1] == "CONTRIBUTOR"
    assert (await invite(house, 3, "SPENDER", owner))["code"] == "ALREADY_IN_POOL"


async def test_roles_change_hands_and_there_is_one_owner(house: House, anonymous: Client) -> None:
    owner = await member_client(anonymous, house, 0)
    want = "... on PoolRoleSet { pool { members { role leftAt } } }"

    async def give(who: int, role: str, client: Client) -> Any:
        given = {"pool": house.pool, "member": by_card(house.cards[who]), "role": role}
        return await client.do("setPoolRole", "SetPoolRoleInput", want, **given)

    assert (await give(0, "SPENDER", owner))["code"] == "NOT_ALLOWED"
    changed = await give(2, "OWNER", house.operator)
    now = [one["role"] for one in changed["pool"]["members"] if one["leftAt"] is None]
    assert sorted(now) == ["OWNER", "SPENDER", "SPENDER"]
    assert (await give(1, "CONTRIBUTOR", owner))["code"] == "NOT_IN_POOL", "Ann is the owner no more"


@pytest.mark.parametrize(("to", "left"), [("CONTRIBUTORS", [60, 40]), ("OWNER", [100, 0])])
async def test_r06_points_of_a_pool_that_ends_go_back_with_their_dates(house: House, to: str, left: list[int]) -> None:
    await earn(house.operator, house.cards[0], 60)
    await earn(house.operator.at(NOW + timedelta(days=1)), house.cards[2], 40)
    later = house.operator.at(NOW + timedelta(days=2))
    await move(house, "contributeToPool", 0, 60, later)
    await move(house, "contributeToPool", 2, 40, later)
    want = "... on PoolDissolved { pool { status members { leftAt } wallets { balance } } }"
    ended = await later.do("dissolvePool", "DissolvePoolInput", want, pool=house.pool, to=to)
    assert (ended["pool"]["status"], ended["pool"]["wallets"]) == ("CLOSED", [{"balance": 0}])
    assert all(one["leftAt"] for one in ended["pool"]["members"])
    query = """query ($b: MemberRef!) { member(by: $b) { wallet(currency: "GRO") { balance lots { edges { node {
               remaining expiresAt } } } } } }"""
    found = [(await later.run(query, b=by_card(house.cards[who])))["member"]["wallet"] for who in (0, 2)]
    assert [one["balance"] for one in found] == left
    dates = {edge["node"]["expiresAt"] for one in found for edge in one["lots"]["edges"] if edge["node"]["remaining"]}
    assert dates == {"2018-06-02T04:00:00+00:00", "2018-06-03T04:00:00+00:00"}


async def test_a_pool_does_not_end_while_points_are_set_aside(house: House) -> None:
    await earn(house.operator, house.cards[0], 60)
    await move(house, "contributeToPool", 0, 60)
    held = {"merchant": "grocer", "member": by_card(house.cards[1]), "channel": "STORE", "points": 20}
    await house.operator.do("holdPoints", "HoldPointsInput", "", pool=house.pool, **held)
    ended = await house.operator.do("dissolvePool", "DissolvePoolInput", "", pool=house.pool, to="OWNER")
    assert ended["code"] == "POOL_NOT_EMPTY"
    query = 'query ($b: MemberRef!) { member(by: $b) { wallet(currency: "GRO") { balance } } }'
    anns = await house.operator.run(query, b=by_card(house.cards[0]))
    assert anns["member"]["wallet"]["balance"] == 40, "the rest went back"
