"""Earns that are more than one plain lot: limits (R9), expiries of their own (R4), points that wait (R3, R7).

A request says by rules' and programmes' terms what is to be; here it is decided over the books.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from domain.base import new_id
from domain.errors import NotFound
from domain.ledger.commands import PENDING, POINTS, Earn, effect_of, entry_of, new_lot, require_room
from domain.ledger.errors import LimitExceeded, NotPending
from domain.ledger.merging import WAITING_BESIDE
from domain.ledger.model import AccountKind, OperationKind
from domain.ledger.request import Books, Effect, EntryState, Loader, Needs, Period, Request
from domain.ledger.reversals import Reverse
from domain.ledger.rules import PendingState, Sliding, share


@dataclass(frozen=True, slots=True)
class Ending:
    """When a lot ends: `at`; for one that slides, by `span`, `at` is the date as of now.

    `of_joining` makes `at` of the moment of joining (None: not known), which is only loaded with the books.
    """

    at: datetime | None = None
    span: str | None = None
    of_joining: Callable[[datetime | None], datetime | None] | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Points that are not active yet: until when (None: until an event), and the expiry policy that begins then."""

    matures_at: datetime | None
    policy: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many points an earn may give at most (R9), as of its version; `periods` are (name, cap, first, before).

    They are of a currency, or of a `rule` of the merchant's.
    """

    version: int
    per_transaction: int | None = None
    periods: tuple[tuple[str, int, datetime, datetime], ...] = ()
    balance: int | None = None
    refuse: bool = False
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Points of an earn that end alike, or wait alike; those of a rule with limits of its own stand alone.

    Those that do not wait are on `standby` where there is no room for what they make owed.
    """

    points: int
    ending: Ending
    wait: Wait | None = None
    limits: Limits | None = None
    standby: Wait | None = None


class Room(Protocol):
    """Who says whether what an earn makes owed may be owed now."""

    def lacking(self, books: Books, points: int) -> UUID | None:
        """The merchant who has no room for so many points; None where there is."""
        ...


@dataclass(slots=True, kw_only=True)
class EarnInParts(Earn):
    """An earn whose points make several lots, or wait, or are limited.

    `lines_of` makes what is kept of the order's lines of the points
    granted; `joined` loads when (holder, merchant) joined. All points wait if `room` is lacking.
    """

    parts: tuple[Part, ...]
    limits: Limits | None = None
    lines_of: Callable[[int], Any] | None = None
    joined: Loader | None = None
    room: Room | None = None

    def needs(self, needs: Needs) -> None:
        """Also the wallet, what was earned in the periods that are limited, and the moment of joining."""
        Earn.needs(self, needs)
        wallet = (self.holder_id, self.currency)
        if self.slides or any(part.ending.span for part in self.parts):
            needs.wallets.add(wallet)
        for limits in (self.limits, *(part.limits for part in self.parts)):
            if limits is not None:
                needs.earned.update(_period(self, limits.rule, period) for period in limits.periods)
                if limits.balance is not None:
                    needs.wallets.add(wallet)
                    needs.other(WAITING_BESIDE, wallet)
        if self.joined is not None:
            needs.other(self.joined, (self.holder_id, self.issuer_id))

    def grant(self, books: Books) -> Effect:
        """Lots for what is active and pending grants for what waits, within the limits. Raises LimitExceeded."""
        decisions = list(self.decisions or [])
        within = [replace(part, points=self._most(books, part.limits, part.points, decisions)) for part in self.parts]
        points = self._most(books, self.limits, sum(part.points for part in within), decisions)
        require_room(books, self.holder_id, self.currency, points)
        lines = self.lines_of(points) if self.lines_of is not None else self.lines
        effect = self.effect(OperationKind.EARN, points, decisions=decisions or None, lines=lines)
        parts = _cut(within, points)
        lacking = self.room.lacking(books, points) if self.room is not None and points else None
        if lacking is not None:
            parts = [replace(part, wait=part.wait or part.standby) for part in parts]
        active = sum(part.points for part in parts if part.wait is None)
        waiting = sum(part.points for part in parts if part.wait is not None)
        effect.slides = self.slid(books)
        if active:
            effect.entries.append(entry_of(self.currency, active, self.issuer_id, AccountKind.ISSUANCE))
        if waiting:
            entry = EntryState(PENDING, self.currency, waiting, self.issuer_id, AccountKind.ISSUANCE.value)
            effect.entries.append(entry)
            effect.data["pending"] = waiting
        if cut := self.points - points:
            effect.data["truncated"] = cut
        joined = _joined(self, books)
        terms = (self.currency, self.issuer_id, self.funder_id, self.price, self.agreement_version)
        for part in parts:
            if part.wait is None:
                add_lot(books, effect, *terms, part.points, part.ending, joined)
            else:
                effect.pending.append(self._pending(effect, part.points, part.wait, lacking))
        return effect

    def _pending(self, effect: Effect, points: int, wait: Wait, lacking: UUID | None) -> PendingState:
        return PendingState(
            self.holder_id,
            effect.operation["id"],
            len(effect.pending),
            self.currency,
            self.issuer_id,
            self.funder_id,
            self.price,
            points,
            points,
            self.as_of,
            wait.matures_at,
            wait.policy,
            agreement_version=self.agreement_version,
            room_of=lacking,
        )

    def _most(self, books: Books, limits: Limits | None, points: int, decisions: list[Any]) -> int:
        """How many points the limits let through; each says in `decisions` what it took off. Raises LimitExceeded."""
        for name, cap, used in self._used(books, limits) if limits is not None and points else ():
            if used + points > cap:
                if limits is not None and limits.refuse:
                    raise LimitExceeded(limit=name, cap=cap, used=used, requested=points, path=("points",))
                room = max(0, cap - used)
                taken_off = {"rule": f"limit:{name}", "version": limits and limits.version, "points": room - points}
                decisions.append(taken_off | ({"currency": self.currency} if self.beside else {}))
                points = room
        return points

    def _used(self, books: Books, limits: Limits) -> Sequence[tuple[str, int, int]]:
        """Each limit: its name, its cap and what of it is used. Pending counts towards the balance, debt against it."""
        found: list[tuple[str, int, int]] = []
        if limits.per_transaction is not None:
            found.append(("perTransaction", limits.per_transaction, 0))
        for period in limits.periods:
            found.append((period[0], period[1], books.earned.get(_period(self, limits.rule, period), 0)))
        if limits.balance is not None:
            lots = books.open_lots(self.holder_id, self.currency)
            balance = sum(lot.remaining for lot in lots if lot.is_live(self.as_of))
            balance -= books.debt(self.holder_id, self.currency)
            balance += books.posted(self.holder_id, PENDING, self.currency)
            balance += books.other(WAITING_BESIDE, (self.holder_id, self.currency)) or 0
            found.append(("balance", limits.balance, balance))
        return [(f"{limits.rule}:{name}", cap, used) for name, cap, used in found] if limits.rule else found


@dataclass(slots=True, kw_only=True)
class Activate(Request):
    """Make pending points of one earn active: those that are due at `as_of`, or all if an event `confirms` them.

    `endings` says, by the number of the grant, when its points end: their expiry starts now (R3).
    """

    operation_id: UUID
    issuer_id: UUID
    endings: Mapping[int, Ending]
    confirms: bool = False
    joined: Loader | None = None

    def needs(self, needs: Needs) -> None:
        """The earn, with what of it is pending; its wallet comes with it."""
        needs.members.add(self.holder_id)
        needs.operations.add((self.holder_id, self.operation_id))
        if self.joined is not None:
            needs.other(self.joined, (self.holder_id, self.issuer_id))
        for rider in self.riders:
            rider.needs(needs)

    def decide(self, books: Books) -> Effect | None:
        """Two entries, from pending to points. None where nothing is due; an event raises NotFound, NotPending."""
        original = books.operation(self.holder_id, self.operation_id)
        if original is None:
            raise NotFound(what="operation", path=("operation",))
        due = [
            state
            for state in original.pending
            if state.remaining
            and state.seq in self.endings
            and (self.confirms or (state.matures_at is not None and state.matures_at <= self.as_of))
        ]
        if not due and self.confirms:
            raise NotPending(path=("operation",))
        if not due:
            return None
        points = sum(state.remaining for state in due)
        place = {"store": original.store, "channel": original.channel, "order_ref": original.order_ref}
        effect = effect_of(self, OperationKind.ACTIVATE, original.merchant_id, points, **place)
        currency = due[0].currency
        effect.entries.append(EntryState(PENDING, currency, -points, self.holder_id, POINTS))
        effect.entries.append(EntryState(POINTS, currency, points, self.holder_id, PENDING))
        for state in due:
            effect.matured.append((state, -state.remaining))
            terms = (state.currency, state.issuer_id, state.funder_id, state.price, state.agreement_version)
            add_lot(books, effect, *terms, state.remaining, self.endings[state.seq], _joined(self, books))
        for rider in self.riders:
            rider.ride(books, effect)
        return effect


@dataclass(slots=True, kw_only=True)
class Reject(Reverse):
    """Undo an earn all of which is still pending: wholly, and nothing was ever owed for it (A1)."""

    @classmethod
    def of(cls, request: Reverse) -> "Reject":
        """The reversal, as a rejection."""
        return cls(**{field.name: getattr(request, field.name) for field in fields(request)} | {"clawback": {}})

    def decide(self, books: Books) -> Effect:
        """As a reversal. Also raises NotPending."""
        original = books.operation(self.holder_id, self.operation_id)
        if original is not None and original.reversed_by is None:
            waiting = sum(state.remaining for state in original.pending)
            if not waiting or original.lots:
                raise NotPending(path=("operation",))
        return Reverse.decide(self, books)


def add_lot(
    books: Books,
    effect: Effect,
    currency: str,
    issuer: UUID,
    funder: UUID,
    price: int,
    agreement_version: int | None,
    points: int,
    ending: Ending,
    joined: datetime | None = None,
) -> None:
    """One lot more; one that slides joins the wallet's live clock of its span, or starts one."""
    at = ending.of_joining(joined) if ending.of_joining is not None else ending.at
    lot = new_lot(effect, currency, points, at, issuer, funder, price, agreement_version)
    if ending.span is not None and at is not None:
        lot.sliding = _clock(books, effect, currency, ending.span, at)
    effect.lots.append(lot)


def _clock(books: Books, effect: Effect, currency: str, span: str, until: datetime) -> Sliding:
    as_of = effect.operation["as_of"]
    known = [lot.sliding for lot in (*effect.lots, *books.open_lots(effect.holder_id, currency)) if lot.remaining]
    for sliding in known:
        if sliding is not None and sliding.span == span and sliding.currency == currency and sliding.expires_at > as_of:
            effect.slides.append((sliding, max(until, sliding.expires_at)))
            return sliding
    fresh = Sliding(effect.holder_id, new_id(), currency, span, until)
    effect.slides.append((fresh, until))
    return fresh


def _joined(request: EarnInParts | Activate, books: Books) -> datetime | None:
    if request.joined is None:
        return None
    found: datetime | None = books.other(request.joined, (request.holder_id, request.issuer_id))
    return found


def _cut(parts: Sequence[Part], points: int) -> list[Part]:
    """The parts, cut in proportion so that they sum to `points`."""
    if not points:
        return []
    shares = share(points, [part.points for part in parts])
    return [replace(part, points=given) for part, given in zip(parts, shares, strict=True) if given]


def _period(earn: Earn, rule: str, period: tuple[str, int, datetime, datetime]) -> Period:
    return (earn.holder_id, earn.currency, period[2], period[3], (earn.merchant_id, rule) if rule else None)
