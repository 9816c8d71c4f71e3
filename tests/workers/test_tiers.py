"""The night (R7): tiers that end, on the credits of the year that ends, before these expire; in ranges, once."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from alliance.runtime import Runtime
from domain.base import new_id
from domain.events.model import HeldJob
from domain.tiers.queries import tiers
from tests.alliance.clearing.test_tiers import NEW_YEAR, adjust, buy
from tests.alliance.kinds import put_in_force, with_tiers
from tests.alliance.support import NOON, House
from tests.workers.support import all_jobs
from workers.actors import expiry
from workers.actors import tiers as tiers_of_the_night

MIDSUMMER_2018 = datetime(2018, 7, 1, tzinfo=UTC)


async def night(runtime: Runtime, as_of: datetime) -> int:
    """What the scheduler starts, and the jobs that this adds; how many jobs."""
    async with runtime.database.transaction() as session:
        await session.execute(text("DELETE FROM job"))
        await expiry.expire(runtime, session, [HeldJob(new_id(), {"as_of": as_of.isoformat()}, 1)])
    jobs = await all_jobs(runtime.database)
    for job in jobs:
        async with runtime.database.transaction() as session:
            assert await expiry.expire_range(runtime, session, [HeldJob(job.id, job.args, 1)]) == {}
    return len(jobs)


async def told(house: House, member: UUID) -> list[tuple[str | None, str, int]]:
    place = (member, house.id("grocer"))
    async with house.runtime.database.session() as session:
        found = (await tiers(session, [place]))[place]
    return [(tier.level, tier.reason, tier.credits) for tier in found]


async def test_r07_tiers_that_end_are_followed_up_before_their_credits_expire(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gold of 2017: one bought for 150 in 2018, one for 400, one for nothing. All credits go with their year."""
    monkeypatch.setattr(expiry, "HOLDERS_A_JOB", 2)
    monkeypatch.setattr(tiers_of_the_night, "TIERS_AT_ONCE", 2)
    await put_in_force(runtime, with_tiers())
    house = House(runtime)
    some, many, none = [await house.member() for _ in range(3)]
    for member, dollars in ((some, 150), (many, 400), (none, 0)):
        await buy(house, member, 300)
        if dollars:
            await buy(house, member, dollars, as_of=MIDSUMMER_2018)
    assert await night(runtime, NEW_YEAR[2018]) == 2
    assert await told(house, none) == [("gold", "REACHED", 300)]
    assert await night(runtime, NEW_YEAR[2019]) > 0
    gold = ("gold", "REACHED", 300)
    assert await told(house, some) == [gold, ("silver", "ENDED", 150)]
    assert await told(house, many) == [gold, ("gold", "ENDED", 400)]
    assert await told(house, none) == [gold, (None, "ENDED", 0)]
    assert [lot.remaining for lot in await house.lots(many, "VIP")] == [0, 0]
    assert await night(runtime, NEW_YEAR[2019]) == 0


async def test_r07_a_tier_that_depends_on_the_balance_falls_with_the_credits(runtime: Runtime) -> None:
    """In one transaction: the books prove themselves at every commit."""
    await put_in_force(runtime, with_tiers("period: {months: 12}, lasts: balance, "))
    house = House(runtime)
    member = await house.member()
    await buy(house, member, 250)
    await buy(house, member, 120, as_of=NOON + timedelta(days=100))
    assert [level for level, _, _ in await told(house, member)] == ["silver", "gold"]
    await night(runtime, datetime(2018, 6, 2, 4, tzinfo=UTC))
    assert (await told(house, member))[2:] == [("silver", "BALANCE", 120)]
    await night(runtime, datetime(2018, 12, 1, 5, tzinfo=UTC))
    assert (await told(house, member))[3:] == [(None, "BALANCE", 0)]


async def test_r07_a_purchase_before_the_night_notices_that_the_balance_has_fallen(runtime: Runtime) -> None:
    await put_in_force(runtime, with_tiers("lasts: balance, "))
    house = House(runtime)
    member = await house.member()
    await adjust(house, member, 300)
    posted = await buy(house, member, 10, as_of=NEW_YEAR[2018] + timedelta(minutes=1))
    assert posted.points == 10
    assert [level for level, _, _ in await told(house, member)] == ["gold", None]
    await night(runtime, NEW_YEAR[2018] + timedelta(hours=1))
    assert len(await told(house, member)) == 2
