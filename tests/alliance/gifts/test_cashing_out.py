"""L5: how fast points may move, how long new accounts wait, and rings of gifts."""

import asyncio
import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from alliance.clearing.errors import TooNew
from alliance.exchange.errors import TooManyExchanges
from alliance.gifts.commands import gift_request, pool_request, reverse_gift_request
from alliance.gifts.rings import Ring, rings
from domain.ledger.model import OperationKind
from domain.ledger.request import Posted
from domain.pools.commands import add_member, create
from domain.pools.model import PoolRole
from domain.programs.catalogue import GiftPolicy
from tests.alliance.support import CLIENT, NOON, House, days, key


async def give(house: House, giver: uuid.UUID, receiver: uuid.UUID, points: int, as_of: datetime = NOON) -> Posted:
    """Of the grocer's points."""
    request = gift_request(
        house.runtime,
        giver_id=giver,
        receiver_id=receiver,
        currency="GRO",
        points=points,
        as_of=as_of,
        key=key(),
        client_id=CLIENT,
    )
    return await house.runtime.engine.post(request)


def allow(house: House, **terms: Any) -> None:
    """The grocer's points are given by these terms from now on."""
    currencies = dict(house.runtime.catalogue.currencies)
    [policy] = currencies["GRO"].policies
    gifts = GiftPolicy(**{"max_points": 10**6, "per_day": 100, "max_depth": 50} | terms)
    currencies["GRO"] = replace(currencies["GRO"], policies=(replace(policy, gifts=gifts),))
    house.runtime.catalogue = replace(house.runtime.catalogue, currencies=currencies)


async def test_l05_a_new_account_waits_before_it_gives(house: House) -> None:
    allow(house, wait_days=30)
    ann, bob = await house.member(), await house.member()
    await house.earn(ann, "grocer", 100)
    with pytest.raises(TooNew) as refused:
        await give(house, ann, bob, 10, NOON + days(30) - days(1) / 86_400)
    assert refused.value.data == {"until": (NOON + days(30)).isoformat()}
    assert (await give(house, ann, bob, 10, NOON + days(30))).points == 10


async def test_l05_a_new_account_waits_before_it_exchanges(house: House) -> None:
    _exchange(house, wait_days=7)
    ann = await house.member()
    await house.earn(ann, "grocer", 1_000)
    early = await house.quote(ann, points_out=100)
    with pytest.raises(TooNew):
        await house.use(ann, early)
    late = NOON + days(7)
    assert (await house.use(ann, await house.quote(ann, points_out=100, as_of=late), as_of=late)).points == 100


async def test_l05_the_number_of_exchanges_a_day(house: House) -> None:
    _exchange(house, per_day=2, daily_cap_per_member=None)
    ann = await house.member()
    await house.earn(ann, "grocer", 1_000)
    offers = [await house.quote(ann, points_out=100) for _ in range(5)]
    answers = await asyncio.gather(*(house.use(ann, offer) for offer in offers), return_exceptions=True)
    assert [type(answer) for answer in answers].count(Posted) == 2
    assert {type(answer) for answer in answers} == {Posted, TooManyExchanges}
    tomorrow = NOON + days(1)
    assert await house.use(ann, await house.quote(ann, points_out=100, as_of=tomorrow), as_of=tomorrow)


def _exchange(house: House, **terms: Any) -> None:
    version = house.version()
    pair = ("GRO", "FUE")
    house.agree(replace(version, exchange={**version.exchange, pair: replace(version.exchange[pair], **terms)}))


async def _rings(house: House, longest: int = 5, **named: Any) -> list[Ring]:
    span = {"since": NOON, "until": NOON + days(9)} | named
    async with house.runtime.database.session() as session:
        return list(await rings(session, longest=longest, size=10, **span))


async def test_l05_rings_are_found_once_each_whatever_leads_to_them(house: House) -> None:
    allow(house)
    ann, bob, cyd, dan, eve = sorted([await house.member() for _ in range(5)])
    for who in (ann, bob, cyd, dan, eve):
        await house.earn(who, "grocer", 1_000)
    for giver, receiver, points, day in (
        (cyd, ann, 70, 0),
        (ann, bob, 100, 1),
        (bob, cyd, 80, 2),
        (ann, bob, 20, 3),
        (dan, eve, 5, 4),
        (eve, dan, 9, 5),
        (eve, ann, 50, 5),
        (cyd, dan, 40, 6),
    ):
        await give(house, giver, receiver, points, NOON + days(day))
    four = Ring((ann, bob, cyd, dan, eve), "GRO", 5, 120 + 80 + 40 + 5 + 50, 6, NOON + days(1), NOON + days(6))
    three = Ring((ann, bob, cyd), "GRO", 70, 270, 4, NOON, NOON + days(3))
    pair = Ring((dan, eve), "GRO", 5, 14, 2, NOON + days(4), NOON + days(5))
    assert await _rings(house) == [three, four, pair]
    assert await _rings(house, longest=4) == [three, pair]
    assert await _rings(house, since=NOON + days(1)) == [four, pair]
    assert await _rings(house, until=NOON + days(5)) == [three]


async def test_l05_a_ring_may_go_through_a_pool(house: House) -> None:
    """Ann puts 100 in, Bob takes out 60 of them and gives 50 back; what each took of their own is no gift."""
    allow(house)
    ann, bob = sorted([await house.member() for _ in range(2)])
    for who in (ann, bob):
        await house.earn(who, "grocer", 100)
    async with house.runtime.database.transaction() as session:
        pool = await create(session, merchant_id=house.id("grocer"), owner_id=ann, name="Two", as_of=NOON)
        await add_member(session, pool_id=pool, member_id=bob, by_id=None, role=PoolRole.SPENDER, as_of=NOON)
    named: dict[str, Any] = {"pool_id": pool, "currency": "GRO", "as_of": NOON, "client_id": CLIENT}
    moves = [(ann, OperationKind.POOL_IN, 100), (ann, OperationKind.POOL_OUT, 40), (bob, OperationKind.POOL_OUT, 60)]
    for who, kind, points in moves:
        request = pool_request(house.runtime, kind=kind, member_id=who, points=points, key=key(), **named)
        await house.runtime.engine.post(request)
    assert await _rings(house) == []
    await give(house, bob, ann, 50)
    [ring] = await _rings(house)
    assert (ring.members, ring.points, ring.given, ring.gifts) == ((ann, bob), 50, 110, 2)


async def test_l05_a_gift_that_was_taken_back_is_in_no_ring(house: House) -> None:
    allow(house)
    ann, bob = await house.member(), await house.member()
    await house.earn(ann, "grocer", 100)
    await give(house, ann, bob, 100)
    back = await give(house, bob, ann, 100)
    assert [ring.points for ring in await _rings(house)] == [100]
    assert back.operation_id is not None
    undone = reverse_gift_request(
        house.runtime,
        giver_id=bob,
        receiver_id=ann,
        operation_id=back.operation_id,
        currency="GRO",
        as_of=NOON,
        occurred_at=NOON,
        key=key(),
        client_id=CLIENT,
    )
    await house.runtime.engine.post(undone)
    assert await _rings(house) == []
