"""Searching obligations: the same lines as a filter over all of them, whatever is asked for and however it is cut."""

import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from alliance.clearing.model import Obligation
from alliance.statements import search
from alliance.statements.search import Place, Sought
from tests.alliance.statements.support import busy
from tests.alliance.support import NOON, House, days

Fits = Callable[[Obligation], bool]


async def found(house: House, sought: Sought, size: int = 100, **asked: Any) -> list[tuple[Place, Obligation]]:
    """What the search finds, with places."""
    async with house.runtime.database.reader() as session:
        rows = await search.search(session, sought, size, **asked)
    return [((number, row.operation_id, row.seq), row) for number, row in rows]


@pytest.fixture
async def lines(house: House) -> Sequence[Obligation]:
    """Two cycles and the open one."""
    await busy(house)
    member = await house.member()
    await house.earn(member, "fuel", 50, order_ref="f-9", occurred_at=NOON - timedelta(hours=5))
    await house.close(NOON + days(2))
    await house.spend(member, "fuel", 10, store="1", order_ref="f-1")
    return await house.obligations()


async def test_every_filter_finds_what_it_says(house: House, lines: Sequence[Obligation]) -> None:
    fuel, grocer = house.id("fuel"), house.id("grocer")
    booked: datetime = lines[3].booked_at
    asked: list[tuple[Sought, Fits]] = [
        (Sought(), lambda line: True),
        (Sought(parties=[fuel]), lambda line: True),
        (Sought(parties=[fuel, grocer]), lambda line: True),
        (Sought(parties=[house.id("operator")]), lambda line: False),
        (Sought(parties=[fuel, grocer, house.id("operator")]), lambda line: False),
        (Sought(cycle=2, parties=[grocer]), lambda line: line.order_ref == "f-9"),
        (Sought(order_ref="f-1"), lambda line: line.order_ref == "f-1"),
        (Sought(order_ref="f-1", here=grocer), lambda line: False),
        (Sought(order_ref="f-1", cycle=3), lambda line: line.order_ref == "f-1" and line.kind == "SPEND"),
        (Sought(store="1", parties=[fuel]), lambda line: line.store == "1"),
        (Sought(operation=(lines[2].holder_id, lines[2].operation_id)), lambda line: line is lines[2]),
        (Sought(operation=(uuid.uuid4(), lines[2].operation_id)), lambda line: False),
        (Sought(kinds=["SPEND", "EXCHANGE"]), lambda line: line.kind != "EARN"),
        (Sought(kinds=[]), lambda line: False),
        (Sought(amount=(3_200_000, 5_400_000)), lambda line: 3_200_000 <= line.amount <= 5_400_000),
        (Sought(amount=(None, -1), parties=[grocer]), lambda line: line.amount < 0),
        (Sought(booked=(booked, None), parties=[fuel]), lambda line: line.booked_at >= booked),
        (Sought(booked=(None, booked)), lambda line: line.booked_at < booked),
        (Sought(occurred=(None, NOON)), lambda line: line.occurred_at < NOON),
        (Sought(occurred=(NOON, None)), lambda line: line.occurred_at >= NOON),
        (Sought(occurred=(NOON + days(30), None)), lambda line: False),
        (Sought(reverses=True), lambda line: line.reverses is not None),
        (Sought(reverses=False, late=False), lambda line: line.reverses is None),
        (Sought(late=True), lambda line: False),
    ]
    assert len(lines) == 7
    for sought, fits in asked:
        expected = [(line.operation_id, line.seq) for line in lines if fits(line)]
        assert [place[1:] for place, _ in await found(house, sought)] == expected, sought
        async with house.runtime.database.reader() as session:
            assert await search.count(session, sought) == len(expected), sought


@pytest.mark.parametrize("backward", [False, True])
async def test_pages_of_any_size_make_the_whole(house: House, lines: Sequence[Obligation], backward: bool) -> None:
    for sought in (Sought(), Sought(parties=[house.id("fuel")]), Sought(order_ref="f-1")):
        whole = [place for place, _ in await found(house, sought)]
        for size in (1, 2, 3):
            seen: list[Place] = []
            while part := await found(
                house,
                sought,
                size,
                backward=backward,
                **({"before" if backward else "after": seen[-1]} if seen else {}),
            ):
                seen += [place for place, _ in part]
            assert seen == (whole[::-1] if backward else whole)
    assert {number for number, *_ in whole} == {1, 3}
    assert len(lines) == 7


@pytest.fixture
async def full(house: House) -> AsyncIterator[House]:
    """A hundred cycles of three hundred lines: in each one exchange, one line of 7.00, one of store 7."""
    async with house.runtime.database.transaction() as session:
        await session.execute(
            text("""
            INSERT INTO settlement_cycle (id, number, status, opens_at, closes_at)
            SELECT gen_random_uuid(), n, 'SETTLED', now(), now() FROM generate_series(1, 100) n;
            """)
        )
        await session.execute(
            text("""
            INSERT INTO obligation (holder_id, operation_id, seq, cycle_id, kind, debtor_id, creditor_id, currency,
                                    points, price, amount, agreement_id, agreement_version, merchant_id, occurred_at,
                                    store)
            SELECT gen_random_uuid(), uuidv7(), 0, c.id, CASE WHEN n = 100 THEN 'EXCHANGE' ELSE 'SPEND' END, :grocer,
                   :fuel, 'GRO', CASE WHEN n = 200 THEN 700 ELSE 1 + n % 50 END, 1000000,
                   CASE WHEN n = 200 THEN 700 ELSE 1 + n % 50 END * 10000::bigint, gen_random_uuid(), 1, :fuel, now(),
                   CASE WHEN n = 300 THEN '7' ELSE '1' END
            FROM settlement_cycle c, generate_series(1, 300) n"""),
            {"grocer": house.id("grocer"), "fuel": house.id("fuel")},
        )
        for table in ("obligation", "settlement_cycle"):
            await session.execute(text(f"ANALYZE {table}"))
    yield house
    async with house.runtime.database.transaction() as session:
        await session.execute(text("TRUNCATE obligation, settlement_cycle"))


async def test_a_page_reads_no_more_lines_than_it_needs(full: House) -> None:
    """Of a hundred cycles the plan stops at the first that fill the page; kind, amount and store have their indexes."""
    fuel = full.id("fuel")
    asked = {
        "a party's": (Sought(parties=[fuel]), 21, 500),
        "a kind": (Sought(parties=[fuel], kinds=["EXCHANGE"]), 21, 100),
        "an amount": (Sought(parties=[fuel], amount=(7_000_000, 7_000_000)), 21, 100),
        "large ones": (Sought(amount=(1_000_000, None)), 21, 100),
        "a store": (Sought(parties=[fuel], store="7", here=fuel), 21, 100),
    }
    for name, (sought, size, most) in asked.items():
        assert await _reads(full, sought, size) <= most, name


async def _reads(house: House, sought: Sought, size: int) -> float:
    """Rows of obligations that are read for a page of so many."""
    where = search._where(sought)
    stop = f"ORDER BY l.operation_id, l.seq LIMIT {size}"
    rows = search._rows(sought, where, search._PLACE, stop, "ASC")
    explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {rows} ORDER BY c.number, l.operation_id, l.seq LIMIT {size}"
    least, most = search._FIRST, search._LAST
    bounds = {"after": least[0], "after_id": least[1], "after_seq": least[2], "least_id": least[1]}
    bounds |= {"before": most[0], "before_id": most[1], "before_seq": most[2], "most_id": most[1]}
    async with house.runtime.database.reader() as session:
        [plan] = await session.scalar(text(explain), search._asked(sought, where) | bounds)
    return _read(plan["Plan"])


def _read(plan: dict[str, Any]) -> float:
    """Rows that a plan read of obligations, and those that it left out."""
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
    own = own * plan["Actual Loops"] if plan.get("Relation Name") == "obligation" else 0
    return own + sum(_read(part) for part in plan.get("Plans", ()))
