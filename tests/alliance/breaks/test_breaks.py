"""Breaks are worked, singly and in bulk, until each ended in a correction, a claim or a reason (A11, A14, A16)."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from alliance.approvals.commands import About, approve
from alliance.breaks import commands, queries
from alliance.breaks.commands import Outcomes, Worked
from alliance.breaks.queries import Filter, Order
from alliance.breaks.rules import age, buckets, opened_before
from alliance.disputes.model import Dispute
from alliance.partnerfiles.model import BreakStatus, Outcome, ReconBreak
from alliance.reconciliation.queries import outstanding
from alliance.verify import verify
from domain.errors import InvalidInput
from domain.programs.catalogue import ByHand
from tests.alliance.breaks.support import ONE, TWO, broken, spent
from tests.alliance.partnerfiles.support import MINE, declare, reconciled, written
from tests.alliance.support import NOON, House, days

OPERATOR = About(ONE, "agreed by telephone", NOON)


def limit(house: House, millionths: int) -> None:
    """What one person may do alone."""
    catalogue = house.runtime.catalogue
    by_hand = ByHand({commands.ADJUST: millionths, commands.WRITE_OFF: millionths})
    house.runtime.catalogue = replace(catalogue, alliance=replace(catalogue.alliance, by_hand=by_hand))


async def do(
    house: House, act: Callable[..., Awaitable[Any]], ids: Sequence[uuid.UUID], about: About = OPERATOR
) -> Any:
    async with house.runtime.database.transaction() as session:
        return await act(session, house.runtime, ids, about)


async def read(house: House, id_: uuid.UUID) -> ReconBreak:
    async with house.runtime.database.session() as session:
        return (await queries.by_ids(session, None, [id_]))[id_]


def codes(items: Sequence[Worked]) -> list[str | None]:
    return [None if one.refusal is None else one.refusal.code for one in items]


async def test_a11_an_adjusted_break_is_booked_between_the_two_in_the_open_cycle(house: House) -> None:
    """The file says 5.50 where our line says 5.40; another line is missing here, a third one there."""
    limit(house, 100_000_000)
    line = await spent(house)
    differs = await broken(house, ours=5_400_000, theirs=5_500_000, line=line)
    missing = await broken(house, theirs=2_000_000, outcome=Outcome.MISSING_HERE)
    there = await broken(house, ours=300_000, outcome=Outcome.MISSING_THERE)
    outcomes = await do(house, commands.adjust, [differs, missing, there])
    assert (codes(outcomes.items), outcomes.approval_id) == ([None] * 3, None)
    booked = [row for row in await house.obligations() if row.kind == "CORRECTION"]
    assert [(house.code(row.debtor_id), row.amount, row.reverses) for row in booked] == [
        ("grocer", 100_000, line.operation_id),
        ("grocer", 2_000_000, None),
        ("fuel", 300_000, None),
    ]
    row = await read(house, differs)
    assert (row.status, row.closed_at, row.why) == ("ADJUSTED", NOON, "agreed by telephone")
    assert row.resolution_id == booked[0].operation_id
    assert codes((await do(house, commands.adjust, [differs])).items) == ["BREAK_CLOSED"]


async def test_i1_one_bad_break_keeps_no_other_from_being_worked(house: House) -> None:
    limit(house, 100_000_000)
    line = await spent(house)
    waiting = await broken(house, theirs=1, outcome=Outcome.TIMING, due_at=NOON + days(3))
    nobody = await broken(house, theirs=1, outcome=Outcome.MISSING_HERE, other=None)
    again = await broken(house, ours=5_400_000, theirs=5_500_000, line=line)
    good = await broken(house, ours=5_400_000, theirs=5_500_000, line=line)
    outcomes = await do(house, commands.adjust, [waiting, ONE, nobody, good])
    assert codes(outcomes.items) == ["BREAK_WAITS", "NOT_FOUND", "INVALID_INPUT", None]
    assert [one.refusal.path for one in outcomes.items if one.refusal] == [("breaks", str(at)) for at in range(3)]
    # The line that another break found to differ has been put right by now.
    assert codes((await do(house, commands.adjust, [again])).items) == ["BREAK_MOVED"]
    for wrong in ([], [ONE] * 501):
        with pytest.raises(InvalidInput):
            await do(house, commands.adjust, wrong)
    with pytest.raises(InvalidInput):
        await do(house, commands.write_off, [again], replace(OPERATOR, why=" "))


async def test_a16_above_the_limit_of_all_together_a_second_person_approves(house: House) -> None:
    limit(house, 5_000_000)
    some = [await broken(house, theirs=3_000_000, outcome=Outcome.MISSING_HERE) for _ in range(2)]
    outcomes: Outcomes = await do(house, commands.write_off, some)
    assert [one.waits for one in outcomes.items] == [True, True]
    assert (await read(house, some[0])).status == BreakStatus.OPEN
    assert (await do(house, commands.write_off, some[:1])).approval_id is None
    assert outcomes.approval_id is not None
    async with house.runtime.database.transaction() as session:
        done = await approve(session, house.runtime, outcomes.approval_id, replace(OPERATOR, who=TWO))
    assert done.outcome == {"closed": [str(some[1])], "left": [str(some[0])]}
    row = await read(house, some[1])
    assert (row.status, row.why, row.resolution_id) == ("WRITTEN_OFF", "agreed by telephone", None)


async def test_a10_a11_what_is_in_the_merchants_favour_is_claimed(house: House) -> None:
    """5.40 is owed to fuel, which says 5.50; once that is settled it claims the rest."""
    line = await spent(house)
    ids = [
        await broken(house, ours=5_400_000, theirs=5_500_000, line=line),
        await broken(house, ours=5_400_000, theirs=5_300_000, line=line),
        await broken(house, theirs=2_000_000, outcome=Outcome.MISSING_HERE),
    ]
    about = replace(OPERATOR, merchant_id=house.id("fuel"))

    async def claimed(chosen: list[uuid.UUID]) -> list[str | None]:
        async with house.runtime.database.transaction() as session:
            return codes(await commands.claim(session, house.runtime.catalogue.alliance, chosen, None, about))

    assert await claimed(ids) == ["CLAIM_TOO_EARLY", "NOTHING_TO_CLAIM", None]
    await house.through(await house.close())
    assert await claimed(ids) == [None, "NOTHING_TO_CLAIM", "BREAK_CLOSED"]
    async with house.runtime.database.session() as session:
        claims = {claim.break_id: claim for claim in await session.scalars(select(Dispute))}
    assert [(claims[id_].claimed, claims[id_].code) for id_ in (ids[0], ids[2])] == [
        (100_000, "WRONG_AMOUNT"),
        (2_000_000, "MISSING_LINE"),
    ]
    row = await read(house, ids[0])
    assert (row.status, row.resolution_id) == ("CLAIMED", claims[ids[0]].id)


async def test_a14_a_merchant_works_those_of_its_own_files(house: House) -> None:
    limit(house, 100_000_000)
    favour = await broken(house, theirs=1_000_000, outcome=Outcome.MISSING_HERE)
    against = await broken(house, ours=1_000_000, outcome=Outcome.MISSING_THERE)
    fuel, grocer = (replace(OPERATOR, merchant_id=house.id(code)) for code in ("fuel", "grocer"))
    assert codes((await do(house, commands.adjust, [favour, against], grocer)).items) == ["NOT_FOUND"] * 2
    assert codes((await do(house, commands.adjust, [favour, against], fuel)).items) == ["NOT_ALLOWED", None]
    async with house.runtime.database.transaction() as session:
        assert codes(await commands.assign(session, [favour], TWO, grocer)) == ["NOT_FOUND"]
        assert codes(await commands.assign(session, [favour, against], TWO, fuel)) == [None, "BREAK_CLOSED"]
        assert codes(await commands.note(session, [favour, against], "asked the bank", fuel)) == [None, None]
    assert (await read(house, favour)).owner_id == TWO
    async with house.runtime.database.session() as session:
        notes = await queries.notes(session, [favour])
        assert [(note.text, note.who) for note in notes[favour]] == [("asked the bank", ONE)]
        for party, seen in ((None, 2), (house.id("fuel"), 2), (house.id("grocer"), 0)):
            assert await queries.count(session, party, Filter()) == seen
        assert len(await queries.by_ids(session, house.id("grocer"), [favour])) == 0


def test_a11_ages_are_business_days(house: House) -> None:
    """2017-06-01 is a Thursday; Independence Day is a Tuesday."""
    alliance = house.runtime.catalogue.alliance
    assert [age(NOON, alliance, NOON + days(n)) for n in (0, 1, 2, 3, 4, 7, 33)] == [0, 1, 1, 1, 2, 5, 22]
    now = datetime(2017, 7, 20, 16, tzinfo=UTC)
    bounds = {n: opened_before(n, alliance, now) for n in (0, 1, 5, 30)}
    for opened in (now - timedelta(hours=7 * n) for n in range(250)):
        for least, before in bounds.items():
            assert (before is None or opened < before) == (age(opened, alliance, now) >= least)
    assert [(one.youngest, one.oldest) for one in buckets(alliance, now)] == [(0, 4), (5, 10), (11, 30), (31, None)]


async def test_a11_the_queue_by_age_and_by_amount(house: House) -> None:
    ages = (0, 6, 12, 40, 100)
    ids = [
        await broken(house, theirs=(n + 1) * 1_000_000, outcome=Outcome.MISSING_HERE, opened_at=NOON - days(old))
        for n, old in enumerate(ages)
    ]
    limit(house, 100_000_000)
    closed = await broken(house, theirs=9_000_000)
    await do(house, commands.write_off, [closed])
    alliance = house.runtime.catalogue.alliance
    wanted = Filter(status=BreakStatus.OPEN)
    async with house.runtime.database.session() as session:
        for order, expected in ((Order.AGE, ids[::-1]), (Order.AMOUNT, ids[::-1])):
            found: list[uuid.UUID] = []
            after = None
            while rows := await queries.page(session, None, wanted, order, 2, after):
                found += [row.id for row in rows]
                after = (queries.sort_value(order, rows[-1]), rows[-1].id)
            assert found == expected
        by_age = await queries.totals(session, None, wanted, buckets(alliance, NOON))
        assert [(count, amount) for _, count, amount in by_age] == [
            (2, 3_000_000),
            (1, 3_000_000),
            (1, 4_000_000),
            (1, 5_000_000),
        ]
        old = Filter(opened_before=opened_before(11, alliance, NOON), min_amount=4_500_000)
        assert [row.id for row in await queries.page(session, None, old, Order.AGE, 9)] == [ids[4]]
        left = [one for one in await outstanding(session, NOON) if one.what == "breaks that are open"]
        assert [(one.count, one.amount, one.since) for one in left] == [(5, 15_000_000, NOON - days(100))]


async def test_a11_the_proof_names_a_break_that_ended_in_nothing(house: House) -> None:
    limit(house, 100_000_000)
    await spent(house)
    id_ = await broken(house, theirs=1_000_000, outcome=Outcome.MISSING_HERE)
    await do(house, commands.adjust, [id_])
    wrong = {
        "theirs = 1000001": "the correction of a break is its difference",
        "why = ''": "a closed break says how it ended",
        "status = 'CLAIMED'": "a claimed break has its claim",
        "resolution_id = id": "a correction of a break has its break",
    }
    row = await read(house, id_)
    for change, check in wrong.items():
        async with house.runtime.database.transaction() as session:
            await session.execute(text(f"UPDATE recon_break SET {change}"))
        async with house.runtime.database.session() as session:
            assert check in {one.check for one in (await verify(session)).differences}
        kept = {"theirs": row.theirs, "why": row.why, "resolution": row.resolution_id, "status": row.status}
        async with house.runtime.database.transaction() as session:
            back = "UPDATE recon_break SET theirs = :theirs, why = :why, resolution_id = :resolution, status = :status"
            await session.execute(text(back), kept)


async def test_a11_from_a_partners_file_to_a_correction_and_not_found_again(house: House) -> None:
    """Fuel's books say 8.50 where ours say that it owes 9.00, and lack a line of ours."""
    limit(house, 100_000_000)
    declare(house, "fuel", MINE)
    member = await house.member()
    for order in ("o1", "o2", "o3"):
        await house.earn(member, "fuel", 1000, order_ref=order)
    cycle = await house.close(NOON + days(1))
    rows = [("k1", "o1", "2017-06-01", "-9.000000", 1000), ("k2", "o2", "2017-06-01", "-8.500000", 1000)]
    came = await reconciled(house, written(rows), cycle, mapping="books")
    found = {one.order_ref: one.id for one in came.breaks}
    assert set(found) == {"o2", "o3"}
    by_hand = await do(house, commands.adjust, [found["o2"]])
    off = await do(house, commands.write_off, [found["o3"]])
    assert codes([*by_hand.items, *off.items]) == [None, None]
    (booked,) = [row for row in await house.obligations() if row.kind == "CORRECTION"]
    assert (house.code(booked.creditor_id), booked.amount, booked.cycle_id != cycle.id) == ("fuel", 500_000, True)
    assert booked.order_ref == "o2"
    again = await reconciled(house, written(rows), cycle, mapping="books", key="again", as_of=NOON + days(2))
    assert again.breaks == []
