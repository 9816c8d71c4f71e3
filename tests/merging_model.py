"""Merging as one would write it on a blackboard: persons, lots, and what each operation did to them."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

_ORDER = count()


@dataclass(eq=False)
class ModelLot:
    granted: int
    left: int
    granted_at: datetime
    root: "ModelLot | None" = None
    source: "ModelLot | None" = None
    missing: int = 0
    order: int = field(default_factory=_ORDER.__next__)


@dataclass(eq=False)
class ModelOperation:
    person: "ModelPerson"
    lot: ModelLot | None = None
    took: list[tuple[ModelLot, int]] = field(default_factory=list)
    undone: bool = False


@dataclass(eq=False)
class ModelPerson:
    """Every verb returns what the ledger must answer: points, or the refusal's name."""

    lots: list[ModelLot] = field(default_factory=list)
    into: "ModelPerson | None" = None
    carried: list[ModelLot] = field(default_factory=list)

    @property
    def now(self) -> "ModelPerson":
        return self if self.into is None else self.into.now

    @property
    def balance(self) -> int:
        return sum(lot.left for lot in self.lots)

    def earn(self, points: int, at: datetime) -> tuple[int | str, ModelOperation | None]:
        if self.into is not None:
            return "MemberMerged", None
        lot = ModelLot(points, points, at)
        self.lots.append(lot)
        return points, ModelOperation(self, lot)

    def redeem(self, points: int) -> tuple[int | str, ModelOperation | None]:
        if self.into is not None:
            return "MemberMerged", None
        if self.balance < points:
            return "InsufficientPoints", None
        return points, ModelOperation(self, took=_take(self.lots, points))

    def merge(self, other: "ModelPerson") -> int | str:
        if other.into is not None or self.into is not None:
            return "MemberMerged"
        self.into = other
        for lot in [lot for lot in self.lots if lot.left]:
            self._carry(lot, lot.left)
        return 0

    def _carry(self, lot: ModelLot, points: int) -> None:
        """On to whom this is by now, hop by hop."""
        if self.into is None or not points:
            return
        made = ModelLot(points, points, lot.granted_at, lot.root or lot, lot)
        lot.left -= points
        self.carried.append(made)
        self.into.lots.append(made)
        self.into._carry(made, points)

    def unmerge(self) -> int | str:
        if self.into is None:
            return "NotMerged"
        if self.into.into is not None or any(lot.left < lot.granted for lot in self.carried):
            return "UnmergeBlocked"
        for lot in self.carried:
            assert lot.source is not None
            lot.source.left += lot.left
            lot.left = 0
        self.into, self.carried = None, []
        return 0


def reverse(done: ModelOperation) -> int | str:
    """Points of an earn go where they are; those of a redemption come back, but for what a reversed earn misses."""
    if done.undone:
        return "AlreadyReversed"
    done.undone = True
    person, heir = done.person, done.person.now
    if done.lot is not None:
        wallet = person.lots if heir is person else [*person.lots, *heir.lots]
        first = [lot for lot in wallet if (lot.root or lot) is done.lot]
        rest = [lot for lot in wallet if (lot.root or lot) is not done.lot]
        taken = _take(first, done.lot.granted)
        taken += _take(rest, done.lot.granted - sum(points for _, points in taken))
        points = sum(points for _, points in taken)
        done.lot.missing = done.lot.granted - points
        return points
    for lot, points in done.took:
        lot.left += points
        back = min(lot.missing, points)
        lot.missing -= back
        lot.left -= back
        person._carry(lot, points - back)
    return sum(points for _, points in done.took)


def _take(lots: list[ModelLot], points: int) -> list[tuple[ModelLot, int]]:
    taken = []
    for lot in sorted(lots, key=lambda lot: (lot.granted_at, lot.order)):
        part = min(lot.left, points)
        if part > 0:
            lot.left -= part
            points -= part
            taken.append((lot, part))
    return taken
