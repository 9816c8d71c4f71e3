"""Messages to members, as rows that carry ids and figures: no address, no text, nothing that was rendered."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class MessageKind(StrEnum):
    """Of what a member is told."""

    POINTS_EARNED = "POINTS_EARNED"
    POINTS_ACTIVATED = "POINTS_ACTIVATED"
    POINTS_EXPIRING = "POINTS_EXPIRING"
    POINTS_SOLD = "POINTS_SOLD"
    TIER_CHANGED = "TIER_CHANGED"
    EXCHANGE_DONE = "EXCHANGE_DONE"
    GIFT_RECEIVED = "GIFT_RECEIVED"
    ACCOUNT_CHANGED = "ACCOUNT_CHANGED"
    ACCOUNT_GUARDED = "ACCOUNT_GUARDED"


class MessageState(StrEnum):
    """WAITING to be sent. DELIVERED: who takes messages for the member has taken it. LOGGED: nobody was there to send
    it, a line in the log stands for it. FAILED for good, or out of attempts (its job is there then). SKIPPED: consent
    had gone by then."""

    WAITING = "WAITING"
    DELIVERED = "DELIVERED"
    LOGGED = "LOGGED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class Message(Base):
    """A message to a member, or to the owner of a pool, about what happened to `holder_id`.

    `source` names what it is about: there is one message of a source and channel, whatever is done twice. `data` are
    the figures that the text is filled with. `due_at` is when it may be sent. `template` is the digest of the text it
    was made of, see `MessageText`; `provider_id` what its provider answered; `why` says what kept it from being sent.
    """

    __tablename__ = "message"
    __table_args__ = (
        Index("uq_message_source", "holder_id", "source", "channel", unique=True),
        Index("ix_message_newest", "id"),
        Index("ix_message_failed", "id", postgresql_where=text("state = 'FAILED'")),
        CheckConstraint("state IN ('WAITING', 'DELIVERED', 'LOGGED', 'FAILED', 'SKIPPED')", name="state"),
        CheckConstraint("(state = 'DELIVERED') = (delivered_at IS NOT NULL)", name="delivered"),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    source: Mapped[str]
    channel: Mapped[str]
    kind: Mapped[str]
    merchant_id: Mapped[uuid.UUID]
    purpose: Mapped[str]
    data: Mapped[dict[str, Any]]
    notice_id: Mapped[uuid.UUID | None]
    state: Mapped[str] = mapped_column(server_default=text("'WAITING'"))
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    language: Mapped[str | None]
    template: Mapped[str | None]
    provider_id: Mapped[str | None]
    why: Mapped[str | None]
    delivered_at: Mapped[datetime | None]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class MessageText(Base):
    """A text that messages were made of, with its gaps: kept from its first use, so that what was said can be shown."""

    __tablename__ = "message_text"

    digest: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    language: Mapped[str]
    parts: Mapped[dict[str, Any]]
    first_used_at: Mapped[datetime]


class MessageCursor(Base):
    """The place in the sequence of events that is looked at next, for what members are to be told of: one row."""

    __tablename__ = "message_cursor"
    __table_args__ = (CheckConstraint("one = 1", name="one"),)

    one: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int]
