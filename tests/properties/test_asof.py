"""A wallet as of a past instant is what it showed then, whatever happened since: by booking, and by callers' clocks."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from domain.database import Database
from domain.ledger import asof, queries
from domain.ledger.engine import PostingEngine
from domain.ledger.queries import LotRow, WalletFigures, WalletKey
from domain.ledger.request import Posted, Request
from domain.ledger.statements import By
from tests.ledger_support import (
    ISSUERS,
    activate,
    adjust,
    capture,
    earn,
    exchange,
    expire,
    give,
    grant,
    hold,
    lapse,
    members,
    redeem,
    release,
    reverse,
    waiting,
)

STEP = st.tuples(
    st.sampled_from(
        [
            "earn",
            "earn",
            "redeem",
            "hold",
            "capture",
            "release",
            "lapse",
            "give",
            "exchange",
            "expire",
            "adjust",
            "reverse",
            "wait",
            "confirm",
        ]
    ),
    st.integers(0, 1),
    st.integers(1, 60),
    st.none() | st.sampled_from([timedelta(milliseconds=30), timedelta(hours=7), timedelta(days=3)]),
)
ENDLESS: dict[str, Any] = {
    "clawback": dict.fromkeys(ISSUERS.values(), "unlimited"),
    "floors": dict.fromkeys(ISSUERS),
}
Shown = dict[WalletKey, tuple[list[WalletFigures], list[LotRow]]]


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[PostingEngine]:
    engine = PostingEngine(database)
    await engine.start()
    yield engine
    await engine.stop()


@given(life=st.lists(STEP, min_size=12, max_size=40))
@settings(max_examples=20)
async def test_a_wallet_of_the_past_is_what_it_showed(
    engine: PostingEngine, life: list[tuple[str, int, int, timedelta | None]]
) -> None:
    people, now = members(2), datetime.now(UTC)
    earns: list[Posted] = []
    holds: list[Posted] = []
    shown: dict[By, Shown] = {"booked_at": {}, "as_of": {}}
    for what, who, points, lives in life:
        now += timedelta(hours=5)
        call = _call(what, people[who], people[1 - who], points, now, lives, earns, holds)
        if call is None:
            continue
        (answer,) = await engine.post_many([call])
        if isinstance(answer, Posted) and what in ("earn", "wait", "hold"):
            (holds if what == "hold" else earns).append(answer)
        await _look(engine.database, people, now, shown["as_of"])
        await _look(engine.database, people, None, shown["booked_at"])
    for by, then in shown.items():
        await _compare(engine.database, by, then)


def _call(
    what: str,
    person: uuid.UUID,
    other: uuid.UUID,
    points: int,
    now: datetime,
    lives: timedelta | None,
    earns: list[Posted],
    holds: list[Posted],
) -> Request | None:
    expires = lives and now + lives
    if (what in ("capture", "release", "lapse") and not holds) or (what == "reverse" and not earns):
        return None
    match what:
        case "earn":
            return earn(person, 3 * points, as_of=now, expires_at=expires)
        case "wait":
            return grant(person, waiting(points, None), as_of=now)
        case "confirm" if earns:
            one = earns[points % len(earns)]
            return activate(one.holder_id, one.operation_id, now, confirms=True, days=points)
        case "confirm":
            return None
        case "redeem":
            return redeem(person, points, as_of=now)
        case "hold":
            return hold(person, points, seconds=9 * 3600, as_of=now)
        case "capture":
            return capture(holds[points % len(holds)], 1, as_of=now)
        case "release":
            return release(holds[points % len(holds)], as_of=now)
        case "lapse":
            return lapse(holds[points % len(holds)], as_of=now)
        case "give":
            return give(person, other, points, as_of=now)
        case "exchange":
            return exchange(person, points, points, as_of=now, into_expires_at=expires)
        case "expire":
            return expire(person, as_of=now)
        case "adjust":
            return adjust(person, points - 20 or 1, as_of=now)
        case _:
            one = earns[points % len(earns)]
            return reverse(one.holder_id, one.operation_id, as_of=now, **ENDLESS)


async def _look(database: Database, people: list[uuid.UUID], at: datetime | None, into: Shown) -> None:
    """What the wallets show: at that moment, or now, by the database's clock."""
    async with database.session() as session:
        moment = at or (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
        keys = [WalletKey(person, "", moment) for person in people]
        figures = await queries.wallets(session, keys)
        one = [WalletKey(person, "GRO", moment) for person in people]
        lots = await queries.lots_page(session, one, 100, None, None)
    into.update({key: (figures[key], lots[wallet]) for key, wallet in zip(keys, one, strict=True)})


async def _compare(database: Database, by: By, then: Shown) -> None:
    keys = list(then)
    one = [WalletKey(key.holder_id, "GRO", key.as_of) for key in keys]
    async with database.session() as session:
        figures = await asof.wallets(session, keys, by)
        lots = await asof.lots_page(session, one, by, 100, None, None)
        counts = await asof.lot_counts(session, one, by)
        days = await asof.expiries(session, one, by, ["UTC"] * len(one), 100)
    for key, wallet in zip(keys, one, strict=True):
        assert (figures[key], lots[wallet]) == then[key], (by, key)
        assert counts[wallet] == len(lots[wallet])
        assert sum(points for _, points in days[wallet]) == sum(
            lot.remaining for lot in lots[wallet] if lot.expires_at is not None
        )
