"""A holder who is stopped: nothing is posted, whatever the verb; until released, with who and why kept."""

import uuid

import pytest

from domain.database import Database
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import HolderStopped
from domain.ledger.request import Posted, Request
from domain.ledger.stops import release, stop
from tests.ledger_support import NOON, adjust, earn, expire, give, hold, key, members, redeem, reverse, rows

WHO = {"who": "ann", "why": "figures differ", "as_of": NOON}


async def stopped(database: Database, *holders: uuid.UUID) -> int:
    """Stop holders; how many were not."""
    connection = await database.connect()
    try:
        return await stop(connection, holders, **WHO)  # type: ignore[arg-type]
    finally:
        await connection.close()


async def released(database: Database, holder: uuid.UUID) -> bool:
    """Release a holder."""
    connection = await database.connect()
    try:
        async with connection.transaction():
            return await release(connection, holder, who="bob", as_of=NOON)
    finally:
        await connection.close()


async def test_r26_nothing_is_posted_to_a_holder_who_is_stopped(database: Database, engine: PostingEngine) -> None:
    ann, bob = members(2)
    granted = await engine.post(earn(ann, 100, expires_at=NOON))
    await engine.post_many([earn(ann, 50), earn(bob, 10)])
    assert await stopped(database, ann, *members(1)) == 1
    asked: list[Request] = [
        earn(ann, 5),
        earn(ann, 5, "FUE"),
        redeem(ann, 5),
        reverse(ann, granted.operation_id),
        expire(ann),
        give(ann, bob, 5),
        give(bob, ann, 5),
        adjust(ann, -5),
        hold(ann, 5),
        redeem(ann, 5, dry_run=True),
    ]
    for request in asked:
        with pytest.raises(HolderStopped):
            await engine.post(request)
    outcomes = await engine.post_many([earn(ann, 5), redeem(bob, 5)])
    assert [type(outcome) for outcome in outcomes] == [HolderStopped, Posted]


async def test_the_same_key_is_posted_once_the_holder_is_released(database: Database, engine: PostingEngine) -> None:
    [ann] = members(1)
    await engine.post(earn(ann, 100))
    await stopped(database, ann)
    spend = key()
    with pytest.raises(HolderStopped):
        await engine.post(redeem(ann, 5, key=spend))
    assert await stopped(database, ann) == 0
    assert await released(database, ann)
    assert not await released(database, ann)
    assert not (await engine.post(redeem(ann, 5, key=spend))).duplicate
    kept = await rows(database, "SELECT who, why, released_by FROM holder_stop")
    assert [tuple(row) for row in kept] == [("ann", "figures differ", "bob")]


async def test_a_holder_whose_account_is_gone_is_stopped_too(database: Database, engine: PostingEngine) -> None:
    [ann] = members(1)
    await engine.post(earn(ann, 100))
    await rows(database, "DELETE FROM account")
    assert await stopped(database, ann) == 1
    with pytest.raises(HolderStopped):
        await engine.post(earn(ann, 5))
    await rows(database, "UPDATE account SET posted = 100")
