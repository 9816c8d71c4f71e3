"""Sessions of members, and what was revoked."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class Ended(StrEnum):
    """Why a session ended before its time."""

    SIGNED_OUT = "SIGNED_OUT"
    EVERYWHERE = "EVERYWHERE"
    REUSED = "REUSED"


class SignIn(Base):
    """A member signed in through a client. Its refresh token is the one of `generation`: all before it were used.

    It ends at `expires_at` unless it is renewed before. Its tokens name the device that it began on, where one was
    named. Nothing by which one could sign in is kept.
    """

    __tablename__ = "sign_in"
    __table_args__ = (
        CheckConstraint("ended_why IN ('SIGNED_OUT', 'EVERYWHERE', 'REUSED')", name="ended_why"),
        Index("ix_sign_in_expires", "expires_at"),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    client_id: Mapped[uuid.UUID]
    scopes: Mapped[list[Any]]
    generation: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_why: Mapped[str | None]
    device_id: Mapped[uuid.UUID | None]


class TokenRevocation(Base):
    """All access tokens that name `subject` (the token, its session, its member or its client) are no good.

    Only those issued before `before`, if that is set. Kept until all of them have run out.
    """

    __tablename__ = "token_revocation"
    __table_args__ = (Index("ix_token_revocation_created", "created_at"),)

    position: Mapped[int] = mapped_column(Identity(), primary_key=True)
    subject: Mapped[uuid.UUID]
    before: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
