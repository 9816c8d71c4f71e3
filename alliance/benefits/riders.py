"""What rights make owed (A15), as riders: the grantor owes for a use, and while one is booked that is reserved."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from alliance.clearing.model import ObligationKind
from alliance.clearing.riders import OPEN_CYCLE, PAST_OBLIGATIONS, OpenCycle, Past, write
from alliance.clearing.rules import PRICE_OF_MILLIONTHS, Owed, owed_json, owed_later
from alliance.exposure.positions import EXPOSURES
from alliance.exposure.riders import Capped, Promised
from domain.benefits.loading import BOOKINGS, RIGHTS
from domain.benefits.model import RightBooking
from domain.benefits.rules import BookingState, Charge, Price, RightState
from domain.errors import InvalidInput
from domain.ledger.model import OperationKind
from domain.ledger.request import Books, Effect, Needs
from domain.money import MAX_INTEGER

_BOOKING: Any = RightBooking.__table__


def lines_of(
    right: RightState, price: Price, charge: Charge, uses: int, operator_id: UUID, *, late: bool = False
) -> tuple[Owed, ...]:
    """What so many uses at a partner make owed, and the operator's fees. Raises InvalidInput for too large a sum."""
    if charge.amount * uses * PRICE_OF_MILLIONTHS > MAX_INTEGER:
        raise InvalidInput(reason="more than can be settled at once", path=("quantity",))
    main = Owed(
        kind=ObligationKind.RIGHT,
        debtor_id=right.grantor_id,
        creditor_id=price.at,
        currency=right.currency,
        points=uses,
        price=charge.amount * PRICE_OF_MILLIONTHS,
        amount=charge.amount * uses,
        agreement_id=price.agreement_id,
        agreement_version=price.version,
        late=late,
    )
    fee = replace(main, kind=ObligationKind.FEE, creditor_id=operator_id, price=None)
    fees = [replace(fee, debtor_id=payer, amount=amount * uses) for payer, amount in charge.fees]
    return tuple(line for line in (main, *fees) if line.amount)


@dataclass(frozen=True, slots=True)
class OwingRight:
    """Rides on what is done to a right at a partner: a use or a no-show is owed for, a booking reserves what its use
    will make owed, and one that ends sets it free. `as_of` None: a dry run.

    A use was promised when the right was granted: it takes the grantor past its cap, flagged (A5). `capped` are those
    with a cap whose position it raises.
    """

    holder_id: UUID
    right_id: UUID
    operator_id: UUID
    as_of: datetime | None
    capped: Capped = ()
    late: bool = False

    def needs(self, needs: Needs) -> None:
        """The open cycle, held open until the batch is written; positions, under their locks."""
        if self.as_of is not None:
            needs.other(OPEN_CYCLE, self.as_of)
        Promised(self.capped, tuple, "accept").needs(needs)

    def ride(self, books: Books, effect: Effect) -> None:
        """Lines, and what is reserved."""
        right: RightState = books.other(RIGHTS, (self.holder_id, self.right_id))
        cycle = OpenCycle() if self.as_of is None else books.other(OPEN_CYCLE, self.as_of)
        self._set_free(books, effect, cycle)
        price = right.price_at(effect.operation["merchant_id"])
        if price is None:
            return
        kind = effect.operation["kind"]
        if kind == "RIGHT_RESERVE":
            row = next(row for table, row in effect.rows if table is _BOOKING)
            row["owed"] = owed_json(lines_of(right, price, price.use, 1, self.operator_id)) or None
            _reserve(effect, row["owed"], 1, cycle)
            return
        charge = {OperationKind.RIGHT_USE.value: price.use, OperationKind.RIGHT_NO_SHOW.value: price.no_show}.get(kind)
        if charge is not None:
            lines = lines_of(right, price, charge, effect.points, self.operator_id, late=self.late)
            write(effect, lines, cycle)
            Promised(self.capped, lambda points: lines, "accept").ride(books, effect)

    def _set_free(self, books: Books, effect: Effect, cycle: OpenCycle) -> None:
        for sums, place, _ in list(effect.adds):
            if sums is BOOKINGS:
                booking: BookingState = books.other(BOOKINGS, place)
                _reserve(effect, booking.owed, -1, cycle)


def _reserve(effect: Effect, kept: list[Any] | None, sign: int, cycle: OpenCycle) -> None:
    """Reserve (or set free) what the lines of a booking make their debtors owe. A claim is none yet."""
    for line in owed_later(kept or (), 1, 1):
        if line.debtor_id in cycle.capped:
            effect.adds.append((EXPOSURES, line.debtor_id, (0, sign * line.amount, 0)))


@dataclass(frozen=True, slots=True)
class OwingRightBack:
    """Rides on a use, or a no-show, that is undone: the negative of all that it made owed, in the open cycle (A7)."""

    holder_id: UUID
    operation_id: UUID
    as_of: datetime | None

    def needs(self, needs: Needs) -> None:
        """The open cycle, and what the original made owed."""
        if self.as_of is not None:
            needs.other(OPEN_CYCLE, self.as_of)
        needs.other(PAST_OBLIGATIONS, (self.holder_id, self.operation_id))

    def ride(self, books: Books, effect: Effect) -> None:
        """At the original's version and price."""
        cycle = OpenCycle() if self.as_of is None else books.other(OPEN_CYCLE, self.as_of)
        pasts: dict[str, Past] = books.other(PAST_OBLIGATIONS, (self.holder_id, self.operation_id)) or {}
        for past in pasts.values():
            write(effect, past.whole_back(), cycle)
