"""Rights in the sample alliance: the grocer's car wash, used at the filling station for 4.00, no-show 1.00."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from alliance.benefits.commands import (
    Call,
    cancel_request,
    end_booking_request,
    expire_request,
    grant_request,
    reserve_request,
    restore_request,
    use_request,
)
from domain.benefits.model import Right, RightBooking
from domain.benefits.rules import Codes
from domain.ledger.request import Posted
from tests.alliance.support import CLIENT, NOON, House, key

CODES = Codes(b"a secret of the tests")
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Rights:
    """Short ways to grant, book, use and cancel."""

    house: House

    def call(self, at: str, **named: Any) -> Call:
        """A call at a merchant's."""
        as_of = named.get("as_of", NOON)
        common = {"occurred_at": as_of, "as_of": as_of, "key": key(), "client_id": CLIENT}
        return Call(at=self.house.runtime.catalogue.merchants[at], **common | named)

    async def grant(self, member: UUID, kind: str = "car_wash", at: str = "grocer", **named: Any) -> Right:
        """Grant one, and read it."""
        own = {name: named.pop(name) for name in ("quantity", "valid_from") if name in named}
        request = grant_request(
            self.house.runtime, self.call(at, **named), member_id=member, kind=kind, codes=CODES, **own
        )
        return await self.read(member, UUID((await self.house.runtime.engine.post(request)).data["right"]))

    async def use(self, right: Right, at: str = "fuel", quantity: int = 1, **named: Any) -> Posted:
        """Use one."""
        code_hash = named.pop("code_hash", None)
        request = use_request(self.house.runtime, self.call(at, **named), right, quantity=quantity, code_hash=code_hash)
        return await self.house.runtime.engine.post(request)

    async def reserve(self, right: Right, at: str = "fuel", hours: int = 2, **named: Any) -> RightBooking:
        """Book one use for so many hours; with `promised`, to be cancelled within so many."""
        promised = named.pop("promised", None)
        as_of = named.get("as_of", NOON)
        request = reserve_request(
            self.house.runtime,
            self.call(at, **named),
            right,
            until=as_of + hours * HOUR,
            cancel_until=None if promised is None else as_of + promised * HOUR,
        )
        posted = await self.house.runtime.engine.post(request)
        async with self.house.runtime.database.session() as session:
            found = await session.get(RightBooking, (right.holder_id, UUID(posted.data["booking"])))
        assert found is not None
        return found

    async def end(self, right: Right, booking: RightBooking, *, lapses: bool = False, **named: Any) -> Posted:
        """Cancel a booking, or let it lapse."""
        at = self.house.code(booking.merchant_id)
        request = end_booking_request(self.house.runtime, self.call(at, **named), right, booking.id, lapses=lapses)
        return await self.house.runtime.engine.post(request)

    async def cancel(self, right: Right, **named: Any) -> Posted:
        """Take back what is left."""
        reverses = named.pop("reverses", None)
        return await self.house.runtime.engine.post(
            cancel_request(self.call("grocer", **named), right, reason="a mistake", reverses=reverses)
        )

    async def restore(self, right: Right, posted: Posted, at: str = "fuel", **named: Any) -> Posted:
        """Undo a use, a no-show or a cancellation."""
        assert posted.operation_id is not None
        call = self.call(at, **named)
        return await self.house.runtime.engine.post(restore_request(call, right, posted.operation_id, reason="mistake"))

    async def expire(self, right: Right, as_of: datetime) -> Posted:
        """Book that it is past its date."""
        return await self.house.runtime.engine.post(expire_request(right, as_of))

    async def read(self, member: UUID, right_id: UUID) -> Right:
        """A right as it is now."""
        async with self.house.runtime.database.session() as session:
            return (await session.scalars(select(Right).where(Right.holder_id == member, Right.id == right_id))).one()

    async def again(self, right: Right) -> Right:
        """The same right as it is now."""
        return await self.read(right.holder_id, right.id)

    async def left(self, kind: str, merchant: str = "grocer") -> int:
        """What the posted sum of a stock (or a budget) is: below zero, what is out."""
        async with self.house.runtime.database.session() as session:
            found = await session.scalar(
                text("SELECT coalesce(sum(posted), 0)::bigint FROM account WHERE holder_id = :m AND kind = :k"),
                {"m": self.house.id(merchant), "k": kind},
            )
            return int(found or 0)

    async def bookings(self, right: Right) -> list[RightBooking]:
        """All bookings of a right."""
        async with self.house.runtime.database.session() as session:
            found = await session.scalars(select(RightBooking).where(RightBooking.right_id == right.id))
            return list(found)
