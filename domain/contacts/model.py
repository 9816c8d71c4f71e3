"""Consents and preferences. Consents are rows that are only added: the newest one of a kind counts (L7)."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class Purpose(StrEnum):
    """SERVICE: about what the member has or did; MARKETING: what they might buy."""

    SERVICE = "SERVICE"
    MARKETING = "MARKETING"


class ContactChannel(StrEnum):
    """By what a member is written to."""

    EMAIL = "EMAIL"
    SMS = "SMS"


class Consent(Base):
    """That a member gave (or withdrew) consent that a merchant writes to them for a purpose, on a channel.

    `text_version` is that of the text they were shown, as the merchant counts its texts.
    """

    __tablename__ = "consent"
    __table_args__ = (
        CheckConstraint("purpose IN ('SERVICE', 'MARKETING')", name="purpose"),
        CheckConstraint("channel IN ('EMAIL', 'SMS')", name="channel"),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    purpose: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    given: Mapped[bool]
    happened_at: Mapped[datetime]
    text_version: Mapped[str | None]
    client_id: Mapped[uuid.UUID | None]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ContactPreference(Base):
    """The language (BCP 47) a member is written to in, and the time zone (IANA) of their day; null: not known."""

    __tablename__ = "contact_preference"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    language: Mapped[str | None]
    timezone: Mapped[str | None]


@dataclass(frozen=True, slots=True)
class NewConsent:
    """A consent that was given or withdrawn; see `Consent`."""

    holder_id: uuid.UUID
    merchant_id: uuid.UUID
    purpose: Purpose
    channel: ContactChannel
    given: bool
    happened_at: datetime
    text_version: str | None = None
    client_id: uuid.UUID | None = None
