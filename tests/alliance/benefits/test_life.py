"""The life of a right beside a plain model of it: whatever is done in whatever order, both end in the same."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.benefits.model import Right, RightBooking
from domain.errors import Refusal
from domain.ledger.request import Posted
from tests.alliance.benefits.support import HOUR, Rights
from tests.alliance.support import NOON, House

USES = 4


@dataclass
class Plain:
    """A right of four uses at the filling station: 4.00 a use, 1.00 a no-show. Money in millionths."""

    now: datetime
    over: datetime
    remaining: int = USES
    cancelled: int = 0
    expired: int = 0
    owed: int = 0
    bookings: dict[int, tuple[datetime, datetime | None]] = field(default_factory=dict)
    uses: dict[int, int] = field(default_factory=dict)

    def use(self, number: int, count: int) -> bool:
        """Whether it may be; what is booked goes first."""
        if self.now >= self.over or count > self.remaining:
            return False
        for booking in list(self.bookings)[:count]:
            del self.bookings[booking]
        self.remaining -= count
        self.owed += 4_000_000 * count
        self.uses[number] = count
        return True

    def reserve(self, number: int, hours: int, promised: int | None) -> bool:
        """One more is set aside, instead of one that is over where it must."""
        if self.now >= self.over:
            return False
        if self.remaining == len(self.bookings):
            gone = [n for n, (until, promise) in self.bookings.items() if promise is None and until <= self.now]
            if not gone:
                return False
            del self.bookings[gone[0]]
        promise = None if promised is None else self.now + promised * HOUR
        self.bookings[number] = (self.now + hours * HOUR, promise)
        return True

    def end(self, number: int) -> bool:
        """In time, or too late."""
        if number not in self.bookings:
            return False
        _, promise = self.bookings.pop(number)
        if promise is not None and self.now > promise:
            self.remaining -= 1
            self.owed += 1_000_000
        return True

    def lapse(self, number: int) -> None:
        """What its time does."""
        if number in self.bookings and self.bookings[number][0] <= self.now:
            self.end(number)

    def cancel(self) -> bool:
        """What is free."""
        free = self.remaining - len(self.bookings)
        self.remaining, self.cancelled = self.remaining - free, self.cancelled + free
        return bool(free)

    def expire(self) -> None:
        """What is free, once it is over."""
        if self.now >= self.over:
            free = self.remaining - len(self.bookings)
            self.remaining, self.expired = self.remaining - free, self.expired + free

    def restore(self, number: int) -> bool:
        """Once."""
        count = self.uses.pop(number, 0)
        self.remaining += count
        self.owed -= 4_000_000 * count
        return bool(count)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("use"), st.integers(1, 3)),
        st.tuples(st.just("reserve"), st.integers(1, 4), st.one_of(st.none(), st.integers(0, 1))),
        st.tuples(st.sampled_from(["end", "lapse", "restore"]), st.integers(0, 5)),
        st.tuples(st.sampled_from(["cancel", "expire"])),
        st.tuples(st.just("wait"), st.sampled_from([1, 2, 24 * 89])),
    ),
    min_size=4,
    max_size=14,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_a15_a_right_does_as_the_plain_model_does(house: House, rights: Rights, steps: list[Any]) -> None:
    before, stock = sum(one.amount for one in await house.obligations()), await rights.left("STOCK")
    right = await rights.grant(await house.member(), quantity=USES)
    assert right.expires_at is not None
    plain = Plain(NOON, right.expires_at)
    used: list[Posted | None] = []
    booked: list[RightBooking | None] = []
    for step in steps:
        await take(rights, right, plain, used, booked, step)
        now = await rights.again(right)
        figures = (now.remaining, now.booked, now.cancelled, now.expired)
        assert figures == (plain.remaining, len(plain.bookings), plain.cancelled, plain.expired), step
    assert sum(one.amount for one in await house.obligations()) - before == plain.owed
    assert await rights.left("STOCK") - stock == plain.cancelled + plain.expired - USES


async def take(
    rights: Rights,
    right: Right,
    plain: Plain,
    used: list[Posted | None],
    booked: list[RightBooking | None],
    step: Any,
) -> None:
    """One step, by both: they agree on whether it is refused."""
    clock = {"as_of": plain.now}
    try:
        match step:
            case ("wait", hours):
                plain.now += timedelta(hours=hours)
            case ("use", count):
                used.append(None)
                may = plain.use(len(used), count)
                used[-1] = await rights.use(right, quantity=count, **clock)
                assert may
            case ("reserve", hours, promised):
                booked.append(None)
                may = plain.reserve(len(booked), hours, promised)
                booked[-1] = await rights.reserve(right, hours=hours, promised=promised, **clock)
                assert may
            case ("end", n) if n < len(booked) and (booking := booked[n]) is not None:
                may = plain.end(n + 1)
                await rights.end(right, booking, **clock)
                assert may
            case ("lapse", n) if n < len(booked) and (booking := booked[n]) is not None:
                plain.lapse(n + 1)
                may = True
                await rights.end(right, booking, lapses=True, **clock)
            case ("restore", n) if n < len(used) and (posted := used[n]) is not None:
                may = plain.restore(n + 1)
                await rights.restore(right, posted, **clock)
                assert may
            case ("cancel",):
                may = plain.cancel()
                await rights.cancel(right, **clock)
                assert may
            case ("expire",):
                plain.expire()
                may = True
                await rights.expire(right, plain.now)
    except Refusal:
        assert not may
