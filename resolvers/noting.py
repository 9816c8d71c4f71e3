"""Who reads personal data is written down before it is shown."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.reads.commands import note_reads
from domain.reads.model import Reader, ReadKind
from resolvers.context import Context


async def note(context: Context, member_id: UUID, what: ReadKind) -> None:
    """Keep that the caller reads this of a member, unless it is their own. What cannot be kept is not shown.

    All members of a call are one statement.
    """
    viewer = context.signed_in
    if viewer.member_id == member_id:
        return
    reader = Reader(viewer.kind, viewer.client_id, viewer.subject, viewer.merchant_id, context.request_id)

    async def keep(session: AsyncSession, ids: list[UUID]) -> list[None]:
        await note_reads(session, reader, ids, what, context.as_of)
        return [None] * len(ids)

    await context.loaders.one_of(("reads", what), keep).load(member_id)
