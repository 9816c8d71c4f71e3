"""Looking for members who are one person: by jobs over ranges, remembered, and as well as people may rely on."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import delete, select

from alliance.runtime import Runtime
from benchmarks.duplicates import join, lay_out, quality
from benchmarks.people import Person, people
from domain.base import new_id
from domain.duplicates.commands import decide
from domain.duplicates.model import CandidateStatus, DuplicateCandidate, DuplicateKey
from domain.events.model import HeldJob, Job
from domain.profiles.commands import tell
from domain.profiles.model import Told
from tests.alliance.support import CLIENT, NOON
from tests.workers.support import all_jobs
from workers.actors import member_duplicates

ANN = Person("Ann", "Lee", "1980-02-03", "+12125550100", "ann.lee@example.org", "1 Main Street", 1)
ANNE = Person("Anne", "Lee", "1980-02-03", "+12125550100", "ann@example.net", "1 main street", 1, again=True)
BOB = Person("Bob", "Ray", "1970-01-01", "+12125550199", "bob@example.org", "2 Main Street", 2)


async def look(runtime: Runtime, *, at_once: bool = False) -> int:
    """What the scheduler starts, and the jobs that this adds, one after the other or all at once; how many jobs."""
    args = {"as_of": NOON.isoformat()}
    async with runtime.database.transaction() as session:
        await session.execute(delete(Job))
        assert await member_duplicates.duplicates(runtime, session, [HeldJob(new_id(), args, 1)]) == {}
    jobs = await all_jobs(runtime.database)

    async def work(job: Job) -> None:
        async with runtime.database.transaction() as session:
            assert await member_duplicates.duplicates_range(runtime, session, [HeldJob(job.id, job.args, 1)]) == {}

    if at_once:
        await asyncio.gather(*map(work, jobs))
    else:
        for job in jobs:
            await work(job)
    return len(jobs)


async def found(runtime: Runtime) -> list[DuplicateCandidate]:
    async with runtime.database.session() as session:
        return list(await session.scalars(select(DuplicateCandidate)))


async def test_a_pair_is_proposed_once_and_never_again_when_it_was_refused(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await look(runtime) == 0, "nobody looks where the file does not say so"
    await lay_out(runtime)
    ids = await join(runtime.database, runtime.catalogue, [ANN, BOB, ANNE])
    monkeypatch.setattr(member_duplicates, "MEMBERS_A_JOB", 1)
    assert await look(runtime, at_once=True) == 3
    [pair] = await found(runtime)
    assert (pair.one_id, pair.other_id) == tuple(sorted((ids[0], ids[2])))
    assert (pair.status, pair.exact) == ("PROPOSED", True)
    assert {name: how for name, (how, _) in pair.features.items()} == {
        "name": "alike", "birthday": "same", "phone": "same", "email": "other", "address": "same",
    }  # fmt: skip
    both: tuple[UUID, UUID] = (pair.one_id, pair.other_id)
    async with runtime.database.transaction() as session:
        await decide(session, both, CandidateStatus.NOT_SAME, client_id=CLIENT, note="sisters", as_of=NOON)
    await look(runtime)
    [again] = await found(runtime)
    assert (again.status, again.note, again.found_at) == ("NOT_SAME", "sisters", pair.found_at)


async def test_a_pair_that_is_none_any_more_is_withdrawn_and_only_hashes_are_kept(runtime: Runtime) -> None:
    await lay_out(runtime)
    ids = await join(runtime.database, runtime.catalogue, [ANN, ANNE])
    await look(runtime)
    assert len(await found(runtime)) == 1
    corrected = {"given_name": "Zoe", "family_name": "Quill", "birthday": "1999-09-09", "street": "9 Elm"}
    async with runtime.database.transaction() as session:
        merchants = {one.code: one.id for one in runtime.catalogue.merchants.values()}
        told = [Told(ids[1], corrected, datetime.now(UTC))]
        await tell(session, runtime.catalogue.members, merchants, told)
    await look(runtime)
    [pair] = await found(runtime)
    assert (pair.exact, pair.features["name"][0]) == (True, "other"), "the telephone number is still theirs both"
    async with runtime.database.session() as session:
        kept = (await session.scalars(select(DuplicateKey.key))).all()
    assert {len(key) for key in kept} == {16}


async def test_most_who_joined_twice_are_found_and_few_who_did_not(runtime: Runtime) -> None:
    await lay_out(runtime)
    everybody = people(400, again=0.2)
    ids = await join(runtime.database, runtime.catalogue, everybody)
    await look(runtime)
    async with runtime.database.session() as session:
        precision, recall = await quality(session, everybody, ids)
    assert precision >= 0.98
    assert recall >= 0.8
