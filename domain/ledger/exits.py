"""The forced exit (R13), as requests to the posting engine.

Who earned much more by own purchases than they spent has their points sold, at the published worth, for change that is
of use at the issuer alone. Whether that is so is decided under the holder's lock, with what the batch did before.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from domain.base import new_id
from domain.errors import NotFound
from domain.ledger.change import SOLD, Sold, Wallet
from domain.ledger.commands import POINTS, Taken, effect_of, note_row, require_room
from domain.ledger.errors import AlreadyReversed, InsufficientPoints, NotReversible
from domain.ledger.merging import fetch, stand_ins
from domain.ledger.model import AccountKind, ForcedExit, OperationKind
from domain.ledger.request import Books, Effect, EntryState, Needs, PastOperation, Request
from domain.ledger.restoring import Grace, put_into, record_fault
from domain.ledger.rules import NEVER, LotState, allocate, available

_FORCED_EXIT: Any = ForcedExit.__table__
_EXIT = AccountKind.EXIT.value
_FIRST = UUID(int=0)


class Flow(NamedTuple):
    """Points of a wallet that one kind of operation moved, at a time at which a point was worth the same.

    `since` is the last exit before the operation, reversed or not.
    """

    kind: str
    moment: datetime
    points: int
    since: UUID


FLOWS = """
    SELECT coalesce(u.kind, o.kind) AS kind, coalesce(u.id, o.id) AS operation_id,
           coalesce(u.occurred_at, o.occurred_at) AS occurred_at, p.version, e.amount
    FROM entry e JOIN operation o ON o.holder_id = e.holder_id AND o.id = e.operation_id
    LEFT JOIN operation u ON u.holder_id = o.holder_id AND u.id = coalesce(o.reverses, (
         SELECT g.operation_id FROM pending_grant g
         WHERE o.kind = 'ACTIVATE' AND g.holder_id = o.holder_id AND g.activated_by = o.id LIMIT 1))
    LEFT JOIN currency_policy p ON p.currency = e.currency
         AND (p.valid_from IS NULL OR p.valid_from <= coalesce(u.occurred_at, o.occurred_at))
         AND (p.valid_to IS NULL OR p.valid_to > coalesce(u.occurred_at, o.occurred_at))
    WHERE e.holder_id = {holder} AND e.currency = {currency} AND e.account = 'POINTS'
      AND e.counter_account NOT IN ('EXIT', 'POINTS')
      AND coalesce(u.kind, o.kind) IN ('EARN', 'REDEEM')
"""
"""Each entry of an earn (also of what waited and became active), a redemption, or what came back of one.

With the operation, and the version of the policy then.
"""


class _Flows:
    """What a wallet earned by own purchases and spent, net of what came back."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Wallet]) -> dict[Wallet, list[Flow]]:
        rows = await connection.fetch(
            f"""SELECT asked.holder_id, asked.currency, f.kind, min(f.occurred_at), sum(f.amount)::bigint,
                       coalesce(x.operation_id, '00000000-0000-0000-0000-000000000000')
                FROM unnest($1::uuid[], $2::text[]) AS asked (holder_id, currency)
                JOIN LATERAL ({FLOWS.format(holder="asked.holder_id", currency="asked.currency")}) f ON true
                LEFT JOIN LATERAL (
                    SELECT operation_id FROM forced_exit x
                    WHERE x.holder_id = asked.holder_id AND x.currency = asked.currency AND x.follows IS NULL
                      AND x.operation_id < f.operation_id ORDER BY x.operation_id DESC LIMIT 1) x ON true
                GROUP BY asked.holder_id, asked.currency, f.kind, f.version, x.operation_id""",  # noqa: S608
            *(list(column) for column in zip(*keys, strict=True)),
        )
        found: dict[Wallet, list[Flow]] = {}
        for holder_id, currency, *flow in rows:
            found.setdefault((holder_id, currency), []).append(Flow(*flow))
        return found


FLOWS_OF = _Flows()


def exceeds(flows: Iterable[Flow], times: int, worth_at: Callable[[datetime], int]) -> bool:
    """Whether what was earned is strictly more than `times` what was spent, each at its worth then (R13)."""
    earned = spent = 0
    for flow in flows:
        if flow.kind == OperationKind.EARN:
            earned += flow.points * worth_at(flow.moment)
        else:
            spent -= flow.points * worth_at(flow.moment)
    return earned > times * spent


@dataclass(slots=True, kw_only=True)
class Exit(Request):
    """Sell all active, unheld lots that `issuer_id` issued and funds, where enough was earned and not spent.

    `worth_at` measures; `price` is what a point is sold for, as minor units of the change over points. The change
    lives until `change_expires_at` (None: for ever), or as long as the longest lot sold. Who lives where the law
    is `protecting` them keeps their points.
    """

    currency: str
    issuer_id: UUID
    into: str
    times: int
    worth_at: Callable[[datetime], int]
    price: tuple[int, int]
    change_expires_at: datetime | None
    version: int = 1
    protecting: frozenset[str] = frozenset()

    @property
    def _wallet(self) -> Wallet:
        return (self.holder_id, self.currency)

    def needs(self, needs: Needs) -> None:
        """Both wallets, what flowed since the last exit, and the exits themselves."""
        needs.members.add(self.holder_id)
        needs.wallets.update({self._wallet, (self.holder_id, self.into)})
        needs.other(SOLD, self._wallet)
        needs.other(FLOWS_OF, self._wallet)

    def decide(self, books: Books) -> Effect | None:
        """None where there is no reason, or nothing to sell. Raises MemberNotActive, BalanceLimitExceeded."""
        books.require_active(self.holder_id)
        standing = [sold for sold in books.other(SOLD, self._wallet) or () if sold.follows is None]
        last = standing[-1].operation_id if standing else _FIRST
        flows: list[Flow] = books.other(FLOWS_OF, self._wallet) or []
        since = [*(flow for flow in flows if flow.since >= last), *self._of_batch(books, last)]
        if not exceeds(since, self.times, self.worth_at):
            return None
        return self._sell(books, self._own(books), None)

    def _own(self, books: Books) -> list[LotState]:
        lots = books.open_lots(self.holder_id, self.currency)
        return [lot for lot in lots if lot.issuer_id == lot.funder_id == self.issuer_id and lot.remaining]

    def _of_batch(self, books: Books, last: UUID) -> list[Flow]:
        """What earlier requests of the batch made flow since the last exit: the books were loaded before them."""
        flows = []
        for effect in books.decided:
            if effect.holder_id != self.holder_id or not effect.booked:
                continue
            original = effect.reverses
            if original is None and effect.matured:
                original = books.operation(self.holder_id, effect.matured[0][0].operation_id)
            kind = effect.operation["kind"] if original is None else original.kind
            id_ = effect.operation["id"] if original is None else original.id
            moment = effect.operation["occurred_at"] if original is None else original.occurred_at
            points = sum(
                entry.amount
                for entry in effect.entries
                if entry.account == POINTS and entry.currency == self.currency and entry.counter_account != _EXIT
            )
            if points and id_ > last and kind in (OperationKind.EARN, OperationKind.REDEEM):
                flows.append(Flow(kind, moment, points, last))
        return flows

    def _sell(self, books: Books, lots: Sequence[LotState], follows: UUID | None) -> Effect | None:
        """One operation: points out, change in. None where nothing is free, or so little that it brings nothing.

        Nor while the wallet owes points: what it has is not its own (R17). Nor where the law protects the member.
        """
        if books.debt(self.holder_id, self.currency) or books.jurisdictions.get(self.holder_id) in self.protecting:
            return None
        taken: Taken = [(lot, lot.free) for lot in lots if lot.free and lot.is_live(self.as_of)]
        points = sum(part for _, part in taken)
        change = points * self.price[0] // self.price[1]
        if not change:
            return None
        require_room(books, self.holder_id, self.into, change)
        decided = [{"rule": "forced-exit", "points": points, "version": self.version}]
        effect = effect_of(self, OperationKind.EXIT, self.issuer_id, points, decisions=decided)
        effect.entries.append(EntryState(POINTS, self.currency, -points, self.issuer_id, _EXIT))
        effect.entries.append(EntryState(POINTS, self.into, change, self.issuer_id, _EXIT))
        effect.allocations.extend((lot, -part) for lot, part in taken)
        lot = self._lot(effect, change, [lot for lot, _ in taken])
        effect.lots.append(lot)
        waiting = () if follows else tuple(lot.id for lot in lots if lot.held)
        sold = Sold(effect.operation["id"], points, self.into, change, lot.id, waiting, follows)
        row = {
            "holder_id": self.holder_id,
            "operation_id": sold.operation_id,
            "currency": self.currency,
            "points": points,
            "into_currency": self.into,
            "change": change,
            "lot_id": lot.id,
            "waiting": [str(id_) for id_ in waiting],
            "follows": follows,
        }
        effect.rows.append((_FORCED_EXIT, row))
        effect.data |= {"change": change}
        books.others[SOLD].setdefault(self._wallet, []).append(sold)
        return effect

    def _lot(self, effect: Effect, change: int, sold: Sequence[LotState]) -> LotState:
        ends = max(self.change_expires_at or NEVER, *(lot.expires_at or NEVER for lot in sold))
        expires_at = None if ends == NEVER else ends
        issuer_id, operation = self.issuer_id, effect.operation["id"]
        return LotState(
            self.holder_id,
            new_id(),
            self.into,
            operation,
            issuer_id,
            issuer_id,
            0,
            change,
            change,
            self.as_of,
            expires_at,
        )


@dataclass(slots=True, kw_only=True)
class FollowExit(Exit):
    """Sell what was held at an earlier exit and has become free since."""

    def decide(self, books: Books) -> Effect | None:
        """None where nothing is free. Raises MemberNotActive, BalanceLimitExceeded."""
        books.require_active(self.holder_id)
        waiting: dict[UUID, UUID] = {}
        for sold in books.other(SOLD, self._wallet) or ():
            waiting |= dict.fromkeys(sold.waiting, sold.operation_id)
        lots = [lot for lot in self._own(books) if lot.id in waiting]
        return self._sell(books, lots, max(waiting[lot.id] for lot in lots)) if lots else None


@dataclass(slots=True, kw_only=True)
class ReverseExit(Request):
    """Undo an exit whose change is whole: the points return to the very lots, with `grace` for some days more (R20)."""

    operation_id: UUID
    currency: str
    note: str | None = None
    grace: Grace | None = None

    def needs(self, needs: Needs) -> None:
        """The exit; its wallets come with it."""
        needs.members.add(self.holder_id)
        needs.operations.add((self.holder_id, self.operation_id))
        needs.other(SOLD, (self.holder_id, self.currency))

    def decide(self, books: Books) -> Effect:
        """The opposite entries.

        Raises NotFound, MemberNotActive, NotReversible, AlreadyReversed, InsufficientPoints.
        """
        books.require_active(books.heir(self.holder_id))
        original = self._original(books)
        [change] = original.lots
        own = stand_ins(books, original.lots)
        if (free := available(own, self.as_of)) < change.granted:
            raise InsufficientPoints(available=free, requested=change.granted, path=("operation",))
        points = -original.entries[0].amount
        effect = effect_of(self, OperationKind.REVERSAL, original.merchant_id, points, reverses=original.id)
        effect.reverses = original
        for entry in original.entries:
            counter = (entry.counter_holder_id, entry.counter_account)
            effect.entries.append(EntryState(POINTS, entry.currency, -entry.amount, *counter))
        until = self.grace(self.currency) if self.grace is not None else None
        expired = put_into(effect, [(lot, -part) for lot, part in original.allocations], until, self.as_of)
        effect.allocations.extend((lot, -part) for lot, part in allocate(own, change.granted, self.as_of))
        fetch(books, effect)
        effect.data |= {"restored": points, "expired": expired, "taken": change.granted}
        if self.grace is not None:
            record_fault(effect, points)
        if self.note:
            effect.rows.append(note_row(effect, self.note))
        standing = books.other(SOLD, (self.holder_id, self.currency)) or []
        standing[:] = [sold for sold in standing if sold.operation_id != original.id]
        return effect

    def _original(self, books: Books) -> PastOperation:
        original = books.operation(self.holder_id, self.operation_id)
        if original is None:
            raise NotFound(what="operation", path=("operation",))
        if original.kind != OperationKind.EXIT:
            raise NotReversible(kind=original.kind, path=("operation",))
        if original.reversed_by is not None:
            raise AlreadyReversed(operation=str(original.reversed_by), path=("operation",))
        return original
