"""The ledger's verbs, as requests to the posting engine. Points are valued before: a request carries integers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import Table

from domain.base import new_id
from domain.errors import InvalidInput
from domain.ledger import unique
from domain.ledger.errors import BalanceLimitExceeded, InsufficientPoints
from domain.ledger.model import AccountKind, OperationKind, OperationNote
from domain.ledger.request import Books, Effect, EntryState, Needs, Request
from domain.ledger.rules import LotState, Sliding, allocate, available, exchanged_lots
from domain.money import MAX_INTEGER

POINTS = AccountKind.POINTS.value
PENDING = AccountKind.PENDING.value
Taken = list[tuple[LotState, int]]


@dataclass(slots=True, kw_only=True)
class AtMerchant(Request):
    """What earn, redeem and exchange share: where it happened.

    `slides` says, by currency and span, to when it moves the date of lots that end by inactivity (R4). A `unique_order`
    is booked once of a kind (R12).
    """

    merchant_id: UUID
    channel: str | None = None
    store: str | None = None
    order_ref: str | None = None
    unique_order: bool = False
    slides: Mapping[tuple[str, str], datetime] | None = None

    def needs(self, needs: Needs) -> None:
        """The member's status, what the riders ask for, and the wallets whose lots slide."""
        needs.members.add(self.holder_id)
        if self.slides:
            needs.wallets.update((self.holder_id, currency) for currency, _ in self.slides)
        for rider in self.riders:
            rider.needs(needs)

    def effect(self, kind: OperationKind, points: int, **more: Any) -> Effect:
        """An effect with nothing in it but the operation."""
        place = {"store": self.store, "channel": self.channel, "order_ref": self.order_ref}
        return effect_of(self, kind, self.merchant_id, points, **place, **more)

    def slid(self, books: Books) -> list[tuple[Sliding, datetime]]:
        """Which sliding expiries this activity moves, and to when: those that have not passed (R2, R4)."""
        moved: dict[UUID, tuple[Sliding, datetime]] = {}
        slides = self.slides or {}
        for currency in dict.fromkeys(currency for currency, _ in slides):
            for lot in books.open_lots(self.holder_id, currency):
                sliding = lot.sliding if lot.remaining else None
                until = slides.get((currency, sliding.span)) if sliding is not None else None
                if sliding is not None and until is not None and self.as_of < sliding.expires_at < until:
                    moved[sliding.id] = (sliding, until)
        return list(moved.values())

    def ride(self, books: Books, effect: Effect) -> Effect:
        """The effect with the riders' rows."""
        for rider in self.riders:
            rider.ride(books, effect)
        return effect


class Grant(NamedTuple):
    """Points of another currency of the same issuer, which it pays for itself."""

    currency: str
    points: int
    expires_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Earn(AtMerchant):
    """Grant `points` of `currency`, which `issuer_id` issues and `funder_id` pays for at `price` (10^-8) a point.

    Some of it later, by `agreement_version`, where there is one. `beside` is what the merchant grants of its own other
    currencies for the same purchase.
    """

    currency: str
    issuer_id: UUID
    funder_id: UUID
    points: int
    price: int = 0
    expires_at: datetime | None = None
    decisions: list[Any] | None = None
    lines: list[Any] | None = None
    beside: tuple[Grant, ...] = ()
    agreement_version: int | None = None

    def needs(self, needs: Needs) -> None:
        """Also who booked the order, where orders are unique."""
        AtMerchant.needs(self, needs)
        if order := unique.order_of(self, OperationKind.EARN):
            needs.orders.add(order)
        if self.agreement_version is not None:
            needs.funded.add((self.issuer_id, self.funder_id, self.agreement_version))

    def decide(self, books: Books) -> Effect:
        """An entry and a lot a currency. Raises MemberNotActive, DuplicateOrder, BalanceLimitExceeded."""
        books.require_active(self.holder_id)
        if self.points < 0:
            raise InvalidInput(reason="points must not be negative", path=("points",))
        order = unique.order_of(self, OperationKind.EARN)
        unique.require_new(books, order)
        effect = self.grant(books)
        for grant in self.beside:
            self._grant(books, effect, grant)
        unique.keep(effect, order)
        return self.ride(books, effect)

    def grant(self, books: Books) -> Effect:
        """One entry and one lot. Raises BalanceLimitExceeded."""
        require_room(books, self.holder_id, self.currency, self.points)
        effect = self.effect(OperationKind.EARN, self.points, decisions=self.decisions, lines=self.lines)
        if self.points:
            effect.entries.append(entry_of(self.currency, self.points, self.issuer_id, AccountKind.ISSUANCE))
            funding = (self.issuer_id, self.funder_id, self.price, self.agreement_version)
            effect.lots.append(new_lot(effect, self.currency, self.points, self.expires_at, *funding))
        return effect

    def _grant(self, books: Books, effect: Effect, grant: Grant) -> None:
        require_room(books, self.holder_id, grant.currency, grant.points)
        own = self.merchant_id
        effect.entries.append(entry_of(grant.currency, grant.points, own, AccountKind.ISSUANCE))
        effect.lots.append(new_lot(effect, grant.currency, grant.points, grant.expires_at, own, own, 0))


@dataclass(slots=True, kw_only=True)
class Redeem(AtMerchant):
    """Spend `points` of `currency`, by R1's order."""

    currency: str
    issuer_id: UUID
    points: int
    decisions: list[Any] | None = None

    def needs(self, needs: Needs) -> None:
        """Also the lots that pay, and who booked the order, where orders are unique."""
        AtMerchant.needs(self, needs)
        needs.debit((self.holder_id, self.currency), self.points, self.as_of)
        if order := unique.order_of(self, OperationKind.REDEEM):
            needs.orders.add(order)

    def admit(self, books: Books) -> None:
        """Raises MemberNotActive, what guards the member's points, DuplicateOrder."""
        books.require_active(self.holder_id)
        books.require_unbarred(self.holder_id, self.currency)
        unique.require_new(books, unique.order_of(self, OperationKind.REDEEM))

    def decide(self, books: Books) -> Effect | None:
        """One entry and its allocations. Raises MemberNotActive, DuplicateOrder, InsufficientPoints."""
        self.admit(books)
        return self.spend(books, take(books, self.holder_id, self.currency, self.points, self.as_of))

    def spend(self, books: Books, taken: Taken) -> Effect:
        """The effect of spending these parts of lots."""
        points = sum(part for _, part in taken)
        effect = self.effect(OperationKind.REDEEM, points, decisions=self.decisions)
        if points:
            effect.entries.append(entry_of(self.currency, -points, self.issuer_id, AccountKind.REDEMPTION))
        effect.allocations.extend((lot, -part) for lot, part in taken)
        if self.slides:
            effect.slides = self.slid(books)
        unique.keep(effect, unique.order_of(self, OperationKind.REDEEM))
        return self.ride(books, effect)


@dataclass(slots=True, kw_only=True)
class Exchange(AtMerchant):
    """Give `points` of `currency` (issued by `issuer_id`) for `into_points` of `into_currency`, at once.

    The new lots are issued by `into_issuer_id`, paid for by `issuer_id` at `into_price`, and live until the earlier
    of `into_expires_at` and the lots they came from (A3 b).
    """

    currency: str
    issuer_id: UUID
    points: int
    into_currency: str
    into_issuer_id: UUID
    into_points: int
    into_price: int = 0
    into_expires_at: datetime | None = None
    decisions: list[Any] | None = None

    def needs(self, needs: Needs) -> None:
        """Also the lots that pay."""
        AtMerchant.needs(self, needs)
        needs.debit((self.holder_id, self.currency), self.points, self.as_of)

    def decide(self, books: Books) -> Effect:
        """Two entries. Raises MemberNotActive, InsufficientPoints, BalanceLimitExceeded."""
        books.require_active(self.holder_id)
        books.require_unbarred(self.holder_id, self.currency)
        if self.into_points <= 0:
            raise InvalidInput(reason="points must be positive", path=("pointsIn",))
        if self.into_expires_at is not None and self.into_expires_at <= self.as_of:
            raise InvalidInput(reason=f"points of {self.into_currency} no longer live", path=("to",))
        taken = take(books, self.holder_id, self.currency, self.points, self.as_of)
        require_room(books, self.holder_id, self.into_currency, self.into_points)
        effect = self.effect(OperationKind.EXCHANGE, self.points, decisions=self.decisions)
        effect.entries.append(entry_of(self.currency, -self.points, self.issuer_id, AccountKind.EXCHANGE))
        effect.entries.append(entry_of(self.into_currency, self.into_points, self.into_issuer_id, AccountKind.EXCHANGE))
        effect.allocations.extend((lot, -part) for lot, part in taken)
        for part, expiry in exchanged_lots(taken, self.into_points, self.into_expires_at):
            effect.lots.append(
                new_lot(effect, self.into_currency, part, expiry, self.into_issuer_id, self.issuer_id, self.into_price)
            )
        if self.slides:
            effect.slides = self.slid(books)
        effect.data["points_in"] = self.into_points
        return self.ride(books, effect)


class Window(Protocol):
    """When holders have to be told before points end: see extensions.NoticeWindow."""

    def needs(self, needs: Needs, wallet: tuple[UUID, str]) -> None:
        """Ask for what was delivered about a wallet."""

    def was_told(self, books: Books, wallet: tuple[UUID, str], ends: datetime) -> bool:
        """Whether the holder was told in time that points end then."""


@dataclass(slots=True, kw_only=True)
class Expire(Request):
    """Book the expiry of all lots of one wallet that are past their date; nothing to do is no operation.

    What is held waits for its hold (R14), and, where holders have to be told in a `window`, what nobody told (R7).
    """

    currency: str
    issuer_id: UUID
    window: Window | None = None

    def needs(self, needs: Needs) -> None:
        """The lots that are due, and what their holder was told."""
        needs.expiry((self.holder_id, self.currency), self.as_of)
        if self.window is not None:
            self.window.needs(needs, (self.holder_id, self.currency))

    def decide(self, books: Books) -> Effect | None:
        """One entry against the issuer's breakage; None where nothing is due."""
        due = [
            (lot, -lot.free)
            for lot in books.open_lots(self.holder_id, self.currency)
            if lot.free and not lot.is_live(self.as_of) and self._was_told(books, lot)
        ]
        if not due:
            return None
        points = -sum(part for _, part in due)
        effect = effect_of(self, OperationKind.EXPIRE, self.issuer_id, points)
        effect.entries.append(entry_of(self.currency, -points, self.issuer_id, AccountKind.BREAKAGE))
        effect.allocations.extend(due)
        return effect

    def _was_told(self, books: Books, lot: LotState) -> bool:
        if self.window is None or lot.expires_at is None:
            return True
        return self.window.was_told(books, (self.holder_id, self.currency), lot.expires_at)


def effect_of(request: Request, kind: OperationKind, merchant_id: UUID, points: int, **more: Any) -> Effect:
    """An effect with nothing in it but the operation, under the request's holder; `more` are columns of it."""
    operation = {
        "holder_id": request.holder_id,
        "id": new_id(),
        "kind": kind.value,
        "merchant_id": merchant_id,
        "client_id": request.client_id,
        "store": None,
        "channel": None,
        "order_ref": None,
        "occurred_at": request.occurred_at,
        "as_of": request.as_of,
        "reverses": None,
        "decisions": None,
        "lines": None,
    }
    operation.update(more)
    return Effect(operation=operation, points=points)


def entry_of(currency: str, amount: int, counter_holder_id: UUID, counter: AccountKind) -> EntryState:
    """An entry on the points of the operation's holder."""
    return EntryState(POINTS, currency, amount, counter_holder_id, counter.value)


def new_lot(
    effect: Effect,
    currency: str,
    points: int,
    expires_at: datetime | None,
    issuer: UUID,
    funder: UUID,
    price: int,
    agreement_version: int | None = None,
) -> LotState:
    """A new lot of the operation's holder, granted by it."""
    return LotState(
        effect.holder_id,
        new_id(),
        currency,
        effect.operation["id"],
        issuer,
        funder,
        price,
        points,
        points,
        effect.operation["as_of"],
        expires_at,
        agreement_version=agreement_version,
    )


def take(books: Books, holder_id: UUID, currency: str, points: int, as_of: datetime) -> Taken:
    """Allocate a debit of a wallet; what it owes is not spent (R17). Raises InvalidInput, InsufficientPoints."""
    if points > 0 and books.debts and points > (have := books.spendable(holder_id, currency, as_of)):
        raise InsufficientPoints(available=have, requested=points, path=("points",))
    return take_of(books.open_lots(holder_id, currency), points, as_of)


def take_of(lots: Sequence[LotState], points: int, as_of: datetime) -> Taken:
    """Allocate a debit of these lots, by R1. Raises InvalidInput, InsufficientPoints."""
    if points <= 0:
        raise InvalidInput(reason="points must be positive", path=("points",))
    if (have := available(lots, as_of)) < points:
        raise InsufficientPoints(available=have, requested=points, path=("points",))
    return allocate(lots, points, as_of)


def note_row(effect: Effect, note: str) -> tuple[Table, dict[str, Any]]:
    """Why, in words: kept apart from the operation."""
    row = {"holder_id": effect.holder_id, "operation_id": effect.operation["id"], "note": note}
    return OperationNote.__table__, row  # type: ignore[return-value]


def require_room(books: Books, holder_id: UUID, currency: str, points: int) -> None:
    """Raises BalanceLimitExceeded where a credit would take the wallet past what clients can read exactly."""
    posted = books.posted(holder_id, POINTS, currency) + books.posted(holder_id, PENDING, currency)
    if posted + points > MAX_INTEGER:
        raise BalanceLimitExceeded(limit=MAX_INTEGER, path=("points",))
