"""The log's tables, appended to by one sealer and never edited; and the proofs read from them."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class LogLeaf(Base):
    """An operation's place in the log. `salt`: 16 bytes of the leaf, then 16 of its terms.

    `hashes` are 32 bytes each: the leaf's own, then those of the complete subtrees that end with it, upwards; so every
    node of the tree is found by the key of a leaf, and none is ever written twice. `rest` is what enters a leaf
    beside its lines (`alliance.proofs.lines`). `archived_by` is the number of the archive that the operation's rows
    have gone into: of such a leaf only hashes and salt are left here.
    """

    __tablename__ = "log_leaf"
    __table_args__ = (
        Index("uq_log_leaf_operation_id", "operation_id", unique=True),
        Index("ix_log_leaf_archived", "archived_by", "index", postgresql_where=text("archived_by IS NOT NULL")),
    )

    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    holder_id: Mapped[uuid.UUID]
    operation_id: Mapped[uuid.UUID]
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    hashes: Mapped[bytes] = mapped_column(LargeBinary)
    rest: Mapped[bytes | None] = mapped_column(LargeBinary)
    archived_by: Mapped[int | None]


class LogCheckpoint(Base):
    """What the sealer signed after each block: so many leaves, their root. `xid` is that of the last leaf's operation:
    the next block begins after it."""

    __tablename__ = "log_checkpoint"

    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    note: Mapped[str]
    xid: Mapped[int]
    signed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class LogKey(Base):
    """A public key that checkpoints were signed with, as its line; kept for as long as there is a log."""

    __tablename__ = "log_key"

    key: Mapped[str] = mapped_column(primary_key=True)
    added_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a leaf's hash is made of. `terms` (prices, who pays, what merchants owe) enter it as a hash of their own,
    and the obligations among them as commitments, `lines`, of which older leaves have none."""

    data: dict[str, Any]
    terms: dict[str, Any]
    salt: bytes
    terms_salt: bytes
    lines: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint as it was signed; `note` is the whole of it."""

    size: int
    root: bytes
    note: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That an operation is in the log: its leaf, and the path from there to the checkpoint's root."""

    index: int
    leaf_hash: bytes
    leaf: Leaf
    path: tuple[bytes, ...]
    checkpoint: SignedCheckpoint
