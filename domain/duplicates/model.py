"""Pairs of members who may be one person, and the keys by which they were found."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class CandidateStatus(StrEnum):
    """PROPOSED to people; put off for LATER; NOT_SAME for good, or MERGED, by a person's word."""

    PROPOSED = "PROPOSED"
    LATER = "LATER"
    NOT_SAME = "NOT_SAME"
    MERGED = "MERGED"


class DuplicateKey(Base):
    """A member has this in common with all who have the same key: a keyed hash of what is spelled in one way, such as
    a telephone number, or a name with a birthday."""

    __tablename__ = "duplicate_key"
    __table_args__ = (Index("ix_duplicate_key_key", "key", "holder_id"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)


class DuplicateCandidate(Base):
    """Two members, the one with the smaller id first, and how probable (millionths) it is that they are one person.

    `features` say why, by name: [how they compare, weight in hundredths of a bit]; `exact`: they share a telephone
    number or an e-mail address. `note` is the decider's, free text.
    """

    __tablename__ = "duplicate_candidate"
    __table_args__ = (
        CheckConstraint("status IN ('PROPOSED', 'LATER', 'NOT_SAME', 'MERGED')", name="status"),
        CheckConstraint("one_id < other_id", name="ordered"),
        Index("ix_duplicate_candidate_queue", "status", "probability", "one_id", "other_id"),
        Index("ix_duplicate_candidate_other", "other_id"),
    )

    one_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    other_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    probability: Mapped[int]
    features: Mapped[dict[str, Any]]
    exact: Mapped[bool]
    status: Mapped[str]
    found_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    client_id: Mapped[uuid.UUID | None]
    note: Mapped[str | None]


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of a member that others may be compared with, each in its one spelling; empty: not known."""

    holder_id: uuid.UUID
    name: str = ""
    birthday: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    address: str = ""
    stores: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scored:
    """A pair with its probability (millionths) and why; see `DuplicateCandidate`."""

    one_id: uuid.UUID
    other_id: uuid.UUID
    probability: int
    features: dict[str, tuple[str, int]]
    exact: bool
