"""What operations that were archived moved, as sums: with the entries that are left they are the books."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Index, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class ArchivedSum(Base):
    """The entries of a wallet that one run archived, summed. Rows are appended, never edited.

    `kind` is that of the operation, or of the one that it reverses, and `inward` whether that one gave points: as
    `queries.lifetime` counts. `until` is the latest instant of any of them, by booking or by the clock of the call.
    """

    __tablename__ = "archived_sum"
    __table_args__ = (Index("ix_archived_sum_run", "run"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    run: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    currency: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    inward: Mapped[bool] = mapped_column(primary_key=True)
    counter_holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    counter_account: Mapped[str] = mapped_column(primary_key=True)
    points: Mapped[int]
    until: Mapped[datetime]


async def archived_since(session: AsyncSession, holders: Sequence[uuid.UUID] | None, as_of: datetime) -> set[uuid.UUID]:
    """Of these holders (None: of all), those with archived movements after `as_of`: how they stood then is unknown."""
    query = select(ArchivedSum.holder_id).where(ArchivedSum.until > as_of).distinct()
    return set(await session.scalars(query if holders is None else query.where(ArchivedSum.holder_id.in_(holders))))
