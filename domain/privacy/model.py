"""Members' keys, as they lie in the database: wrapped, or destroyed."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, SmallInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class MemberKey(Base):
    """The key that seals what is a member's own, wrapped by the wrapping key of that id.

    A key that was destroyed leaves its row behind, so that no other is made in its place.
    """

    __tablename__ = "member_key"
    __table_args__ = (
        CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name="destroyed"),
        CheckConstraint("(wrapped IS NULL) = (wrapped_by IS NULL)", name="wrapped"),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    wrapped_by: Mapped[str | None]
    wrapped: Mapped[bytes | None]
    destroyed_at: Mapped[datetime | None]


class KeyCheck(Base):
    """One row: a keyed hash that only the look-up secret of this database gives, so that another one is noticed."""

    __tablename__ = "key_check"
    __table_args__ = (CheckConstraint("one = 1", name="one"),)

    one: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    lookup: Mapped[bytes]
    noted_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class LegalHold(Base):
    """That what is known of a holder must be kept, `until` then or until it is released: erasure waits for it.

    `reason` is a word for the file, such as the number of a case, without personal data.
    """

    __tablename__ = "legal_hold"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    reason: Mapped[str]
    placed_at: Mapped[datetime]
    until: Mapped[datetime | None]
    released_at: Mapped[datetime | None]


class Erasure(Base):
    """That a holder's personal data were erased, and why: what there is to show for it afterwards."""

    __tablename__ = "erasure"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    erased_at: Mapped[datetime]
    reason: Mapped[str]
    client_id: Mapped[uuid.UUID | None]
