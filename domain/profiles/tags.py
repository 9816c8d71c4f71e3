"""Tags: putting them on members, taking them off, reading them; many members a statement."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, cast, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.events.commands import add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent
from domain.profiles.model import MemberTag

_PUT = text("""
    INSERT INTO member_tag (holder_id, owner_id, code, ruled, tagged_at)
    SELECT holder_id, :owner, :code, :ruled, :as_of FROM unnest(CAST(:holders AS uuid[])) AS asked (holder_id)
    ORDER BY holder_id
    ON CONFLICT DO NOTHING
    RETURNING holder_id
""")
_TAKE = text("""
    DELETE FROM member_tag gone
    USING (SELECT holder_id FROM member_tag
           WHERE holder_id = ANY(CAST(:holders AS uuid[])) AND owner_id = :owner AND code = :code
           ORDER BY holder_id FOR UPDATE) AS asked
    WHERE gone.holder_id = asked.holder_id AND gone.owner_id = :owner AND gone.code = :code
    RETURNING gone.holder_id
""")


async def put(
    session: AsyncSession, owner_id: UUID, code: str, holders: Sequence[UUID], as_of: datetime, *, ruled: bool = False
) -> set[UUID]:
    """Put a tag on members; those who did not have it. Its owner, if a merchant, is told of each."""
    values = {"owner": owner_id, "code": code, "ruled": ruled, "as_of": as_of, "holders": sorted(set(holders))}
    return await _changed(session, EventKind.MEMBER_TAGGED, owner_id, code, (await session.scalars(_PUT, values)).all())


async def take(session: AsyncSession, owner_id: UUID, code: str, holders: Sequence[UUID]) -> set[UUID]:
    """Take a tag off members; those who had it."""
    values = {"owner": owner_id, "code": code, "holders": sorted(set(holders))}
    gone = (await session.scalars(_TAKE, values)).all()
    return await _changed(session, EventKind.MEMBER_UNTAGGED, owner_id, code, gone)


async def _changed(
    session: AsyncSession, kind: EventKind, owner_id: UUID, code: str, holders: Sequence[UUID]
) -> set[UUID]:
    data = {"merchant": str(owner_id), "tag": code}
    await add_events(session, [NewEvent(holder_id, kind, data, (owner_id,)) for holder_id in sorted(holders)])
    return set(holders)


async def tags(session: AsyncSession, holders: Sequence[UUID]) -> dict[UUID, list[MemberTag]]:
    """All tags of these members, by owner and code."""
    is_one = MemberTag.holder_id == any_(cast(list(holders), ARRAY(Uuid())))
    found: dict[UUID, list[MemberTag]] = {id_: [] for id_ in holders}
    for row in await session.scalars(select(MemberTag).where(is_one).order_by(MemberTag.owner_id, MemberTag.code)):
        found[row.holder_id].append(row)
    return found
