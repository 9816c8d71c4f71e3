"""Systems that may call, and what with."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class OAuthClient(Base):
    """A system that calls. `kind` is the kind of viewer its tokens make; a merchant's client names it.

    One without a secret is an app in its members' hands: it signs members in and renews their sessions, no more.
    """

    __tablename__ = "oauth_client"
    __table_args__ = (
        CheckConstraint("kind IN ('merchant', 'operator', 'auditor')", name="kind"),
        CheckConstraint("(kind = 'merchant') = (merchant_id IS NOT NULL)", name="merchant"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    merchant_id: Mapped[uuid.UUID | None]
    scopes: Mapped[list[Any]]
    secret_hash: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    disabled_at: Mapped[datetime | None]
