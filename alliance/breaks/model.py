"""What people noted about breaks; breaks themselves are in `alliance.partnerfiles.model`."""

import uuid
from datetime import datetime

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id


class BreakNote(Base):
    """What somebody noted about a break; kept with it for good."""

    __tablename__ = "break_note"
    __table_args__ = (Index("ix_break_note_break", "break_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    break_id: Mapped[uuid.UUID]
    who: Mapped[uuid.UUID]
    text: Mapped[str]
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
