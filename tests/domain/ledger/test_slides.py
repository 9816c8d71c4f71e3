"""Dates that slide keep where they were: the past is told, and tampering found (R4, R26)."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from domain.database import Database
from domain.ledger import asof
from domain.ledger.engine import PostingEngine
from domain.ledger.grants import EarnInParts, Ending, Part
from domain.ledger.queries import WalletKey
from domain.ledger.verify import verify
from tests.ledger_support import NOON, grant, members, redeem, rows

DAY = timedelta(days=1)
TEN = "10 days"


def slides(as_of: datetime) -> Mapping[tuple[str, str], datetime]:
    return {("GRO", TEN): as_of + 10 * DAY}


def sliding(person: uuid.UUID, points: int, as_of: datetime) -> EarnInParts:
    """Points that end by ten days of inactivity."""
    return grant(person, Part(points, Ending(as_of + 10 * DAY, TEN)), as_of=as_of, slides=slides(as_of))


async def _moved(database: Database) -> list[tuple[datetime | None, datetime]]:
    return [tuple(row) for row in await rows(database, "SELECT moved_from, moved_to FROM sliding_move ORDER BY 2")]


@pytest.mark.parametrize("together", [True, False])
async def test_r04_each_move_of_a_date_is_kept_once(engine: PostingEngine, database: Database, together: bool) -> None:
    (ann,) = members(1)
    spend = redeem(ann, 10, as_of=NOON + 5 * DAY, slides=slides(NOON + 5 * DAY))
    calls = [sliding(ann, 100, NOON), sliding(ann, 7, NOON), spend, sliding(ann, 5, NOON + 8 * DAY)]
    for some in [calls] if together else [[call] for call in calls]:
        await engine.post_many(some)
    assert await _moved(database) == [
        (None, NOON + 10 * DAY),
        (NOON + 10 * DAY, NOON + 15 * DAY),
        (NOON + 15 * DAY, NOON + 18 * DAY),
    ]
    late = NOON + 30 * DAY
    await engine.post(sliding(ann, 3, late))
    assert (await _moved(database))[3:] == [(None, late + 10 * DAY)], "one that has passed never moves"


async def test_r04_a_wallet_of_the_past_has_the_dates_of_then(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(sliding(ann, 100, NOON))
    await engine.post(redeem(ann, 10, as_of=NOON + 5 * DAY, slides=slides(NOON + 5 * DAY)))
    await engine.post(redeem(ann, 20, as_of=NOON + 12 * DAY, slides=slides(NOON + 12 * DAY)))

    async def at(days: int) -> tuple[int, datetime | None]:
        key = WalletKey(ann, "GRO", NOON + days * DAY)
        async with database.session() as session:
            [figures] = (await asof.wallets(session, [key], "as_of"))[key]
            [lot] = (await asof.lots_page(session, [key], "as_of", 1, None, None))[key]
        return figures.available, lot.expires_at

    assert await at(1) == (100, NOON + 10 * DAY)
    assert await at(6) == (90, NOON + 15 * DAY)
    assert await at(11) == (90, NOON + 15 * DAY), "it had been moved before it came"
    assert await at(21) == (70, NOON + 22 * DAY)


@pytest.mark.parametrize("by", ["- interval '1 hour'", "+ interval '1 day'"])
async def test_r26_a_date_that_nobody_moved_is_found(database: Database, by: str) -> None:
    engine = PostingEngine(database)
    await engine.start()
    (ann,) = members(1)
    await engine.post(sliding(ann, 100, NOON))
    await engine.post(redeem(ann, 10, as_of=NOON + 5 * DAY, slides=slides(NOON + 5 * DAY)))
    await engine.stop()
    await rows(database, f"UPDATE sliding_expiry SET expires_at = expires_at {by}")
    async with database.session() as session:
        [found] = (await verify(session)).differences
    assert (found.check, found.holder) == ("a date that slides is where it was last moved", str(ann))
