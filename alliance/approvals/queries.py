"""Reading what waits for approval, newest first."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.model import Approval, ApprovalStatus


@dataclass(frozen=True, slots=True)
class Wanted:
    """Those of a merchant (None: the operator's), or of `all_`; with a status."""

    merchant_id: uuid.UUID | None = None
    all_: bool = False
    status: ApprovalStatus | None = None

    def where(self) -> list[ColumnElement[bool]]:
        """As conditions."""
        found: list[ColumnElement[bool]] = [] if self.status is None else [Approval.status == self.status.value]
        if not self.all_:
            found.append(Approval.merchant_id.is_not_distinct_from(self.merchant_id))
        return found


async def page(
    session: AsyncSession, wanted: Wanted, *, before: uuid.UUID | None = None, first: int = 20
) -> Sequence[Approval]:
    """At most `first`, older than `before`."""
    query = select(Approval).where(*wanted.where()).order_by(Approval.id.desc()).limit(first)
    if before is not None:
        query = query.where(Approval.id < before)
    return (await session.scalars(query)).all()


async def count(session: AsyncSession, wanted: Wanted) -> int:
    """How many there are in all."""
    query = select(func.count()).select_from(Approval).where(*wanted.where())
    return (await session.scalars(query)).one()


async def by_id(session: AsyncSession, id_: uuid.UUID) -> Approval | None:
    """The one of this id."""
    return await session.get(Approval, id_)
