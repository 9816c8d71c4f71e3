"""Two members become one, and one two again: what they have moves lot by lot (R6), an operation an issuer.

The member who goes keeps what was written under them. Points that come to them later (a spending before the merge is
reversed, what waited becomes active) are booked where they belong, and carried on at once. What is taken back of them
is taken where it is by now. No lot of a member who has been merged is alive, so nothing is ever spent twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import asyncpg

from domain.base import new_id
from domain.errors import InvalidInput, Refusal
from domain.ledger import debts
from domain.ledger.aliases import all_of
from domain.ledger.commands import POINTS, effect_of, note_row, require_room
from domain.ledger.errors import MemberMerged, MergeBlocked, NotMerged, UnmergeBlocked
from domain.ledger.gifts import given_lot, move
from domain.ledger.model import OperationKind
from domain.ledger.request import Books, DebtState, Effect, Needs, PastOperation, Request
from domain.ledger.rules import LotState, Sliding, spend_order

Parts = Sequence[tuple[LotState, int]]


class _OpenHolds:
    """The holds of a holder that are open: when each is over, its id, currency and points."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[UUID]) -> dict[UUID, list[tuple[Any, ...]]]:
        found: dict[UUID, list[tuple[Any, ...]]] = {}
        for holder_id, *hold in await connection.fetch(
            """SELECT holder_id, expires_at, id, currency, points FROM hold
               WHERE holder_id = ANY($1) AND status = 'OPEN' ORDER BY id""",
            keys,
        ):
            found.setdefault(holder_id, []).append(tuple(hold))
        return found


OPEN_HOLDS = _OpenHolds()


class _WaitingBeside:
    """What is pending, by (holder, currency), of those who were merged into a holder: it will be theirs."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[UUID, str]]
    ) -> dict[tuple[UUID, str], int]:
        rows = await connection.fetch(
            """SELECT asked.holder_id, asked.currency, sum(a.posted)::bigint AS points
               FROM unnest($1::uuid[], $2::text[]) AS asked (holder_id, currency)
               JOIN member_alias m ON m.survivor_id = asked.holder_id
               JOIN account a ON a.holder_id = m.holder_id AND a.kind = 'PENDING' AND a.currency = asked.currency
               GROUP BY 1, 2""",
            *(list(column) for column in zip(*keys, strict=True)),
        )
        return {(row["holder_id"], row["currency"]): row["points"] for row in rows}


WAITING_BESIDE = _WaitingBeside()


@dataclass(slots=True, kw_only=True)
class Merge(Request):
    """`holder_id` becomes `into_id`: all that is alive in their wallets, and all that they owe, moves there.

    `issuers` names the issuer of each currency. What is not alive stays, and what waits stays until it is active: it is
    carried on then. Riders write that it was so, and may add to `effect.data["obstacles"]`.
    """

    goes_on: ClassVar[bool] = True

    into_id: UUID
    issuers: Mapping[str, UUID]
    note: str | None = None

    def needs(self, needs: Needs) -> None:
        """All wallets of both, and the holds of who goes."""
        needs.holders.add(self.into_id)
        needs.members.update((self.holder_id, self.into_id))
        needs.whole.update((self.holder_id, self.into_id))
        needs.other(OPEN_HOLDS, self.holder_id)
        for rider in self.riders:
            rider.needs(needs)

    def decide(self, books: Books) -> Effect:
        """That it was done, which posts nothing: operations follow. Raises InvalidInput, NotFound, MemberNotActive,
        HolderStopped, BalanceLimitExceeded, MergeBlocked."""
        if self.into_id == self.holder_id:
            raise InvalidInput(reason="both are the same member", path=("absorbed",))
        books.require_active(self.into_id, ("survivor",))
        books.require_active(self.holder_id, ("absorbed",))
        effect = _unbooked(self, OperationKind.MERGE)
        effect.data["obstacles"] = [
            {
                "kind": "OPEN_HOLD",
                "holder": str(self.holder_id),
                "hold": str(id_),
                "currency": currency,
                "points": points,
            }
            for until, id_, currency, points in books.other(OPEN_HOLDS, self.holder_id) or ()
            if until > self.as_of or not self.dry_run
        ]
        effect.data["moved"] = []
        for holder_id, currency in self._wallets(books):
            alive = _alive(books.open_lots(holder_id, currency), self.as_of)
            points, debt = sum(part for _, part in alive), books.debt(holder_id, currency)
            try:
                books.require_unbarred(self.holder_id, currency, "absorbed")
            except Refusal as guarded:
                effect.data["obstacles"].append({"kind": guarded.code, "currency": currency})
            if points or debt:
                require_room(books, self.into_id, currency, points)
                figures = {"currency": currency, "points": points, "lots": len(alive), "debt": debt}
                effect.data["moved"].append(figures)
        for rider in self.riders:
            rider.ride(books, effect)
        if obstacles := effect.data.pop("obstacles"):
            raise MergeBlocked(obstacles=obstacles, path=("absorbed",))
        if self.note:
            effect.rows.append(note_row(effect, self.note))
        return effect

    def after(self, books: Books, effect: Effect) -> list[Effect]:
        """An operation for all of an issuer's; one more for each debt but the first of a wallet."""
        by_issuer: dict[UUID, Parts] = {}
        owed: dict[UUID, list[DebtState]] = {}
        for wallet in self._wallets(books):
            issuer_id = self.issuers[wallet[1]]
            by_issuer[issuer_id] = [*by_issuer.get(issuer_id, ()), *_alive(books.open_lots(*wallet), self.as_of)]
            owed.setdefault(issuer_id, []).extend(debt for debt in books.debts.get(wallet, ()) if debt.left)
        found = []
        for issuer_id, parts in by_issuer.items():
            while parts or owed[issuer_id]:
                first = list({debt.currency: debt for debt in reversed(owed[issuer_id])}.values())
                found.append(_carried(self, issuer_id, self.holder_id, self.into_id, parts, first))
                parts = ()
                owed[issuer_id] = [debt for debt in owed[issuer_id] if debt not in first]
        effect.data["operations"] = [str(one.operation["id"]) for one in found]
        books.merged[self.holder_id] = self.into_id
        return found

    def _wallets(self, books: Books) -> list[tuple[UUID, str]]:
        mine = (self.holder_id, POINTS)
        return sorted(
            (holder_id, currency) for holder_id, kind, currency in books.accounts if (holder_id, kind) == mine
        )


@dataclass(frozen=True, slots=True)
class Carried:
    """A lot that an operation of a merge made under whom was merged into, or a debt, and what has become of it.

    A debt has no `source_lot_id`. `taken` says by which kinds of operations it was taken, and how many points net.
    """

    operation_id: UUID
    currency: str
    points: int
    lot_id: UUID | None = None
    source_lot_id: UUID | None = None
    held: int = 0
    taken: Mapping[str, int] = field(default_factory=dict)


class _CarriedBy:
    """What was carried from a holder into another, (from, into): operations that stand, and what they made."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[UUID, UUID]]
    ) -> dict[tuple[UUID, UUID], tuple[tuple[UUID, ...], list[Carried]]]:
        found = {}
        for from_id, into_id in keys:
            ids = [row["id"] for row in await connection.fetch(STANDING, from_id)]
            rows = await connection.fetch(_CARRIED, into_id, ids)
            found[from_id, into_id] = (tuple(ids), [Carried(*row) for row in rows])
        return found


CARRIED_BY = _CarriedBy()

STANDING = """
    SELECT o.id FROM operation o WHERE o.holder_id = $1 AND o.kind = 'MERGE'
    AND NOT EXISTS (SELECT FROM operation r WHERE r.holder_id = o.holder_id AND r.reverses = o.id) ORDER BY o.id
"""
_CARRIED = f"""
    SELECT l.operation_id, l.currency, l.granted, l.id, l.source_lot_id, l.held, coalesce(t.taken, '{{}}')
    FROM lot l CROSS JOIN LATERAL (
        SELECT jsonb_object_agg(kind, points) FILTER (WHERE points > 0) AS taken
        FROM (SELECT coalesce(u.kind, o.kind, 'REVERSAL') AS kind, -sum(a.amount)::bigint AS points
              FROM allocation a
              LEFT JOIN operation o ON o.holder_id = {all_of("l.holder_id")} AND o.id = a.operation_id
              LEFT JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses
              WHERE a.holder_id = l.holder_id AND a.lot_id = l.id GROUP BY 1) AS by_kind) t
    WHERE l.holder_id = $1 AND l.operation_id = ANY($2)
    UNION ALL
    SELECT d.operation_id, d.currency, d.points, NULL, NULL, 0, '{{}}' FROM debt d
    WHERE d.holder_id = $1 AND d.operation_id = ANY($2)
    ORDER BY 1, 4
"""  # noqa: S608

OBSTACLES = {
    OperationKind.REDEEM: "SPENT",
    OperationKind.EXPIRE: "EXPIRED",
    OperationKind.EXCHANGE: "EXCHANGED",
    OperationKind.GIFT: "GIVEN",
    OperationKind.POOL_IN: "GIVEN",
    OperationKind.ADJUST: "ADJUSTED",
    OperationKind.REFUND: "REFUNDED",
    OperationKind.EXIT: "SOLD",
    OperationKind.EXTEND: "EXTENDED",
    OperationKind.MERGE: "PAID_DEBT",
}
"""What keeps a merge from being undone, by the kind of the operation that took what it carried; all others took it
back."""


@dataclass(slots=True, kw_only=True)
class Unmerge(Request):
    """Undo that `holder_id` became `into_id`: what `operations` carried goes back, as long as it is whole.

    Riders undo what those of the merge wrote.
    """

    goes_on: ClassVar[bool] = True

    into_id: UUID
    operations: tuple[UUID, ...]
    note: str | None = None

    def needs(self, needs: Needs) -> None:
        """What was carried, where it is, and where it came from."""
        needs.holders.add(self.into_id)
        needs.members.update((self.holder_id, self.into_id))
        needs.whole.add(self.into_id)
        needs.operations.update((self.holder_id, id_) for id_ in self.operations)
        needs.other(CARRIED_BY, (self.holder_id, self.into_id))
        for rider in self.riders:
            rider.needs(needs)

    def decide(self, books: Books) -> Effect:
        """That it was undone. Raises NotMerged, MemberNotActive, HolderStopped, UnmergeBlocked; MemberMerged where more
        was carried meanwhile."""
        if books.merged.get(self.holder_id) != self.into_id:
            raise NotMerged(path=("absorbed",))
        operations, carried = books.other(CARRIED_BY, (self.holder_id, self.into_id))
        if operations != self.operations:
            raise MemberMerged(path=("absorbed",))
        effect = _unbooked(self, OperationKind.UNMERGE)
        obstacles = [one for made in carried for one in self._obstacles(books, made)]
        if self.into_id in books.merged:
            obstacles.insert(0, {"kind": "SURVIVOR_MERGED"})
        effect.data["obstacles"] = obstacles
        for rider in self.riders:
            rider.ride(books, effect)
        if effect.data.pop("obstacles"):
            raise UnmergeBlocked(obstacles=obstacles, path=("absorbed",))
        books.require_active(self.into_id, ("absorbed",))
        effect.data["moved"] = _moved(carried)
        if self.note:
            effect.rows.append(note_row(effect, self.note))
        return effect

    def _obstacles(self, books: Books, made: Carried) -> Iterable[dict[str, Any]]:
        if made.lot_id is None:
            debt = self._debt(books, made)
            if debt is None or debt.left < made.points:
                paid = made.points - (0 if debt is None else debt.left)
                yield {"kind": "DEBT_PAID", "currency": made.currency, "points": paid}
            return
        for kind, points in made.taken.items():
            yield {
                "kind": OBSTACLES.get(OperationKind(kind), "TAKEN_BACK"),
                "currency": made.currency,
                "points": points,
            }
        if made.held:
            yield {"kind": "HELD", "currency": made.currency, "points": made.held}

    def _debt(self, books: Books, made: Carried) -> DebtState | None:
        owed = books.debts.get((self.into_id, made.currency), ())
        return next((debt for debt in owed if debt.operation_id == made.operation_id), None)

    def after(self, books: Books, effect: Effect) -> list[Effect]:
        """The opposite of each operation: into the very lots."""
        _, carried = books.other(CARRIED_BY, (self.holder_id, self.into_id))
        by_operation: dict[UUID, list[Carried]] = {id_: [] for id_ in self.operations}
        for made in carried:
            by_operation[made.operation_id].append(made)
        found = [self._back(books, books.operations[self.holder_id, id_], by_operation[id_]) for id_ in self.operations]
        effect.data |= {"operations": [str(one.operation["id"]) for one in found], "survivor": str(self.into_id)}
        del books.merged[self.holder_id]
        if books.statuses is not None:
            books.statuses[self.holder_id] = books.statuses[self.holder_id]._replace(status="ACTIVE")
        return found

    def _back(self, books: Books, original: PastOperation, carried: Sequence[Carried]) -> Effect:
        lots = [(made.currency, made.points) for made in carried if made.lot_id is not None]
        points = sum(part for _, part in lots)
        effect = effect_of(self, OperationKind.UNMERGE, original.merchant_id, points, reverses=original.id)
        effect.reverses = original
        for made in carried:
            if made.lot_id is None:
                debt = self._debt(books, made)
                assert debt is not None
                _owe_elsewhere(effect, debt, self.holder_id)
            else:
                lot = books.lots[self.into_id, made.lot_id]
                source = books.lots[self.holder_id, made.source_lot_id]  # type: ignore[index]
                effect.allocations += [(lot, -made.points), (source, made.points)]
                if lot.sliding is not None and source.sliding is not None:
                    effect.slides.append((source.sliding, max(lot.sliding.expires_at, source.sliding.expires_at)))
        for currency, moved in _by_currency(
            (made.currency, made.points) for made in carried if made.lot_id is not None
        ):
            move(effect, self.into_id, self.holder_id, currency, moved)
        return effect


def carried_on(books: Books, request: Request, effects: Iterable[Effect]) -> list[Effect]:
    """What these effects credited to holders who were merged goes on to whom they are now, holder by holder.

    What came back expired stays.
    """
    gains: dict[UUID, list[Any]] = {}
    for effect in effects:
        for lot, points in (*((lot, lot.granted) for lot in effect.lots), *effect.allocations):
            if lot.holder_id in books.merged:
                gains.setdefault(lot.id, [lot, 0])[1] += points
    found = []
    while gains:
        by_issuer: dict[tuple[UUID, UUID], list[tuple[LotState, int]]] = {}
        for lot, points in gains.values():
            if points > 0 and lot.is_live(request.as_of):
                by_issuer.setdefault((lot.holder_id, lot.issuer_id), []).append((lot, points))
        gains = {}
        for (holder_id, issuer_id), parts in by_issuer.items():
            effect = _carried(request, issuer_id, holder_id, books.merged[holder_id], parts)
            if books.debts:
                debts.pay(books, effect, request.as_of)
            found.append(effect)
            gains |= {lot.id: [lot, lot.granted] for lot in effect.lots if lot.holder_id in books.merged}
    return found


def stand_ins(books: Books, lots: Iterable[LotState]) -> list[LotState]:
    """These lots, and those that their points are in since their holder was merged, as far as any are left."""
    own = list(lots)
    wallets = {(books.heir(lot.holder_id), lot.currency) for lot in own if lot.holder_id in books.merged}
    roots = {lot.root for lot in own}
    return own + [lot for wallet in sorted(wallets) for lot in books.open_lots(*wallet) if lot.root in roots]


def wallet_of(books: Books, holder_id: UUID, currency: str) -> list[LotState]:
    """The lots of a wallet; of who was merged also those of whom they are now."""
    heir_id = books.heir(holder_id)
    return books.open_lots(holder_id, currency) + (books.open_lots(heir_id, currency) if heir_id != holder_id else [])


def fetch(books: Books, effect: Effect) -> None:
    """What the effect takes, or lets be owed, of whom its holder was merged into goes through its holder: two entries a
    currency, one under each."""
    if effect.holder_id not in books.merged:
        return
    heir_id = books.heir(effect.holder_id)
    taken = [(lot.currency, -points) for lot, points in effect.allocations if lot.holder_id == heir_id]
    owed = [(debt.currency, debt.left) for debt in effect.owes if debt.holder_id == heir_id]
    for currency, points in _by_currency(taken + owed):
        move(effect, heir_id, effect.holder_id, currency, points)


def _carried(
    request: Request,
    issuer_id: UUID,
    from_id: UUID,
    into_id: UUID,
    parts: Parts,
    owed: Sequence[DebtState] = (),
) -> Effect:
    """The operation that carries parts of lots, and debts. Each lot is as the one that it comes from."""
    points = sum(part for _, part in parts)
    effect = effect_of(request, OperationKind.MERGE, issuer_id, points, holder_id=from_id)
    slidings: dict[UUID, Sliding] = {}
    for lot, part in parts:
        made = given_lot(effect, lot, into_id, part, depth=lot.depth)
        made.root_holder_id, made.root_lot_id = lot.root
        if (clock := lot.sliding) is not None:
            fresh = Sliding(into_id, new_id(), clock.currency, clock.span, clock.expires_at)
            made.sliding = slidings.setdefault(clock.id, fresh)
        effect.allocations.append((lot, -part))
        effect.lots.append(made)
    effect.slides.extend((sliding, sliding.expires_at) for sliding in slidings.values())
    for currency, moved in _by_currency((lot.currency, part) for lot, part in parts):
        move(effect, from_id, into_id, currency, moved)
    for debt in owed:
        _owe_elsewhere(effect, debt, into_id)
    return effect


def _owe_elsewhere(effect: Effect, debt: DebtState, holder_id: UUID) -> None:
    """What is left of a debt is owed by another from now on: what they owe comes out of their account."""
    source = debt.source or (debt.holder_id, debt.operation_id)
    points, made_by = debt.left, effect.operation["id"]
    move(effect, holder_id, debt.holder_id, debt.currency, points)
    debts.record(effect, DebtState(holder_id, made_by, debt.currency, points, debt.earn_id, debt.funding, source))
    debts.settle(effect, debt, points)


def _alive(lots: Iterable[LotState], as_of: datetime) -> list[tuple[LotState, int]]:
    """Lots and what of them can go, in the order in which they are spent: those that they become keep it (R1)."""
    return [(lot, lot.free) for lot in sorted(lots, key=spend_order) if lot.free and lot.is_live(as_of)]


def _moved(carried: Iterable[Carried]) -> list[dict[str, Any]]:
    """What was carried, by currency."""
    found: dict[str, dict[str, Any]] = {}
    for made in carried:
        figures = found.setdefault(made.currency, {"currency": made.currency, "points": 0, "lots": 0, "debt": 0})
        figures["debt" if made.lot_id is None else "points"] += made.points
        figures["lots"] += made.lot_id is not None
    return [figures for _, figures in sorted(found.items())]


def _by_currency(parts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for currency, points in parts:
        found[currency] = found.get(currency, 0) + points
    return sorted(found.items())


def _unbooked(request: Request, kind: OperationKind) -> Effect:
    operation = {"holder_id": request.holder_id, "id": new_id(), "kind": kind.value, "decisions": None}
    return Effect(operation=operation, points=0, booked=False)
