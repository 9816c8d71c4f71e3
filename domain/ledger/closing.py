"""What is left of a holder who has left, as requests to the posting engine: it lapses, or goes to whom they named."""

from dataclasses import dataclass
from uuid import UUID

from domain.ledger.commands import Expire, Taken, effect_of, entry_of, require_room
from domain.ledger.gifts import given_lot, move
from domain.ledger.model import AccountKind, OperationKind
from domain.ledger.request import Books, Effect, Needs, Request

RULE = "closing"
"""What decided these operations, as they say."""


@dataclass(slots=True, kw_only=True)
class Lapse(Expire):
    """Let all that is free in a wallet expire, whatever its date: whose it was has left. Held lots follow when free."""

    def needs(self, needs: Needs) -> None:
        """The whole wallet."""
        needs.wallets.add((self.holder_id, self.currency))

    def decide(self, books: Books) -> Effect | None:
        """One entry against the issuer's breakage; None where nothing is left."""
        lots = books.open_lots(self.holder_id, self.currency)
        due: Taken = [(lot, -lot.free) for lot in lots if lot.free]
        points = -sum(part for _, part in due)
        if not points:
            return None
        decided = [{"rule": RULE, "version": 1, "points": points}]
        effect = effect_of(self, OperationKind.EXPIRE, self.issuer_id, points, decisions=decided)
        effect.entries.append(entry_of(self.currency, -points, self.issuer_id, AccountKind.BREAKAGE))
        effect.allocations.extend(due)
        return effect


@dataclass(slots=True, kw_only=True)
class Bequest(Request):
    """Give all that is free and alive in a wallet to another member, by a holder who leaves: without the day's caps.

    As in any gift, lots keep issuer, price and date, and what went through `most_depth` gifts is not given on (R6).
    """

    to_holder_id: UUID
    currency: str
    issuer_id: UUID
    most_depth: int

    def needs(self, needs: Needs) -> None:
        """Both holders, the whole wallet, and what the riders ask for."""
        needs.holders.add(self.to_holder_id)
        needs.members.update((self.holder_id, self.to_holder_id))
        needs.wallets.add((self.holder_id, self.currency))
        for rider in self.riders:
            rider.needs(needs)

    def decide(self, books: Books) -> Effect | None:
        """Two entries, and a lot for each that gave.

        Raises NotFound, MemberNotActive, BalanceLimitExceeded; and what guards the points, though whoever would take
        them closes the member.
        """
        books.require_active(self.to_holder_id, ("beneficiary",))
        if books.statuses is not None:
            books.statuses[self.holder_id].require_unbarred(self.currency, self.as_of, "member")
        lots = books.open_lots(self.holder_id, self.currency)
        if self.to_holder_id == self.holder_id or books.debt(self.holder_id, self.currency):
            return None
        given = [lot for lot in lots if lot.free and lot.is_live(self.as_of) and lot.depth < self.most_depth]
        points = sum(lot.free for lot in given)
        if not points:
            return None
        require_room(books, self.to_holder_id, self.currency, points)
        decided = [{"rule": RULE, "version": 1, "points": points}]
        effect = effect_of(self, OperationKind.GIFT, self.issuer_id, points, decisions=decided)
        move(effect, self.holder_id, self.to_holder_id, self.currency, points)
        effect.allocations.extend((lot, -lot.free) for lot in given)
        effect.lots.extend(given_lot(effect, lot, self.to_holder_id, lot.free, depth=lot.depth + 1) for lot in given)
        for rider in self.riders:
            rider.ride(books, effect)
        return effect
