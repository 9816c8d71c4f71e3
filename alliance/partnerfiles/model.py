"""Files that partners sent, what became of each of their lines, and the breaks that were found.

Amounts are millionths of the settlement currency, positive what the merchant that sent the file is to receive.
"""

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, LargeBinary, SmallInteger, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, WideInteger, new_id


class FileStatus(StrEnum):
    """RECEIVED: its content is here. SUBMITTED: it is to be reconciled, RUNNING: it is being. DONE; or REFUSED as a
    whole, see `refusal`. SUPERSEDED by another file of its period."""

    RECEIVED = "RECEIVED"
    SUBMITTED = "SUBMITTED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    REFUSED = "REFUSED"
    SUPERSEDED = "SUPERSEDED"


class Outcome(StrEnum):
    """What became of a line (A11): each line of theirs and each of ours has exactly one of these.

    MISSING_HERE: in the file and not with us; MISSING_THERE: the opposite. PRICE_DIFFERS: of the amount, and both say
    the same points. TIMING: it lies in the period before or after, or may still come; a break after two cut-offs.
    """

    MATCHED = "MATCHED"
    MISSING_HERE = "MISSING_HERE"
    MISSING_THERE = "MISSING_THERE"
    AMOUNT_DIFFERS = "AMOUNT_DIFFERS"
    PRICE_DIFFERS = "PRICE_DIFFERS"
    DUPLICATE = "DUPLICATE"
    TIMING = "TIMING"


class BreakStatus(StrEnum):
    """OPEN until it ends: in a CLAIM, an adjustment, a write-off; MATCHED by a later file or cycle; or SUPERSEDED with
    its file."""

    OPEN = "OPEN"
    CLAIMED = "CLAIMED"
    ADJUSTED = "ADJUSTED"
    WRITTEN_OFF = "WRITTEN_OFF"
    MATCHED = "MATCHED"
    SUPERSEDED = "SUPERSEDED"


class PartnerFile(Base):
    """A file of a merchant: of a whole cycle, or of one `day` (in the merchant's zone) that falls into it.

    `key` is the sender's own name for it: the same content under the same key is the same file. `other_id` is the only
    partner that it is about, if it is about one. `outcomes` has, by outcome, how many lines of theirs and of ours, and
    what they come to: {theirs, ours, theirsSum, oursSum}, sums as text. `tolerated` is what matched lines differ by
    all the same. `done` of `total` of its `step` is how far it is. `dry_run`: it was only tried, and nothing is kept
    but its figures.
    """

    __tablename__ = "partner_file"
    __table_args__ = (
        UniqueConstraint("merchant_id", "key", "digest"),
        Index("ix_partner_file_merchant", "merchant_id", "id"),
        Index("ix_partner_file_period", "merchant_id", "cycle_id", "day"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    merchant_id: Mapped[uuid.UUID]
    other_id: Mapped[uuid.UUID | None]
    name: Mapped[str]
    key: Mapped[str]
    digest: Mapped[str]
    size: Mapped[int]
    mapping: Mapped[str | None]
    cycle_id: Mapped[uuid.UUID | None]
    day: Mapped[date | None]
    status: Mapped[str]
    dry_run: Mapped[bool] = mapped_column(server_default=text("false"))
    received_at: Mapped[datetime]
    received_by: Mapped[str]
    submitted_at: Mapped[datetime | None]
    submitted_by: Mapped[str | None]
    finished_at: Mapped[datetime | None]
    superseded_by: Mapped[uuid.UUID | None]
    step: Mapped[str] = mapped_column(server_default=text("''"))
    done: Mapped[int] = mapped_column(server_default=text("0"))
    total: Mapped[int] = mapped_column(server_default=text("0"))
    lines: Mapped[int] = mapped_column(server_default=text("0"))
    amount: Mapped[int] = mapped_column(WideInteger, server_default=text("0"))
    tolerated: Mapped[int] = mapped_column(WideInteger, server_default=text("0"))
    outcomes: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    problems: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    refusal: Mapped[dict[str, Any] | None]


class PartnerFilePart(Base):
    """A stretch of a file's content, packed by zlib."""

    __tablename__ = "partner_file_part"

    file_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class PartnerLine(Base):
    """A line of a reconciled file, and the line of ours that it was compared with; where those were several, they are
    in `partner_match`. `pass_no` is the pass that found it (A11)."""

    __tablename__ = "partner_line"

    file_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    line_no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str | None]
    order_ref: Mapped[str | None]
    occurred_on: Mapped[date | None]
    amount: Mapped[int]
    outcome: Mapped[str]
    pass_no: Mapped[int | None] = mapped_column(SmallInteger)
    holder_id: Mapped[uuid.UUID | None]
    operation_id: Mapped[uuid.UUID | None]
    seq: Mapped[int | None] = mapped_column(SmallInteger)


class PartnerMatch(Base):
    """One of several lines of ours that a line of a file was compared with."""

    __tablename__ = "partner_match"

    file_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    holder_id: Mapped[uuid.UUID]
    line_no: Mapped[int]


class ReconBreak(Base):
    """A difference between a merchant's books and ours, until it is worked (A11).

    `other_id` is the counterparty, if it is known; `file_id` is null for what was found without a file. `key` and
    `line_no` are those of the file's line, `holder_id`, `operation_id` and `seq` name ours; either may be missing.
    `theirs` and `ours` are null where there is nothing. `due_at`, of TIMING only: the second cut-off, after which it
    is a break like others. `resolution_id` is the claim or correction that it ended in.
    """

    __tablename__ = "recon_break"
    __table_args__ = (
        Index("ix_recon_break_merchant", "merchant_id", "status", "id"),
        Index("ix_recon_break_file", "file_id", "line_no"),
        Index("ix_recon_break_line", "operation_id", "seq"),
        Index("ix_recon_break_open", "status", "opened_at", postgresql_where=text("closed_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    merchant_id: Mapped[uuid.UUID]
    other_id: Mapped[uuid.UUID | None]
    cycle_id: Mapped[uuid.UUID]
    file_id: Mapped[uuid.UUID | None]
    outcome: Mapped[str]
    key: Mapped[str | None]
    line_no: Mapped[int | None]
    holder_id: Mapped[uuid.UUID | None]
    operation_id: Mapped[uuid.UUID | None]
    seq: Mapped[int | None] = mapped_column(SmallInteger)
    ours: Mapped[int | None]
    theirs: Mapped[int | None]
    order_ref: Mapped[str | None]
    occurred_on: Mapped[date | None]
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    owner_id: Mapped[uuid.UUID | None]
    status: Mapped[str] = mapped_column(server_default=text("'OPEN'"))
    closed_at: Mapped[datetime | None]
    resolution_id: Mapped[uuid.UUID | None]
    closed_by: Mapped[str | None]
    why: Mapped[str | None]


class MissingFile(Base):
    """That a file which was due for a `day`, or for the cycle that was cut off on it, did not come. It is told once."""

    __tablename__ = "partner_file_missing"

    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    mapping: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    cycle_id: Mapped[uuid.UUID | None]
    due_at: Mapped[datetime]
    told_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
