"""The identity of A11 on random histories: the same history, booked at the right price from the start."""

import random
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from alliance.agreements.book import AgreementVersion
from domain.ledger.request import Posted
from tests.alliance.rerating.test_rerating import FEES, again, approved, asked, carry_out
from tests.alliance.support import NOON, House, days

CYCLES = 2
"""That a history closes."""

_PERIODS = text("""
    SELECT coalesce(f.number, c.number) AS number, b.debtor_id, b.creditor_id, sum(b.amount)::bigint AS amount
    FROM obligation b JOIN settlement_cycle c ON c.id = b.cycle_id
    LEFT JOIN correction r ON r.operation_id = b.operation_id
    LEFT JOIN obligation l ON l.operation_id = r.corrects_operation_id AND l.seq = r.corrects_seq
    LEFT JOIN settlement_cycle f ON f.id = l.cycle_id
    GROUP BY 1, 2, 3""")


async def periods(house: House) -> Counter[tuple[int, str, str]]:
    """What the lines of each cycle come to with their later corrections, by debtor and creditor."""
    async with house.runtime.database.session() as session:
        rows = await session.execute(_PERIODS)
        return Counter(
            {(row.number, house.code(row.debtor_id), house.code(row.creditor_id)): row.amount for row in rows}
        )


def versions(house: House) -> tuple[AgreementVersion, AgreementVersion]:
    """Wrong and right: at redemption half of what a point granted at fuel costs, and other prices; the same fees."""
    old = house.version()
    place = (house.id("fuel"), "GRO")

    def made(number: int, issued: int, spent: int) -> AgreementVersion:
        earn = replace(old.earn[place], owed=issued, funding="split", at_use=issued // 2)
        redeem = replace(old.redeem[place], owed=spent)
        return replace(
            old, version=number, earn={**old.earn, place: earn}, redeem={**old.redeem, place: redeem}, fees=FEES
        )

    return made(7, 9_000, 8_200), made(8, 8_460, 7_900)


async def play(house: House, dice: random.Random, steps: int, first: int) -> None:
    """Random earns, spends and returns of a new member; late ones too. Closes a cycle now and then."""
    member = await house.member()
    await house.earn(member, "grocer", 50_000)
    posted: list[Posted] = []
    cycle, at = first, NOON
    for _ in range(steps):
        match dice.choice(("earn", "spend", "spend", "late", "back", "close")):
            case "earn":
                posted.append(await house.earn(member, "fuel", dice.randint(1, 999), as_of=at, occurred_at=at))
            case "spend":
                posted.append(await house.spend(member, "fuel", dice.randint(1, 999), as_of=at, occurred_at=at))
            case "late":
                then = at - days(dice.randint(1, 6))
                posted.append(await house.spend(member, "fuel", dice.randint(1, 999), as_of=at, occurred_at=then))
            case "back" if posted:
                await house.reverse(member, posted.pop(dice.randrange(len(posted))), as_of=at, occurred_at=at)
            case "close" if cycle < first + CYCLES:
                await house.close(at)
                cycle, at = cycle + 1, at + days(1)
    for _ in range(first + CYCLES - cycle):
        await house.close(at)


@pytest.mark.parametrize("seed", [1, 2])
async def test_a11_a_period_and_its_corrections_come_to_the_corrected_period(house: House, seed: int) -> None:
    wrong, right = versions(house)
    later = replace(right, valid_from=NOON + days(30))
    house.agree(later, replace(wrong, valid_to=later.valid_from))
    await play(house, random.Random(seed), 14, first=1)
    about = asked(house, version=8, first=date(2017, 1, 1))
    rerate_id = await approved(house, about)
    await carry_out(house, rerate_id)
    await again(house, rerate_id)
    put_right = await periods(house)
    # The same once more, in the cycles after: now at the right price from the start.
    house.agree(replace(right, version=9))
    await play(house, random.Random(seed), 14, first=1 + CYCLES)
    both = await periods(house)
    again_: Counter[Any] = Counter()
    for (number, *parties), amount in both.items():
        again_[number, *parties] = amount - put_right[number, *parties]
    assert {key: amount for key, amount in put_right.items() if amount} == {
        (number - CYCLES, *parties): amount for (number, *parties), amount in again_.items() if amount
    }
