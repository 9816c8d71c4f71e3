"""Merging in the alliance: nothing comes to be owed (A1), laws and places are kept, and nothing is lost in a race."""

import asyncio
import uuid
from dataclasses import replace
from typing import Any

import pytest

from alliance.merging.commands import merge_members, unmerge_member
from alliance.stored_value.queries import deposits, paid_lots
from alliance.verify import verify
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import MemberMerged, MergeBlocked
from domain.ledger.request import Posted
from domain.members.model import MemberRef, Resolved
from domain.members.queries import resolve
from domain.pools import commands as pools
from domain.pools import queries as pool_queries
from domain.pools.model import PoolRole
from tests.alliance.clearing.test_clawback import clawing
from tests.alliance.clearing.test_funding import funded
from tests.alliance.clearing.test_tiers import buy, told
from tests.alliance.kinds import put_in_force, with_tiers
from tests.alliance.support import CLIENT, NOON, House, key
from tests.ledger_support import rows, top_up


async def merge(house: House, absorbed: uuid.UUID, survivor: uuid.UUID, **named: Any) -> Posted:
    who = {"absorbed_id": absorbed, "survivor_id": survivor, "client_id": CLIENT}
    return await merge_members(house.runtime, **who, **{"as_of": NOON, "key": key()} | named)


async def unmerge(house: House, absorbed: uuid.UUID) -> Posted:
    return await unmerge_member(house.runtime, absorbed_id=absorbed, as_of=NOON, client_id=CLIENT, key=key())


async def proved(house: House) -> None:
    await house.keep_agreed()
    async with house.runtime.database.session() as session:
        assert (await verify(session)).differences == []


@pytest.mark.parametrize("funding", ["at_issue", "split", "at_redemption"])
async def test_a01_a_merge_makes_nothing_owed_and_returns_are_credited_as_without_it(
    house: House, funding: str
) -> None:
    house.agree(funded(house, funding))
    totals = []
    for merges in (False, True):
        ann, bob = await house.member(), await house.member()
        granted = await house.earn(ann, "fuel", 1000)
        spent = await house.spend(ann, "grocer", 100)
        now = ann
        if merges:
            before = await house.owed()
            await merge(house, ann, bob)
            assert await house.owed() == before
            now = bob
        done = [granted, spent, await house.spend(now, "fuel", 300)]
        done += [await house.reverse(ann, spent), await house.reverse(ann, granted)]
        totals.append([await house.owed(one) for one in done])
    assert totals[0] == totals[1]
    await proved(house)


async def test_a01_a_debt_that_moved_is_recovered_for_its_funder_once(house: House) -> None:
    """Points of a partner's sale were spent, the sale came back: what is earned after the merge pays it back."""
    clawing(house, "unlimited")
    ann, bob, cat = await house.member(), await house.member(), await house.member()
    granted = await house.earn(ann, "fuel", 100)
    await house.spend(ann, "grocer", 100)
    assert await house.owed(await house.reverse(ann, granted)) == []
    await merge(house, ann, bob)
    await merge(house, bob, cat)
    assert await house.owed(await house.earn(cat, "grocer", 60)) == [("EARN", "fuel", "grocer", -60, "-0.540000")]
    assert await house.owed(await house.earn(cat, "grocer", 60)) == [("EARN", "fuel", "grocer", -40, "-0.360000")]
    assert await house.owed(await house.earn(cat, "grocer", 60)) == []
    await proved(house)


async def test_l04_deposits_and_what_is_paid_stay_what_they_are(house: House) -> None:
    ann, bob = await house.member(), await house.member()
    issuer = house.id("grocer")
    place = {"merchant_id": issuer, "issuer_id": issuer, "currency": "GRO", "as_of": NOON}
    await house.runtime.engine.post(top_up(ann, 500, 50, **place))
    await house.spend(ann, "grocer", 80)
    async with house.runtime.database.session() as session:
        before = await deposits(session, NOON)
    await merge(house, ann, bob)
    async with house.runtime.database.session() as session:
        assert await deposits(session, NOON) == before
        lots = await rows(house.runtime.database, "SELECT holder_id, id FROM lot WHERE holder_id = $1", bob)
        assert len(await paid_lots(session, [(lot["holder_id"], lot["id"]) for lot in lots])) == 1
    await unmerge(house, ann)
    async with house.runtime.database.session() as session:
        assert await deposits(session, NOON) == before


async def test_l01_who_lives_under_two_laws_is_not_merged_and_one_known_law_stays(house: House) -> None:
    ann, bob = await house.member(jurisdiction="CA-ON"), await house.member(jurisdiction="US-OH")
    cat = await house.member()
    with pytest.raises(MergeBlocked) as refused:
        await merge(house, ann, bob)
    assert refused.value.data["obstacles"] == [{"kind": "JURISDICTIONS_DIFFER"}]
    lives = "SELECT jurisdiction FROM member WHERE id = $1"
    await merge(house, ann, cat)
    assert [row[0] for row in await rows(house.runtime.database, lives, cat)] == ["CA-ON"]
    await unmerge(house, ann)
    assert [row[0] for row in await rows(house.runtime.database, lives, cat)] == [None]


async def test_r06_the_survivor_takes_the_others_place_in_pools(house: House) -> None:
    ann, bob, cat = await house.member(), await house.member(), await house.member()
    database = house.runtime.database
    made: dict[str, Any] = {"merchant_id": house.id("grocer"), "as_of": NOON}
    async with database.transaction() as session:
        first = await pools.create(session, owner_id=ann, name="one", **made)
        second = await pools.create(session, owner_id=cat, name="two", **made)
        for member, role in ((ann, PoolRole.SPENDER), (bob, PoolRole.CONTRIBUTOR)):
            await pools.add_member(session, pool_id=second, member_id=member, role=role, by_id=None, as_of=NOON)

    async def roles() -> list[dict[uuid.UUID, str]]:
        async with database.session() as session:
            found = await pool_queries.members(session, [first, second])
        return [{one.member_id: one.role for one in found[id_] if one.left_at is None} for id_ in (first, second)]

    before = await roles()
    await merge(house, ann, bob)
    assert await roles() == [{bob: "OWNER"}, {cat: "OWNER", bob: "SPENDER"}]
    await unmerge(house, ann)
    assert await roles() == before


async def test_r16_what_is_under_way_is_before_the_merge_or_the_survivors(house: House) -> None:
    """Two processes post for the member while they are merged: each point is there in the end, and once."""
    ann, bob = await house.member(), await house.member()
    first = house.runtime.engine
    second = PostingEngine(house.runtime.database, first.member_status, first.recovery, first.law, first.funder)
    await second.start()
    houses = [house, House(replace(house.runtime, engine=second))]
    await house.earn(ann, "grocer", 100)

    async def act(number: int) -> int:
        for _ in range(5):
            async with house.runtime.database.session() as session:
                [found] = await resolve(session, house.runtime.catalogue, [("grocer", ann)])
            assert isinstance(found, Resolved)
            try:
                if number % 3:
                    return (await houses[number % 2].earn(found.member_id, "grocer", 7)).points
                return -(await houses[number % 2].spend(found.member_id, "grocer", 1)).points
            except MemberMerged:
                continue
        raise AssertionError("asked again too often")

    async def become() -> int:
        await merge(houses[1], ann, bob)
        return 0

    moved = sum(await asyncio.gather(*map(act, range(20)), become(), *map(act, range(20, 40))))
    await second.stop()
    balances = "SELECT holder_id, posted FROM account WHERE holder_id = ANY($1)"
    found = await rows(house.runtime.database, balances, [ann, bob])
    assert {row["holder_id"]: row["posted"] for row in found} == {ann: 0, bob: 100 + moved}
    await proved(house)


async def test_whoever_a_member_was_is_looked_up_at_the_end_of_a_chain(house: House) -> None:
    ann, bob, cat = await house.member(), await house.member(), await house.member()
    await merge(house, ann, bob)
    await merge(house, bob, cat)
    asked: list[tuple[str, MemberRef]] = [("grocer", ann), ("grocer", bob), ("grocer", cat)]
    async with house.runtime.database.session() as session:
        found = await resolve(session, house.runtime.catalogue, asked)
    assert [one.member_id for one in found if isinstance(one, Resolved)] == [cat, cat, cat]


async def test_r11_the_next_purchase_lifts_to_what_both_reach_and_tiers_that_were_stay_proved(house: House) -> None:

    await put_in_force(house.runtime, with_tiers())
    ann, bob = await house.member(), await house.member()
    await buy(house, ann, 600)
    before = await told(house, ann)
    await merge(house, ann, bob)
    await buy(house, bob, 1)
    assert [level for level, _ in await told(house, bob)] == [before[-1][0]]
    await proved(house)
