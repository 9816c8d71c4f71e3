"""One member across all merchants: who they are, what they are recognised by, and where they have joined."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Identity, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class MemberStatus(StrEnum):
    """ACTIVE may do all; FROZEN is looked at by the operator and CLOSED has left: neither moves points."""

    ACTIVE = "ACTIVE"
    FROZEN = "FROZEN"
    CLOSED = "CLOSED"


class Member(Base):
    """A person. `id` is the holder of all that is theirs; `number` is what is printed, its last digit a check digit.

    `jurisdiction`: by whose law they are protected besides that of their merchants, by ISO 3166; null: not known.
    `status_since`, `status_reason`: since when and why they are what they are; null for who never was anything else.
    What else there is to say of that is a note, sealed under their key. Who is FROZEN is ACTIVE again from
    `frozen_until` on, whether or not that was written; null: until somebody says so.
    """

    __tablename__ = "member"
    __table_args__ = (
        CheckConstraint("status IN ('ACTIVE', 'FROZEN', 'CLOSED')", name="status"),
        CheckConstraint("jurisdiction ~ '^[A-Z]{2}(-[A-Z0-9]{1,3})?$'", name="jurisdiction"),
        CheckConstraint("frozen_until IS NULL OR status = 'FROZEN'", name="frozen_until"),
        Index("ix_member_thaws", "frozen_until", "id", postgresql_where=text("frozen_until IS NOT NULL")),
        Index("ix_member_joined", "joined_at", "id"),
        Index("ix_member_inactive", "status", "joined_at", "id", postgresql_where=text("status <> 'ACTIVE'")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    number: Mapped[str]
    status: Mapped[str]
    joined_at: Mapped[datetime]
    jurisdiction: Mapped[str | None]
    status_since: Mapped[datetime | None]
    status_reason: Mapped[str | None]
    frozen_until: Mapped[datetime | None]
    status_note: Mapped[bytes | None] = mapped_column(LargeBinary)

    def status_at(self, as_of: datetime) -> MemberStatus:
        """What they are at that moment: a freeze whose time is over is none."""
        thawed = self.frozen_until is not None and self.frozen_until <= as_of
        return MemberStatus.ACTIVE if thawed else MemberStatus(self.status)


class MemberClosing(Base):
    """That a member leaves at `closes_at`, or has left at `closed_at`; by their `own_wish`, or the operator's.

    What was left of them goes to `beneficiary_id` where programmes give it. `settled_at`: nothing is left, but what the
    law has them keep (`kept`).
    """

    __tablename__ = "member_closing"
    __table_args__ = (
        Index("ix_member_closing_due", "closes_at", "holder_id", postgresql_where=text("closed_at IS NULL")),
        Index(
            "ix_member_closing_unsettled",
            "holder_id",
            postgresql_where=text("closed_at IS NOT NULL AND settled_at IS NULL"),
        ),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    reason: Mapped[str]
    own_wish: Mapped[bool]
    beneficiary_id: Mapped[uuid.UUID | None]
    closed_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    kept: Mapped[bool] = mapped_column(server_default=text("false"))


class MemberNumber(Base):
    """Look-up: whose a member number is. `serial` is the number without its check digit, from a sequence.

    A member has one of their own, and one more of each merchant they join that owns a range of numbers.
    """

    __tablename__ = "member_number"

    serial: Mapped[int] = mapped_column(Identity(always=False, start=1_000_000_000), primary_key=True)
    holder_id: Mapped[uuid.UUID]


class IdentifierOwner(Base):
    """Look-up: whose an identifier is. `issuer` is empty for types that are unique in the alliance, and `value` is the
    keyed hash of what the member shows (see sealing.py)."""

    __tablename__ = "identifier_owner"

    type: Mapped[str] = mapped_column(primary_key=True)
    issuer: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    holder_id: Mapped[uuid.UUID]


class MemberIdentifier(Base):
    """What a member is recognised by: the same row as in the look-up, kept with the member, with the value sealed.

    What has to be verified and was not (`verified_at` is null) is kept here alone: it identifies nobody, and may be
    said of several members until one of them proves it.
    """

    __tablename__ = "member_identifier"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(primary_key=True)
    issuer: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    linked_at: Mapped[datetime]
    verified_at: Mapped[datetime | None]


class Membership(Base):
    """A member has joined a merchant's programme, through this channel, at this store."""

    __tablename__ = "membership"
    __table_args__ = (Index("ix_membership_joined", "merchant_id", "joined_at", "holder_id"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    number: Mapped[str]
    joined_at: Mapped[datetime]
    channel: Mapped[str]
    store: Mapped[str | None]


@dataclass(frozen=True, slots=True)
class IdentifierRef:
    """An identifier as a caller names it; `issuer` may be left out where its type has one."""

    type: str
    issuer: str | None
    value: str


@dataclass(frozen=True, slots=True)
class Identifier:
    """What a member is recognised by, in full (see rules.mask)."""

    holder_id: uuid.UUID
    type: str
    issuer: str
    value: str
    linked_at: datetime
    verified_at: datetime | None


MemberRef = uuid.UUID | str | IdentifierRef
"""How a caller names a member: by id, by number (a string), or by an identifier."""


@dataclass(frozen=True, slots=True)
class EnrolAsk:
    """Find or create the member with these identifiers, and have them join `merchant` (a code) at `as_of`.

    A `jurisdiction` that is named becomes theirs. `verified`: the asker vouches for identifiers that have to be.
    """

    merchant: str
    channel: str
    store: str | None
    identifiers: tuple[IdentifierRef, ...]
    as_of: datetime
    jurisdiction: str | None = None
    verified: bool = True


@dataclass(frozen=True, slots=True)
class Enrolled:
    """`created`: the member is new. `joined`: the membership is new."""

    member_id: uuid.UUID
    number: str
    created: bool
    joined: bool


@dataclass(frozen=True, slots=True)
class Resolved:
    """Who a reference names, and whether they have joined the merchant that asked."""

    member_id: uuid.UUID
    joined: bool
