"""Reading mails to staff."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.staff.model import StaffMail


async def listed(session: AsyncSession, state: str | None, party_id: UUID | None, first: int) -> Sequence[StaffMail]:
    """At most `first` mails, newest first: of a state, to the contacts of a party, or all."""
    query = select(StaffMail).order_by(StaffMail.id.desc()).limit(first)
    if state is not None:
        query = query.where(StaffMail.state == state)
    if party_id is not None:
        query = query.where(StaffMail.party_id == party_id)
    return (await session.scalars(query)).all()
