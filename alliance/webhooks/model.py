"""Subscriptions, and what is being sent of each."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id


class WebhookStatus(StrEnum):
    """To a DISABLED one nothing is sent; its place is kept, and it goes on from there when it is enabled."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


class DeliveryStatus(StrEnum):
    """A PENDING delivery is yet to be tried, or tried again; GIVEN_UP is one that ran out of attempts."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    GIVEN_UP = "GIVEN_UP"


class Webhook(Base):
    """Where a merchant (null: the operator) is sent what happened on its side: `kinds`, all if it names none.

    Up to `place` all that is to be sent has a delivery. Its secret is made of the installation's and `generation`;
    the one before signs too until `previous_until`. `failing_since` is the first failure after which nothing was taken.
    Whoever changes it counts `revision` up, so that who sends takes notice.
    """

    __tablename__ = "webhook"
    __table_args__ = (CheckConstraint("status IN ('ENABLED', 'DISABLED')", name="status"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    merchant_id: Mapped[uuid.UUID | None]
    url: Mapped[str]
    kinds: Mapped[list[Any]]
    description: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=text("'ENABLED'"))
    why: Mapped[str | None]
    place: Mapped[int]
    generation: Mapped[int] = mapped_column(server_default=text("1"))
    previous_until: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class WebhookDelivery(Base):
    """What became of sending what happened at `position`; below zero it is a test. `about`: see `Happened`.

    `response` is the status of the last answer, `error` why there was none or it was no good.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        CheckConstraint("status IN ('PENDING', 'DELIVERED', 'GIVEN_UP')", name="status"),
        Index("ix_webhook_delivery_pending", "webhook_id", "position", postgresql_where=text("status = 'PENDING'")),
        Index("ix_webhook_delivery_done", "done_at", postgresql_where=text("done_at IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    webhook_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    about: Mapped[list[Any]]
    status: Mapped[str] = mapped_column(server_default=text("'PENDING'"))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    due_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    response: Mapped[int | None] = mapped_column(SmallInteger)
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    done_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt came to: delivered, to be tried again at `due_at`, or given up."""

    position: int
    status: DeliveryStatus
    attempts: int
    due_at: datetime
    response: int | None
    error: str | None
