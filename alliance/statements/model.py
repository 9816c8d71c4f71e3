"""The key of pseudonyms, and what a statement is made of."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, LargeBinary, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class PseudonymKey(Base):
    """The one secret of all pseudonyms. It is never changed: a member keeps its name with a pair of merchants."""

    __tablename__ = "pseudonym_key"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False, server_default=text("1"))
    key: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class StatementSignature(Base):
    """The note that was signed of an issued statement: what it comes to, and the hashes of its files."""

    __tablename__ = "statement_signature"

    cycle_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    note: Mapped[str]
    signed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


@dataclass(frozen=True, slots=True)
class Head:
    """Whose statement of which cycle. `openings` are millionths by partner, positive what the partner owes.

    Nothing here changes once the statement was issued: so it has codes and no names.
    """

    alliance_id: uuid.UUID
    alliance: str
    cycle_id: uuid.UUID
    cycle: int
    opens_at: datetime
    closes_at: datetime
    merchant_id: uuid.UUID
    merchant: str
    issued_at: datetime
    currency: str
    openings: Mapping[uuid.UUID, int]
    codes: Mapping[uuid.UUID, str]

    @property
    def file(self) -> str:
        """A name for its files."""
        return f"statement-{self.cycle}-{self.merchant}"


@dataclass(frozen=True, slots=True)
class LineRow:
    """An obligation: under whom it is kept, its operation, and the row as its leaf has it."""

    holder_id: uuid.UUID
    operation_id: uuid.UUID
    seq: int
    row: dict[str, Any]
