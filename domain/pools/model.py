"""A pool is a holder, as a member is: it has wallets, lots, operations. Here is what else it is."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class PoolStatus(StrEnum):
    """Points of an ACTIVE pool move; a CLOSED one is empty, and stays so."""

    ACTIVE = "ACTIVE"
    CLOSED = "CLOSED"


class PoolRole(StrEnum):
    """All put points in. A SPENDER also spends and takes out; the OWNER, of whom there is one, also says who is in."""

    OWNER = "OWNER"
    SPENDER = "SPENDER"
    CONTRIBUTOR = "CONTRIBUTOR"


class PoolKind(StrEnum):
    """Of a household, or of people who buy for a company."""

    HOUSEHOLD = "HOUSEHOLD"
    CORPORATE = "CORPORATE"


class PoolMoves(StrEnum):
    """What a limit counts: points that are spent or taken out, or those that are put in."""

    SPEND = "SPEND"
    CONTRIBUTE = "CONTRIBUTE"


class LimitPeriod(StrEnum):
    """In what a limit counts."""

    OPERATION = "OPERATION"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


EACH = uuid.UUID(int=0)
"""Each member of a pool, in a limit."""


class Pool(Base):
    """A pool of points that `merchant_id` issues."""

    __tablename__ = "pool"
    __table_args__ = (
        CheckConstraint("status IN ('ACTIVE', 'CLOSED')", name="status"),
        CheckConstraint("kind IN ('HOUSEHOLD', 'CORPORATE')", name="kind"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[uuid.UUID]
    status: Mapped[str]
    created_at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(server_default=text("'HOUSEHOLD'"))


class PoolName(Base):
    """What its members call it: free text, kept apart because it may hold personal data."""

    __tablename__ = "pool_name"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]


class PoolMember(Base):
    """That a member is in a pool, or was until `left_at`."""

    __tablename__ = "pool_member"
    __table_args__ = (
        CheckConstraint("role IN ('OWNER', 'SPENDER', 'CONTRIBUTOR')", name="role"),
        Index("ix_pool_member_now", "holder_id", "member_id", unique=True, postgresql_where=text("left_at IS NULL")),
        Index("ix_pool_member_member", "member_id", postgresql_where=text("left_at IS NULL")),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    member_id: Mapped[uuid.UUID]
    role: Mapped[str]
    joined_at: Mapped[datetime]
    left_at: Mapped[datetime | None]


class PoolSpend(Base):
    """Which member spent points of a pool, by an operation that lies under the pool, or set them aside by a hold."""

    __tablename__ = "pool_spend"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    member_id: Mapped[uuid.UUID]


class PoolInvitation(Base):
    """That a member was asked into a pool, as what; and what they said."""

    __tablename__ = "pool_invitation"
    __table_args__ = (
        CheckConstraint("role IN ('SPENDER', 'CONTRIBUTOR')", name="role"),
        CheckConstraint("(answered_at IS NULL) = (accepted IS NULL)", name="answered"),
        Index(
            "ix_pool_invitation_open",
            "holder_id",
            "member_id",
            unique=True,
            postgresql_where=text("answered_at IS NULL"),
        ),
        Index("ix_pool_invitation_member", "member_id", postgresql_where=text("answered_at IS NULL")),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    member_id: Mapped[uuid.UUID]
    role: Mapped[str]
    invited_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    accepted: Mapped[bool | None]


class PoolLimit(Base):
    """How many points of a pool may be spent or put in, per operation or period.

    `member_id` is a member, EACH, or (the pool's own id) all together.
    """

    __tablename__ = "pool_limit"
    __table_args__ = (
        CheckConstraint("points >= 0", name="points"),
        CheckConstraint("moves IN ('SPEND', 'CONTRIBUTE')", name="moves"),
        CheckConstraint("per IN ('OPERATION', 'DAY', 'WEEK', 'MONTH')", name="per"),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    moves: Mapped[str] = mapped_column(primary_key=True)
    per: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    points: Mapped[int]


@dataclass(frozen=True, slots=True)
class PoolRow:
    """A pool with its name."""

    id: uuid.UUID
    merchant_id: uuid.UUID
    status: str
    created_at: datetime
    name: str
    kind: str
