"""Looking through the log of who read whose personal data."""

from collections.abc import Sequence
from uuid import UUID

from domain.errors import InvalidInput, NotFound
from domain.reads import queries
from domain.reads.model import PersonalRead, ReadAlert
from resolvers.context import Context
from resolvers.members import find
from resolvers.pages import Page, Window, page
from resolvers.sent import Sent

SHAPE = (UUID,)
MOST_ALERTS = 100


async def listed(context: Context, asked: Window, member: Sent | None, client: UUID | None) -> Page[PersonalRead]:
    """The access log, newest first. Raises InvalidInput for last or before, NotFound."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="the log is listed forwards: give first and after", path=("last",))
    holder_id = None
    if member is not None:
        found = await find(context, member)
        if found is None:
            raise NotFound(what="member", path=("member",))
        holder_id = found.id
    before = None if asked.after is None else asked.after[0]
    async with context.runtime.database.reader() as session:
        rows = await queries.newest(session, first=asked.size + 1, before=before, holder_id=holder_id, client_id=client)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count(session, holder_id, client)

    return page(asked, list(rows), lambda row: (str(row.id),), total)


async def alerts(context: Context, first: int) -> Sequence[ReadAlert]:
    """What was unusual, newest first. Raises InvalidInput."""
    if not 1 <= first <= MOST_ALERTS:
        raise InvalidInput(reason=f"must be 1 to {MOST_ALERTS}", path=("first",))
    async with context.runtime.database.reader() as session:
        return await queries.alerts(session, first=first)
