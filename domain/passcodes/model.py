"""Codes that were sent, by a keyed hash of where to."""

import uuid
from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class OneTimeCode(Base):
    """The one code that is good for a destination, until it was used or tried too often. Asked for through a merchant.

    `destination` and `code_hash` are keyed hashes: neither address nor code is kept.
    """

    __tablename__ = "one_time_code"
    __table_args__ = (Index("ix_one_time_code_expires", "expires_at"),)

    destination: Mapped[bytes] = mapped_column(primary_key=True)
    code_hash: Mapped[bytes]
    merchant_id: Mapped[uuid.UUID]
    expires_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
