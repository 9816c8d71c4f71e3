"""Wrong prices are put right in the open cycle, once, with their fees and all that came back of them (A11)."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import select, text

from alliance.agreements.book import Fee
from alliance.approvals.commands import About, approve
from alliance.clearing.model import Obligation
from alliance.corrections.commands import Line, book
from alliance.corrections.model import Cause
from alliance.rerating import commands, queries
from alliance.rerating.commands import Asked, Preview, preview, put_right, rerate, run_again
from alliance.rerating.errors import NothingToRerate
from alliance.rerating.rules import Priced, Why
from alliance.verify import verify
from domain.errors import InvalidInput, NotFound
from tests.alliance.support import NOON, House, days

ONE, TWO = uuid.UUID(int=71), uuid.UUID(int=72)
ASKING = About(ONE, "the price of spring was forgotten", NOON)
JUNE = (date(2017, 6, 1), date(2017, 7, 1))
FEES = (Fee(frozenset({"redeem", "earn"}), Fraction(1, 100), 0, "issuer"),)


def asked(house: House, prices: Mapping[tuple[Priced, str], int] | None = None, **named: Any) -> Asked:
    """A re-rating of June between grocer and fuel."""
    named = {"first": JUNE[0], "before": JUNE[1]} | named
    return Asked(house.version().agreement_id, prices=prices or {}, **named)


async def look(house: House, about: Asked) -> Preview:
    async with house.runtime.database.session() as session:
        return await preview(session, house.runtime, about, NOON)


async def approved(house: House, about: Asked) -> uuid.UUID:
    """Asked for by one and approved by another; not yet carried out."""
    async with house.runtime.database.transaction() as session:
        waiting = await rerate(session, house.runtime, about, ASKING)
    async with house.runtime.database.transaction() as session:
        done = await approve(session, house.runtime, waiting.approval_id, replace(ASKING, who=TWO))
        assert done.outcome is not None
        return uuid.UUID(done.outcome["rerate"])


async def carry_out(house: House, rerate_id: uuid.UUID) -> int:
    """Block by block; how many there were."""
    blocks = 0
    while True:
        async with house.runtime.database.transaction() as session:
            if not await put_right(session, house.runtime, rerate_id, NOON):
                return blocks
        blocks += 1


async def again(house: House, rerate_id: uuid.UUID) -> None:
    async with house.runtime.database.transaction() as session:
        await run_again(session, rerate_id, NOON)
    await carry_out(house, rerate_id)


async def corrections(house: House) -> list[tuple[str, str, int, str]]:
    """Debtor, creditor, points and amount of all lines that were booked by hand."""
    return [tuple(line[1:]) for line in await house.owed() if line[0] == "CORRECTION"]  # type: ignore[misc]


async def owed(house: House) -> dict[tuple[str, str], int]:
    """What each owes each other, in millionths."""
    found: dict[tuple[str, str], int] = {}
    for row in await house.obligations():
        pair = (house.code(row.debtor_id), house.code(row.creditor_id))
        found[pair] = found.get(pair, 0) + row.amount
    return found


async def test_a11_a_wrong_price_is_re_rated_in_the_open_cycle(house: House) -> None:
    """600 points spent at 0.009 that should have been 0.0085: 5.40 owed is 5.10, its fee of a hundredth with it."""
    house.agree(replace(house.version(), fees=FEES))
    member = await house.member()
    await house.earn(member, "grocer", 2000)
    spent = await house.spend(member, "fuel", 600)
    await house.reverse(member, spent)
    await house.spend(member, "fuel", 600)
    cycle = await house.through(await house.close())
    about = asked(house, {(Priced.SPEND, "GRO"): 850_000})
    seen = await look(house, about)
    by_pair = {(house.code(d), house.code(c), moved.before, moved.after) for (d, c, _), moved in seen.totals.items()}
    assert by_pair == {("grocer", "fuel", 5_400_000, 5_100_000), ("grocer", "operator", 54_000, 51_000)}
    assert (seen.lines, seen.left, seen.complete) == (6, {}, True)
    rerate_id = await approved(house, about)
    assert await corrections(house) == []
    await carry_out(house, rerate_id)
    async with house.runtime.database.session() as session:
        rows = (await session.scalars(select(Obligation).where(Obligation.kind == "CORRECTION"))).all()
    assert len(rows) == 12
    assert all(row.reverses is not None and row.cycle_id != cycle.id for row in rows)
    assert all(row.price is None or row.amount * 100 == row.points * row.price for row in rows)
    assert await owed(house) == {("grocer", "fuel"): 5_100_000, ("grocer", "operator"): 51_000}


async def test_a11_nothing_is_put_right_twice(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between two blocks and run again, run again when done, and asked for again."""
    monkeypatch.setattr(commands, "BLOCK", 1)
    member = await house.member()
    await house.earn(member, "grocer", 1000)
    for _ in range(3):
        await house.spend(member, "fuel", 100)
    about = asked(house, {(Priced.SPEND, "GRO"): 800_000})
    rerate_id = await approved(house, about)
    async with house.runtime.database.session() as session:
        assert await put_right(session, house.runtime, rerate_id, NOON)
        await session.rollback()
    async with house.runtime.database.transaction() as session:
        assert await put_right(session, house.runtime, rerate_id, NOON)
    assert await carry_out(house, rerate_id) == 2
    assert len(await corrections(house)) == 6
    await again(house, rerate_id)
    assert len(await corrections(house)) == 6
    with pytest.raises(NothingToRerate):
        await approved(house, about)
    # At yet another price: from what it came to by then.
    later = await approved(house, asked(house, {(Priced.SPEND, "GRO"): 700_000}))
    await carry_out(house, later)
    assert await owed(house) == {("grocer", "fuel"): 2_100_000}
    await again(house, rerate_id)
    assert await owed(house) == {("grocer", "fuel"): 2_100_000}


async def test_a11_what_is_reversed_later_is_picked_up_when_it_runs_again(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 1000)
    spent = await house.spend(member, "fuel", 600)
    rerate_id = await approved(house, asked(house, {(Priced.SPEND, "GRO"): 850_000}))
    await carry_out(house, rerate_id)
    await house.reverse(member, spent, as_of=NOON + days(40), occurred_at=NOON + days(40))
    assert await owed(house) == {("grocer", "fuel"): -300_000}
    await again(house, rerate_id)
    assert await owed(house) == {("grocer", "fuel"): 0}


async def test_a11_by_another_version_with_what_is_owed_later(house: House) -> None:
    """Half is paid at issue, half when a point is spent: both by the version that should have counted."""
    old = house.version()
    place = (house.id("fuel"), "GRO")
    wrong = replace(old.earn[place], funding="split", at_use=4500)
    right = replace(wrong, owed=8000, at_use=4000)
    version = replace(old, version=7, earn={**old.earn, place: wrong}, redeem={}, fees=(), valid_from=NOON - days(9))
    later = replace(version, version=8, earn={**old.earn, place: right}, valid_from=NOON + days(20))
    house.agree(later, replace(version, valid_to=later.valid_from))
    member = await house.member()
    await house.earn(member, "fuel", 1000)
    await house.spend(member, "grocer", 400)
    assert await owed(house) == {("fuel", "grocer"): 4_500_000 + 1_800_000}
    part = await look(house, asked(house, version=8))
    assert part.left == {Why.OTHER_DAYS: 1}
    assert part.lines == 1
    about = asked(house, version=8, first=date(2017, 5, 1))
    await carry_out(house, await approved(house, about))
    assert await owed(house) == {("fuel", "grocer"): 4_000_000 + 1_600_000}


async def test_a11_lines_that_somebody_put_right_are_left(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 1000)
    posted = await house.spend(member, "fuel", 100)
    await house.spend(member, "fuel", 100)
    about = asked(house, {(Priced.SPEND, "GRO"): 850_000})
    row = next(row for row in await house.obligations() if row.operation_id == posted.operation_id)
    place = (row.holder_id, row.operation_id, row.seq)
    async with house.runtime.database.transaction() as session:
        line = Line(row.debtor_id, row.creditor_id, -50_000, corrects=place)
        words = {"cause": Cause.ADJUSTMENT, "cause_id": None, "who": ONE, "why": "agreed", "as_of": NOON}
        await book(session, house.runtime.catalogue.alliance, [line], **words)  # type: ignore[arg-type]
    seen = await look(house, about)
    assert (seen.lines, seen.left) == (1, {Why.CORRECTED: 1})


async def test_a11_what_makes_no_sense_is_refused(house: House) -> None:
    price = {(Priced.SPEND, "GRO"): 850_000}
    for wrong, refusal in (
        (asked(house, price, before=JUNE[0]), InvalidInput),
        (asked(house), InvalidInput),
        (asked(house, price, version=1), InvalidInput),
        (asked(house, {(Priced.SPEND, "GRO"): 850_001}), InvalidInput),
        (asked(house, version=99), NotFound),
        (replace(asked(house, price), agreement_id=ONE), NotFound),
    ):
        with pytest.raises(refusal):
            await look(house, wrong)


async def test_a14_a_merchant_sees_the_re_ratings_of_its_agreements(house: House) -> None:
    house.agree(replace(house.version(), fees=FEES))
    member = await house.member()
    await house.earn(member, "grocer", 1000)
    await house.spend(member, "fuel", 600)
    rerate_id = await approved(house, asked(house, {(Priced.SPEND, "GRO"): 850_000}))
    await carry_out(house, rerate_id)
    async with house.runtime.database.session() as session:
        for party, seen in ((None, 2), (house.id("grocer"), 2), (house.id("fuel"), 1)):
            assert [row.id for row in await queries.page(session, party, 5)] == [rerate_id]
            assert len((await queries.corrected(session, [rerate_id], party))[rerate_id]) == seen
        assert await queries.page(session, ONE, 5) == []
        assert await queries.by_id(session, rerate_id, ONE) is None


async def test_a11_the_proof_names_a_re_rated_line_that_differs(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 1000)
    await house.spend(member, "fuel", 600)
    rerate_id = await approved(house, asked(house, {(Priced.SPEND, "GRO"): 850_000}))
    await carry_out(house, rerate_id)
    async with house.runtime.database.transaction() as session:
        await session.execute(text("UPDATE rerate_line SET amount_after = amount_after + 1"))
    async with house.runtime.database.session() as session:
        proof = await verify(session)
    assert {one.check for one in proof.differences} >= {"a re-rated line was put right as it says"}
    async with house.runtime.database.transaction() as session:
        await session.execute(text("UPDATE rerate_line SET amount_after = amount_after - 1"))
