"""What happened (events: kept) and what is to be done (jobs: deleted once done). Both carry ids, not personal data."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import CheckConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id
from domain.events.origin import NOBODY, Origin

#: Told once by every transaction that adds jobs; whoever listens need not poll.
CHANNEL = "tessera_jobs"


class Event(Base):
    """Something that happened to a holder.

    `seen_by` are the ids of the merchants whose side of the alliance it is (A14); none: the operator's alone.
    `xid` is the transaction that wrote it: events are numbered up to transactions older than every running one.
    """

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_xid", "xid"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    data: Mapped[dict[str, Any]]
    seen_by: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    xid: Mapped[int] = mapped_column(server_default=text("(pg_current_xact_id()::text::bigint)"))


class EventNumber(Base):
    """An event's place in the sequence of all that happened, which it shares with the operations of the log.

    Before it came `leaf` operations and `position - leaf` events. So operations need no row here: theirs are the
    positions between, in the order of their leaves.
    """

    __tablename__ = "event_number"
    __table_args__ = (
        Index("ix_event_number_leaf", "leaf", "position"),
        Index("uq_event_number_event", "holder_id", "event_id", unique=True),
    )

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    leaf: Mapped[int]
    holder_id: Mapped[uuid.UUID]
    event_id: Mapped[uuid.UUID]


class Job(Base):
    """Work for the actor of that name, to be done once `available_at` has come.

    A job is waiting; or handed out (`dispatched_at`), and then due again at `available_at`, so that what a lost broker
    or a killed worker had is handed out again; or failed for good (`failed_at`), until someone retries or discards it.
    `attempts` counts how often a worker began it; a worker that has it in hand keeps the row locked. While a job with
    the same `dedupe` is there, another is not added. `request_id` and `traceparent` are its Origin's. `group_id` is the
    job that was cut into it and others.
    """

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint("attempts >= 0", name="attempts"),
        Index("ix_job_due", "available_at", postgresql_where=text("failed_at IS NULL")),
        Index("uq_job_dedupe", "dedupe", unique=True, postgresql_where=text("dedupe IS NOT NULL")),
        Index("ix_job_group", "group_id", postgresql_where=text("group_id IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    actor: Mapped[str]
    args: Mapped[dict[str, Any]]
    queue: Mapped[str] = mapped_column(server_default=text("'default'"))
    dedupe: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    available_at: Mapped[datetime] = mapped_column(server_default=func.now())
    dispatched_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    failed_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    history: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    request_id: Mapped[str | None]
    traceparent: Mapped[str | None]
    group_id: Mapped[uuid.UUID | None]


class JobGroup(Base):
    """That a job of `actor`, whose id it has, was cut into so many jobs. Those that are not there any more are done."""

    __tablename__ = "job_group"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    actor: Mapped[str]
    as_of: Mapped[datetime | None]
    jobs: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ScheduledRun(Base):
    """That the work called `name` was started for its due time `due_at`: once, by whichever scheduler came first."""

    __tablename__ = "scheduled_run"

    name: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be added; see `Job`. `available_at` None is now."""

    actor: str
    args: dict[str, Any]
    queue: str = "default"
    available_at: datetime | None = None
    dedupe: str | None = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be added; see `Event`."""

    holder_id: uuid.UUID
    kind: str
    data: dict[str, Any] = field(default_factory=dict)
    seen_by: Collection[uuid.UUID] = ()

    def row(self) -> dict[str, Any]:
        """As it is inserted; an operation may carry it, and has it written in its own transaction."""
        seen_by = sorted(map(str, self.seen_by))
        return {"holder_id": self.holder_id, "id": new_id(), "kind": self.kind, "data": self.data, "seen_by": seen_by}


class HandedOut(NamedTuple):
    """A job on its way to the broker, how often it was begun before, and for how long it was due."""

    id: uuid.UUID
    actor: str
    attempts: int
    waited: timedelta


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job as the worker that has it in hand sees it. `attempt` is 1 the first time; a job that nobody is known to
    have asked for is its own origin."""

    id: uuid.UUID
    args: dict[str, Any]
    attempt: int
    origin: Origin = NOBODY
    group: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class GroupState:
    """How far a group is: `done` of its `jobs`; `failed` are those that did for good."""

    id: uuid.UUID
    actor: str
    as_of: datetime | None
    started_at: datetime
    jobs: int
    done: int
    failed: int


@dataclass(frozen=True, slots=True)
class QueueState:
    """Jobs of an actor on a queue: to be done, and failed for good. The oldest waits to be handed out for `seconds`."""

    queue: str
    actor: str
    waiting: int
    failed: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt of a job failed; `final` says that another attempt would fail too."""

    job: HeldJob
    why: str
    final: bool


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a job is tried, and the seconds between: the first doubled each time, up to the most."""

    max_attempts: int = 8
    first_delay: float = 5.0
    max_delay: float = 3600.0
