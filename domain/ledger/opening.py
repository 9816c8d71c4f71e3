"""Opening balances: points that members bring from the system before this one, each as the lot that it was there."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.base import new_id
from domain.errors import InvalidInput
from domain.ledger.commands import POINTS, effect_of, require_room
from domain.ledger.model import AccountKind, OperationKind
from domain.ledger.request import Books, Effect, EntryState, Needs, Request
from domain.ledger.rules import LotState


@dataclass(slots=True, kw_only=True)
class Opening(Request):
    """`points` of `currency`, granted at `granted_at`, elsewhere, and living until `expires_at`.

    `funder_id` paid for them at `price` (10^-8) a point, then: nothing is owed for them now. `reference` names them in
    the system before. A refusal is not remembered: the row is corrected, and comes again under its key.
    """

    counter: ClassVar[AccountKind] = AccountKind.OPENING
    remembers: bool = False

    currency: str
    issuer_id: UUID
    funder_id: UUID
    points: int
    price: int
    granted_at: datetime
    expires_at: datetime | None
    reference: str | None = None

    def needs(self, needs: Needs) -> None:
        """The member's status, and what the riders ask for."""
        needs.members.add(self.holder_id)
        for rider in self.riders:
            rider.needs(needs)

    def decide(self, books: Books) -> Effect:
        """One entry and one lot. Raises InvalidInput, NotFound, MemberNotActive, BalanceLimitExceeded."""
        books.require_active(self.holder_id)
        if self.points <= 0:
            raise InvalidInput(reason="points must be positive", path=("points",))
        require_room(books, self.holder_id, self.currency, self.points)
        effect = effect_of(self, OperationKind.OPENING, self.issuer_id, self.points, order_ref=self.reference)
        entry = EntryState(POINTS, self.currency, self.points, self.issuer_id, self.counter.value)
        effect.entries.append(entry)
        effect.lots.append(
            LotState(
                self.holder_id,
                new_id(),
                self.currency,
                effect.operation["id"],
                self.issuer_id,
                self.funder_id,
                self.price,
                self.points,
                self.points,
                self.granted_at,
                self.expires_at,
            )
        )
        for rider in self.riders:
            rider.ride(books, effect)
        return effect
