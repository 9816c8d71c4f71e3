"""That a member lets a merchant have data of theirs: which kinds, for what (L7). Rows are only added: the newest of a
kind counts. Without consent one still earns and spends, and what is owed is settled by pseudonyms.
"""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ARRAY, CheckConstraint, Uuid, any_, cast, func, insert, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id
from domain.errors import InvalidInput
from domain.events.commands import add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent

MOST_PURPOSE = 200


class DataKind(StrEnum):
    """IDENTIFIERS: those that are the alliance's (telephone, e-mail), whole. PROFILE: personal attributes that are the
    alliance's."""

    IDENTIFIERS = "IDENTIFIERS"
    PROFILE = "PROFILE"


class DataConsent(Base):
    """That a member gave (or withdrew) consent that a merchant has a kind of their data, for a purpose.

    `text_version` is that of the text they were shown.
    """

    __tablename__ = "data_consent"
    __table_args__ = (CheckConstraint("kind IN ('IDENTIFIERS', 'PROFILE')", name="kind"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    given: Mapped[bool]
    purpose: Mapped[str | None]
    text_version: Mapped[str | None]
    happened_at: Mapped[datetime]
    client_id: Mapped[uuid.UUID | None]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


async def share(
    session: AsyncSession,
    holder_id: uuid.UUID,
    merchant_id: uuid.UUID,
    kinds: Collection[DataKind],
    *,
    given: bool,
    as_of: datetime,
    purpose: str | None = None,
    text_version: str | None = None,
    client_id: uuid.UUID | None = None,
) -> None:
    """Keep that a member lets a merchant have these kinds of their data, or no more. The merchant is told.

    Raises InvalidInput.
    """
    if not kinds:
        raise InvalidInput(reason="name at least one kind", path=("kinds",))
    if given and not 0 < len((purpose or "").strip()) <= MOST_PURPOSE:
        raise InvalidInput(reason=f"must have 1 to {MOST_PURPOSE} characters", path=("purpose",))
    said = {"holder_id": holder_id, "merchant_id": merchant_id, "given": given, "happened_at": as_of}
    said |= {"purpose": purpose, "text_version": text_version, "client_id": client_id}
    ordered = sorted(set(kinds))
    await session.execute(insert(DataConsent), [said | {"kind": kind.value, "id": new_id()} for kind in ordered])
    data = {"merchant": str(merchant_id), "kinds": ", ".join(ordered), "given": "yes" if given else "no"}
    await add_events(session, [NewEvent(holder_id, EventKind.CONSENT_CHANGED, data, (merchant_id,))])


async def newest(
    session: AsyncSession, holders: Sequence[uuid.UUID], merchant_id: uuid.UUID | None = None
) -> dict[uuid.UUID, list[DataConsent]]:
    """The newest word of each merchant and kind of these members; of one merchant, if it is named."""
    place = (DataConsent.holder_id, DataConsent.merchant_id, DataConsent.kind)
    wanted = select(DataConsent).where(DataConsent.holder_id == any_(cast(list(holders), ARRAY(Uuid()))))
    if merchant_id is not None:
        wanted = wanted.where(DataConsent.merchant_id == merchant_id)
    found: dict[uuid.UUID, list[DataConsent]] = {id_: [] for id_ in holders}
    for row in await session.scalars(wanted.ext(distinct_on(*place)).order_by(*place, DataConsent.id.desc())):
        found[row.holder_id].append(row)
    return found
