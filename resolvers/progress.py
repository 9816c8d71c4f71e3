"""How far long work is, for as long as it goes on: the proof of the books, a run over a file, a job cut into many."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from alliance.accrual.model import RunStatus
from alliance.reconciliation.model import Reconciliation
from domain.errors import InvalidInput, NotFound
from domain.events import progress as groups
from domain.events.model import GroupState
from resolvers import accruals, ids, reconciliation
from resolvers.context import Context
from resolvers.pages import Page, Window, page

SHAPE = (UUID,)
GOES_ON = (RunStatus.TAKEN, RunStatus.RUNNING, RunStatus.UNDOING)

T = TypeVar("T")


async def of_reconciliation(context: Context, global_id: str) -> AsyncIterator[Reconciliation]:
    """A proof of the books as it is, and whenever it is further, until it has come to its end. Raises a Refusal."""
    id_ = ids.decode_as("Reconciliation", global_id, 1)[0]

    async def look() -> Reconciliation | None:
        return await reconciliation.load(context, id_)

    async for row in followed(context, "reconciliation", id_, look, lambda row: row.finished_at is None):
        yield row


async def of_run(context: Context, global_id: str) -> AsyncIterator[accruals.Run]:
    """A run over a file that is in reach, until it ends or is undone. Raises a Refusal."""
    id_ = ids.decode_as("AccrualRun", global_id, 1)[0]

    async def look() -> accruals.Run | None:
        return await accruals.in_reach(context, id_)

    async for run in followed(context, "run", id_, look, lambda run: run.row.status in GOES_ON):
        yield run


async def of_group(context: Context, global_id: str) -> AsyncIterator[GroupState]:
    """A group of jobs, until none is left but those that failed for good. Raises a Refusal."""
    id_ = ids.decode_as("JobGroup", global_id, 1)[0]

    async def look() -> GroupState | None:
        return await load_group(context, id_)

    async for group in followed(context, "group", id_, look, lambda group: group.done + group.failed < group.jobs):
        yield group


async def followed(
    context: Context, what: str, id_: UUID, look: Callable[[], Awaitable[T | None]], goes_on: Callable[[T], bool]
) -> AsyncIterator[T]:
    """What is there at once, and after each news of it, for as long as it goes on. Raises NotFound, Overloaded."""
    async with context.house.waking.of(id_, context.signed_in) as woken:
        while True:
            woken.clear()
            context.forget()
            if (found := await look()) is None:
                raise NotFound(what=what, path=(what,))
            yield found
            if not goes_on(found):
                return
            await woken.wait()


async def load_group(context: Context, id_: UUID) -> GroupState | None:
    """The group of this id."""
    async with context.runtime.database.reader() as session:
        return (await groups.groups_by_id(session, [id_])).get(id_)


async def listed_groups(context: Context, asked: Window) -> Page[GroupState]:
    """A page of groups of jobs, newest first. Raises InvalidInput for last or before."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="groups of jobs are listed forwards: give first and after", path=("last",))
    after = None if asked.after is None else asked.after[0]
    async with context.runtime.database.reader() as session:
        found = await groups.groups(session, asked.size + 1, after)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await groups.count_groups(session)

    return page(asked, found, lambda group: (str(group.id),), total)
