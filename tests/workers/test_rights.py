"""The night and the quarter hour of rights: what is over goes back by itself, in ranges, once."""

from datetime import datetime

from alliance.runtime import Runtime
from domain.base import new_id
from domain.events.model import HeldJob
from tests.alliance.benefits.support import HOUR, Rights
from tests.alliance.support import House
from tests.workers.support import all_jobs
from workers.actors import expiry, holds


async def work(runtime: Runtime, actor: str, as_of: datetime) -> int:
    """What the scheduler starts, and the jobs that this adds; how many jobs."""
    start, go_on = {"expire": (expiry.expire, expiry.expire_range), "lapse": (holds.lapse, holds.lapse_range)}[actor]
    async with runtime.database.transaction() as session:
        await start(runtime, session, [HeldJob(new_id(), {"as_of": as_of.isoformat()}, 1)])
    asked = (f"{actor}_range", as_of.isoformat())
    jobs = [job for job in await all_jobs(runtime.database) if (job.actor, job.args["as_of"]) == asked]
    for job in jobs:
        async with runtime.database.transaction() as session:
            assert await go_on(runtime, session, [HeldJob(job.id, job.args, 1)]) == {}
    return len(jobs)


async def test_a15_a_night_expires_what_is_past_its_date(runtime: Runtime) -> None:
    house = House(runtime)
    rights = Rights(house)
    granted = [await rights.grant(await house.member(), quantity=2) for _ in range(4)]
    over = granted[0].expires_at
    assert over is not None
    booked = await rights.reserve(granted[0], as_of=over - HOUR, hours=3)
    await rights.use(granted[1])
    assert await work(runtime, "expire", over - HOUR) == 0
    assert await work(runtime, "expire", over) == 1
    assert [(await rights.again(one)).remaining for one in granted] == [1, 0, 0, 0]
    assert await rights.left("STOCK") == -2, "one was used, one is booked"
    assert await work(runtime, "lapse", booked.expires_at) == 1
    assert await work(runtime, "expire", booked.expires_at) == 1
    assert await rights.left("STOCK") == -1
    assert await work(runtime, "expire", booked.expires_at + HOUR) == 0


async def test_a15_bookings_that_are_over_are_followed_up(runtime: Runtime) -> None:
    house = House(runtime)
    rights = Rights(house)
    right = await rights.grant(await house.member(), quantity=2)
    promised = await rights.reserve(right, promised=1)
    await rights.reserve(right)
    assert await work(runtime, "lapse", promised.expires_at - HOUR) == 0
    assert await work(runtime, "lapse", promised.expires_at) == 1
    now = await rights.again(right)
    assert (now.remaining, now.booked, now.used) == (1, 0, 1)
    assert [line[4] for line in await house.owed()] == ["1.000000"]
