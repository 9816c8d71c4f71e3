"""Where dates that slide were moved from and to: rows of the operation that moved them, so that they can be proved and
the past be told."""

import uuid
from collections.abc import Container, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base
from domain.ledger.rules import Sliding


class SlidingMove(Base):
    """An operation moved a sliding expiry; `moved_from` is null where it began.

    Dates only move forward, so the last of a sliding expiry is where it stands.
    """

    __tablename__ = "sliding_move"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    sliding_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    currency: Mapped[str]
    span: Mapped[str]
    moved_from: Mapped[datetime | None]
    moved_to: Mapped[datetime]


SLIDING_MOVE: Any = SlidingMove.__table__


def moves_of(
    operation_id: uuid.UUID,
    slides: Sequence[tuple[Sliding, datetime]],
    known: Container[tuple[uuid.UUID, uuid.UUID]],
) -> Iterator[dict[str, Any]]:
    """The rows for what an operation moves, before it is carried out; `known` are those that did not begin with it."""
    last = {sliding.id: (sliding, until) for sliding, until in slides}
    for sliding, until in last.values():
        before = sliding.expires_at if (sliding.holder_id, sliding.id) in known else None
        if before != until:
            place = {"holder_id": sliding.holder_id, "operation_id": operation_id, "sliding_id": sliding.id}
            dates = {"moved_from": before, "moved_to": until}
            yield {**place, "currency": sliding.currency, "span": sliding.span, **dates}
