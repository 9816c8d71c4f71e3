"""Partners' files are matched with what is owed here, line by line (A11)."""

from typing import Any

import pytest
from sqlalchemy import text

from alliance.settlement.closing import ensure_open_cycle
from alliance.verify import verify
from tests.alliance.partnerfiles.support import MINE, Came, came, declare, reconciled, written
from tests.alliance.statements.support import busy, file_of
from tests.alliance.support import NOON, House, days

DAY, NEXT = "2017-06-01", "2017-06-02"
Row = tuple[Any, ...]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("merchant", ["fuel", "grocer"])
async def test_a11_our_own_statement_matches_itself(house: House, kind: str, merchant: str) -> None:
    cycle = await busy(house)
    found = await reconciled(house, await file_of(house, cycle, merchant, kind), cycle, merchant=merchant)
    assert (found.outcomes, found.breaks) == ({"MATCHED": (5, 5)}, [])
    assert (found.file.status, found.file.lines, found.file.tolerated) == ("DONE", 5, 0)


async def _sold(house: House, **orders: tuple[int, ...]) -> None:
    """Sales at fuel: for each order so many GRO points, for which fuel owes grocer 0.009 each."""
    member = await house.member()
    for order, sales in orders.items():
        for points in sales:
            await house.earn(member, "fuel", points, order_ref=order)


def _row(key: str, order: str, points: int, value: str | None = None, day: str = DAY) -> Row:
    return key, order, day, value or f"{-points * 0.009:.6f}", points


async def test_a11_each_kind_of_error_is_found_and_nothing_else(house: House) -> None:
    declare(house, "fuel", MINE)
    await _sold(house, o1=(1000,), o2=(1000,), o3=(1000,), o4=(1000,), o5=(1000,), o7=(1000,), o8=(100, 200))
    await _sold(house, o9=(300,), o11=(500, 500), o12=(100, 200), o13=(700, 800))
    cycle = await house.close(NOON + days(1))
    await _sold(house, o10=(1000,))
    rows = [
        _row("k1", "o1", 1000),
        _row("k2", "o2", 1000, "-9.004", NEXT),  # within a cent, and a day
        ("k3", "o3", DAY, "-8.5", ""),
        _row("k4", "o4", 1000, "-8.00"),
        _row("k6", "o6", 1000),
        _row("k7", "o7", 1000),
        _row("k7", "o7", 1000),
        _row("k8", "o8", 300),  # two of ours
        _row("k9", "o9", 100),
        _row("k9b", "o9", 200),  # two of theirs
        _row("k10", "o10", 1000),
        _row("k11", "o11", 500),
        _row("k11b", "o11", 500),
        _row("k12", "o12", 310),  # two of ours, and another sum
        _row("k13", "o13", 800),
    ]
    found = await reconciled(house, written(rows), cycle, mapping="books")
    assert found.found == {
        ("AMOUNT_DIFFERS", "o3"): 1,
        ("PRICE_DIFFERS", "o4"): 1,
        ("MISSING_THERE", "o5"): 1,
        ("MISSING_HERE", "o6"): 1,
        ("DUPLICATE", "o7"): 1,
        ("TIMING", "o10"): 1,
        ("AMOUNT_DIFFERS", "o12"): 1,
        ("MISSING_THERE", "o13"): 1,
    }
    assert found.outcomes == {
        "AMOUNT_DIFFERS": (2, 3),
        "DUPLICATE": (1, 0),
        "MATCHED": (9, 9),
        "MISSING_HERE": (1, 0),
        "MISSING_THERE": (0, 2),
        "PRICE_DIFFERS": (1, 1),
        "TIMING": (1, 0),
    }
    assert found.file.tolerated == -4_000
    by_order = {one.order_ref: one for one in found.breaks}
    grocer = house.id("grocer")
    assert {one.other_id for one in found.breaks} == {grocer}
    assert (by_order["o3"].theirs, by_order["o3"].ours) == (-8_500_000, -9_000_000)
    assert (by_order["o12"].theirs, by_order["o12"].ours) == (-2_790_000, -2_700_000)
    assert (by_order["o12"].operation_id, by_order["o3"].operation_id is None) == (None, False)
    assert (by_order["o7"].theirs, by_order["o7"].ours, by_order["o7"].line_no) == (-9_000_000, None, 8)
    assert (by_order["o5"].theirs, by_order["o5"].ours, by_order["o5"].line_no) == (None, -9_000_000, None)
    assert [one.order_ref for one in found.breaks if one.due_at is not None] == ["o10"]
    await _adds_up(house, found)


async def _adds_up(house: House, found: Came) -> None:
    """Every line has one outcome, and the breaks come to what the sums differ by."""
    outcomes = found.file.outcomes.values()
    theirs, ours = (sum(int(one[f"{side}Sum"]) for one in outcomes) for side in ("theirs", "ours"))
    assert sum(one["theirs"] for one in outcomes) == found.file.lines == len(found.lines)
    assert theirs == found.file.amount == sum(line.amount for line in found.lines)
    differing = sum((one.theirs or 0) - (one.ours or 0) for one in found.breaks if one.outcome != "TIMING")
    timing = sum(one.theirs or 0 for one in found.breaks if one.outcome == "TIMING")
    assert differing + timing + found.file.tolerated == theirs - ours
    async with house.runtime.database.session() as session:
        proof = await verify(session)
    assert proof.differences == []


async def test_a11_lines_without_a_key_that_are_there_twice_are_duplicates(house: House) -> None:
    columns = {name: said for name, said in MINE["columns"].items() if name != "key"}
    declare(house, "fuel", MINE | {"columns": columns, "trailer": None})
    await _sold(house, o1=(1000,), o2=(500, 500))
    cycle = await house.close(NOON + days(1))
    rows = [_row("", "o1", 1000), _row("", "o1", 1000), _row("", "o2", 500), _row("", "o2", 500)]
    found = await reconciled(house, written(rows, trailer=False), cycle, mapping="books")
    assert found.found == {("DUPLICATE", "o1"): 1}


async def test_a11_a_key_of_an_earlier_file_of_the_period_is_a_duplicate(house: House) -> None:
    declare(house, "fuel", MINE)
    await _sold(house, o1=(1000,), o2=(1000,))
    cycle = await house.close(NOON + days(1))
    first = await reconciled(house, written([_row("k1", "o1", 1000), _row("k2", "o2", 1000)]), cycle, mapping="books")
    assert first.outcomes == {"MATCHED": (2, 2)}
    # Of the operator, and so not in place of the first.
    declare(house, "fuel", MINE | {"partner": house.runtime.catalogue.alliance.code})
    second = await reconciled(house, written([_row("k1", "o1", 1000)]), cycle, mapping="books")
    assert second.found == {("DUPLICATE", "o1"): 1}


async def test_a14_an_order_placed_elsewhere_is_matched_by_no_reference_of_it(house: House) -> None:
    """Who sends a file does not find out by it which orders others have."""
    declare(house, "grocer", {**MINE, "partner": "fuel", "columns": {**MINE["columns"]}})
    await _sold(house, o1=(1000,))
    cycle = await house.close(NOON + days(1))
    found = await reconciled(house, written([_row("k1", "o1", 1000, "9")]), cycle, mapping="books", merchant="grocer")
    assert found.found == {("MISSING_HERE", "o1"): 1, ("MISSING_THERE", None): 1}


async def test_a11_a_dry_run_says_the_same_and_keeps_nothing(house: House) -> None:
    declare(house, "fuel", MINE)
    await _sold(house, o1=(1000,))
    cycle = await house.close(NOON + days(1))
    tried = await reconciled(house, written([_row("k1", "o9", 1000)]), cycle, mapping="books", dry_run=True)
    assert (tried.outcomes, tried.lines, tried.breaks) == ({"MISSING_HERE": (1, 0), "MISSING_THERE": (0, 1)}, [], [])
    real = await reconciled(house, written([_row("k1", "o9", 1000)]), cycle, mapping="books")
    assert (real.outcomes, real.file.id, len(real.breaks)) == (tried.outcomes, tried.file.id, 2)


async def test_a11_a_corrected_file_takes_the_place_of_the_first(house: House) -> None:
    declare(house, "fuel", MINE)
    await _sold(house, o1=(1000,), o2=(1000,), o3=(1000,))
    cycle = await house.close(NOON + days(1))
    wrong = written([_row("k1", "o1", 1000, "-1"), _row("k2", "o2", 1000, "-2")])
    first = await reconciled(house, wrong, cycle, mapping="books")
    owner = house.id("operator")
    async with house.runtime.database.transaction() as session:
        for one in first.breaks:
            kept = await session.merge(one)
            kept.owner_id = owner
            if one.order_ref == "o2":
                kept.status, kept.closed_at, kept.why = "WRITTEN_OFF", NOON, "a rounding of theirs"
    later = NOON + days(3)
    right = written([_row("k1", "o1", 1000), _row("k2", "o2", 1000, "-2")])
    second = await reconciled(house, right, cycle, mapping="books", as_of=later)
    # What was worked stays; what still differs goes on, with its owner and age.
    assert [(one.order_ref, one.outcome, one.owner_id) for one in second.breaks] == [("o3", "MISSING_THERE", owner)]
    assert second.breaks[0].opened_at == NOON
    before = await came(house, first.file.id)
    assert (before.file.status, before.file.superseded_by) == ("SUPERSEDED", second.file.id)
    assert {one.order_ref: one.status for one in before.breaks} == {
        "o1": "SUPERSEDED",
        "o2": "WRITTEN_OFF",
        "o3": "SUPERSEDED",
    }


async def test_a11_files_of_days_have_the_lines_that_were_booked_on_them(house: House) -> None:
    declare(house, "fuel", MINE)
    await _sold(house, o1=(1000,), o2=(1000,))
    booked = (await house.obligations())[0].booked_at
    today = booked.astimezone(house.runtime.catalogue.merchants["fuel"].timezone).date()
    async with house.runtime.database.transaction() as session:
        cycle = await ensure_open_cycle(session, NOON)
    found = await reconciled(house, written([_row("k1", "o1", 1000)]), cycle, mapping="books", day=today, as_of=booked)
    assert (found.outcomes, found.found) == (
        {"MATCHED": (1, 1), "MISSING_THERE": (0, 1)},
        {("MISSING_THERE", "o2"): 1},
    )
    # On the day after nothing was booked: what is said of it slipped from this one, or is not here.
    before = await reconciled(
        house,
        written([_row("k2", "o2", 1000), _row("k3", "o3", 1000)]),
        cycle,
        mapping="books",
        day=today + days(1),
        as_of=booked + days(1),
    )
    assert before.found == {("TIMING", "o2"): 1, ("MISSING_HERE", "o3"): 1}
    cycle = await house.close(NOON + days(1))
    # The whole cycle's file comes in place of both.
    whole = await reconciled(
        house, written([_row("k1", "o1", 1000), _row("k2", "o2", 1000)]), cycle, mapping="books", as_of=booked
    )
    assert whole.outcomes == {"MATCHED": (2, 2)}
    async with house.runtime.database.reader() as session:
        open_ = await session.scalar(text("SELECT count(*) FROM recon_break WHERE status = 'OPEN'"))
    assert open_ == 0
