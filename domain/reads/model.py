"""The access log, and what was unusual in it. It names who read and whose data, and never what they said."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class ReadKind(StrEnum):
    """IDENTIFIERS in full; PROFILE: attributes that are personal; EXPORT: all that is known."""

    IDENTIFIERS = "IDENTIFIERS"
    PROFILE = "PROFILE"
    EXPORT = "EXPORT"


class PersonalRead(Base):
    """That a client read personal data of a holder, as whom, in which call. Null: the command line."""

    __tablename__ = "personal_read"
    __table_args__ = (
        Index("ix_personal_read_newest", "id"),
        Index("ix_personal_read_client", "client_id", "read_at", "holder_id"),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    what: Mapped[str]
    viewer: Mapped[str]
    client_id: Mapped[uuid.UUID | None]
    subject: Mapped[uuid.UUID | None]
    merchant_id: Mapped[uuid.UUID | None]
    request_id: Mapped[str | None]
    read_at: Mapped[datetime]


class ReadAlert(Base):
    """That a client read the data of so many `members` in the hour from `hour`, where `usual` was usual for it."""

    __tablename__ = "read_alert"

    client_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    members: Mapped[int]
    usual: Mapped[int]
    raised_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads; see `PersonalRead`."""

    viewer: str
    client_id: uuid.UUID | None = None
    subject: uuid.UUID | None = None
    merchant_id: uuid.UUID | None = None
    request_id: str | None = None
