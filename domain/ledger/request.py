"""What is asked of the posting engine, and how other rooms take part in a posting.

A request names what it needs; the engine loads that for the whole batch; `decide` looks at the books and says what
would change (an `Effect`) or refuses; only then are the books changed, and the next request decided.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Table

from domain.errors import NotFound, Refusal
from domain.ledger.errors import HolderStopped, MemberMerged, OperationArchived
from domain.ledger.funding import Funder, Funding, funding_of
from domain.ledger.idempotency import Key as Key
from domain.ledger.idempotency import fingerprint_of as fingerprint_of
from domain.ledger.model import AccountKind, OperationKind
from domain.ledger.parts import Gate, Sums
from domain.ledger.parts import Law as Law
from domain.ledger.parts import Loader as Loader
from domain.ledger.parts import Recovery as Recovery
from domain.ledger.parts import Rider as Rider
from domain.ledger.returns import Return
from domain.ledger.rules import HoldState, LotState, PendingState, Sliding, available, given_by, room_taken
from domain.ledger.slides import SLIDING_MOVE, moves_of
from domain.ledger.standing import Standing
from domain.money import MAX_INTEGER

Period = tuple[UUID, str, datetime, datetime, tuple[UUID, str] | None]
"""What a holder earns of a currency, from an instant until before another; all of it, or by a rule of a merchant's."""


@dataclass(slots=True)
class Needs:
    """What the requests of a batch will look at.

    `holders` are all that they are about, each request's own among them: locked before anything is read. A request
    that changes the lots or accounts of another holder adds it here. `wallets` are read whole, and all of the holders
    in `whole`; of those in `debits` only the lots that come first, until they hold so many points at that moment; of
    those in `expiries` the lots that are past their date by then.
    """

    holders: set[UUID] = field(default_factory=set)
    members: set[UUID] = field(default_factory=set)
    whole: set[UUID] = field(default_factory=set)
    wallets: set[tuple[UUID, str]] = field(default_factory=set)
    debits: dict[tuple[UUID, str], tuple[int, datetime]] = field(default_factory=dict)
    expiries: dict[tuple[UUID, str], datetime] = field(default_factory=dict)
    operations: set[tuple[UUID, UUID]] = field(default_factory=set)
    orders: set[tuple[UUID, str, str]] = field(default_factory=set)
    holds: set[tuple[UUID, UUID]] = field(default_factory=set)
    earned: set[Period] = field(default_factory=set)
    funded: set[Funding] = field(default_factory=set)
    others: dict[Loader, set[Hashable]] = field(default_factory=dict)

    def shares_nothing(self, other: "Needs") -> bool:
        """Whether the requests of both may be decided without each other: no holder, order or row of another room is
        looked at by both."""
        return (
            self.holders.isdisjoint(other.holders)
            and self.orders.isdisjoint(other.orders)
            and self.earned.isdisjoint(other.earned)
            and all(keys.isdisjoint(other.others.get(loader, ())) for loader, keys in self.others.items())
        )

    def widen(self, others: Iterable[UUID]) -> None:
        """Ask also for those whom holders turned out to be merged into."""
        self.holders.update(others)
        self.members.update(others)

    def expiry(self, wallet: tuple[UUID, str], as_of: datetime) -> None:
        """Ask for the lots that are past their date by then."""
        self.expiries[wallet] = max(self.expiries.get(wallet, as_of), as_of)

    def debit(self, wallet: tuple[UUID, str], points: int, as_of: datetime) -> None:
        """Ask for the lots that pay for `points`; what several debits of a wallet ask for adds up.

        Where there are not as many, these are all lots, so that a refusal can say how many there are.
        """
        others, latest = self.debits.get(wallet, (0, as_of))
        self.debits[wallet] = min(others + max(points, 0), MAX_INTEGER), max(latest, as_of)

    def other(self, loader: Loader, key: Hashable) -> None:
        """Ask for a row of another room."""
        self.others.setdefault(loader, set()).add(key)


@dataclass(slots=True)
class EntryState:
    """One entry of an operation being decided, or of a past one: of the operation's holder, unless it says whose."""

    account: str
    currency: str
    amount: int
    counter_holder_id: UUID
    counter_account: str
    holder_id: UUID | None = None


@dataclass(slots=True)
class DebtState:
    """A debt: the operation that made it, what is left of it, and the earn whose reversal that operation was.

    `funding` is that of the earn's lots, where something of it moves later. `source`, (holder, id), is the reversal
    that it is owed for, where that lies under another, who was merged into this holder.
    """

    holder_id: UUID
    operation_id: UUID
    currency: str
    left: int
    earn_id: UUID | None
    funding: Funding | None = None
    source: tuple[UUID, UUID] | None = None

    @property
    def earn(self) -> tuple[UUID, UUID] | None:
        """That earn, (holder, id)."""
        return None if self.earn_id is None else (self.source[0] if self.source else self.holder_id, self.earn_id)


@dataclass(slots=True)
class PastOperation:
    """An operation that a request wants to reverse, with all that it did and what came back of it.

    `restored` is how much of each lot was put back; `reversed_by` is the reversal that left nothing.
    """

    holder_id: UUID
    id: UUID
    kind: str
    merchant_id: UUID
    store: str | None
    channel: str | None
    order_ref: str | None
    reverses: UUID | None
    occurred_at: datetime
    as_of: datetime
    decisions: list[Any] | None = None
    bought: list[Any] | None = None
    entries: list[EntryState] = field(default_factory=list)
    lots: list[LotState] = field(default_factory=list)
    allocations: list[tuple[LotState, int]] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    restored: dict[UUID, int] = field(default_factory=dict)
    pending: list[PendingState] = field(default_factory=list)
    reversed_by: UUID | None = None

    def granted(self, currency: str) -> int:
        """Points of a currency that it granted, those that waited included."""
        return sum(entry.amount for entry in self.entries if entry.currency == currency and entry.amount > 0)

    def undone(self, currency: str) -> int:
        """How many of them the rules have taken back."""
        return sum(one.figures(currency)[0] for one in self.returns)

    def due(self, currency: str) -> int:
        """How many of those were asked of the wallet."""
        return sum(one.figures(currency)[1] for one in self.returns)

    def taken(self, currency: str) -> int:
        """How many were taken back, active or waiting; of what was undone the wallet may not have had all."""
        return sum(one.taken.get(currency, 0) for one in self.returns)

    def note(self, one: Return, restored: Iterable[tuple[UUID, int]]) -> None:
        """Take in a reversal, with what it put back of which lot."""
        self.returns.append(one)
        for lot_id, amount in restored:
            self.restored[lot_id] = self.restored.get(lot_id, 0) + amount
        if one.whole:
            self.reversed_by = one.operation_id


@dataclass(slots=True)
class Effect:
    """What one operation changes. `lots` are new; `allocations` pair a lot with what it gains (or loses, negative).

    Lots know their holder. What moves between two limited accounts is two entries, equal and opposite, one a holder.
    `held` pairs a lot with what holds set aside of it (or free, negative); `hold` is a hold that ends, as it then is.
    So are `pending` and `matured`, for points that wait; `slides` pair a sliding expiry with the date it moves to.

    `owes` are debts that it makes, one a currency; `pays` are those that it pays.

    `rows` are rows of other rooms, written in the same transaction, `adds` is what it adds to sums of theirs, by key;
    `data` is remembered with the key; `told` is what another room says of a dry run. What is not `booked` posts
    nothing, and leaves no operation.
    """

    operation: dict[str, Any]
    points: int
    entries: list[EntryState] = field(default_factory=list)
    lots: list[LotState] = field(default_factory=list)
    allocations: list[tuple[LotState, int]] = field(default_factory=list)
    rows: list[tuple[Table, dict[str, Any]]] = field(default_factory=list)
    adds: list[tuple[Sums, Any, tuple[int, ...]]] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    slides: list[tuple[Sliding, datetime]] = field(default_factory=list)
    pending: list[PendingState] = field(default_factory=list)
    matured: list[tuple[PendingState, int]] = field(default_factory=list)
    reverses: PastOperation | None = None
    returned: Return | None = None
    order: tuple[UUID, str, str] | None = None
    held: list[tuple[LotState, int]] = field(default_factory=list)
    hold: HoldState | None = None
    booked: bool = True
    owes: list[DebtState] = field(default_factory=list)
    pays: list[tuple[DebtState, int]] = field(default_factory=list)
    told: Any = None

    @property
    def restored(self) -> list[tuple[UUID, int]]:
        """What it put back of which lot, by id: into it, or as a new one that stands for it."""
        anew = [(lot.source_lot_id, lot.granted) for lot in self.lots if lot.source_lot_id is not None]
        return [(lot.id, amount) for lot, amount in self.allocations] + anew

    def moved(self, currency: str, account: AccountKind = AccountKind.POINTS) -> int:
        """Points of the holder's that it moved, either way; not those that a forced exit sold and are bought back, nor
        those that came from whom the holder was merged into."""
        mine, aside = (None, self.holder_id), (AccountKind.EXIT, AccountKind.POINTS)
        return abs(
            sum(
                one.amount
                for one in self.entries
                if one.account == account and one.currency == currency and one.holder_id in mine
                if one.counter_account not in aside
            )
        )

    @property
    def taken(self) -> dict[str, int]:
        """For a reversal: the points of each currency that it moved, and those that waited and were dropped."""
        currencies = dict.fromkeys(entry.currency for entry in self.entries)
        return {one: self.moved(one) + self.moved(one, AccountKind.PENDING) for one in currencies}

    @property
    def holder_id(self) -> UUID:
        """The holder the operation is about."""
        holder_id: UUID = self.operation["holder_id"]
        return holder_id


@dataclass(slots=True)
class Books:
    """The state that a batch is decided over. Changed only by `apply`, one decided operation after the other.

    What is `simulated` writes nothing, and holds nothing open. `as_of` is that of the request in hand,
    `leaving` its holder where it settles what is left of one who has left. `merged` says into whom holders were merged.
    """

    as_of: datetime | None = None
    leaving: UUID | None = None
    statuses: dict[UUID, Standing] | None = None
    jurisdictions: dict[UUID, str] = field(default_factory=dict)
    law: Law | None = None
    funder: Funder | None = None
    simulated: bool = False
    funded: set[Funding] = field(default_factory=set)
    accounts: dict[tuple[UUID, str, str], int] = field(default_factory=dict)
    held: dict[tuple[UUID, str, str], int] = field(default_factory=dict)
    wallets: dict[tuple[UUID, str], list[LotState]] = field(default_factory=dict)
    lots: dict[tuple[UUID, UUID], LotState] = field(default_factory=dict)
    operations: dict[tuple[UUID, UUID], PastOperation] = field(default_factory=dict)
    orders: dict[tuple[UUID, str, str], UUID] = field(default_factory=dict)
    holds: dict[tuple[UUID, UUID], HoldState] = field(default_factory=dict)
    debts: dict[tuple[UUID, str], list[DebtState]] = field(default_factory=dict)
    earned: dict[Period, int] = field(default_factory=dict)
    slidings: dict[tuple[UUID, UUID], Sliding] = field(default_factory=dict)
    stopped: set[UUID] = field(default_factory=set)
    merged: dict[UUID, UUID] = field(default_factory=dict)
    watched: set[UUID] = field(default_factory=set)
    others: dict[Loader, dict[Any, Any]] = field(default_factory=dict)
    archived: set[tuple[UUID, UUID]] = field(default_factory=set)
    recovery: Recovery | None = None
    decided: list[Effect] = field(default_factory=list)

    def require_active(self, member_id: UUID, path: tuple[str, ...] = ("member",)) -> None:
        """Refuse unless the member, whom the call names at `path`, is there and active."""
        if member_id in self.merged:
            raise MemberMerged(path=path)
        if self.statuses is None:
            return
        known = self.statuses.get(member_id)
        if known is None:
            raise NotFound(what="member", path=path)
        if member_id != self.leaving:
            known.require_active(self.as_of, path)

    def require_unbarred(self, member_id: UUID, currency: str, path: str = "member") -> None:
        """Refuse a debit that the member causes while their points are guarded."""
        if (
            self.statuses is not None
            and member_id != self.leaving
            and (known := self.statuses.get(member_id)) is not None
        ):
            known.require_unbarred(currency, self.as_of, path)

    def heir(self, holder_id: UUID) -> UUID:
        """Who a holder is by now."""
        while (into := self.merged.get(holder_id)) is not None:
            holder_id = into
        return holder_id

    def require_going(self, request: "Request") -> None:
        """Refuse what is about a holder who is stopped."""
        if self.stopped:
            needs = Needs({request.holder_id})
            request.needs(needs)
            if needs.holders & self.stopped:
                raise HolderStopped(path=("member",))

    def posted(self, holder_id: UUID, kind: str, currency: str) -> int:
        """The posted sum of an account; 0 if nothing was ever posted to it."""
        return self.accounts.get((holder_id, kind, currency), 0)

    def debt(self, holder_id: UUID, currency: str) -> int:
        """What is owed to a wallet."""
        return sum(debt.left for debt in self.debts.get((holder_id, currency), ()))

    def spendable(self, holder_id: UUID, currency: str, as_of: datetime) -> int:
        """What may be spent of a wallet: what is available, less what it owes."""
        return max(0, available(self.open_lots(holder_id, currency), as_of) - self.debt(holder_id, currency))

    def open_lots(self, holder_id: UUID, currency: str) -> list[LotState]:
        """The lots of a wallet, spent ones among them."""
        return self.wallets.get((holder_id, currency), [])

    def operation(self, holder_id: UUID, operation_id: UUID) -> PastOperation | None:
        """A past operation that was asked for in `Needs.operations`."""
        return self.operations.get((holder_id, operation_id))

    def require_operation(self, holder_id: UUID, operation_id: UUID) -> PastOperation:
        """A past operation that a call names. Raises NotFound, OperationArchived."""
        if (holder_id, operation_id) in self.archived:
            raise OperationArchived(path=("operation",))
        if (found := self.operation(holder_id, operation_id)) is None:
            raise NotFound(what="operation", path=("operation",))
        return found

    def other(self, loader: Loader, key: Hashable) -> Any:
        """A row of another room, or None."""
        return self.others.get(loader, {}).get(key)

    def apply(self, effect: Effect) -> None:
        """Carry out what was decided, so that the next request sees it."""
        self.decided.append(effect)
        holder_id = effect.holder_id
        for entry in effect.entries:
            account = (entry.holder_id or holder_id, entry.account, entry.currency)
            self.accounts[account] = self.accounts.get(account, 0) + entry.amount
        expired = effect.operation["kind"] == OperationKind.EXPIRE.value
        for lot, amount in effect.allocations:
            lot.remaining += amount
            lot.lapsed -= amount if expired else 0
        for lot, amount in effect.held:
            lot.held += amount
            account = (holder_id, AccountKind.POINTS.value, lot.currency)
            self.held[account] = self.held.get(account, 0) + amount
        if effect.hold is not None:
            self.holds[holder_id, effect.hold.id] = effect.hold
        for lot in effect.lots:
            self.lots[lot.holder_id, lot.id] = lot
            self.wallets.setdefault((lot.holder_id, lot.currency), []).append(lot)
            if lot.agreement_version is not None:
                self.funded.add(funding_of(lot))
        for owed in effect.owes:
            self.debts.setdefault((owed.holder_id, owed.currency), []).append(owed)
        for debt, paid in effect.pays:
            debt.left -= paid
        if effect.slides:
            self._slide(effect)
        for state, amount in effect.matured:
            state.remaining += amount
            if effect.reverses is None:
                state.activated_by = effect.operation["id"]
        if effect.matured and effect.reverses is None:
            self.operations[holder_id, effect.matured[0][0].operation_id].lots.extend(effect.lots)
        for sums, key, amounts in effect.adds:
            if (row := self.other(sums, key)) is not None:
                row.add(*amounts)
        if self.earned:
            self._count(effect)
        if effect.reverses is not None:
            if effect.returned is not None:
                effect.reverses.note(effect.returned, effect.restored)
            else:
                effect.reverses.reversed_by = effect.operation["id"]
        if effect.order is not None:
            self.orders[effect.order] = effect.operation["id"]

    def _slide(self, effect: Effect) -> None:
        effect.rows.extend(
            (SLIDING_MOVE, row) for row in moves_of(effect.operation["id"], effect.slides, self.slidings)
        )
        for sliding, until in effect.slides:
            sliding.expires_at = until
            self.slidings[sliding.holder_id, sliding.id] = sliding
            for lot in self.wallets[effect.holder_id, sliding.currency]:
                if lot.sliding is sliding:
                    lot.expires_at = until

    def _count(self, effect: Effect) -> None:
        """Keep the sums of limited periods: an earn takes of their room, and what is taken back of it gives it back.

        In the period of the earn, whenever that is (R9).
        """
        past, operation = effect.reverses, effect.operation
        if (operation["kind"] if past is None else past.kind) != OperationKind.EARN:
            return
        if past is None:
            moment, merchant_id, decisions = operation["as_of"], operation["merchant_id"], operation["decisions"]
        else:
            moment, merchant_id, decisions = past.as_of, past.merchant_id, past.decisions
        for period in self.earned:
            holder_id, currency, first, before, rule = period
            if holder_id != effect.holder_id or not first <= moment < before:
                continue
            moved = effect.taken.get(currency, 0)
            if rule is None:
                self.earned[period] += moved if past is None else -moved
            elif rule[0] == merchant_id:
                given = given_by(decisions or (), rule[1], currency)
                if past is None:
                    self.earned[period] += given
                else:
                    granted, gone = past.granted(currency), past.taken(currency)
                    left = room_taken(given, granted, gone + moved) - room_taken(given, granted, gone)
                    self.earned[period] += left


@dataclass(slots=True, kw_only=True)
class Request(ABC):
    """One call. Subclasses (in commands.py) say what they need and decide.

    `as_of` is the edge's clock, `occurred_at` what the client says; `key` is None only where asking twice is harmless.
    One that does not `remember` a refusal lets the key be tried again. One that `settles` is about what is left of a
    holder who has left: it is posted though they are not active.
    Of one that `goes_on` what comes `after` is asked always.
    """

    goes_on: ClassVar[bool] = False

    holder_id: UUID
    key: Key | None
    client_id: UUID | None
    as_of: datetime
    occurred_at: datetime
    dry_run: bool = False
    riders: tuple[Rider, ...] = ()
    gates: tuple[Gate, ...] = ()
    remembers: bool = True
    settles: bool = False

    @abstractmethod
    def needs(self, needs: Needs) -> None:
        """Add what `decide` will look at."""

    @abstractmethod
    def decide(self, books: Books) -> Effect | None:
        """What would change; None where there is nothing to do. Raises Refusal; changes nothing."""

    def after(self, books: Books, effect: Effect) -> list[Effect]:
        """Operations that follow at once from what was decided; asked only where past operations are looked at,
        or `goes_on`."""
        return []


@dataclass(slots=True)
class Posted:
    """The answer to a request: `points` is the amount of its kind (earned, spent, taken back ...), never negative.

    `operation_id` is None for a dry run, which says what it `would` change, and where there was nothing to do.
    `duplicate` says that the key was known.
    """

    operation_id: UUID | None
    holder_id: UUID
    kind: str
    points: int
    decisions: list[Any]
    duplicate: bool = False
    data: dict[str, Any] = field(default_factory=dict)
    would: Effect | None = None


Outcome = Posted | Refusal
