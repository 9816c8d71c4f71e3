"""Codes that were used, and what a code says."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class MemberCodeUse(Base):
    """A code that had its effect. `nonce` is the random half of what it carries; kept a while, then forgotten."""

    __tablename__ = "member_code_use"
    __table_args__ = (Index("ix_member_code_use_used", "used_at"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    nonce: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    used_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a code says, its signature checked and nothing else: whose it is, which one, and until when it is good."""

    member_id: uuid.UUID
    nonce: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class MemberCode:
    """A code to be shown: `token` is a JWS in compact form, `payload` the same in digits, for a small QR code."""

    token: str
    payload: str
    expires_at: datetime
