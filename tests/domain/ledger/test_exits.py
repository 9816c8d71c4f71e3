"""R13 through the engine: batches, races, and proof."""

import asyncio
from datetime import timedelta

import pytest

from domain.database import Database
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import NotReversible
from domain.ledger.request import Posted
from domain.ledger.verify import verify
from tests.ledger_support import NOON, earn, exit_, members, redeem, reverse, reverse_exit, rows

SOLD = "exit sells what it says, for the change that it says"
CHECKED = {SOLD}


async def test_r13_what_the_same_batch_did_counts(engine: PostingEngine) -> None:
    (ann,) = members(1)
    answers = await engine.post_many(
        [exit_(ann), earn(ann, 30), exit_(ann), earn(ann, 90), redeem(ann, 45), exit_(ann), earn(ann, 3), exit_(ann)]
    )
    assert [answer.points for answer in answers if isinstance(answer, Posted)] == [0, 30, 30, 90, 45, 0, 3, 48]


async def test_r13_one_of_many_exits_at_once_sells(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 30))
    answers = await asyncio.gather(*(engine.post(exit_(ann)) for _ in range(10)))
    assert sorted(answer.points for answer in answers) == [0] * 9 + [30]
    assert len(await rows(database, "SELECT FROM forced_exit WHERE holder_id = $1", ann)) == 1


async def test_r13_what_is_owed_is_not_sold_and_so_little_that_it_brings_nothing_stays(engine: PostingEngine) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 2))
    assert (await engine.post(exit_(ann))).points == 0
    gone = await engine.post(earn(bob, 1, expires_at=NOON + timedelta(days=1)))
    assert (await engine.post(exit_(bob, as_of=NOON + timedelta(days=1)))).operation_id is None, "an expired lot"
    with pytest.raises(NotReversible):
        await engine.post(reverse_exit(bob, gone.operation_id))


async def test_r13_an_exit_is_no_earn_to_be_returned(engine: PostingEngine) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 30))
    sold = await engine.post(exit_(ann))
    with pytest.raises(NotReversible):
        await engine.post(reverse(ann, sold.operation_id))


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE forced_exit SET points = points + 1",
        "UPDATE forced_exit SET change = change + 1",
        "DELETE FROM forced_exit",
        "UPDATE forced_exit SET lot_id = gen_random_uuid()",
    ],
)
async def test_r26_tampering_with_exits_is_found(database: Database, tampering: str) -> None:
    (ann,) = members(1)
    engine = PostingEngine(database)
    await engine.start()
    await engine.post_many([earn(ann, 31), exit_(ann)])
    await engine.stop()
    connection = await database.connect()
    try:
        await connection.execute(tampering)
    finally:
        await connection.close()
    async with database.session() as session:
        assert SOLD in {difference.check for difference in (await verify(session)).differences}
