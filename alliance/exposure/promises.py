"""What is promised before it is owed: a hold at a partner and a quote that was asked to, which reserve (A4, A5, R14).

What was reserved is let go exactly, by the operation that ends the promise; past its time it is kept until then.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alliance.clearing.riders import OPEN_CYCLE, OpenCycle
from alliance.clearing.rules import Owed
from alliance.exposure.positions import EXPOSURES, Standing, change, keep_ready
from alliance.exposure.riders import Capped, flag
from domain.ledger.request import Books, Effect, Needs


@dataclass(frozen=True, slots=True)
class Reserving:
    """Rides on a hold: reserves what a capture of all of it would make owed."""

    reserves: Mapping[str, int]
    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """Who is capped, held as it is until the batch is written."""
        needs.other(OPEN_CYCLE, self.as_of)

    def ride(self, books: Books, effect: Effect) -> None:
        """Adds to positions; refuses nothing."""
        cycle: OpenCycle = books.other(OPEN_CYCLE, self.as_of)
        keep_ready(effect, self.reserves, cycle.capped)


@dataclass(frozen=True, slots=True)
class LettingGo:
    """Rides on what ends a hold, captured or not: what it reserved is free, whatever of it is owed now."""

    hold: tuple[uuid.UUID, uuid.UUID]
    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """As `Reserving`."""
        needs.other(OPEN_CYCLE, self.as_of)

    def ride(self, books: Books, effect: Effect) -> None:
        """Adds to positions; refuses nothing."""
        cycle: OpenCycle = books.other(OPEN_CYCLE, self.as_of)
        keep_ready(effect, books.holds[self.hold].reserves or {}, cycle.capped, -1)


@dataclass(frozen=True, slots=True)
class Kept:
    """Rides on a capture: what was promised goes through; the lines of who is past its cap are flagged."""

    merchants: Capped
    hold: tuple[uuid.UUID, uuid.UUID]
    lines: Sequence[Owed]

    def needs(self, needs: Needs) -> None:
        """Their positions, under their locks."""
        for merchant_id, _ in self.merchants:
            needs.holders.add(merchant_id)
            needs.other(EXPOSURES, merchant_id)

    def ride(self, books: Books, effect: Effect) -> None:
        """Refuses nothing: the hold was not refused."""
        moved, reserves = change(self.lines), books.holds[self.hold].reserves or {}
        for merchant_id, _ in self.merchants:
            standing: Standing | None = books.other(EXPOSURES, merchant_id)
            more = moved.get(merchant_id, 0)
            if standing is None or more <= 0:
                continue
            if standing.used + more - reserves.get(str(merchant_id), 0) > standing.cap:
                flag(effect, merchant_id)
