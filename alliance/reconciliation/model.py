"""Reconciliations, kept: what was proved as of when, what differed, what was outstanding."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base

DIFFERENCES_KEPT = 100
"""Of a reconciliation; `tessera verify --report` has all."""


class Reconciliation(Base):
    """One reconciliation; its id is that of the job that asked for it.

    It runs until `finished_at`; `done` of `total` of its `step` is how far it is. `found` figures differ, the first of
    which are `differences`; `outstanding` are as `Outstanding` has them. Amounts in either are text.
    """

    __tablename__ = "reconciliation"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    as_of: Mapped[datetime]
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]
    step: Mapped[str] = mapped_column(server_default=text("''"))
    done: Mapped[int] = mapped_column(server_default=text("0"))
    total: Mapped[int] = mapped_column(server_default=text("0"))
    accounts: Mapped[int] = mapped_column(server_default=text("0"))
    operations: Mapped[int] = mapped_column(server_default=text("0"))
    found: Mapped[int] = mapped_column(server_default=text("0"))
    differences: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    outstanding: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What should have come back to zero: so many of something, `amount` of `unit` in all, the oldest since then."""

    what: str
    unit: str
    count: int
    amount: int
    since: datetime
