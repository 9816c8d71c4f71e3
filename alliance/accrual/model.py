"""The tables of feeds: what was declared, which files were seen, the runs over them and all that they booked."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id


class RunStatus(StrEnum):
    """TAKEN: to be read. RUNNING: its parts are worked on. DONE, or REFUSED as a whole before its first line, or FAILED
    because the file was not what it had been. UNDOING: what it booked is being reversed. UNDONE: as far as that went.
    """

    TAKEN = "TAKEN"
    RUNNING = "RUNNING"
    DONE = "DONE"
    REFUSED = "REFUSED"
    FAILED = "FAILED"
    UNDOING = "UNDOING"
    UNDONE = "UNDONE"


class FeedRow(Base):
    """A feed, as the alliance file declares it. The keys of its lines lie under its id.

    `trouble` is why its folder could not be looked into at `looked_at`.
    """

    __tablename__ = "feed"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    code: Mapped[str] = mapped_column(unique=True)
    merchant_id: Mapped[uuid.UUID]
    definition: Mapped[dict[str, Any]]
    looked_at: Mapped[datetime | None]
    trouble: Mapped[str | None]


class FeedFile(Base):
    """A file as it was last seen: `stamp` is its size with its date or tag, `run_id` what took it with that stamp."""

    __tablename__ = "feed_file"

    feed_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    stamp: Mapped[str]
    seen_at: Mapped[datetime]
    run_id: Mapped[uuid.UUID | None]


class AccrualRun(Base):
    """One file taken in, by the feed's `definition` of then.

    `read` counts purchases, returns and decisions; each of them was `posted`, a `duplicate`, or `refused`. `rows`
    counts the rows that they stood in. `same_as` is the run that has a file of the same `digest` (SHA-256); one digest
    is taken in once, unless that run was undone. `columns` are those of the file. `refusal` is why it was refused or
    failed.
    """

    __tablename__ = "accrual_run"
    __table_args__ = (
        CheckConstraint("read = posted + duplicate + refused", name="read"),
        Index("ix_accrual_run_merchant", "merchant_id", "id"),
        Index("ix_accrual_run_feed", "feed_id", "id"),
        Index(
            "uq_accrual_run_digest",
            "feed_id",
            "digest",
            unique=True,
            postgresql_where=text("status IN ('RUNNING', 'DONE', 'UNDOING')"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    feed_id: Mapped[uuid.UUID]
    merchant_id: Mapped[uuid.UUID]
    definition: Mapped[dict[str, Any]]
    file: Mapped[str]
    stamp: Mapped[str]
    size: Mapped[int]
    digest: Mapped[str | None]
    columns: Mapped[list[Any] | None]
    status: Mapped[str] = mapped_column(server_default=text("'TAKEN'"))
    rows: Mapped[int] = mapped_column(server_default=text("0"))
    read: Mapped[int] = mapped_column(server_default=text("0"))
    posted: Mapped[int] = mapped_column(server_default=text("0"))
    duplicate: Mapped[int] = mapped_column(server_default=text("0"))
    refused: Mapped[int] = mapped_column(server_default=text("0"))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    started_by: Mapped[str]
    same_as: Mapped[uuid.UUID | None]
    refusal: Mapped[dict[str, Any] | None]


class AccrualPart(Base):
    """A part of a run's file, from `start` to before `stop`: bytes, or rows of Parquet. `line` is its first row's.

    All before `position` is posted, and counted here; the rest is to be done.
    """

    __tablename__ = "accrual_part"
    __table_args__ = (
        CheckConstraint("start <= position AND position <= stop", name="position"),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    start: Mapped[int]
    stop: Mapped[int]
    position: Mapped[int]
    line: Mapped[int]
    rows: Mapped[int] = mapped_column(server_default=text("0"))
    read: Mapped[int] = mapped_column(server_default=text("0"))
    posted: Mapped[int] = mapped_column(server_default=text("0"))
    duplicate: Mapped[int] = mapped_column(server_default=text("0"))
    refused: Mapped[int] = mapped_column(server_default=text("0"))
    done: Mapped[bool] = mapped_column(server_default=text("false"))


class AccrualPosting(Base):
    """That a run booked this operation, for the purchase or return that begins in this line, under this key.

    `undone_by` is what reversed it when the run was undone, `kept` the code of why nothing did.
    """

    __tablename__ = "accrual_posting"
    __table_args__ = (Index("ix_accrual_posting_run", "run_id", "line"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    run_id: Mapped[uuid.UUID]
    line: Mapped[int]
    key: Mapped[str]
    undone_by: Mapped[uuid.UUID | None]
    kept: Mapped[str | None]


class AccrualRefusal(Base):
    """A row that was refused: why, and what it said, so that it can be corrected and fed again.

    Rows of one order are refused together. `content` is a list in the order of the run's columns, or an object.
    """

    __tablename__ = "accrual_refusal"

    run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    refusal: Mapped[dict[str, Any]]
    content: Mapped[str]


class AccrualUndo(Base):
    """That a run is undone, by whom and why, and what came of it: operations reversed, points taken back and those that
    were not there any more, and operations that stay."""

    __tablename__ = "accrual_undo"

    run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    who: Mapped[str]
    why: Mapped[str]
    as_of: Mapped[datetime]
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]
    reversed: Mapped[int] = mapped_column(server_default=text("0"))
    taken: Mapped[int] = mapped_column(server_default=text("0"))
    shortfall: Mapped[int] = mapped_column(server_default=text("0"))
    kept: Mapped[int] = mapped_column(server_default=text("0"))
