"""What those who follow the sequence read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Happened:
    """An operation or an event, at its place in the sequence.

    `id` is the operation's, or the event's row's. `about` are the holders it is about: what is about one of them is
    told in order. `merchants` are those whose side it is (A14), None all. `data` are as DATA says, with ids of ours and
    times as texts. Of an operation, `till` is the merchant where it happened; of what was done to a right, `grantor` is
    whose it is: of all merchants it alone is told of the member, a partner knows the code that it was shown.
    """

    position: int
    id: UUID
    kind: str
    about: tuple[UUID, ...]
    at: datetime
    merchants: frozenset[UUID] | None
    data: dict[str, Any]
    till: UUID | None = None
    grantor: UUID | None = None

    def is_for(self, merchant_id: UUID | None) -> bool:
        """Whether a merchant is told of it; None is the operator, who is told of all."""
        return merchant_id is None or self.merchants is None or merchant_id in self.merchants
