"""Whatever a partner's files say: each line has one outcome, and what is open is what the two books differ by (A11)."""

import random
from typing import Any

import pytest

from alliance.partnerfiles.timing import look_again
from tests.alliance.partnerfiles.support import MINE, Came, came, declare, reconciled, written
from tests.alliance.support import NOON, House, days

Row = tuple[Any, ...]

EXACT = MINE | {"tolerance": {"amount": "0", "days": 0}}


async def _history(house: House, rng: random.Random, member: Any, cycle: int) -> list[Row]:
    """Sales at fuel, some of an order twice, some taken back; as fuel would have them."""
    rows: list[Row] = []
    for number in range(8):
        order = f"o{cycle}-{number}"
        for _ in range(rng.choice((1, 1, 1, 2))):
            points = rng.randrange(1, 50) * 100
            sold = await house.earn(member, "fuel", points, order_ref=order)
            rows.append((f"k{cycle}-{len(rows)}", order, "2017-06-01", f"{-points * 0.009:.6f}", points))
            if rng.random() < 0.15:
                await house.reverse(member, sold)
                rows.append((f"k{cycle}-{len(rows)}", order, "2017-06-01", f"{points * 0.009:.6f}", -points))
    return rows


def _mistaken(rng: random.Random, rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """The rows with the mistakes that are made, and those that slipped into the next file."""
    kept: list[Row] = []
    late: list[Row] = []
    for key, order, day, amount, points in rows:
        match rng.choices(("same", "lost", "twice", "wrong", "strange", "late", "day"), (6, 1, 1, 1, 1, 1, 1))[0]:
            case "same":
                kept.append((key, order, day, amount, points))
            case "twice":
                kept += [(key, order, day, amount, points)] * 2
            case "wrong":
                kept.append((key, order, day, f"{float(amount) + rng.randrange(1, 9):.6f}", rng.choice((points, ""))))
            case "strange":
                kept.append((key, f"x{order}", day, amount, points))
            case "late":
                late.append((key, order, day, amount, points))
            case "day":
                kept.append((key, order, "2017-05-30", amount, points))
    rng.shuffle(kept)
    return kept, late


def _require_whole(found: Came) -> None:
    outcomes = found.file.outcomes.values()
    assert sum(one["theirs"] for one in outcomes) == found.file.lines == len(found.lines)
    assert sum(int(one["theirsSum"]) for one in outcomes) == found.file.amount == sum(one.amount for one in found.lines)


@pytest.mark.parametrize("seed", range(2))
async def test_a11_what_is_open_is_what_the_books_differ_by(house: House, seed: int) -> None:
    declare(house, "fuel", EXACT)
    rng, member = random.Random(seed), await house.member()
    first_rows = await _history(house, rng, member, 1)
    first = await house.close(NOON + days(1))
    theirs, late = _mistaken(rng, first_rows)
    # Some of what is sold next is in their first file already.
    second_rows = await _history(house, rng, member, 2)
    early = [row for row in second_rows if rng.random() < 0.15]
    one = await reconciled(house, written(theirs + early), first, mapping="books", key="1")
    second = await house.close(NOON + days(2))
    async with house.runtime.database.transaction() as session:
        await look_again(session, NOON + days(2))
    rest, _ = _mistaken(rng, [row for row in second_rows if row not in early])
    two = await reconciled(house, written(late + rest), second, mapping="books", key="2")
    async with house.runtime.database.transaction() as session:
        await look_again(session, NOON + days(2))
    one, two = await came(house, one.file.id), await came(house, two.file.id)
    ours = sum(
        line.amount if line.creditor_id == house.id("fuel") else -line.amount for line in await house.obligations()
    )
    kept = [int(figures["oursSum"]) for found in (one, two) for figures in found.file.outcomes.values()]
    assert sum(kept) == ours, "each line of ours is in the outcomes of its period once"
    for found in (one, two):
        _require_whole(found)
        assert found.file.tolerated == 0
    open_ = [line for line in one.breaks + two.breaks if line.status == "OPEN"]
    differing = sum((line.theirs or 0) - (line.ours or 0) for line in open_)
    assert differing == one.file.amount + two.file.amount - ours
    assert len({line.outcome for line in open_}) > 2
