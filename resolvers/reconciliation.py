"""Reconciliations, for operators."""

from uuid import UUID

from alliance.reconciliation import queries
from alliance.reconciliation.model import Reconciliation
from domain.errors import InvalidInput
from resolvers import ids
from resolvers.context import Context
from resolvers.pages import Page, Window, page

SHAPE = (UUID,)


async def by_global_id(context: Context, global_id: str) -> Reconciliation | None:
    """The reconciliation of a global id. Raises NotFound for an id of something else."""
    return await load(context, ids.decode_as("Reconciliation", global_id, 1)[0])


async def load(context: Context, id_: UUID) -> Reconciliation | None:
    """As it stands now."""
    async with context.runtime.database.reader() as session:
        return await queries.reconciliation(session, id_)


async def listed(context: Context, asked: Window) -> Page[Reconciliation]:
    """A page of reconciliations, newest first. Raises InvalidInput for last or before."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="reconciliations are listed forwards: give first and after", path=("last",))
    after = None if asked.after is None else asked.after[0]
    async with context.runtime.database.reader() as session:
        found = await queries.reconciliations(session, asked.size + 1, after)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count_reconciliations(session)

    return page(asked, list(found), lambda row: (str(row.id),), total)
