"""By what a member was recognised is forgotten, in the caller's transaction."""

import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_FORGET = text("""
    WITH gone AS (
        DELETE FROM member_identifier WHERE holder_id = :member RETURNING type, issuer, value
    )
    DELETE FROM identifier_owner o USING gone
    WHERE (o.type, o.issuer, o.value, o.holder_id) = (gone.type, gone.issuer, gone.value, CAST(:member AS uuid))
""")


async def forget_identifiers(session: AsyncSession, member_id: uuid.UUID) -> None:
    """Recognise a member by nothing any more; whoever shows the same later is somebody new."""
    await session.execute(_FORGET, {"member": member_id})
