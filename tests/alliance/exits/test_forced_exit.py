"""R13, clause by clause."""

import importlib
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from alliance.clearing.adjustments import adjust_request
from alliance.clearing.holds import hold_request, release_request
from alliance.exits.commands import exit_request, programmes, reverse_exit_request
from alliance.file import FileErrors, parse
from alliance.gifts.commands import gift_request
from alliance.stored_value.commands import refund_request
from alliance.stored_value.errors import StoredValueElsewhere, StoredValueNotExchanged
from domain.base import new_id
from domain.events.model import HeldJob
from domain.ledger.errors import AlreadyReversed, GiftsNotAllowed, InsufficientPoints
from domain.ledger.model import Hold
from domain.ledger.queries import WalletKey, lifetime
from domain.ledger.request import Posted
from domain.members.model import Member
from domain.notices.model import Outcome
from domain.programs.prepaid import FORCED_EXIT_FORBIDDEN
from tests.alliance.exits.support import WEEK, all_exits, night, notices, operation_of, sold, switch_on, tell
from tests.alliance.file.alliances import SMALL
from tests.alliance.jobs import work_off
from tests.alliance.support import CLIENT, NOON, House, days, key
from tests.domain.ledger.test_stops import stopped

ACTORS = importlib.import_module("workers.actors.exits")
"""The module: its package has a function of its name."""
NAMED = {"as_of": NOON, "client_id": CLIENT}


@pytest.mark.parametrize(
    ("times", "earned", "is_sold"), [(2, 200, False), (2, 201, True), (3, 300, False), (3, 301, True)]
)
async def test_r13_strictly_more_than_so_many_times_what_was_spent(
    house: House, times: int, earned: int, is_sold: bool
) -> None:
    switch_on(house, times=times)
    ann = await house.member()
    await house.earn(ann, "grocer", earned)
    await house.spend(ann, "grocer", 100)
    assert [one.points for one in await sold(house)] == ([earned - 100] if is_sold else [])


async def test_r13_off_unless_a_programme_switches_it_on(house: House) -> None:
    ann = await house.member()
    await house.earn(ann, "grocer", 1_000)
    assert await sold(house) == []
    assert await notices(house) == []


async def test_r13_ranges_are_done_each_by_itself_and_a_holder_who_is_stopped_is_left_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ACTORS, "HOLDERS_A_JOB", 2)
    switch_on(house)
    people = [await house.member() for _ in range(5)]
    for person in people:
        await house.earn(person, "grocer", 100)
    await stopped(house.runtime.database, people[1])
    for as_of, jobs in ((NOON, 3), (NOON + WEEK, 3), (NOON + WEEK, 1)):
        async with house.runtime.database.transaction() as session:
            await ACTORS.exits(house.runtime, session, [HeldJob(new_id(), {"as_of": as_of.isoformat()}, 1)])
        assert await work_off(house, "exits_range", ACTORS.exits_range) == jobs
        for notice in await notices(house):
            await tell(house.runtime, notice, NOON)
    assert {one.holder_id for one in await all_exits(house)} == {*people} - {people[1]}


async def test_r13_r05_the_law_of_where_a_member_lives_protects_them_too(house: House) -> None:
    """Nor by a request that was made before they moved there."""
    switch_on(house)
    there = sorted(FORCED_EXIT_FORBIDDEN)[0]
    ann, bob, moved = await house.member(jurisdiction=there), await house.member(), await house.member()
    for person in (ann, bob, moved):
        await house.earn(person, "grocer", 100)
    await night(house)
    assert {notice.holder_id for notice in await notices(house)} == {bob, moved}
    async with house.runtime.database.transaction() as session:
        await session.execute(update(Member).where(Member.id == moved).values(jurisdiction=there))
    [programme] = programmes(house.runtime.catalogue, NOON)
    calls = [exit_request(house.runtime, programme, holder_id=one, as_of=NOON + WEEK) for one in (ann, bob, moved)]
    assert [getattr(one, "points", None) for one in await house.runtime.engine.post_many(calls)] == [0, 100, 0]
    assert [one.holder_id for one in await all_exits(house)] == [bob]


async def test_r13_net_of_returns(house: House) -> None:
    switch_on(house)
    ann, bob = await house.member(), await house.member()
    await house.earn(ann, "grocer", 200)
    await house.earn(bob, "grocer", 200)
    returned = await house.earn(bob, "grocer", 100)
    spent = await house.spend(ann, "grocer", 100)
    await house.spend(bob, "grocer", 100)
    await house.reverse(ann, spent)
    await house.reverse(bob, returned)
    assert [(one.holder_id, one.points) for one in await sold(house)] == [(ann, 200)]


async def test_r13_own_purchases_count_and_what_is_sold_is_issued_and_funded_by_the_programme(house: House) -> None:
    switch_on(house)
    ann, bob = await house.member(), await house.member()
    await house.earn(ann, "grocer", 300)
    await house.earn(ann, "fuel", 70)
    await house.earn(ann, "fuel", 100, of="FUE")
    await house.use(ann, await house.quote(ann, "FUE", "GRO", points_out=100))
    given = gift_request(house.runtime, giver_id=ann, receiver_id=bob, currency="GRO", points=200, key=key(), **NAMED)
    await house.runtime.engine.post(given)
    by_hand = {"member_id": bob, "currency": "GRO", "reason": "goodwill", "occurred_at": NOON, "key": key(), **NAMED}
    grocer = house.runtime.catalogue.merchants["grocer"]
    await house.runtime.engine.post(adjust_request(house.runtime, merchant=grocer, points=50, **by_hand))
    [exit_] = await sold(house)
    assert (exit_.holder_id, exit_.points) == (ann, 100), "neither what fuel paid for nor what came by exchange"
    left = [(lot.remaining, house.code(lot.funder_id)) for lot in await house.lots(ann, "GRO") if lot.remaining]
    assert left == [(70, "fuel"), (100, "fuel")]


async def test_r13_the_measure_is_worth_then_or_quantity(house: House) -> None:
    [first] = house.runtime.catalogue.currencies["GRO"].policies
    june = replace(first, version=2, valid_from=NOON, worth=2 * first.worth)  # type: ignore[operator]
    for measure, is_sold in (("quantity", True), ("worth", False)):
        switch_on(house, june, measure=measure)
        ann = await house.member()
        await house.earn(ann, "grocer", 300, occurred_at=NOON - days(1))
        await house.spend(ann, "grocer", 100)
        mine = [one for one in await sold(house, NOON + days(1)) if one.holder_id == ann]
        assert [(one.points, one.change) for one in mine] == ([(200, 400)] if is_sold else [])


async def test_r13_rounded_down_and_living_as_long_as_the_longest_lot(house: House) -> None:
    [first] = house.runtime.catalogue.currencies["GRO"].policies
    switch_on(house, replace(first, version=2, valid_from=NOON - days(900), worth=850_000))
    ann = await house.member()
    await house.earn(ann, "grocer", 111, as_of=NOON - days(30))
    await house.earn(ann, "grocer", 222)
    [exit_] = await sold(house)
    assert (exit_.points, exit_.change) == (333, 283), "333 x 0.0085 = 2.8305"
    [change] = await house.lots(ann, "GCARD")
    longest = max(lot.expires_at for lot in await house.lots(ann, "GRO") if lot.expires_at)
    assert (change.remaining, change.expires_at) == (283, longest), "the card's own policy ends sooner: six months"


async def test_r13_announced_seven_days_before(house: House) -> None:
    switch_on(house)
    ann = await house.member()
    await house.earn(ann, "grocer", 100)
    await night(house)
    await night(house, NOON + days(1))
    [notice] = await notices(house)
    assert (notice.kind, notice.points, notice.due_at) == ("EXIT", 100, NOON + WEEK)
    assert await house.count("job WHERE actor = 'notify'") == 1
    await night(house, NOON + 2 * WEEK)
    assert await all_exits(house) == [], "nobody told the member"
    told = NOON + days(15)
    await tell(house.runtime, notice, NOON + days(14), Outcome.FAILED)
    await tell(house.runtime, notice, told)
    await night(house, told + WEEK - timedelta(seconds=1))
    assert await all_exits(house) == []
    await night(house, told + WEEK)
    assert len(await all_exits(house)) == 1


async def test_r13_who_spends_in_the_week_keeps_their_points(house: House) -> None:
    switch_on(house)
    ann = await house.member()
    await house.earn(ann, "grocer", 100)
    await night(house)
    [notice] = await notices(house)
    await tell(house.runtime, notice, NOON)
    await house.spend(ann, "grocer", 50, as_of=NOON + days(6))
    await night(house, NOON + WEEK)
    assert await all_exits(house) == []
    await house.earn(ann, "grocer", 1, as_of=NOON + days(60))
    await night(house, NOON + days(61))
    assert await all_exits(house) == [], "what was told so long ago is told again"
    assert len(await notices(house)) == 2


async def test_r13_since_the_last_exit(house: House) -> None:
    switch_on(house)
    ann = await house.member()
    await house.earn(ann, "grocer", 500)
    await sold(house)
    later = NOON + days(30)
    await house.earn(ann, "grocer", 100, as_of=later)
    await house.spend(ann, "grocer", 50, as_of=later)
    assert len(await sold(house, later)) == 1, "100 is not more than twice 50, whatever was earned before"
    await house.earn(ann, "grocer", 1, as_of=later + days(30))
    assert [one.points for one in await sold(house, later + days(30))] == [500, 51]


async def test_r13_held_points_follow_when_free(house: House) -> None:
    switch_on(house)
    ann = await house.member()
    await house.earn(ann, "grocer", 100)
    grocer = house.runtime.catalogue.merchants["grocer"]
    held = await house.runtime.engine.post(
        hold_request(house.runtime, member_id=ann, merchant=grocer, points=30, seconds=604_800, key=key(), **NAMED)
    )
    [first] = await sold(house, NOON - days(5))
    assert (first.points, first.follows, len(first.waiting)) == (70, None, 1)
    await house.earn(ann, "grocer", 10, as_of=NOON + days(3))
    await house.spend(ann, "grocer", 5, as_of=NOON + days(3))
    await night(house, NOON + days(3))
    assert len(await all_exits(house)) == 1
    async with house.runtime.database.session() as session:
        hold = await session.get_one(Hold, (ann, uuid.UUID(held.data["hold"])))
    await house.runtime.engine.post(release_request(hold=hold, key=key(), client_id=CLIENT, as_of=NOON + days(4)))
    await night(house, NOON + days(4))
    follower = (await all_exits(house))[-1]
    assert (follower.points, follower.follows) == (30, first.operation_id)
    assert sum(lot.remaining for lot in await house.lots(ann, "GRO")) == 5, "what was earned since is its own"


async def test_r13_one_operation_that_is_reversible(house: House) -> None:
    switch_on(house)
    ann = await house.member()
    for points in (60, 40):
        await house.earn(ann, "grocer", points)
    [exit_] = await sold(house)
    operation = await operation_of(house, exit_)
    assert (operation.kind, operation.decisions) == ("EXIT", [{"rule": "forced-exit", "version": 1, "points": 100}])
    spent = await house.spend(ann, "grocer", 1, of="GCARD")
    with pytest.raises(InsufficientPoints):
        await _undo(house, ann, exit_.operation_id)
    await house.reverse(ann, spent)
    back = await _undo(house, ann, exit_.operation_id)
    assert (back.points, back.data) == (100, {"restored": 100, "expired": 0, "taken": 100})
    assert [lot.remaining for lot in await house.lots(ann, "GRO")] == [60, 40], "the very lots"
    with pytest.raises(AlreadyReversed):
        await _undo(house, ann, exit_.operation_id)
    assert len(await sold(house, NOON + days(60))) == 2, "as if the first had never been"


async def _undo(house: House, holder: uuid.UUID, operation_id: uuid.UUID) -> Posted:
    request = reverse_exit_request(
        house.runtime, holder_id=holder, operation_id=operation_id, currency="GRO", occurred_at=NOON, key=key(), **NAMED
    )
    return await house.runtime.engine.post(request)


async def test_r13_a_later_clawback_takes_from_the_change_first(house: House) -> None:
    [first] = house.runtime.catalogue.currencies["GRO"].policies
    switch_on(house, replace(first, version=2, valid_from=NOON - days(900), worth=300_000))
    ann = await house.member()
    earned = await house.earn(ann, "grocer", 100)
    await sold(house)
    [change] = await house.lots(ann, "GCARD")
    assert change.remaining == 30
    await house.spend(ann, "grocer", 20, of="GCARD", as_of=NOON + WEEK)
    await house.earn(ann, "grocer", 80, as_of=NOON + WEEK)
    back = await house.reverse(ann, earned, as_of=NOON + WEEK)
    assert (back.points, back.data["shortfall"]) == (100, 0)
    assert [lot.remaining for lot in await house.lots(ann, "GCARD")] == [0], "10 cents pay for 33 points"
    keys = [WalletKey(ann, code, NOON + WEEK) for code in ("GRO", "GCARD")]
    async with house.runtime.database.session() as session:
        points, change_ = (await lifetime(session, keys)).values()
    assert (points.earned, points.exited, change_.exited, change_.spent) == (80, -67, 20, 20)
    assert [lot.remaining for lot in await house.lots(ann, "GRO")] == [0, 80 - 67]


async def test_r13_change_is_of_use_at_its_issuer_only_and_never_money_again(house: House) -> None:
    switch_on(house)
    ann, bob = await house.member(), await house.member()
    await house.earn(ann, "grocer", 1_000)
    await sold(house)
    grocer = house.runtime.catalogue.merchants["grocer"]
    refund = {"member_id": ann, "merchant": grocer, "amount": None, "reason": "cash", "key": key(), **NAMED}
    with pytest.raises(InsufficientPoints):
        await house.runtime.engine.post(refund_request(house.runtime, **refund))
    gift = {"giver_id": ann, "receiver_id": bob, "currency": "GCARD", "points": 1, "key": key(), **NAMED}
    with pytest.raises(GiftsNotAllowed):
        await house.runtime.engine.post(gift_request(house.runtime, **gift))
    with pytest.raises(StoredValueNotExchanged):
        await house.quote(ann, "GCARD", "FUE", points_out=100)
    with pytest.raises(StoredValueElsewhere):
        await house.spend(ann, "fuel", 1, of="GCARD")
    assert (await house.spend(ann, "grocer", 1_000, of="GCARD", as_of=NOON + WEEK)).points == 1_000


TERMS = 'worth: {amount: "0.01", currency: USD}, forcedExit: {into: SVC}'
CARD = '{code: SVC, kind: stored_value, name: Card, worth: {amount: "0.01", currency: USD}}'


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("jurisdiction: US-OH", "jurisdiction: CA-QC", "CA-QC forbids forced exits .*187.8"),
        ('worth: {amount: "0.01", currency: USD}, forcedExit', "forcedExit", "sold at their worth"),
        ("into: SVC", "into: FUE", "stored value of the same merchant"),
        ("of: GRO", "of: SVC", "of use at its issuer only"),
        ("kind: points, name: Grocer", "kind: stamps, name: Grocer", "only points are sold so"),
    ],
)
def test_r13_apply_refuses_what_the_profile_forbids_and_change_that_is_money(old: str, new: str, reason: str) -> None:
    text = SMALL.replace("name: Grocer points}]", f"name: Grocer points, {TERMS}}}, {CARD}]")
    parse(text, "x.yaml")
    with pytest.raises(FileErrors, match=reason):
        parse(text.replace(old, new, 1), "x.yaml")
