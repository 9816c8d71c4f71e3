"""Stored value (L4): money in minor units, as requests to the posting engine.

What was paid for and what was given on top of it are different lots. The paid one never expires and may be refunded;
the bonus may expire and is never refunded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import asyncpg

from domain.base import new_id
from domain.errors import InvalidInput, NotFound
from domain.ledger import model, unique
from domain.ledger.commands import POINTS, effect_of, note_row, require_room
from domain.ledger.errors import AlreadyReversed, InsufficientPoints, NotReversible
from domain.ledger.merging import fetch, stand_ins
from domain.ledger.model import AccountKind, OperationKind
from domain.ledger.opening import Opening
from domain.ledger.request import Books, Effect, EntryState, Needs, PastOperation, Request
from domain.ledger.rules import LotState, spend_order

_TOP_UP: Any = model.TopUp.__table__
_DEPOSIT = AccountKind.DEPOSIT.value
_ISSUANCE = AccountKind.ISSUANCE.value

Wallet = tuple[UUID, str]
"""A holder, and a currency of theirs."""


class ToppedUp(NamedTuple):
    """The lots of a top up: what was paid for, and the bonus, if there was one."""

    paid_lot_id: UUID
    bonus_lot_id: UUID | None


class _TopUps:
    """The top ups of a wallet: also those of which nothing is left, for a reversal may come first in a batch. And what
    is left of those of members who were merged into its holder."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Wallet]) -> dict[Wallet, list[ToppedUp]]:
        rows = await connection.fetch(
            """SELECT t.holder_id, t.currency, t.paid_lot_id, t.bonus_lot_id
               FROM unnest($1::uuid[], $2::text[]) AS asked (holder_id, currency)
               JOIN top_up t USING (holder_id, currency)
               UNION ALL
               SELECT c.holder_id, c.currency, c.id, b.id
               FROM unnest($1::uuid[], $2::text[]) AS asked (holder_id, currency)
               JOIN lot c ON c.holder_id = asked.holder_id AND c.currency = asked.currency
                    AND c.root_lot_id IS NOT NULL AND NOT c.spent
               JOIN top_up t ON t.holder_id = c.root_holder_id AND t.currency = c.currency
                    AND t.paid_lot_id = c.root_lot_id
               LEFT JOIN lot b ON b.holder_id = c.holder_id AND b.operation_id = c.operation_id
                    AND b.root_holder_id = t.holder_id AND b.root_lot_id = t.bonus_lot_id""",
            *(list(column) for column in zip(*keys, strict=True)),
        )
        found: dict[Wallet, list[ToppedUp]] = {}
        for holder_id, currency, *lots in rows:
            found.setdefault((holder_id, currency), []).append(ToppedUp(*lots))
        return found


TOP_UPS = _TopUps()


@dataclass(slots=True, kw_only=True)
class TopUp(Request):
    """Take in `paid` for as much stored value, and give `bonus` on top, which lives until `bonus_expires_at`."""

    merchant_id: UUID
    channel: str | None = None
    store: str | None = None
    order_ref: str | None = None
    unique_order: bool = False
    currency: str
    issuer_id: UUID
    paid: int
    bonus: int = 0
    bonus_expires_at: datetime | None = None

    def needs(self, needs: Needs) -> None:
        """The member's status, what the riders ask for, and who booked the order, where orders are unique (R12)."""
        needs.members.add(self.holder_id)
        if order := unique.order_of(self, OperationKind.TOP_UP):
            needs.orders.add(order)
        for rider in self.riders:
            rider.needs(needs)

    def decide(self, books: Books) -> Effect:
        """An entry and a lot for each part.

        Raises InvalidInput, NotFound, MemberNotActive, DuplicateOrder, BalanceLimitExceeded.
        """
        books.require_active(self.holder_id)
        order = unique.order_of(self, OperationKind.TOP_UP)
        unique.require_new(books, order)
        if self.paid <= 0 or self.bonus < 0:
            path = "paid" if self.paid <= 0 else "bonus"
            raise InvalidInput(reason="an amount must be more than zero", path=(path,))
        require_room(books, self.holder_id, self.currency, self.paid + self.bonus)
        place = {"store": self.store, "channel": self.channel, "order_ref": self.order_ref}
        effect = effect_of(self, OperationKind.TOP_UP, self.merchant_id, self.paid + self.bonus, **place)
        effect.entries.append(EntryState(POINTS, self.currency, self.paid, self.issuer_id, _DEPOSIT))
        # Of lots that end together the one with the smaller id is spent first: the bonus.
        first, second = sorted((new_id(), new_id()))
        if self.bonus:
            effect.entries.append(EntryState(POINTS, self.currency, self.bonus, self.issuer_id, _ISSUANCE))
            effect.lots.append(self._lot(effect, first, self.bonus, self.bonus_expires_at))
        effect.lots.append(self._lot(effect, second, self.paid, None))
        effect.data |= {"paid": self.paid, "bonus": self.bonus}
        unique.keep(effect, order)
        for rider in self.riders:
            rider.ride(books, effect)
        _note(books, effect, self.currency, (self.paid, self.bonus), ToppedUp(second, first if self.bonus else None))
        return effect

    def _lot(self, effect: Effect, id_: UUID, amount: int, expires_at: datetime | None) -> LotState:
        return LotState(
            self.holder_id,
            id_,
            self.currency,
            effect.operation["id"],
            self.issuer_id,
            self.issuer_id,
            0,
            amount,
            amount,
            self.as_of,
            expires_at,
        )


@dataclass(slots=True, kw_only=True)
class PaidOpening(Opening):
    """Stored value that was paid for elsewhere: as a top up it never ends, may be refunded, and is a deposit."""

    counter: ClassVar[AccountKind] = AccountKind.DEPOSIT

    def decide(self, books: Books) -> Effect:
        """As an opening balance. Raises as that does, and InvalidInput for what would end."""
        if self.expires_at is not None:
            raise InvalidInput(reason="what was paid for never ends", path=("expires_at",))
        effect = Opening.decide(self, books)
        _note(books, effect, self.currency, (self.points, 0), ToppedUp(effect.lots[0].id, None))
        return effect


def _note(books: Books, effect: Effect, currency: str, amounts: tuple[int, int], made: ToppedUp) -> None:
    """Keep which lot was paid for, and which was given on top; `amounts` are what they were granted."""
    row = {"holder_id": effect.holder_id, "operation_id": effect.operation["id"], "currency": currency}
    row |= {"paid": amounts[0], "bonus": amounts[1]} | made._asdict()
    effect.rows.append((_TOP_UP, row))
    books.others.setdefault(TOP_UPS, {}).setdefault((effect.holder_id, currency), []).append(made)


@dataclass(slots=True, kw_only=True)
class Refund(Request):
    """Pay back `amount` of what was paid for and not spent (None: all of it), what was paid first first.

    With it goes the bonus that is left of the same top up, by the share of the paid value that goes, rounded down.
    """

    merchant_id: UUID
    currency: str
    issuer_id: UUID
    amount: int | None
    reason: str

    def needs(self, needs: Needs) -> None:
        """The wallet's open lots, and which of them were paid for."""
        needs.members.add(self.holder_id)
        needs.wallets.add((self.holder_id, self.currency))
        needs.other(TOP_UPS, (self.holder_id, self.currency))

    def decide(self, books: Books) -> Effect:
        """An entry a part. Raises InvalidInput, NotFound, MemberNotActive, InsufficientPoints."""
        books.require_active(self.holder_id)
        books.require_unbarred(self.holder_id, self.currency)
        lots = {lot.id: lot for lot in books.open_lots(self.holder_id, self.currency)}
        top_ups: list[ToppedUp] = books.other(TOP_UPS, (self.holder_id, self.currency)) or []
        pairs = [(lots.get(one.paid_lot_id), lots.get(one.bonus_lot_id)) for one in top_ups]  # type: ignore[arg-type]
        left = [(paid, bonus) for paid, bonus in pairs if paid is not None]
        have = sum(paid.free for paid, _ in left)
        amount = have if self.amount is None else self.amount
        if self.amount is not None and self.amount <= 0:
            raise InvalidInput(reason="an amount must be more than zero", path=("amount",))
        if not have or amount > have:
            raise InsufficientPoints(available=have, requested=amount, path=("amount",))
        effect = effect_of(self, OperationKind.REFUND, self.merchant_id, amount)
        effect.entries.append(EntryState(POINTS, self.currency, -amount, self.issuer_id, _DEPOSIT))
        lapsed = 0
        for paid, bonus in sorted(left, key=lambda pair: spend_order(pair[0])):
            part = min(paid.free, amount)
            amount -= part
            if not part:
                continue
            effect.allocations.append((paid, -part))
            gone = 0 if bonus is None else min(bonus.free, bonus.remaining * part // paid.remaining)
            if bonus is not None and gone:
                effect.allocations.append((bonus, -gone))
                lapsed += gone
        if lapsed:
            effect.entries.append(EntryState(POINTS, self.currency, -lapsed, self.issuer_id, _ISSUANCE))
        effect.data |= {"bonus": lapsed}
        effect.rows.append(note_row(effect, self.reason))
        return effect


@dataclass(slots=True, kw_only=True)
class ReverseTopUp(Request):
    """Undo a top up of which nothing paid was spent or refunded; of its bonus what is left goes with it.

    So it is with a balance that was paid for elsewhere.
    """

    operation_id: UUID
    note: str | None = None

    def needs(self, needs: Needs) -> None:
        """The top up; its wallet comes with it."""
        needs.members.add(self.holder_id)
        needs.operations.add((self.holder_id, self.operation_id))

    def decide(self, books: Books) -> Effect:
        """The opposite entries.

        Raises NotFound, MemberNotActive, NotReversible, AlreadyReversed, InsufficientPoints.
        """
        books.require_active(books.heir(self.holder_id))
        original = self._original(books)
        *bonuses, paid = original.lots
        own = stand_ins(books, [paid])
        if (free := sum(lot.free for lot in own)) < paid.granted:
            raise InsufficientPoints(available=free, requested=paid.granted, path=("operation",))
        left = [(lot, lot.free) for lot in stand_ins(books, bonuses) if lot.free and lot.is_live(self.as_of)]
        bonus = sum(part for _, part in left)
        taken = paid.granted + bonus
        effect = effect_of(self, OperationKind.REVERSAL, original.merchant_id, taken, reverses=original.id)
        effect.reverses = original
        for entry, amount in zip(original.entries, (paid.granted, bonus), strict=False):
            if amount:
                back = EntryState(POINTS, entry.currency, -amount, entry.counter_holder_id, entry.counter_account)
                effect.entries.append(back)
        effect.allocations = [(lot, -lot.free) for lot in own if lot.free] + [(lot, -part) for lot, part in left]
        fetch(books, effect)
        effect.data |= {"taken": taken, "shortfall": sum(lot.granted for lot in bonuses) - bonus}
        if self.note:
            effect.rows.append(note_row(effect, self.note))
        return effect

    def _original(self, books: Books) -> PastOperation:
        original = books.operation(self.holder_id, self.operation_id)
        if original is None:
            raise NotFound(what="operation", path=("operation",))
        paid = bool(original.entries) and original.entries[0].counter_account == _DEPOSIT
        if original.kind not in (OperationKind.TOP_UP, OperationKind.OPENING) or not paid:
            raise NotReversible(kind=original.kind, path=("operation",))
        if original.reversed_by is not None:
            raise AlreadyReversed(operation=str(original.reversed_by), path=("operation",))
        return original
