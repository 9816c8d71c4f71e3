"""Any sequence of what moves positions, against a plain model of the rule (A5); the books prove it at the end."""

import asyncio
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliance.exchange.model import Quote
from alliance.exposure.errors import MerchantAtCap
from alliance.exposure.queries import waiting
from alliance.runtime import Runtime
from domain.ledger.model import Hold
from domain.ledger.request import Posted
from tests.alliance.clearing.test_holds import capture, hold
from tests.alliance.exposure.support import cap, limits, used
from tests.alliance.exposure.test_caps import tell
from tests.alliance.exposure.test_reserving import lapse_all, release, reserving
from tests.alliance.support import NOON, House, days

CAP = 30_000_000
EARN, SPEND_FUE, SPEND_GRO, EXCHANGE = 9_000, 10_000, 9_000, 10_000
"""What a point makes owed, in millionths: GRO earned at fuel, FUE spent at grocer, GRO at fuel, FUE for GRO."""

points = st.integers(1, 20).map(lambda hundreds: hundreds * 100)
steps = st.one_of(
    st.tuples(st.sampled_from(["earn", "spend", "exchange", "claim", "hold", "reserve"]), points),
    st.tuples(st.sampled_from(["give_back", "settle", "room", "use", "release", "lapse"]), st.just(0)),
    st.tuples(st.just("capture"), points),
)


@dataclass
class Model:
    """Fuel's position, what it was asked for that waits, oldest first, and its earns that stand: points each.

    Holds and quotes that reserve are points, too.
    """

    owed: int = 0
    holds: list[int] = field(default_factory=list)
    quotes: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    standing: list[int] = field(default_factory=list)

    @property
    def used(self) -> int:
        """What it owes and has promised."""
        return self.owed + sum(self.holds) * SPEND_FUE + sum(self.quotes) * EXCHANGE

    def fits(self, amount: int) -> bool:
        """Whether it may take this on."""
        return self.used + amount <= CAP

    def room(self) -> None:
        """What waits and fits goes on, longest first; so often until nothing does."""
        for one in list(self.waiting):
            if self.used < CAP and self.fits(one * EARN):
                self.owed += one * EARN
                self.waiting.remove(one)


class Street:
    """The sample alliance, where fuel has a cap, and a member with points of both."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.model = Model()
        self.earned: list[Posted] = []
        self.held: list[Hold] = []
        self.offered: list[Quote] = []
        self.member = uuid.UUID(int=0)

    async def begin(self) -> None:
        """From nothing: what earlier sequences owed is settled, what they promised has lapsed."""
        await lapse_all(self.house, NOON + days(1))
        self.member = await self.house.member()
        await self.house.earn(self.member, "fuel", 10**6, of="FUE")
        await self.house.earn(self.member, "grocer", 10**6)
        waits = True
        while waits:
            await self.house.through(await self.house.close())
            await tell(self.house)
            async with self.house.runtime.database.session() as session:
                waits = bool(await waiting(session, [self.house.id("fuel")]))
        self.model.owed = round(await used(self.house, "fuel") * 10**6)

    async def step(self, what: str, points: int) -> None:
        """One step here and in the model: the answers and the positions are the same."""
        await getattr(self, what)(points)
        assert round(await used(self.house, "fuel") * 10**6) == self.model.used, what

    async def earn(self, points: int) -> None:
        """GRO at fuel."""
        fits = self.model.fits(points * EARN)
        posted = await self.house.earn(self.member, "fuel", points)
        assert posted.data == ({} if fits else {"pending": points})
        if fits:
            self.model.owed += points * EARN
            self.model.standing.append(points)
            self.earned.append(posted)
        else:
            self.model.waiting.append(points)

    async def spend(self, points: int) -> None:
        """FUE at grocer: goes through."""
        await self.house.spend(self.member, "grocer", points, of="FUE")
        self.model.owed += points * SPEND_FUE

    async def claim(self, points: int) -> None:
        """GRO at fuel: lowers its position."""
        await self.house.spend(self.member, "fuel", points)
        self.model.owed -= points * SPEND_GRO

    async def exchange(self, points: int) -> None:
        """FUE for GRO."""
        if not self.model.fits(points * EXCHANGE):
            with pytest.raises(MerchantAtCap):
                await self.house.quote(self.member, "FUE", "GRO", points_out=points)
            return
        await self.house.use(self.member, await self.house.quote(self.member, "FUE", "GRO", points_out=points))
        self.model.owed += points * EXCHANGE

    async def hold(self, points: int) -> None:
        """FUE for grocer: goes through."""
        self.held.append(await hold(self.house, self.member, "grocer", points, of="FUE"))
        self.model.holds.append(points)

    async def capture(self, points: int) -> None:
        """The oldest hold, or a part of it."""
        if self.held:
            taken = min(points, self.model.holds.pop(0))
            await capture(self.house, self.held.pop(0), taken)
            self.model.owed += taken * SPEND_FUE

    async def release(self, _: int) -> None:
        """The oldest hold."""
        if self.held:
            await release(self.house, self.held.pop(0))
            self.model.holds.pop(0)

    async def reserve(self, points: int) -> None:
        """A quote of FUE for GRO that keeps its room."""
        if not self.model.fits(points * EXCHANGE):
            with pytest.raises(MerchantAtCap):
                await reserving(self.house, self.member, points)
            return
        self.offered.append(await reserving(self.house, self.member, points))
        self.model.quotes.append(points)

    async def use(self, _: int) -> None:
        """The oldest of them: goes through."""
        if self.offered:
            await self.house.use(self.member, self.offered.pop(0))
            self.model.owed += self.model.quotes.pop(0) * EXCHANGE

    async def lapse(self, _: int) -> None:
        """The jobs, once the time of all promises is over."""
        await lapse_all(self.house, NOON + days(1))
        self.held, self.offered, self.model.holds, self.model.quotes = [], [], [], []

    async def settle(self, _: int) -> None:
        """Close and pay; what is too little to be paid is carried, and stays."""
        await self.house.through(await self.house.close())
        if abs(self.model.owed) >= 10 * 10**6:
            self.model.owed = 0

    async def room(self, _: int) -> None:
        """The job."""
        await tell(self.house)
        self.model.room()

    async def give_back(self, _: int) -> None:
        """The last earn that was not returned."""
        if self.earned:
            await self.house.reverse(self.member, self.earned.pop())
            self.model.owed -= self.model.standing.pop() * EARN


async def test_a05_any_sequence_is_as_the_rule_says(runtime: Runtime) -> None:
    house = House(runtime)
    await limits(house, fuel=cap("30.00"), grocer={})
    loop = asyncio.get_running_loop()

    def here(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(60)

    @settings(max_examples=4)
    @given(st.lists(steps, min_size=6, max_size=12))
    def sequences(sequence: list[tuple[str, int]]) -> None:
        async def play() -> None:
            street = Street(house)
            await street.begin()
            for what, points in sequence:
                await street.step(what, points)

        here(play())

    await asyncio.to_thread(sequences)
