"""Jobs in the background, for operators: what waits, what failed for good, and what is to become of that."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import InvalidInput, NotFound
from domain.events import commands, queries
from domain.events.model import Job
from resolvers import ids
from resolvers.context import Context
from resolvers.once import once
from resolvers.pages import Page, Window, page
from resolvers.sent import Sent, key_of

SHAPE = (UUID,)


async def listed(context: Context, asked: Window, failed: bool | None, actor: str | None) -> Page[Job]:
    """A page of jobs, oldest first. Raises InvalidInput for last or before."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="jobs are listed forwards: give first and after", path=("last",))
    after = None if asked.after is None else asked.after[0]
    async with context.runtime.database.reader() as session:
        found = await queries.list_jobs(session, failed=failed, actor=actor, first=asked.size + 1, after=after)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count_jobs(session, failed=failed, actor=actor)

    return page(asked, list(found), lambda job: (str(job.id),), total)


async def by_global_id(context: Context, global_id: str) -> Job | None:
    """The job of a global id; None once it is done. Raises NotFound for an id of something else."""
    return await _load(context, ids.decode_as("Job", global_id, 1)[0])


async def retry(context: Context, sent: Sent) -> Job | None:
    """Give a failed job all its attempts again; it, or None if it is done already. Raises a Refusal."""
    return await _load(context, await _done(context, "retryJob", sent, commands.retry_job))


async def discard(context: Context, sent: Sent) -> str:
    """Delete a failed job, undone; the id that it had. Raises a Refusal."""
    return ids.encode("Job", await _done(context, "discardJob", sent, commands.discard_job))


async def _done(
    context: Context, name: str, sent: Sent, command: Callable[[AsyncSession, UUID], Awaitable[None]]
) -> UUID:
    key = key_of(context, name, sent)
    try:
        (job_id,) = ids.decode_as("Job", sent["job"], 1)
    except NotFound as refusal:
        raise refusal.at("job") from None

    async def act(session: AsyncSession) -> dict[str, Any]:
        await command(session, job_id)
        return {}

    try:
        await once(context, key, act)
    except NotFound as refusal:
        raise refusal.at("job") from None
    return job_id


async def _load(context: Context, job_id: UUID) -> Job | None:
    async with context.runtime.database.reader() as session:
        return (await queries.jobs_by_id(session, [job_id])).get(job_id)
