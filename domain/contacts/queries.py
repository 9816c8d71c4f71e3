"""Reading consents and preferences: many keys in, many rows out."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, cast, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from domain.contacts.model import Consent, ContactPreference
from domain.ledger.aliases import absorbed

Standing = dict[tuple[UUID, UUID, str, str], bool]
"""By member, merchant, purpose and channel, whether consent stands. What was never said is left out."""


async def newest(
    session: AsyncSession, holders: Sequence[UUID], merchant_id: UUID | None = None
) -> dict[UUID, list[Consent]]:
    """The newest word of each kind of these members; of one merchant, if it is named. What those said who were merged
    into them is theirs."""
    kinds = (Consent.holder_id, Consent.merchant_id, Consent.purpose, Consent.channel)
    became = await _became(session, holders)
    query = select(Consent).where(Consent.holder_id == any_(cast([*became], ARRAY(Uuid()))))
    if merchant_id is not None:
        query = query.where(Consent.merchant_id == merchant_id)
    found: dict[UUID, list[Consent]] = {id_: [] for id_ in holders}
    said: dict[tuple[UUID, UUID, str, str], Consent] = {}
    for row in await session.scalars(query.ext(distinct_on(*kinds)).order_by(*kinds, Consent.id.desc())):
        kind = (became[row.holder_id], row.merchant_id, row.purpose, row.channel)
        if kind not in said or row.id > said[kind].id:
            said[kind] = row
    for (holder_id, *_), row in said.items():
        found[holder_id].append(row)
    return found


async def _became(session: AsyncSession, holders: Sequence[UUID]) -> dict[UUID, UUID]:
    """These members and all who were merged into them, by whom they are now."""
    others = await absorbed(session, holders)
    return {one: id_ for id_ in holders for one in (id_, *others[id_])}


async def standing(session: AsyncSession, holders: Sequence[UUID]) -> Standing:
    """What these members have said last."""
    found = await newest(session, holders)
    rows = ((holder_id, row) for holder_id, of_one in found.items() for row in of_one)
    return {(holder_id, row.merchant_id, row.purpose, row.channel): row.given for holder_id, row in rows}


async def preferences(session: AsyncSession, holders: Sequence[UUID]) -> dict[UUID, ContactPreference]:
    """Of those of these members that have any."""
    became = await _became(session, holders)
    is_one = ContactPreference.holder_id == any_(cast([*became], ARRAY(Uuid())))
    rows = {row.holder_id: row for row in await session.scalars(select(ContactPreference).where(is_one))}
    found = {became[id_]: row for id_, row in rows.items() if id_ not in holders}
    return found | {id_: row for id_, row in rows.items() if id_ in holders}
