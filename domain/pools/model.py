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


class Pool(Base):
    """A pool of points that `merchant_id` issues."""

    __tablename__ = "pool"
    __table_args__ = (CheckConstraint("status IN ('ACTIVE', 'CLOSED')", name="status"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[uuid.UUID]
    status: Mapped[str]
    created_at: Mapped[datetime]


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


@dataclass(frozen=True, slots=True)
class PoolRow:
    """A pool with its name."""

    id: uuid.UUID
    merchant_id: uuid.UUID
    status: str
    created_at: datetime
    name: str
