"""Reading what became of partners' files; for a merchant its own alone (A14)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.partnerfiles.model import FileStatus, PartnerFile


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files; None is all."""

    merchant_id: UUID | None = None
    cycle_id: UUID | None = None
    status: FileStatus | None = None


async def page(session: AsyncSession, wanted: Wanted, *, before: UUID | None, first: int) -> Sequence[PartnerFile]:
    """The newest, at most `first` of them; those older than `before`."""
    query = select(PartnerFile).where(*_of(wanted)).order_by(PartnerFile.id.desc()).limit(first)
    if before is not None:
        query = query.where(PartnerFile.id < before)
    return (await session.scalars(query)).all()


async def count(session: AsyncSession, wanted: Wanted) -> int:
    """How many there are."""
    return int(await session.scalar(select(func.count()).select_from(PartnerFile).where(*_of(wanted))) or 0)


async def by_id(session: AsyncSession, id_: UUID) -> PartnerFile | None:
    """The file of this id."""
    return await session.get(PartnerFile, id_)


def _of(wanted: Wanted) -> list[ColumnElement[bool]]:
    asked = (
        (PartnerFile.merchant_id, wanted.merchant_id),
        (PartnerFile.cycle_id, wanted.cycle_id),
        (PartnerFile.status, wanted.status),
    )
    return [column == value for column, value in asked if value is not None]
