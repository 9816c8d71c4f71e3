"""A large batch is written in two halves at the same time, if they share nothing."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import pytest

from domain.database import Database
from domain.ledger import engine as engine_module
from domain.ledger.engine import PostingEngine
from domain.ledger.request import Needs, Posted, Request
from tests.ledger_support import earn, give, key, members, posted, redeem, rows


@pytest.fixture(autouse=True)
def _small_batches_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "SPLIT", 6)


def two_sides() -> tuple[list[UUID], list[UUID]]:
    """Members of one half, and of the other."""
    sides: tuple[list[UUID], list[UUID]] = ([], [])
    while min(map(len, sides)) < 3:
        [member] = members(1)
        sides[member.bytes[-1] & 1].append(member)
    return sides[0][:3], sides[1][:3]


async def transactions(database: Database, holders: Sequence[UUID]) -> int:
    found = await rows(database, "SELECT count(DISTINCT xid) AS n FROM operation WHERE holder_id = ANY($1)", holders)
    count: int = found[0]["n"]
    return count


async def test_halves_are_two_transactions_and_answers_keep_their_order(
    engine: PostingEngine, database: Database
) -> None:
    even, odd = two_sides()
    holders = [member for pair in zip(even, odd, strict=True) for member in pair]
    points = range(10, 16)
    answers = await engine.post_many([earn(*each) for each in zip(holders, points, strict=True)])

    assert [(answer.holder_id, answer.points) for answer in answers if isinstance(answer, Posted)] == list(
        zip(holders, points, strict=True)
    )
    assert await transactions(database, holders) == 2
    assert await posted(database, holders) == {(who, "GRO"): n for who, n in zip(holders, points, strict=True)}


async def test_halves_that_share_a_holder_are_one_transaction(engine: PostingEngine, database: Database) -> None:
    even, odd = two_sides()
    calls: list[Request] = [earn(member, 10) for member in (*even, *odd)]
    calls += [give(even[0], odd[0], 10), redeem(odd[0], 20)]

    assert all(isinstance(answer, Posted) for answer in await engine.post_many(calls))
    assert await transactions(database, [*even, *odd]) == 1


async def test_halves_that_share_a_key_are_one_transaction(engine: PostingEngine, database: Database) -> None:
    even, odd = two_sides()
    same = key()
    calls = [earn(member, 10, key=same if member in (even[0], odd[0]) else key()) for member in (*even, *odd)]
    answers = await engine.post_many(calls)

    assert isinstance(answers[0], Posted)
    assert answers[0].duplicate is False
    assert isinstance(answers[3], Posted)
    assert answers[3].duplicate is True
    assert await transactions(database, [*even, *odd]) == 1


async def test_halves_that_share_an_order_are_one_transaction(engine: PostingEngine, database: Database) -> None:
    even, odd = two_sides()
    calls = [
        earn(member, 10, unique_order=True, order_ref="one" if member in (even[0], odd[0]) else str(n))
        for n, member in enumerate((*even, *odd))
    ]
    answers = await engine.post_many(calls)

    assert [isinstance(answer, Posted) for answer in answers] == [True, True, True, False, True, True]
    assert await transactions(database, [*even, *odd]) == 1


async def test_a_half_that_cannot_be_written_fails_alone(
    engine: PostingEngine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    even, odd = two_sides()
    write = PostingEngine._post

    async def away(
        self: PostingEngine, connection: asyncpg.Connection, requests: list[Request], needs: Needs
    ) -> object:
        if requests[0].holder_id in odd:
            raise OSError("the database is away")
        return await write(self, connection, requests, needs)

    monkeypatch.setattr(PostingEngine, "_post", away)
    engine.patience = -1
    answers = await engine._post_all([earn(member, 10) for member in (*odd, *even)])

    assert [type(answer) for answer in answers] == [OSError] * 3 + [Posted] * 3
    assert (await posted(database, [*even, *odd])).keys() == {(member, "GRO") for member in even}
