"""L2 and the second half of R7: nobody loses points who was not told, and dates move where nobody could be."""

import importlib
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from alliance.clearing.tiers import expire_request
from alliance.file import FileErrors, parse
from domain.base import new_id
from domain.events.model import HeldJob
from domain.ledger.due import DueWallet
from domain.ledger.extensions import Extension, NoticeWindow
from domain.ledger.model import Operation
from domain.ledger.queries import WalletKey, wallets
from domain.ledger.verify import verify
from domain.notices.model import Outcome
from tests.alliance.exits.support import notices as all_notices
from tests.alliance.exits.support import tell
from tests.alliance.file.alliances import SMALL
from tests.alliance.jobs import work_off
from tests.alliance.support import House, days
from tests.domain.ledger.test_stops import released, stopped
from workers.actors.notices import notices, notices_range

ACTORS = importlib.import_module("workers.actors.notices")
"""The module: its package has a function of its name."""
ENDS = datetime.fromisoformat("2018-06-02T00:00:00-04:00")
MOVED = "dates move as an extension says"
CHECKED = {MOVED}


def switch_on(house: House, **changes: Any) -> None:
    """Holders of the grocer's points have to be told 30 to 60 days before they end."""
    currencies = dict(house.runtime.catalogue.currencies)
    [policy] = currencies["GRO"].policies
    currencies["GRO"] = replace(currencies["GRO"], policies=(replace(policy, notice=(30, 60), **changes),))
    house.runtime.catalogue = replace(house.runtime.catalogue, currencies=currencies)


async def night(house: House, as_of: datetime) -> None:
    """What the night does about notices."""
    async with house.runtime.database.transaction() as session:
        await notices(house.runtime, session, [HeldJob(new_id(), {"as_of": as_of.isoformat()}, 1)])
    await work_off(house, "notices_range", notices_range)


async def expire(house: House, member: uuid.UUID, as_of: datetime) -> int:
    """What the night books as expired."""
    wallet = DueWallet(member, "GRO", house.id("grocer"), lots=1)
    return (await house.runtime.engine.post(expire_request(house.runtime, wallet, as_of))).points


async def extensions(house: House) -> Sequence[Extension]:
    """All that there are."""
    async with house.runtime.database.session() as session:
        return (await session.scalars(select(Extension).order_by(Extension.operation_id))).all()


async def available(house: House, member: uuid.UUID, as_of: datetime) -> int:
    """What a wallet shows."""
    async with house.runtime.database.session() as session:
        [figures] = (await wallets(session, [WalletKey(member, "GRO", as_of)])).values()
    return figures[0].available


async def test_l02_a_notice_comes_due_once_with_a_job_when_its_window_opens(house: House) -> None:
    switch_on(house)
    ann = await house.member()
    for points in (60, 40):
        await house.earn(ann, "grocer", points)
    await night(house, ENDS - days(60) - timedelta(seconds=1))
    assert await all_notices(house) == []
    await night(house, ENDS - days(60))
    await night(house, ENDS - days(59))
    [notice] = await all_notices(house)
    assert (notice.kind, notice.holder_id, notice.points, notice.due_at) == ("EXPIRY", ann, 100, ENDS)
    assert (notice.opens_at, notice.closes_at) == (ENDS - days(60), ENDS - days(30))
    assert await house.count("job WHERE actor = 'notify'") == 1


async def test_l02_ranges_are_done_each_by_itself_and_a_holder_who_is_stopped_is_left_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ACTORS, "HOLDERS_A_JOB", 2)
    monkeypatch.setattr(ACTORS, "HOLDERS_AT_ONCE", 1)
    switch_on(house)
    people = [await house.member() for _ in range(5)]
    for person in people:
        await house.earn(person, "grocer", 100)
    await stopped(house.runtime.database, people[1])
    moment = {"as_of": (ENDS - days(60)).isoformat()}
    for done in range(2):
        async with house.runtime.database.transaction() as session:
            await notices(house.runtime, session, [HeldJob(new_id(), moment, 1)])
        assert await house.count("job WHERE actor = 'notices_range'") == 3
        assert [one.holder_id for one in await all_notices(house)] == [*people[:1], *people[2:]][: 4 * done]
        assert await work_off(house, "notices_range", notices_range) == 3
    assert len(await all_notices(house)) == 4
    await released(house.runtime.database, people[1])
    await night(house, ENDS - days(29))
    moved = {one.holder_id for one in await extensions(house)}
    assert moved == set(people), "nobody was told"


@pytest.mark.parametrize(("told", "counts"), [(60, True), (30, True), (29, False)])
async def test_r07_a_lot_does_not_expire_before_a_delivery_in_its_window(house: House, told: int, counts: bool) -> None:
    switch_on(house)
    ann = await house.member()
    await house.earn(ann, "grocer", 100)
    await night(house, ENDS - days(60))
    assert await expire(house, ann, ENDS) == 0
    [notice] = await all_notices(house)
    await tell(house.runtime, notice, ENDS - days(told))
    assert await expire(house, ann, ENDS - days(1)) == 0
    assert await expire(house, ann, ENDS) == (100 if counts else 0)


async def test_l02_without_a_notice_to_give_points_end_as_ever(house: House) -> None:
    ann = await house.member()
    await house.earn(ann, "grocer", 100)
    await night(house, ENDS - days(60))
    assert await all_notices(house) == []
    assert await expire(house, ann, ENDS) == 100


@pytest.mark.parametrize(("outcome", "day", "why"), [("NO_CHANNEL", 50, "NO_CHANNEL"), ("FAILED", 29, "NOT_DELIVERED")])
async def test_r07_with_no_channel_left_the_date_moves_by_the_window_visibly(
    house: House, outcome: str, day: int, why: str
) -> None:
    switch_on(house)
    ann = await house.member()
    await house.earn(ann, "grocer", 100)
    await house.spend(ann, "grocer", 30)
    await night(house, ENDS - days(60))
    [notice] = await all_notices(house)
    await tell(house.runtime, notice, ENDS - days(55), Outcome(outcome))
    await night(house, ENDS - days(day))
    await night(house, ENDS - days(day))
    [moved] = await extensions(house)
    assert (moved.points, moved.ended_at, moved.ends_at, moved.why) == (70, ENDS, ENDS + days(30), why)
    old, new = await house.lots(ann, "GRO")
    assert (old.remaining, new.remaining, new.expires_at) == (0, 70, ENDS + days(30))
    assert (new.source_lot_id, new.granted_at) == (old.id, old.granted_at)
    async with house.runtime.database.session() as session:
        operation = await session.get(Operation, (ann, moved.operation_id))
        assert operation is not None
        decided = [{"rule": f"notice:{why}", "points": 70, "version": 1}]
        assert (operation.kind, operation.decisions) == ("EXTEND", decided)
    assert await available(house, ann, ENDS) == 70
    await night(house, ENDS - days(29))
    again = (await all_notices(house))[-1]
    assert again.due_at == ENDS + days(30)
    await tell(house.runtime, again, ENDS - days(10))
    assert await expire(house, ann, ENDS + days(30)) == 70


async def test_r07_what_was_told_does_not_move_and_a_night_that_was_missed_is_made_good(house: House) -> None:
    switch_on(house)
    ann, bob = await house.member(), await house.member()
    for who in (ann, bob):
        await house.earn(who, "grocer", 100)
    await night(house, ENDS - days(60))
    told = next(one for one in await all_notices(house) if one.holder_id == ann)
    await tell(house.runtime, told, ENDS - days(40))
    await night(house, ENDS + days(1))
    [moved] = await extensions(house)
    assert (moved.holder_id, moved.ends_at) == (bob, ENDS + days(60)), "late enough for a notice"
    assert await available(house, bob, ENDS + days(1)) == 100


def test_r07_the_date_moves_as_often_as_it_takes() -> None:
    window = NoticeWindow(days(60), days(30))
    assert window.next_end(ENDS, ENDS - days(50)) == ENDS + days(30)
    assert window.next_end(ENDS, ENDS - days(30)) == ENDS + days(30)
    assert window.next_end(ENDS, ENDS) == ENDS + days(60)
    assert window.next_end(ENDS, ENDS + days(45)) == ENDS + days(90)


QUEBEC = SMALL.replace("jurisdiction: US-OH", "jurisdiction: CA-QC", 1)
INACTIVE = "name: Grocer points, expiry: {policy: inactivity, months: 12}"


@pytest.mark.parametrize("notice", ["", ", notice: {days: [10, 60]}", ", notice: {days: [30, 90]}"])
def test_l02_quebec_asks_for_a_notice_30_to_60_days_before(notice: str) -> None:
    parse(QUEBEC.replace("name: Grocer points", f"{INACTIVE}, notice: {{days: [30, 60]}}"), "x.yaml")
    with pytest.raises(FileErrors, match=r"CA-QC asks for a notice 30 to 60 days before .*79\.6\.3"):
        parse(QUEBEC.replace("name: Grocer points", f"{INACTIVE}{notice}"), "x.yaml")


@pytest.mark.parametrize(
    "tampering", ["DELETE FROM extension", "UPDATE extension SET ends_at = ends_at + interval '1 day'"]
)
async def test_r26_a_date_that_moved_without_a_word_is_found(house: House, tampering: str) -> None:
    switch_on(house)
    ann = await house.member()
    await house.earn(ann, "grocer", 100)
    await night(house, ENDS - days(29))
    [kept] = await extensions(house)
    connection = await house.runtime.database.connect()
    try:
        await connection.execute(tampering)
        async with house.runtime.database.session() as session:
            found = {difference.check for difference in (await verify(session)).differences}
        assert found == {MOVED}
        await connection.execute("DELETE FROM extension")
        put_back = "INSERT INTO extension VALUES ($1, $2, $3, $4, $5, $6, $7)"
        columns = (kept.holder_id, kept.operation_id, kept.currency, kept.points, kept.ended_at, kept.ends_at, kept.why)
        await connection.execute(put_back, *columns)
    finally:
        await connection.close()


async def test_r04_the_date_of_inactivity_moves_too(house: House) -> None:
    [policy] = house.runtime.catalogue.currencies["GRO"].policies
    inactive = replace(policy.expiry, kind="inactivity")
    switch_on(house, expiry=inactive)
    currencies = house.runtime.catalogue.currencies
    currencies = {**currencies, "GRO": replace(currencies["GRO"], sliding=(inactive,))}
    house.runtime.catalogue = replace(house.runtime.catalogue, currencies=currencies)
    ann = await house.member()
    await house.earn(ann, "grocer", 100)
    await night(house, ENDS - days(60))
    [notice] = await all_notices(house)
    assert notice.due_at == ENDS
    await night(house, ENDS - days(29))
    [moved] = await extensions(house)
    assert moved.ends_at == ENDS + days(30)
    assert await available(house, ann, ENDS + days(29)) == 100
    assert await available(house, ann, ENDS + days(30)) == 0
    [lot] = await house.lots(ann, "GRO")
    assert lot.sliding_id is not None
