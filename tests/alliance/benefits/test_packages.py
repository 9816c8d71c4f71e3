"""Rights that come with a tier, and go with it (R24)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from alliance.file import parse
from alliance.file.errors import FileErrors
from domain.benefits.model import Right
from domain.events.model import Event, HeldJob, Job
from tests.alliance.benefits.support import HOUR, Rights
from tests.alliance.clearing.test_tiers import NEW_YEAR, buy, buying
from tests.alliance.kinds import file_of, put_in_force
from tests.alliance.support import NOON, House
from workers.actors import all_actors

RULES = """\
      - {code: credits, version: 1, from: 2017-01-01, of: VIP, points: 1, per: {amount: "1.00", currency: USD},
         round: {mode: floor, by: order}}
"""
BENEFITS = """\
      - {code: lounge, name: Lounge, uses: 2, stock: 5}
      - {code: wash, name: Wash}
"""
TIERS = """\
    tiers:
      credits: VIP
      levels:
        - {code: silver, name: Silver, threshold: 100, grants: [{kind: wash}]}
        - {code: gold, name: Gold, threshold: 300, grants: [{kind: lounge}, {kind: wash, quantity: 3}]}
"""
ACTOR = all_actors(b"s" * 32)["tier_rights"]


def programme(tiers: str = TIERS) -> str:
    return file_of(rules=RULES, of_grocer=tiers).replace("    benefits:\n", f"    benefits:\n{BENEFITS}")


@pytest.fixture(autouse=True)
async def declared(house: House) -> None:
    await put_in_force(house.runtime, programme())


async def follow(house: House, jobs: Sequence[Job] | None = None) -> None:
    """Do the jobs that changes of tiers have added, in this order; twice, as if the worker had been killed."""
    async with house.runtime.database.session() as session:
        found = jobs or (await session.scalars(select(Job).where(Job.actor == "tier_rights").order_by(Job.id))).all()
    for job in found:
        held = HeldJob(job.id, job.args, 1)
        async with house.runtime.database.transaction() as session:
            await ACTOR.work(house.runtime, session, [held])
            await session.rollback()
        async with house.runtime.database.transaction() as session:
            await ACTOR.work(house.runtime, session, [held])
            await session.execute(text("DELETE FROM job WHERE id = :id"), {"id": job.id})


async def had(house: House, member: UUID) -> list[tuple[str, int, int, int]]:
    """Kind, left, cancelled and used of each right, in the order of their grants."""
    async with house.runtime.database.session() as session:
        found = await session.scalars(select(Right).where(Right.holder_id == member).order_by(Right.id))
        return [(right.kind, right.remaining, right.cancelled, right.used) for right in found]


async def told(house: House, member: UUID) -> list[dict[str, Any]]:
    async with house.runtime.database.session() as session:
        events = select(Event.data).where(Event.holder_id == member, Event.kind == "TIER_RIGHTS").order_by(Event.id)
        names = ("level", "reason", "granted", "cancelled", "used", "booked", "refused")
        return [{name: data[name] for name in names if data[name]} for data in await session.scalars(events)]


async def test_r24_rights_of_a_tier_are_granted_once_and_taken_back_with_it(house: House) -> None:
    """What was used is counted, what is booked waits for its booking; silver's stay with silver."""
    member, rights = await house.member(), Rights(house)
    await buy(house, member, 100)
    order = await buy(house, member, 200)
    await follow(house)
    assert await had(house, member) == [("wash", 1, 0, 0), ("lounge", 2, 0, 0), ("wash", 3, 0, 0)]
    async with house.runtime.database.session() as session:
        found = {(r.kind, r.quantity): r for r in await session.scalars(select(Right).where(Right.holder_id == member))}
    await rights.use(found["wash", 3], at="grocer")
    booking = await rights.reserve(found["lounge", 2], at="grocer")
    await house.reverse(member, order, as_of=NOON + HOUR)
    await follow(house)
    assert await had(house, member) == [("wash", 1, 0, 0), ("lounge", 1, 1, 0), ("wash", 0, 2, 1)]
    assert await told(house, member) == [
        {"level": "silver", "reason": "REACHED", "granted": 1},
        {"level": "gold", "reason": "REACHED", "granted": 5},
        {"level": "silver", "reason": "RETURNED", "cancelled": 3, "used": 1, "booked": 1},
    ]
    await rights.end(await rights.again(found["lounge", 2]), booking, as_of=booking.expires_at, lapses=True)
    async with house.runtime.database.session() as session:
        (later,) = (await session.scalars(select(Job).where(Job.actor == "tier_rights"))).all()
    assert later.available_at > booking.expires_at
    await follow(house)
    assert (await had(house, member))[1] == ("lounge", 0, 2, 0)
    assert (await told(house, member))[3:] == [{"level": "silver", "reason": "RETURNED", "cancelled": 1}]
    assert await rights.left("STOCK") == 0
    async with house.runtime.database.session() as session:
        notes = await session.scalars(text("SELECT DISTINCT note FROM operation_note WHERE note LIKE 'tier%'"))
        assert notes.all() == ["tier gold lost: RETURNED"]


async def test_r24_a_tier_that_is_lost_before_its_job_brings_nothing(house: House) -> None:
    """In whatever order the jobs are done."""
    members = [await house.member() for _ in range(2)]
    for member in members:
        order = await buy(house, member, 300)
        await house.reverse(member, order, as_of=NOON + HOUR)
    async with house.runtime.database.session() as session:
        jobs = (await session.scalars(select(Job).where(Job.actor == "tier_rights").order_by(Job.id.desc()))).all()
    assert len(jobs) == 4
    await follow(house, jobs)
    assert [await had(house, member) for member in members] == [[], []]


async def test_r24_what_is_sold_out_is_told_and_a_new_period_brings_its_own(house: House) -> None:
    members = [await house.member() for _ in range(3)]
    for member in members:
        await buy(house, member, 300)
    await follow(house)
    assert [len(await had(house, member)) for member in members] == [2, 2, 1]
    refused = {"level": "gold", "reason": "REACHED", "granted": 3, "refused": "lounge: RIGHT_SOLD_OUT"}
    assert await told(house, members[2]) == [refused]
    last = members[2]
    await buy(house, last, 100, as_of=NEW_YEAR[2018] + timedelta(days=9))
    await settle(house, last, NEW_YEAR[2019] + HOUR)
    await follow(house)
    assert await had(house, last) == [("wash", 0, 3, 0), ("wash", 1, 0, 0)]
    silver = {"level": "silver", "reason": "ENDED", "granted": 1, "cancelled": 3}
    assert (await told(house, last))[1:] == [silver]


async def settle(house: House, member: UUID, as_of: datetime) -> None:
    """A purchase after the end of a period: what follows is decided with it."""
    await house.runtime.engine.post(buying(house, member, 0, as_of=as_of))


def test_the_rights_of_a_tier_are_benefits_of_its_merchant() -> None:
    with pytest.raises(FileErrors, match="has no benefit 'spa'"):
        parse(programme(TIERS.replace("kind: lounge", "kind: spa")), "x.yaml")
