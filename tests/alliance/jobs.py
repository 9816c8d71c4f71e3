"""Jobs that an actor left, done by hand."""

from sqlalchemy import delete, select

from domain.events.model import HeldJob, Job
from tests.alliance.support import House
from workers.actor import Work


async def work_off(house: House, name: str, act: Work) -> int:
    """Do the jobs of that name, each in a transaction of its own; how many there were. What fails is raised."""
    async with house.runtime.database.session() as session:
        jobs = (await session.scalars(select(Job).where(Job.actor == name).order_by(Job.id))).all()
    for job in jobs:
        async with house.runtime.database.transaction() as session:
            failed = await act(house.runtime, session, [HeldJob(job.id, job.args, 1)])
            assert failed == {}
            await session.execute(delete(Job).where(Job.id == job.id))
    return len(jobs)
