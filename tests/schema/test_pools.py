"""Pools over the endpoint (R6): lots keep what they are, roles say who may, and nobody else sees anything."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from alliance.runtime import Runtime
from alliance.verify import verify
from domain.ledger.commands import Expire
from domain.members.model import Member
from domain.pools.verify import CHECKS
from resolvers import ids
from resolvers.viewer import ALLOWED_SCOPES, Scope
from tests.schema.support import NOW, Client, by_card, viewer_of
from tests.schema.test_lists import enrol
from tests.schema.test_statements import earn, redeem

POOL = """query ($id: ID!) { node(id: $id) { ... on Pool { name status merchant { code }
  members { role leftAt number member { number } }
  wallets { available balance lots { edges { node { remaining expiresAt issuer { code }
    origin { kind sources { points } } } } }
    statement { edges { node { change balanceAfter title } } } lifetime { pooled spent } }
  activity { totalCount edges { node { kind title change(currency: "GRO") member { number } } } } } } }"""
MOVED = (
    "points wallet { available } operation { kind title } pool { wallets { available } } } "
    "... on GiftLimitExceeded { limit } ... on NotInPool { role } ... on GivenTooOften { depth available"
)


class House:
    """Three members of the grocer's, and a pool of Ann's that Bob may spend of and Cid may put into."""

    def __init__(self, operator: Client, cards: list[str]) -> None:
        self.operator, self.cards = operator, cards
        self.pool = ""

    async def make(self, client: Client, pool: str | None = None, **more: Any) -> Any:
        given = {"merchant": "grocer", "owner": by_card(self.cards[0]), "name": "Family"} | more
        return await client.do("createPool", "CreatePoolInput", "... on PoolCreated { pool { id name } }", **given)

    async def add(self, who: int, role: str, client: Client | None = None) -> Any:
        given = {"pool": self.pool, "member": by_card(self.cards[who]), "role": role}
        want = "... on PoolMemberAdded { pool { members { role } } }"
        return await (client or self.operator).do("addPoolMember", "AddPoolMemberInput", want, **given)

    async def remove(self, who: int, client: Client | None = None) -> Any:
        given = {"pool": self.pool, "member": by_card(self.cards[who])}
        return await (client or self.operator).do("removePoolMember", "RemovePoolMemberInput", "", **given)

    async def move(self, mutation: str, who: int, points: int, client: Client | None = None, **more: Any) -> Any:
        success = "Contributed" if mutation == "contributeToPool" else "Withdrawn"
        given = {"pool": self.pool, "member": by_card(self.cards[who]), "points": points} | more
        want = f"... on {success} {{ {MOVED} }}"
        return await (client or self.operator).do(mutation, "PoolTransferInput", want, **given)

    async def put(self, who: int, points: int, client: Client | None = None, **more: Any) -> Any:
        return await self.move("contributeToPool", who, points, client, **more)

    async def take(self, who: int, points: int, client: Client | None = None, **more: Any) -> Any:
        return await self.move("withdrawFromPool", who, points, client, **more)

    async def spend(self, who: int, points: int, client: Client | None = None, **more: Any) -> Any:
        given = {"merchant": "grocer", "member": by_card(self.cards[who]), "channel": "STORE", "points": points}
        want = (
            "points wallet { available } operation { id kind member { id } spentBy { role number member { number } } }"
        )
        want = f"... on Redeemed {{ {want} }} ... on NotInPool {{ role }}"
        return await (client or self.operator).do("redeem", "RedeemInput", want, pool=self.pool, **given | more)

    async def see(self, client: Client | None = None) -> Any:
        return (await (client or self.operator).run(POOL, id=self.pool))["node"]


@pytest.fixture
async def house(operator: Client) -> House:
    made = House(operator, await enrol(operator, 4, uuid.uuid4().hex[:8]))
    made.pool = (await made.make(operator))["pool"]["id"]
    await made.add(1, "SPENDER")
    await made.add(2, "CONTRIBUTOR")
    return made


async def member_client(anonymous: Client, house: House, who: int) -> Client:
    query = "query ($b: MemberRef!) { member(by: $b) { id } }"
    found = await house.operator.run(query, b=by_card(house.cards[who]))
    (member_id,) = ids.decode_as("Member", found["member"]["id"], 1)
    scopes = ALLOWED_SCOPES["member"] | {Scope.CLOCK}
    return anonymous.signed_in(viewer_of("member", member_id=member_id, scopes=scopes)).at(NOW)


async def test_r06_points_keep_issuer_date_and_source_into_a_pool_and_out_of_it(house: House) -> None:
    await earn(house.operator, house.cards[0], 100)
    await earn(house.operator.at(NOW + timedelta(days=1)), house.cards[2], 50)
    later = house.operator.at(NOW + timedelta(days=2))
    put = await house.put(0, 60, later)
    assert (put["points"], put["wallet"], put["pool"]["wallets"]) == (60, {"available": 40}, [{"available": 60}])
    assert put["operation"] == {"kind": "POOL_IN", "title": "Points of Grocer put into a pool"}
    await house.put(2, 50, later)
    (wallet,) = (await house.see(later))["wallets"]
    lots = [edge["node"] for edge in wallet["lots"]["edges"]]
    assert [(lot["remaining"], lot["issuer"]["code"]) for lot in lots] == [(60, "grocer"), (50, "grocer")]
    assert [lot["expiresAt"] for lot in lots] == ["2018-06-02T04:00:00+00:00", "2018-06-03T04:00:00+00:00"]
    assert lots[0]["origin"] == {"kind": "POOL_IN", "sources": [{"points": 60}]}
    assert wallet["lifetime"] == {"pooled": 110, "spent": 0}
    out = await house.take(1, 70, later)
    assert (out["wallet"], out["pool"]["wallets"]) == ({"available": 70}, [{"available": 40}])
    query = (
        'query ($b: MemberRef!) { member(by: $b) { wallet(currency: "GRO") { '
        "lots { edges { node { remaining expiresAt } } } } } }"
    )
    bobs = (await later.run(query, b=by_card(house.cards[1])))["member"]["wallet"]["lots"]["edges"]
    assert [edge["node"] for edge in bobs] == [
        {"remaining": 60, "expiresAt": "2018-06-02T04:00:00+00:00"},
        {"remaining": 10, "expiresAt": "2018-06-03T04:00:00+00:00"},
    ]
    seen = await house.see(later)
    assert [(e["node"]["kind"], e["node"]["change"]) for e in seen["activity"]["edges"]] == [
        ("POOL_OUT", -70),
        ("POOL_IN", 50),
        ("POOL_IN", 60),
    ]
    moved = [(e["node"]["change"], e["node"]["balanceAfter"]) for e in seen["wallets"][0]["statement"]["edges"]]
    assert moved == [(-70, 40), (50, 110), (60, 60)]


async def test_r06_roles_say_who_puts_in_takes_out_and_spends(house: House) -> None:
    for card in house.cards:
        await earn(house.operator, card, 100)
    for who in (0, 1, 2):
        assert (await house.put(who, 20))["__typename"] == "Contributed"
    assert (await house.spend(1, 30))["wallet"] == {"available": 30}
    spent = await house.spend(0, 5)
    assert (spent["operation"]["kind"], spent["operation"]["member"]) == ("REDEEM", None)
    spender = spent["operation"]["spentBy"]
    assert (spender["role"], spender["number"]) == ("OWNER", spender["member"]["number"])
    for move in (house.take, house.spend):
        refused = await move(2, 1)
        assert (refused["code"], refused["role"]) == ("NOT_IN_POOL", "CONTRIBUTOR")
    stranger = [await house.put(3, 1), await house.take(3, 1)]
    assert [(refused["code"], refused["role"]) for refused in stranger] == [("NOT_IN_POOL", "NONE")] * 2
    assert (await house.spend(3, 1))["code"] == "NOT_FOUND"
    too_many = await house.spend(1, 26)
    assert too_many["code"] == "INSUFFICIENT_POINTS"
    want = "... on Reversed { restored }"
    undone = await house.operator.do(
        "reverse", "ReverseInput", want, operation=spent["operation"]["id"], reason="by mistake"
    )
    assert undone["restored"] == 5
    assert (await house.see())["wallets"][0]["available"] == 30


async def test_r06_pools_have_the_limits_of_gifts_and_count_as_one(house: House) -> None:
    for card in house.cards:
        await earn(house.operator, card, 2000)
    over = await house.put(0, 1001)
    assert (over["code"], over["limit"]) == ("GIFT_LIMIT_EXCEEDED", "POINTS")
    assert (await house.put(0, 600))["points"] == 600
    assert (await house.put(0, 401))["code"] == "GIFT_LIMIT_EXCEEDED"
    for n in range(3):
        assert (await house.take(1, 5))["points"] == 5, n
        await redeem(house.operator, house.cards[1], 2000)
        assert (await house.put(1, 5))["points"] == 5, n
        await earn(house.operator, house.cards[1], 2000)
    dry = await house.put(0, 10, dryRun=True)
    assert (dry["points"], dry["operation"]) == (10, None)
    for _ in range(2):
        again = await house.put(0, 10, idempotencyKey="pool-put-0001")
        assert again["pool"]["wallets"] == [{"available": 610}]


async def test_r06_expired_points_and_frozen_members_do_not_move(house: House, runtime: Runtime) -> None:
    await earn(house.operator, house.cards[0], 100)
    await house.put(0, 40)
    year = house.operator.at(NOW + timedelta(days=400))
    assert (await house.put(0, 1, year))["code"] == "INSUFFICIENT_POINTS"
    assert (await house.take(1, 1, year))["code"] == "INSUFFICIENT_POINTS"
    (pool_id,) = ids.decode_as("Pool", house.pool, 1)
    later, issuer = NOW + timedelta(days=400), runtime.catalogue.merchants["grocer"].id
    gone = await runtime.engine.post(
        Expire(
            holder_id=pool_id,
            currency="GRO",
            issuer_id=issuer,
            key=None,
            client_id=None,
            as_of=later,
            occurred_at=later,
        )
    )
    assert gone.points == 40
    assert [e["node"]["kind"] for e in (await house.see(year))["activity"]["edges"]] == ["EXPIRE", "POOL_IN"]
    await earn(house.operator, house.cards[0], 100)
    await house.put(0, 40)
    found = await house.operator.run("query ($b: MemberRef!) { member(by: $b) { id } }", b=by_card(house.cards[1]))
    async with runtime.database.transaction() as session:
        (bob,) = ids.decode_as("Member", found["member"]["id"], 1)
        await session.execute(update(Member).where(Member.id == bob).values(status="FROZEN"))
    for move in (house.take, house.spend):
        assert (await move(1, 1))["code"] == "MEMBER_NOT_ACTIVE"


async def test_a14_a_pool_is_for_its_members_its_merchant_and_the_operator(
    anonymous: Client, grocer: Client, fuel: Client, house: House
) -> None:
    await earn(house.operator, house.cards[0], 100)
    await house.put(0, 40)
    ann, cid, dan = [await member_client(anonymous, house, who) for who in (0, 2, 3)]
    for client in (house.operator, grocer, ann, cid):
        seen = await house.see(client)
        assert (seen["name"], [one["role"] for one in seen["members"]]) == (
            "Family",
            ["OWNER", "SPENDER", "CONTRIBUTOR"],
        )
    for client in (fuel, dan):
        assert await house.see(client) is None
    seen = await house.see(cid)
    assert [one["member"] is None for one in seen["members"]] == [True, True, False]
    assert [one["number"].startswith("•••") for one in seen["members"]] == [True, True, False]
    (put,) = (await house.see(cid))["activity"]["edges"]
    assert put["node"]["change"] == 40
    query = "query ($b: MemberRef!) { member(by: $b) { pools { name } } }"
    assert (await house.operator.run(query, b=by_card(house.cards[1])))["member"]["pools"] == [{"name": "Family"}]
    assert (await house.put(0, 1, cid))["code"] == "NOT_FOUND"
    assert (await house.put(0, 1, ann))["points"] == 1
    assert (await house.put(3, 1, dan))["code"] == "NOT_FOUND"
    assert (await house.add(3, "SPENDER", cid))["code"] == "NOT_IN_POOL"
    assert (await house.add(3, "SPENDER", ann))["pool"]["members"][-1] == {"role": "SPENDER"}
    wallet = "query ($id: ID!) { node(id: $id) { ... on Pool { wallets { id } } } }"
    id_ = (await cid.run(wallet, id=house.pool))["node"]["wallets"][0]["id"]
    again = "query ($id: ID!) { node(id: $id) { ... on Wallet { balance } } }"
    assert (await cid.run(again, id=id_))["node"] == {"balance": 41}
    assert (await fuel.run(again, id=id_))["node"] is None


async def test_members_come_and_go_and_a_pool_is_closed_empty(house: House, runtime: Runtime) -> None:
    assert (await house.add(1, "SPENDER"))["code"] == "ALREADY_IN_POOL"
    assert (await house.add(3, "OWNER"))["code"] == "INVALID_INPUT"
    assert (await house.remove(0))["code"] == "NOT_ALLOWED"
    assert (await house.remove(3))["code"] == "NOT_IN_POOL"
    assert (await house.make(house.operator, name=" "))["path"] == ["name"]
    await earn(house.operator, house.cards[1], 10)
    await house.put(1, 10)
    assert (await house.remove(1))["__typename"] == "PoolMemberRemoved"
    assert (await house.take(1, 1))["role"] == "NONE"
    assert (await house.see())["members"][1]["leftAt"] is not None
    assert (await house.add(1, "CONTRIBUTOR"))["__typename"] == "PoolMemberAdded"
    close = ("closePool", "ClosePoolInput", "... on PoolClosed { pool { status } } ... on PoolNotEmpty { points }")
    full = await house.operator.do(*close, pool=house.pool)
    assert (full["code"], full["points"]) == ("POOL_NOT_EMPTY", 10)
    assert (await house.take(0, 10))["points"] == 10
    assert (await house.operator.do(*close, pool=house.pool))["pool"] == {"status": "CLOSED"}
    for refused in (await house.put(0, 1), await house.take(0, 1), await house.add(3, "SPENDER")):
        assert refused["code"] in ("POOL_NOT_ACTIVE", "MEMBER_NOT_ACTIVE", "INSUFFICIENT_POINTS")
    async with runtime.database.session() as session:
        assert (await verify(session)).differences == []


async def test_r06_r14_points_of_a_pool_are_set_aside_and_captured(
    anonymous: Client, house: House, runtime: Runtime
) -> None:
    """Bob sets 30 of 40 aside and leaves; the till captures 25 of them, which Bob has spent."""
    await earn(house.operator, house.cards[0], 100)
    await house.put(0, 40)
    given = {"merchant": "grocer", "channel": "STORE", "pool": house.pool, "points": 30}
    want = "... on Held { points hold { id } wallet { available held } } ... on NotInPool { role }"

    async def hold(who: int) -> Any:
        return await house.operator.do("holdPoints", "HoldPointsInput", want, member=by_card(house.cards[who]), **given)

    assert (await hold(2))["role"] == "CONTRIBUTOR"
    assert (await hold(3))["code"] == "NOT_FOUND"
    held = await hold(1)
    assert held["wallet"] == {"available": 10, "held": 30}
    assert (await house.spend(0, 11))["code"] == "INSUFFICIENT_POINTS"
    ann = await member_client(anonymous, house, 0)
    seen = "query ($id: ID!) { node(id: $id) { ... on Hold { points } } }"
    assert (await ann.run(seen, id=held["hold"]["id"]))["node"] == {"points": 30}
    assert (await house.remove(1))["__typename"] == "PoolMemberRemoved"
    captured = "... on Captured { released operation { spentBy { role number leftAt } } wallet { available } }"
    done = await house.operator.do("captureHold", "CaptureHoldInput", captured, hold=held["hold"]["id"], points=25)
    assert (done["released"], done["wallet"]) == (5, {"available": 15})
    spender = done["operation"]["spentBy"]
    assert (spender["role"], spender["leftAt"] is None) == ("SPENDER", False)
    async with runtime.database.session() as session:
        assert (await verify(session)).differences == []


async def test_r06_a16_a_pools_points_are_adjusted_by_its_merchant(grocer: Client, fuel: Client, house: House) -> None:
    want = "... on Adjusted { points wallet { available } operation { kind member { id } } }"

    async def adjust(client: Client, points: int, **more: Any) -> Any:
        given = {"merchant": "grocer", "pool": house.pool, "points": points, "reason": "goodwill"} | more
        return await client.do("adjustPoints", "AdjustPointsInput", want, **given)

    up = await adjust(grocer, 50)
    assert (up["points"], up["wallet"], up["operation"]) == (50, {"available": 50}, {"kind": "ADJUST", "member": None})
    assert (await adjust(grocer, -20))["wallet"] == {"available": 30}
    assert (await adjust(grocer, -31))["code"] == "INSUFFICIENT_POINTS"
    refused = [
        await adjust(grocer, 1, member=by_card(house.cards[0])),
        await adjust(grocer, 1, pool=None),
        await adjust(fuel, 1, merchant="fuel"),
        await adjust(grocer, 1, currency="GCARD"),
        await adjust(grocer, 1, pool="nonsense"),
    ]
    assert [one["code"] for one in refused] == [
        "INVALID_INPUT",
        "INVALID_INPUT",
        "NOT_FOUND",
        "NOT_ALLOWED",
        "NOT_FOUND",
    ]
    assert (await house.take(0, 30))["points"] == 30
    assert (await house.operator.do("closePool", "ClosePoolInput", "", pool=house.pool))["__typename"] == "PoolClosed"
    assert (await adjust(grocer, 1))["code"] == "MEMBER_NOT_ACTIVE"


async def test_r16_of_many_who_spend_a_pool_at_once_one_does(house: House) -> None:
    await earn(house.operator, house.cards[0], 100)
    await house.put(0, 100)
    answers = await asyncio.gather(*(house.spend(who % 2, 100) for who in range(8)))
    assert sorted(answer["__typename"] for answer in answers) == ["InsufficientPoints"] * 7 + ["Redeemed"]


@pytest.mark.parametrize(
    ("tampering", "check"),
    [
        ("UPDATE pool SET status = 'CLOSED'", "a closed pool is empty"),
        ("DELETE FROM pool_member WHERE role = 'OWNER'", "points of a pool move with its members"),
        ("DELETE FROM pool_spend", "what is spent of a pool is spent by one of its members"),
        ("DELETE FROM pool_spend", "what is set aside of a pool is spent by the member who did"),
    ],
)
async def test_r26_tampering_with_pools_is_found(house: House, runtime: Runtime, tampering: str, check: str) -> None:
    await earn(house.operator, house.cards[0], 100)
    await house.put(0, 100)
    await house.spend(1, 30)
    given = {"merchant": "grocer", "channel": "STORE", "member": by_card(house.cards[1]), "pool": house.pool}
    await house.operator.do("holdPoints", "HoldPointsInput", "", points=5, **given)
    async with runtime.database.session() as session:
        await session.execute(text(tampering))
        await session.flush()
        of_all = CHECKS[check].replace("all_pool_member", "pool_member")
        assert (await session.execute(text(of_all))).all() != []
        await session.rollback()
