"""Reading consents and preferences: many keys in, many rows out."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, cast, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from domain.contacts.model import Consent, ContactPreference

Standing = dict[tuple[UUID, UUID, str, str], bool]
"""By member, merchant, purpose and channel, whether consent stands. What was never said is left out."""


async def newest(
    session: AsyncSession, holders: Sequence[UUID], merchant_id: UUID | None = None
) -> dict[UUID, list[Consent]]:
    """The newest word of each kind of these members; of one merchant, if it is named."""
    kinds = (Consent.holder_id, Consent.merchant_id, Consent.purpose, Consent.channel)
    query = select(Consent).where(Consent.holder_id == any_(cast(list(holders), ARRAY(Uuid()))))
    if merchant_id is not None:
        query = query.where(Consent.merchant_id == merchant_id)
    found: dict[UUID, list[Consent]] = {id_: [] for id_ in holders}
    for row in await session.scalars(query.ext(distinct_on(*kinds)).order_by(*kinds, Consent.id.desc())):
        found[row.holder_id].append(row)
    return found


async def standing(session: AsyncSession, holders: Sequence[UUID]) -> Standing:
    """What these members have said last."""
    found = await newest(session, holders)
    rows = (row for of_one in found.values() for row in of_one)
    return {(row.holder_id, row.merchant_id, row.purpose, row.channel): row.given for row in rows}


async def preferences(session: AsyncSession, holders: Sequence[UUID]) -> dict[UUID, ContactPreference]:
    """Of those of these members that have any."""
    is_one = ContactPreference.holder_id == any_(cast(list(holders), ARRAY(Uuid())))
    return {row.holder_id: row for row in await session.scalars(select(ContactPreference).where(is_one))}
