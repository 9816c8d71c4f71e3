"""The ledger as one would write it on a blackboard: the oracle of the property tests.

One class, no sets of rows, no batches: it knows lots, and what each operation did to them.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

END = datetime.max.replace(tzinfo=UTC)


@dataclass
class ModelLot:
    currency: str
    granted: int
    left: int
    granted_at: datetime
    expires: datetime | None
    order: int
    depth: int = 0
    held: int = 0
    maker: "ModelOperation | None" = None

    @property
    def free(self) -> int:
        return self.left - self.held

    def live(self, now: datetime) -> bool:
        return self.expires is None or now < self.expires


@dataclass
class ModelOperation:
    kind: str
    number: int = field(default_factory=count(1).__next__)
    made: list[ModelLot] = field(default_factory=list)
    took: list[tuple[ModelLot, int]] = field(default_factory=list)
    undone: bool = False
    back: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    whole: int | None = None
    currency: str = ""
    waits: int = 0
    got: int = 0
    waiting: list[ModelLot] = field(default_factory=list)
    follows: bool = False

    @property
    def missing(self) -> int:
        """Points of the first currency that were to be taken back, and could not be."""
        return self.asked.get(self.made[0].currency, 0) - self.got if self.made else 0


@dataclass
class ModelHold:
    currency: str
    took: list[tuple[ModelLot, int]]
    until: datetime
    ended: str | None = None


@dataclass
class ModelWallets:
    """All wallets of one member. Every verb returns what the ledger must answer: points, or the refusal's name."""

    lots: list[ModelLot] = field(default_factory=list)
    lapsed: dict[int, int] = field(default_factory=dict)
    debt: dict[str, int] = field(default_factory=dict)
    paid: list[tuple[ModelLot, ModelLot | None]] = field(default_factory=list)
    pending: dict[str, int] = field(default_factory=dict)
    moved: list[tuple[ModelOperation, int]] = field(default_factory=list)
    exits: list[ModelOperation] = field(default_factory=list)

    def balance(self, currency: str) -> int:
        return sum(lot.left for lot in self.lots if lot.currency == currency) - self.debt.get(currency, 0)

    def available(self, currency: str, now: datetime) -> int:
        free = sum(lot.free for lot in self.lots if lot.currency == currency and lot.live(now))
        return max(0, free - self.debt.get(currency, 0))

    def held(self, currency: str) -> int:
        return sum(lot.held for lot in self.lots if lot.currency == currency)

    def earn(
        self, currency: str, points: int, now: datetime, expires: datetime | None, beside: tuple[str, int] = ("", 0)
    ) -> tuple[int, ModelOperation | None]:
        done = ModelOperation("EARN")
        if points:
            done.made.append(self._grant(currency, points, now, expires))
        if beside[1]:
            done.made.append(self._grant(*beside, now, expires))
        self._move(done, currency, points)
        return points, done

    def opening(
        self, currency: str, points: int, granted: datetime, now: datetime, expires: datetime | None
    ) -> tuple[int, ModelOperation | None]:
        lot = self._grant(currency, points, now, expires)
        lot.granted_at = granted
        return points, ModelOperation("OPENING", made=[lot])

    def earn_pending(self, currency: str, points: int) -> tuple[int, ModelOperation | None]:
        self.pending[currency] = self.pending.get(currency, 0) + points
        return points, ModelOperation("EARN", whole=points, currency=currency, waits=points)

    def activate(self, done: ModelOperation, now: datetime, expires: datetime | None) -> int | str:
        if not done.waits:
            return "NotPending"
        points = self._drop(done, done.waits)
        self._move(done, done.currency, points)
        done.made.append(self._grant(done.currency, points, now, expires))
        done.made[-1].maker = done
        return points

    def reject(self, done: ModelOperation, now: datetime) -> int | str:
        if not done.undone and (done.made or not done.waits):
            return "NotPending"
        return self.reverse(done, now)

    def _drop(self, done: ModelOperation, points: int) -> int:
        points = min(points, done.waits)
        if points:
            done.waits -= points
            self.pending[done.currency] -= points
        return points

    def redeem(self, currency: str, points: int, now: datetime) -> tuple[int | str, ModelOperation | None]:
        if self.available(currency, now) < points:
            return "InsufficientPoints", None
        done = ModelOperation("REDEEM", took=self._spend(currency, points, now))
        self._move(done, currency, -points)
        return points, done

    def _move(self, done: ModelOperation, currency: str, points: int) -> None:
        """GRO that were earned or spent, or came back of either."""
        if currency == "GRO" and done.kind in ("EARN", "REDEEM"):
            self.moved.append((done, points))

    def exit(self, times: int, now: datetime, expires: datetime | None) -> tuple[int, ModelOperation | None]:
        """Three GRO become one VAL, if more than so many times what was spent since the last exit was earned."""
        standing = [done for done in self.exits if not done.undone and not done.follows]
        since = max((done.number for done in standing), default=0)
        flows = [(done.kind, points) for done, points in self.moved if done.number > since]
        earned = sum(points for kind, points in flows if kind == "EARN")
        spent = -sum(points for kind, points in flows if kind == "REDEEM")
        lots = [lot for lot in self.lots if lot.currency == "GRO" and lot.left]
        return self._sell(lots, now, expires) if earned > times * spent else (0, None)

    def follow_exit(self, now: datetime, expires: datetime | None) -> tuple[int, ModelOperation | None]:
        """What was held at an exit is sold when it is free."""
        waiting = {lot.order for sale in self.exits if not sale.undone for lot in sale.waiting}
        return self._sell([lot for lot in self.lots if lot.order in waiting], now, expires, follows=True)

    def _sell(
        self, lots: list[ModelLot], now: datetime, expires: datetime | None, *, follows: bool = False
    ) -> tuple[int, ModelOperation | None]:
        took = [(lot, lot.free) for lot in lots if lot.free and lot.live(now)]
        points = sum(part for _, part in took)
        if points < 3 or self.debt.get("GRO"):
            return 0, None
        waiting = [] if follows else [lot for lot in lots if lot.held]
        for lot, part in took:
            lot.left -= part
        ends = max([expires or END, *(lot.expires or END for lot, _ in took)])
        change = self._grant("VAL", points // 3, now, None if ends == END else ends)
        self.exits.append(ModelOperation("EXIT", made=[change], took=took, waiting=waiting, follows=follows))
        return points, self.exits[-1]

    def _buy_back(self, due: int, now: datetime) -> int:
        bought = 0
        sales = {sale.made[0].order: sale for sale in self.exits if not sale.undone}
        for lot in self._in_spend_order([sale.made[0] for sale in sales.values()]):
            whole = sum(part for _, part in sales[lot.order].took)
            change = min(lot.free, (due - bought) * lot.granted // whole) if lot.live(now) else 0
            if points := change * whole // lot.granted:
                lot.left -= change
                bought += points
        return bought

    def pay(
        self, currency: str, points: int, unit: int, least: int, now: datetime
    ) -> tuple[int, ModelOperation | None]:
        points = min(points, self.available(currency, now)) // unit * unit
        return self.redeem(currency, points, now) if points >= least else (0, None)

    def hold(self, currency: str, points: int, now: datetime, until: datetime) -> tuple[int | str, ModelHold | None]:
        if self.available(currency, now) < points:
            return "InsufficientPoints", None
        took = self._choose(currency, points, now)
        for lot, part in took:
            lot.held += part
        return points, ModelHold(currency, took, until)

    def capture(self, hold: ModelHold, points: int, now: datetime) -> tuple[int | str, ModelOperation | None]:
        if (refused := self._refused(hold, now)) is not None:
            return refused, None
        if points > sum(part for _, part in hold.took):
            return "HoldExceeded", None
        self._give_back(hold, "AlreadyCaptured")
        left, took = points, []
        for lot, part in hold.took:
            taken = min(part, left)
            lot.left -= taken
            left -= taken
            took += [(lot, taken)] if taken else []
        done = ModelOperation("REDEEM", took=took)
        self._move(done, hold.currency, -points)
        return points, done

    def release(self, hold: ModelHold, now: datetime) -> int | str:
        if (refused := self._refused(hold, now)) is not None:
            return refused
        return self._give_back(hold, "AlreadyReleased")

    def lapse(self, hold: ModelHold, now: datetime) -> int:
        return 0 if hold.ended or now < hold.until else self._give_back(hold, "HoldLapsed")

    def _refused(self, hold: ModelHold, now: datetime) -> str | None:
        return hold.ended or ("HoldLapsed" if now >= hold.until else None)

    def _give_back(self, hold: ModelHold, ended: str) -> int:
        for lot, part in hold.took:
            lot.held -= part
        hold.ended = ended
        return sum(part for _, part in hold.took)

    def exchange(
        self, currency: str, points: int, into: str, into_points: int, now: datetime, expires: datetime | None
    ) -> tuple[int | str, ModelOperation | None]:
        if self.available(currency, now) < points:
            return "InsufficientPoints", None
        took = self._spend(currency, points, now)
        parts = [into_points * part // points for _, part in took]
        by_rest = sorted(range(len(parts)), key=lambda i: (-(into_points * took[i][1] % points), i))
        for i in by_rest[: into_points - sum(parts)]:
            parts[i] += 1
        made: dict[datetime, int] = {}
        for (lot, _), part in zip(took, parts, strict=True):
            end = min(lot.expires or END, expires or END)
            made[end] = made.get(end, 0) + part
        done = ModelOperation("EXCHANGE", took=took)
        for end, part in made.items():
            if part:
                done.made.append(self._grant(into, part, now, None if end == END else end))
        return points, done

    def give(
        self, other: "ModelWallets", currency: str, points: int, now: datetime, deeper: bool = True
    ) -> tuple[int | str, ModelOperation | None]:
        if self.available(currency, now) < points:
            return "InsufficientPoints", None
        done = ModelOperation("GIFT", took=self._spend(currency, points, now))
        for lot, part in done.took:
            given = other._grant(currency, part, lot.granted_at, lot.expires)
            given.depth = lot.depth + deeper
            done.made.append(given)
        return points, done

    def adjust(
        self, currency: str, points: int, now: datetime, expires: datetime | None
    ) -> tuple[int | str, ModelOperation | None]:
        if points > 0:
            return points, ModelOperation("ADJUST", made=[self._grant(currency, points, now, expires)])
        if self.available(currency, now) < -points:
            return "InsufficientPoints", None
        return -points, ModelOperation("ADJUST", took=self._spend(currency, -points, now))

    def top_up(
        self, currency: str, paid: int, bonus: int, now: datetime, expires: datetime | None
    ) -> tuple[int, ModelOperation]:
        extra = self._grant(currency, bonus, now, expires) if bonus else None
        self.paid.append((self._grant(currency, paid, now, None), extra))
        return paid + bonus, ModelOperation("TOP_UP", made=[lot for lot in self.paid[-1] if lot is not None])

    def refund(self, amount: int | None) -> int | str:
        have = sum(lot.free for lot, _ in self.paid)
        amount = have if amount is None else amount
        if not have or amount > have:
            return "InsufficientPoints"
        left = amount
        for lot, extra in self.paid:
            part = min(left, lot.free)
            left -= part
            if part and extra is not None:
                extra.left -= min(extra.free, extra.left * part // lot.left)
            lot.left -= part
        return amount

    def _undo_top_up(self, done: ModelOperation, now: datetime) -> int | str:
        paid, *extras = done.made
        if paid.free < paid.granted:
            return "InsufficientPoints"
        done.undone = True
        taken = 0
        for lot in (paid, *(extra for extra in extras if extra.live(now))):
            taken += lot.free
            lot.left = lot.held
        return taken

    def extend(self, currency: str, ends: datetime, until: datetime) -> int:
        """Nobody was told in time: what is free of the lots that end then lives longer, in lots of its own."""
        lots = [lot for lot in self.lots if lot.currency == currency and lot.free and lot.expires == ends]
        points = sum(lot.free for lot in lots)
        for lot in lots:
            longer = ModelLot(currency, lot.free, lot.free, lot.granted_at, until, len(self.lots), lot.depth)
            self.lots.append(longer)
            lot.left = lot.held
        return points

    def expire(self, currency: str, now: datetime) -> tuple[int, ModelOperation | None]:
        due = [lot for lot in self.lots if lot.currency == currency and lot.free and not lot.live(now)]
        done = ModelOperation("EXPIRE", took=[(lot, lot.free) for lot in self._in_spend_order(due)])
        for lot, part in done.took:
            self.lapsed[lot.order] = self.lapsed.get(lot.order, 0) + part
            lot.left -= part
        return sum(part for _, part in done.took), done if due else None

    def reinstate(self, done: ModelOperation, points: int | None, now: datetime, expires: datetime) -> int | str:
        """What expired first comes back first; `done.took` is what may still come back."""
        most = sum(part for _, part in done.took)
        points = rest = most if points is None else points
        if not 0 < points <= most:
            return "NothingToReinstate"
        left = []
        for lot, part in done.took:
            back = min(part, rest)
            rest -= back
            left.append((lot, part - back))
            if back:
                self._grant(lot.currency, back, now, expires).depth = lot.depth
        done.took = left
        return points

    def reverse(
        self, done: ModelOperation, now: datetime, points: int | None = None, endless: bool = False
    ) -> int | str:
        """All that is left of an operation, or `points` of it; `endless`ly, what is missing is owed."""
        if done.undone:
            return "AlreadyReversed"
        if done.kind == "TOP_UP":
            return self._undo_top_up(done, now)
        if done.kind in ("EXCHANGE", "GIFT", "EXIT"):
            return self._undo_whole(done, now)
        if done.whole is None:
            of_first = [lot.granted for lot in done.made if lot.currency == done.made[0].currency]
            done.whole = sum(of_first) + sum(part for _, part in done.took)
        whole = done.whole
        points = whole - done.back if points is None else points
        if points > whole - done.back:
            return "ReturnExceedsOrder"
        done.back += points
        done.undone = done.back == whole
        if done.kind == "EARN" or done.made:
            return self._claw_back(done, now, endless)
        self._move(done, done.took[0][0].currency if done.took else "", points)
        return self._restore(done, points, now)

    def _undo_whole(self, done: ModelOperation, now: datetime) -> int | str:
        if any(lot.free < lot.granted or not lot.live(now) for lot in done.made):
            return "GiftNotWhole" if done.kind == "GIFT" else "InsufficientPoints"
        for lot in done.made:
            lot.left = 0
        done.undone = True
        return self._restore(done, sum(part for _, part in done.took), now)

    def _restore(self, done: ModelOperation, points: int, now: datetime) -> int:
        """The last points that were taken return first; what is owed is paid of those that end first."""
        rest, gains = points, []
        for lot, part in reversed(done.took):
            gains.append((lot, min(rest, part)))
            rest -= min(rest, part)
        left = []
        for (lot, back), (_, part) in zip(reversed(gains), done.took, strict=True):
            kept = back - self._repay(lot, back, now)
            lot.left += kept
            left.append((lot, part - kept))
            if lot.maker is not None and lot.live(now) and lot.currency == lot.maker.made[0].currency:
                missing = min(kept, lot.maker.missing)
                lot.left -= missing
                lot.maker.got += missing
        done.took = left
        return points

    def _repay(self, lot: ModelLot, points: int, now: datetime) -> int:
        paid = min(points, self.debt.get(lot.currency, 0)) if lot.live(now) else 0
        self.debt[lot.currency] = self.debt.get(lot.currency, 0) - paid
        return paid

    def _claw_back(self, done: ModelOperation, now: datetime, endless: bool) -> int:
        """Of what was granted beside, the same share; all of it once nothing is left."""
        currencies = [done.currency] if done.currency else dict.fromkeys(lot.currency for lot in done.made)
        taken = [self._claw_back_of(done, currency, now, endless) for currency in currencies]
        return taken[0] if taken else 0

    def _claw_back_of(self, done: ModelOperation, currency: str, now: datetime, endless: bool) -> int:
        made = [lot for lot in done.made if lot.currency == currency]
        granted = done.whole if done.currency and done.whole else sum(lot.granted for lot in made)
        back = granted * done.back // (done.whole or 1)
        gone = sum(self.lapsed.get(lot.order, 0) + (0 if lot.live(now) else lot.free) for lot in made)
        due = max(0, back - gone - done.asked.get(currency, 0))
        done.asked[currency] = done.asked.get(currency, 0) + due
        taken = dropped = self._drop(done, due)
        if made and currency == "GRO":
            taken += self._buy_back(due - taken, now)
        wallet = [lot for lot in self.lots if lot.currency == currency]
        for lot in made + self._in_spend_order(wallet):
            if lot.live(now):
                part = min(lot.free, due - taken)
                lot.left -= part
                taken += part
        if endless and taken < due:
            self.debt[currency] = self.debt.get(currency, 0) + due - taken
            taken = due
        if done.currency or currency == done.made[0].currency:
            done.got += taken
        for lot in made:
            lot.maker = done
        self._move(done, currency, dropped - taken)
        return taken

    def _grant(self, currency: str, points: int, now: datetime, expires: datetime | None) -> ModelLot:
        lot = ModelLot(currency, points, points, now, expires, len(self.lots))
        lot.left -= self._repay(lot, points, now)
        self.lots.append(lot)
        return lot

    def _in_spend_order(self, lots: list[ModelLot]) -> list[ModelLot]:
        return sorted(lots, key=lambda lot: (lot.expires or END, lot.granted_at, lot.order))

    def _spend(self, currency: str, points: int, now: datetime) -> list[tuple[ModelLot, int]]:
        took = self._choose(currency, points, now)
        for lot, part in took:
            lot.left -= part
        return took

    def _choose(self, currency: str, points: int, now: datetime) -> list[tuple[ModelLot, int]]:
        took = []
        for lot in self._in_spend_order([lot for lot in self.lots if lot.currency == currency and lot.live(now)]):
            part = min(lot.free, points)
            if part:
                points -= part
                took.append((lot, part))
        return took
