"""Setting positions that differ from what is booked to what follows from it, and keeping that this was done."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from alliance.exposure.commands import booked_positions, make_room
from alliance.exposure.model import Exposure
from alliance.exposure.positions import add
from domain.base import Base, WideInteger


class PositionRepair(Base):
    """That a merchant's position was not what is booked, was set to it, by whom and why; in millionths."""

    __tablename__ = "position_repair"

    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=text("uuidv7()"))
    owed: Mapped[int] = mapped_column(WideInteger)
    reserved: Mapped[int] = mapped_column(WideInteger)
    withheld: Mapped[int] = mapped_column(WideInteger)
    owed_before: Mapped[int] = mapped_column(WideInteger)
    reserved_before: Mapped[int] = mapped_column(WideInteger)
    withheld_before: Mapped[int] = mapped_column(WideInteger)
    who: Mapped[str]
    why: Mapped[str]
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


async def put_right(
    session: AsyncSession, *, who: str, why: str, as_of: datetime, merchant_id: uuid.UUID | None = None
) -> Sequence[PositionRepair]:
    """Set the positions of all merchants, or of one, to what follows from what is booked; those that differed.

    Whatever changes a position changes its row before it is committed: while the rows are locked, none is in the one
    figure and not in the other.
    """
    kept = (await session.scalars(select(Exposure).order_by(Exposure.merchant_id).with_for_update())).all()
    proved = await booked_positions(session)
    repairs = [
        PositionRepair(
            merchant_id=row.merchant_id,
            **dict(zip(("owed", "reserved", "withheld"), figures, strict=True)),
            owed_before=row.owed,
            reserved_before=row.reserved,
            withheld_before=row.withheld,
            who=who,
            why=why,
            as_of=as_of,
        )
        for row in kept
        if merchant_id in (None, row.merchant_id)
        if (figures := proved.get(row.merchant_id, (0, 0, 0))) != (row.owed, row.reserved, row.withheld)
    ]
    if repairs:
        await add(
            session,
            {one.merchant_id: one.owed - one.owed_before for one in repairs},
            {one.merchant_id: one.withheld - one.withheld_before for one in repairs},
            {one.merchant_id: one.reserved - one.reserved_before for one in repairs},
        )
        session.add_all(repairs)
        await make_room(session, as_of)
        await session.flush()
    return repairs
