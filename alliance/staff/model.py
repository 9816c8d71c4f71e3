"""Mails to staff, as rows that carry ids and the receiver's own figures: no address, no text."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class MailState(StrEnum):
    """WAITING to be sent. SENT: the mail server has taken it. LOGGED: there is no mail server, a line in the log stands
    for it. FAILED for good, or out of attempts (its job is there then). SKIPPED: the contact is no longer named."""

    WAITING = "WAITING"
    SENT = "SENT"
    LOGGED = "LOGGED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class StaffMail(Base):
    """A mail to a contact of a merchant, or of the operator (`party_id`).

    `source` names what it is about: a contact has one mail of a source. `contact` is `Contact.key`: the address is in
    the alliance file. `data` are the first items that it tells of, `count` how many there are.
    """

    __tablename__ = "staff_mail"
    __table_args__ = (
        Index("uq_staff_mail_source", "source", "party_id", "contact", unique=True),
        CheckConstraint("state IN ('WAITING', 'SENT', 'LOGGED', 'FAILED', 'SKIPPED')", name="state"),
        CheckConstraint("(state = 'SENT') = (sent_at IS NOT NULL)", name="sent"),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    party_id: Mapped[uuid.UUID]
    contact: Mapped[str]
    source: Mapped[str]
    kind: Mapped[str]
    data: Mapped[list[Any]]
    count: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=text("'WAITING'"))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    why: Mapped[str | None]
    proof: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class StaffMailCursor(Base):
    """The place in the sequence of events that is looked at next, for what staff is to be told of: one row."""

    __tablename__ = "staff_mail_cursor"
    __table_args__ = (CheckConstraint("one = 1", name="one"),)

    one: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int]
