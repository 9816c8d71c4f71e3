"""A debit reads only the lots that pay for it, and decides as if it had read them all."""

import random
from datetime import timedelta
from uuid import UUID

from domain.database import Database
from domain.ledger import store
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import InsufficientPoints
from domain.ledger.request import Books, Needs, Posted
from domain.ledger.rules import allocate, available
from tests.ledger_support import NOON, earn, expire, hold, members, redeem, reverse


async def loaded(database: Database, needs: Needs) -> Books:
    """The books that the engine would decide over."""
    connection = await database.connect()
    try:
        return await store.load(connection, needs, None)
    finally:
        await connection.close()


def asking(holder_id: UUID, *debits: int) -> Needs:
    needs = Needs({holder_id})
    for points in debits:
        needs.debit((holder_id, "GRO"), points, NOON)
    return needs


async def test_a_small_debit_of_many_lots_reads_few(database: Database, engine: PostingEngine) -> None:
    [holder] = members(1)
    days = [timedelta(days=1 + day) for day in range(60)]
    await engine.post_many([earn(holder, 50, expires_at=NOON + day) for day in days])

    assert len((await loaded(database, asking(holder, 50))).lots) == 1
    assert len((await loaded(database, asking(holder, 51))).lots) == 2
    assert len((await loaded(database, asking(holder, 40, 40, 40))).lots) == 3
    assert len((await loaded(database, asking(holder, 60 * 50 + 1))).lots) == 60


async def test_debits_are_decided_as_over_the_whole_wallet(database: Database, engine: PostingEngine) -> None:
    draw = random.Random(7)
    holders = members(30)
    moments = [None, *(NOON + timedelta(days=days) for days in (-2, -1, 1, 1, 2))]
    grants = [
        earn(
            holder,
            draw.randint(1, 9),
            expires_at=draw.choice(moments),
            as_of=NOON - timedelta(days=3, hours=draw.randint(0, 2)),
        )
        for holder in holders
        for _ in range(8)
    ]
    draw.shuffle(grants)
    await engine.post_many(grants)
    await engine.post_many([hold(holder, 2, as_of=NOON - timedelta(days=3), seconds=10**6) for holder in holders])

    for holder in holders:
        whole = (await loaded(database, Needs({holder}, wallets={(holder, "GRO")}))).open_lots(holder, "GRO")
        have = available(whole, NOON)
        for points in {1, have // 2, have, have + 1} - {0}:
            found = (await loaded(database, asking(holder, points))).open_lots(holder, "GRO")
            for moment in (NOON, NOON - timedelta(days=1, hours=12)):
                taken = [(lot.id, part) for lot, part in allocate(found, min(points, have), moment)]
                assert taken == [(lot.id, part) for lot, part in allocate(whole, min(points, have), moment)]
            assert (available(found, NOON) == have) or available(found, NOON) >= points


async def test_a_refused_debit_says_all_that_was_there(engine: PostingEngine) -> None:
    [holder] = members(1)
    await engine.post_many([earn(holder, 10, expires_at=NOON + timedelta(days=1 + day)) for day in range(5)])
    first, second, third = await engine.post_many([redeem(holder, points) for points in (30, 30, 20)])

    assert isinstance(first, Posted)
    assert isinstance(second, InsufficientPoints)
    assert second.data["available"] == 20
    assert isinstance(third, Posted)


async def test_a_wallet_that_owes_is_read_whole(database: Database, engine: PostingEngine) -> None:
    [holder] = members(1)
    granted = await engine.post(earn(holder, 10, expires_at=NOON + timedelta(days=1)))
    await engine.post(redeem(holder, 10))
    issuer = earn(holder, 1).issuer_id
    await engine.post(reverse(holder, granted.operation_id, clawback={issuer: "unlimited"}, floors={"GRO": None}))
    await engine.post_many([earn(holder, 8, expires_at=NOON + timedelta(days=2 + day)) for day in range(4)])
    [refused, spent] = await engine.post_many([redeem(holder, points) for points in (23, 22)])

    assert isinstance(refused, InsufficientPoints)
    assert refused.data["available"] == 22
    assert isinstance(spent, Posted)


async def test_an_expiry_reads_only_the_lots_that_are_due(database: Database, engine: PostingEngine) -> None:
    [holder] = members(1)
    ends = [None, *(NOON + timedelta(days=days) for days in (-2, 0, 1))]
    await engine.post_many([earn(holder, 10, expires_at=end, as_of=NOON - timedelta(days=3)) for end in ends])
    needs = Needs({holder})
    needs.expiry((holder, "GRO"), NOON - timedelta(days=1))
    needs.expiry((holder, "GRO"), NOON)

    found = (await loaded(database, needs)).open_lots(holder, "GRO")
    assert sorted(lot.expires_at for lot in found if lot.expires_at) == ends[1:3]
    assert (await engine.post(expire(holder, as_of=NOON))).points == 20
