"""The night's stages: in ranges, by the terms of each place, and told once."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from alliance.runtime import Runtime
from domain.base import new_id
from domain.events.model import Event, HeldJob, Job
from domain.members.model import Membership
from domain.stages.queries import stages as stages_of
from tests.alliance.file.test_life import SECTION
from tests.alliance.file.test_members import applied
from tests.alliance.support import NOON, House
from tests.workers.support import all_jobs
from workers.actors import member_stages


async def night(runtime: Runtime, days: int) -> int:
    """What the scheduler starts, and the jobs that this adds; how many jobs."""
    args = {"as_of": (NOON + timedelta(days=days)).isoformat()}
    async with runtime.database.transaction() as session:
        await session.execute(delete(Job))
        assert await member_stages.stages(runtime, session, [HeldJob(new_id(), args, 1)]) == {}
    jobs = await all_jobs(runtime.database)
    async with runtime.database.transaction() as session:
        held = [HeldJob(job.id, job.args, 1) for job in jobs]
        assert await member_stages.stages_range(runtime, session, held) == {}
    return len(jobs)


async def test_the_night_derives_stages_by_the_file_and_tells_of_changes_once(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(runtime)
    grocer = house.id("grocer")
    members = [await house.member() for _ in range(3)]
    async with runtime.database.transaction() as session:
        for id_ in members:
            session.add(
                Membership(holder_id=id_, merchant_id=grocer, number="1", joined_at=NOON, channel="APP", store=None)
            )
    assert await night(runtime, 40) == 0, "nobody has a stage where the file has none"
    await applied(runtime, SECTION)
    monkeypatch.setattr(member_stages, "MEMBERS_A_JOB", 2)
    for days in (1, 40, 40):
        assert await night(runtime, days) == 2
    async with runtime.database.session() as session:
        found = await stages_of(session, members, grocer)
        told = (await session.scalars(select(Event).where(Event.kind == "MEMBER_STAGE_CHANGED"))).all()
    assert [row.stage for id_ in members for row in found[id_]] == ["DORMANT"] * 3
    at_grocer = [event for event in told if event.data.get("merchant") == str(grocer)]
    assert len(at_grocer) == 3
    assert {(event.data["from"], event.data["to"]) for event in at_grocer} == {("NEW", "DORMANT")}
