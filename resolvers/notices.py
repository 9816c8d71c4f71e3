"""Notices in reach, and what became of them."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.notices import commands, queries
from domain.notices.queries import Told
from resolvers import ids
from resolvers.context import Context
from resolvers.once import once
from resolvers.reach import sees_currency, sees_holder
from resolvers.sent import Sent, key_of


async def by_global_id(context: Context, global_id: str) -> Told | None:
    """The notice of a global id, if it is in reach. Raises NotFound for an id of something else."""
    holder_id, notice_id = ids.decode_as("Notice", global_id, 2)
    told = await _load(context, holder_id, notice_id)
    if told is None or not sees_holder(context.signed_in, holder_id):
        return None
    seen = sees_currency(context.signed_in, context.runtime.catalogue, told.notice.currency)
    return told if seen else None


async def record(context: Context, sent: Sent) -> Told:
    """Keep what became of a notice; a merchant's client reports on its own. Raises a Refusal."""
    key = key_of(context, "recordNotice", {**sent, "outcome": sent["outcome"].value})
    told = None
    try:
        told = await by_global_id(context, sent["notice"])
    except NotFound as refusal:
        raise refusal.at("notice") from None
    if told is None:
        raise NotFound(what="notice", path=("notice",))
    place = (told.notice.holder_id, told.notice.id)
    happened_at = sent.get("happenedAt")

    async def act(session: AsyncSession) -> dict[str, Any]:
        await commands.report(
            session,
            holder_id=place[0],
            notice_id=place[1],
            outcome=sent["outcome"],
            happened_at=context.as_of if happened_at is None else happened_at,
            channel=sent.get("channel"),
            proof=sent.get("proof"),
            as_of=context.as_of,
            client_id=context.signed_in.client_id,
        )
        return {}

    await once(context, key, act)
    kept = await _load(context, *place)
    assert kept is not None
    return kept


async def _load(context: Context, holder_id: UUID, notice_id: UUID) -> Told | None:
    async with context.runtime.database.reader() as session:
        return (await queries.by_ids(session, [(holder_id, notice_id)])).get((holder_id, notice_id))
