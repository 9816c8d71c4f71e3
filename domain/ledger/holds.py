"""Hold before tender (R14): points are set aside for a merchant, then captured, released, or given back by time.

A hold allocates its lots when it is authorised. Holding and giving back post nothing, but go through the engine as all
debits do, so that they are decided in order with them. A capture is a redemption out of the lots that were held.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.base import new_id
from domain.errors import InvalidInput, NotFound
from domain.ledger import unique
from domain.ledger.commands import Redeem, Taken, take
from domain.ledger.errors import AlreadyCaptured, AlreadyReleased, HoldExceeded, HoldLapsed
from domain.ledger.model import Hold, HoldAllocation, HoldStatus, OperationKind
from domain.ledger.request import Books, Effect, Needs, Request
from domain.ledger.rules import HoldState, first_parts

_HOLD: Any = Hold.__table__
_ALLOCATION: Any = HoldAllocation.__table__


@dataclass(slots=True, kw_only=True)
class HoldPoints(Redeem):
    """Set `points` aside for what may become a redemption, until `expires_at`. The riders see that it is possible."""

    expires_at: datetime
    agreement_version: int | None = None
    reserves: dict[str, int] | None = None

    def decide(self, books: Books) -> Effect:
        """Its lots, by R1's order. Raises MemberNotActive, DuplicateOrder, InsufficientPoints."""
        self.admit(books)
        taken = take(books, self.holder_id, self.currency, self.points, self.as_of)
        hold_id = new_id()
        hold = {
            "holder_id": self.holder_id,
            "id": hold_id,
            "merchant_id": self.merchant_id,
            "client_id": self.client_id,
            "store": self.store,
            "channel": self.channel,
            "order_ref": self.order_ref,
            "currency": self.currency,
            "issuer_id": self.issuer_id,
            "agreement_version": self.agreement_version,
            "reserves": self.reserves,
            "points": self.points,
            "held_at": self.as_of,
            "expires_at": self.expires_at,
        }
        effect = _unbooked(self.holder_id, hold_id, "HOLD", self.points)
        effect.operation |= {name: hold[name] for name in ("merchant_id", "store", "order_ref")}
        effect.operation |= {"occurred_at": self.as_of, "reverses": None}
        effect.held = taken
        effect.rows.append((_HOLD, hold))
        effect.rows.extend((_ALLOCATION, row) for row in _allocations(hold, taken))
        return self.ride(books, effect)


@dataclass(slots=True, kw_only=True)
class CaptureHold(Redeem):
    """Spend `points` of a hold; less than held releases the rest. Place, currency and issuer are the hold's own.

    What expired meanwhile is spent all the same: it has waited for its hold. What guards the member's points since
    then comes too late as well: they were promised (R14).
    """

    hold_id: UUID

    def needs(self, needs: Needs) -> None:
        """Also the hold; its wallet comes with it."""
        Redeem.needs(self, needs)
        needs.holds.add((self.holder_id, self.hold_id))

    def decide(self, books: Books) -> Effect:
        """As a redemption.

        Raises MemberNotActive, NotFound, DuplicateOrder, HoldExceeded, and for a hold that has ended AlreadyCaptured,
        AlreadyReleased, HoldLapsed.
        """
        books.require_active(self.holder_id)
        hold = _open(books, self.holder_id, self.hold_id, self.as_of)
        unique.require_new(books, unique.order_of(self, OperationKind.REDEEM))
        if self.points <= 0:
            raise InvalidInput(reason="points must be positive", path=("points",))
        if self.points > hold.points:
            raise HoldExceeded(held=hold.points, requested=self.points, path=("points",))
        effect = self.spend(books, first_parts(_parts(books, hold), self.points))
        ended = replace(hold, captured=self.points, captured_by=effect.operation["id"])
        _end(books, effect, ended, HoldStatus.CAPTURED, self.as_of)
        effect.data |= {"hold": str(hold.id), "released": hold.points - self.points}
        return effect


@dataclass(slots=True, kw_only=True)
class ReleaseHold(Request):
    """Give back all that was held. A member who is not active gets it back too."""

    hold_id: UUID

    def needs(self, needs: Needs) -> None:
        """The hold; its wallet comes with it."""
        needs.members.add(self.holder_id)
        needs.holds.add((self.holder_id, self.hold_id))
        for rider in self.riders:
            rider.needs(needs)

    def decide(self, books: Books) -> Effect | None:
        """Nothing is posted. Raises NotFound, AlreadyCaptured, AlreadyReleased, HoldLapsed."""
        hold = _open(books, self.holder_id, self.hold_id, self.as_of)
        return self._give_back(books, hold, "RELEASE", HoldStatus.RELEASED)

    def _give_back(self, books: Books, hold: HoldState, kind: str, status: HoldStatus) -> Effect:
        effect = _unbooked(self.holder_id, hold.id, kind, hold.points)
        _end(books, effect, hold, status, self.as_of)
        for rider in self.riders:
            rider.ride(books, effect)
        return effect


@dataclass(slots=True, kw_only=True)
class LapseHold(ReleaseHold):
    """Give back what was held past its time; nothing to do before, or once it has ended."""

    def decide(self, books: Books) -> Effect | None:
        """Late is harmless: a hold past its time is neither captured nor released. Early never happens."""
        hold = books.holds.get((self.holder_id, self.hold_id))
        if hold is None or hold.status != HoldStatus.OPEN or hold.expires_at > self.as_of:
            return None
        return self._give_back(books, hold, "LAPSE", HoldStatus.LAPSED)


def _open(books: Books, holder_id: UUID, hold_id: UUID, as_of: datetime) -> HoldState:
    """The hold, if it may still be captured or released."""
    hold = books.holds.get((holder_id, hold_id))
    if hold is None:
        raise NotFound(what="hold", path=("hold",))
    if hold.status == HoldStatus.CAPTURED:
        raise AlreadyCaptured(operation=str(hold.captured_by), path=("hold",))
    if hold.status == HoldStatus.RELEASED:
        raise AlreadyReleased(path=("hold",))
    if hold.expires_at <= as_of:
        raise HoldLapsed(expired=hold.expires_at.isoformat(), path=("hold",))
    return hold


def _parts(books: Books, hold: HoldState) -> Taken:
    """What an open hold has set aside: its lots are open, and so are in the books with their wallet."""
    return [(books.lots[hold.holder_id, lot_id], amount) for lot_id, amount in hold.parts]


def _end(books: Books, effect: Effect, hold: HoldState, status: HoldStatus, as_of: datetime) -> None:
    """Free all that the hold has set aside, whatever of it was spent."""
    effect.held = [(lot, -amount) for lot, amount in _parts(books, hold)]
    effect.hold = replace(hold, status=status.value, ended_as_of=as_of)


def _unbooked(holder_id: UUID, hold_id: UUID, kind: str, points: int) -> Effect:
    operation = {"holder_id": holder_id, "id": hold_id, "kind": kind, "decisions": None}
    return Effect(operation=operation, points=points, booked=False, data={"hold": str(hold_id)})


def _allocations(hold: dict[str, Any], taken: Taken) -> list[dict[str, Any]]:
    return [
        {"holder_id": hold["holder_id"], "hold_id": hold["id"], "seq": seq, "lot_id": lot.id, "amount": part}
        for seq, (lot, part) in enumerate(taken)
    ]
