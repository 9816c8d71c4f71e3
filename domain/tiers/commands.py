"""How tiers come with what is posted: decided under the holder's lock, written in the transaction of the operation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from domain.base import new_id
from domain.events.kinds import EventKind
from domain.events.model import Event, Job, NewEvent
from domain.ledger.commands import Earn, Expire
from domain.ledger.request import Books, Effect, Needs, PastOperation, Request, Rider
from domain.programs.tiering import TierProgramme
from domain.tiers import rules
from domain.tiers.model import MemberTier, TierReason
from domain.tiers.rules import INSTANT, TierState

_TIER: Any = MemberTier.__table__
_EVENT: Any = Event.__table__
_JOB: Any = Job.__table__

FOLLOWER = "tier_rights"
"""The actor that follows changes of tiers that bring rights. Args: {holder, merchant, seq, as_of}."""


class _TiersOf:
    """All tiers of holders: merchant to tiers, oldest first."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[UUID]
    ) -> dict[UUID, dict[UUID, list[TierState]]]:
        found: dict[UUID, dict[UUID, list[TierState]]] = {key: {} for key in keys}
        for holder_id, merchant_id, *row in await connection.fetch(
            """SELECT holder_id, merchant_id, level, valid_from, until, reason, operation_id, credits, threshold
               FROM member_tier WHERE holder_id = ANY($1) ORDER BY seq""",
            keys,
        ):
            found[holder_id].setdefault(merchant_id, []).append(TierState(*row))
        return found


class Counted(NamedTuple):
    """Credits of a currency that a holder was granted from an instant until before another, less what came back."""

    holder_id: UUID
    currency: str
    first: datetime
    before: datetime


class _CreditsCounted:
    """Sums by `Counted`, whether or not the lots have expired since."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Counted]) -> dict[Counted, int]:
        rows = await connection.fetch(
            """SELECT a.n, sum(e.amount - sign(e.amount) * coalesce(r.undone, 0))::bigint AS credits
               FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[])
                    WITH ORDINALITY AS a (holder_id, currency, first, before, n)
               JOIN entry e ON e.holder_id = a.holder_id AND e.currency = a.currency
               JOIN operation o ON o.holder_id = e.holder_id AND o.id = e.operation_id
                    AND o.kind IN ('EARN', 'ADJUST', 'OPENING') AND o.as_of >= a.first AND o.as_of < a.before
               LEFT JOIN LATERAL (
                 SELECT sum(coalesce((t.returned -> 'beside' -> a.currency ->> 0)::bigint, t.undone)) AS undone
                 FROM operation b JOIN operation_return t ON t.holder_id = b.holder_id AND t.operation_id = b.id
                 WHERE b.holder_id = o.holder_id AND b.reverses = o.id) r ON true
               GROUP BY a.n""",
            *(list(column) for column in zip(*keys, strict=True)),
        )
        return {keys[row["n"] - 1]: row["credits"] for row in rows}


TIERS = _TiersOf()
COUNTED = _CreditsCounted()


@dataclass(frozen=True, slots=True)
class Standing:
    """A holder's tiers in one programme, and their credits, as the books of a batch have them."""

    programme: TierProgramme
    holder_id: UUID
    books: Books

    @staticmethod
    def needs(needs: Needs, holder_id: UUID, *programmes: TierProgramme) -> None:
        """The holder's tiers, and the open lots of the credits."""
        needs.other(TIERS, holder_id)
        needs.wallets.update((holder_id, programme.credits) for programme in programmes)

    @property
    def tiers(self) -> list[TierState]:
        """As they stand."""
        of_holder: dict[UUID, list[TierState]] = self.books.other(TIERS, self.holder_id)
        return of_holder.setdefault(self.programme.merchant_id, [])

    def credits(self, as_of: datetime, effect: Effect | None = None) -> int:
        """What the credits come to, once the effect is carried out."""
        wallet = self.books.open_lots(self.holder_id, self.programme.credits)
        live = sum(lot.remaining for lot in wallet if lot.is_live(as_of))
        live -= self.books.debt(self.holder_id, self.programme.credits)
        if effect is None:
            return live
        moved = [(lot, lot.remaining) for lot in effect.lots] + effect.allocations
        live += sum(points for lot, points in moved if lot.currency == self.programme.credits and lot.is_live(as_of))
        return live - sum(debt.left for debt in effect.owes if debt.currency == self.programme.credits)

    def credits_before(self, end: datetime) -> int:
        """What the credits came to just before an instant."""
        wallet = self.books.open_lots(self.holder_id, self.programme.credits)
        live = sum(lot.remaining for lot in wallet if lot.granted_at < end and lot.is_live(end - INSTANT))
        return live - self.books.debt(self.holder_id, self.programme.credits)

    def settled(self, as_of: datetime) -> list[TierState]:
        """The tiers that are due because others have ended, or credits have expired."""
        return rules.settled(self.programme, self.tiers, self.credits_before, self.credits(as_of), as_of)

    def add(self, effect: Effect, *tiers: TierState | None) -> None:
        """Write these with the effect; whoever comes next in the batch sees them.

        That credits have expired is noticed by an operation, which is then the cause.
        """
        known = self.tiers
        for tier in tiers:
            if tier is None:
                continue
            if tier.reason == TierReason.BALANCE and tier.operation_id is None:
                tier = replace(tier, operation_id=effect.operation["id"])
            effect.rows.append((_TIER, self._row(len(known), tier)))
            effect.rows.append((_EVENT, self._event(known[-1].level if known else None, tier).row()))
            if self.programme.brings_rights:
                effect.rows.append((_JOB, self._followed(len(known), tier)))
            known.append(tier)

    def _row(self, seq: int, tier: TierState) -> dict[str, Any]:
        place = {"holder_id": self.holder_id, "merchant_id": self.programme.merchant_id, "seq": seq}
        return place | {name.name: getattr(tier, name.name) for name in fields(tier)}

    def _followed(self, seq: int, tier: TierState) -> dict[str, Any]:
        """The job that sees to the rights which come and go with it."""
        place = {"holder": str(self.holder_id), "merchant": str(self.programme.merchant_id), "seq": seq}
        return {"id": new_id(), "actor": FOLLOWER, "args": place | {"as_of": tier.valid_from.isoformat()}}

    def _event(self, before: str | None, tier: TierState) -> NewEvent:
        merchant_id = self.programme.merchant_id
        data = {"merchant": str(merchant_id), "before": before, "level": tier.level, "reason": tier.reason}
        data["from"] = tier.valid_from.isoformat()
        data["until"] = None if tier.until is None else tier.until.isoformat()
        data["operation"] = None if tier.operation_id is None else str(tier.operation_id)
        return NewEvent(self.holder_id, EventKind.TIER_CHANGED, data, (merchant_id,))


@dataclass(slots=True, kw_only=True)
class EarnByTier(Earn):
    """A purchase where there are tiers: what it earns depends on the member's tier at its time, and may lift them.

    `earns` has what it earns by level; those of no other level earn what None does.
    """

    programme: TierProgramme
    earns: Mapping[str | None, Earn]

    def needs(self, needs: Needs) -> None:
        """What any of them needs, and where the member stands."""
        for earn in self.earns.values():
            earn.holder_id = self.holder_id
            earn.needs(needs)
        for rider in self.added_riders:
            rider.needs(needs)
        Standing.needs(needs, self.holder_id, self.programme)

    @property
    def added_riders(self) -> tuple[Rider, ...]:
        """What rides whichever of them it becomes: what was added to this request since it was made of them."""
        return self.riders[len(self.earns[None].riders) :]

    def decide(self, books: Books) -> Effect:
        """As an earn decides."""
        standing = Standing(self.programme, self.holder_id, books)
        settled = standing.settled(self.as_of)
        tiers = [*standing.tiers, *settled]
        earn = self.earns.get(rules.level_at(tiers, self.occurred_at), self.earns[None])
        effect = earn.decide(books)
        for rider in self.added_riders:
            rider.ride(books, effect)
        credits, operation_id = standing.credits(self.as_of, effect), effect.operation["id"]
        lift = rules.lifted(self.programme, tiers, credits, self.as_of, operation_id)
        if not self.dry_run:
            standing.add(effect, *settled, lift)
        return effect


def earn_by_tier(base: Earn, programme: TierProgramme, earns: Mapping[str | None, Earn]) -> EarnByTier:
    """One request of what a purchase earns by level; `base` is what it earns without one."""
    common = {name.name: getattr(base, name.name) for name in fields(Earn)}
    return EarnByTier(**common, programme=programme, earns={**earns, None: base})


@dataclass(frozen=True, slots=True)
class Adjusting:
    """Rides on credits that are moved by hand, or come back: they lift as earned ones do."""

    programme: TierProgramme
    holder_id: UUID
    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """Where the member stands."""
        Standing.needs(needs, self.holder_id, self.programme)

    def ride(self, books: Books, effect: Effect) -> None:
        """What the credits then give; taken ones lower a tier at once only where it follows the balance."""
        standing = Standing(self.programme, self.holder_id, books)
        settled = standing.settled(self.as_of)
        tiers, operation_id = [*standing.tiers, *settled], effect.operation["id"]
        credits = standing.credits(self.as_of, effect)
        given = (self.programme, tiers, credits, self.as_of, operation_id)
        standing.add(effect, *settled, rules.lifted(*given) or rules.fallen(*given))


@dataclass(frozen=True, slots=True)
class Returning:
    """Rides on a reversal: the tier at the merchant whose order came back (R24)."""

    programmes: Mapping[UUID, TierProgramme]
    holder_id: UUID
    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """Where the member stands in each programme, and what last year's credits came to where years count."""
        Standing.needs(needs, self.holder_id, *self.programmes.values())
        for programme in self.programmes.values():
            if programme.months is None:
                needs.other(COUNTED, self._last_year(programme))

    def ride(self, books: Books, effect: Effect) -> None:
        """The tier that is left, if that is another; what was given back by hand may lift."""
        original = effect.reverses
        programme = None if original is None else self.programmes.get(original.merchant_id)
        if original is None or programme is None:
            return
        if programme.credits not in {entry.currency for entry in original.entries}:
            return
        standing = Standing(programme, self.holder_id, books)
        settled = standing.settled(self.as_of)
        tiers, operation_id = [*standing.tiers, *settled], effect.operation["id"]
        now = standing.credits(self.as_of, effect)
        lift = rules.lifted(programme, tiers, now, self.as_of, operation_id)
        basis = now if programme.months is not None else max(now, self._closed(books, programme, original, effect))
        named = {"order_id": original.id, "bought_at": original.occurred_at, "operation_id": operation_id}
        standing.add(effect, *settled, lift or rules.returned(programme, tiers, basis, self.as_of, **named))

    def _last_year(self, programme: TierProgramme) -> Counted:
        first = programme.year_of(programme.year_of(self.as_of)[0] - INSTANT)
        return Counted(self.holder_id, programme.credits, *first)

    def _closed(self, books: Books, programme: TierProgramme, original: PastOperation, effect: Effect) -> int:
        """What last year's credits came to: a tier that was reached then stands on them, though they have expired."""
        year = self._last_year(programme)
        credits: int = books.other(COUNTED, year) or 0
        of_last_year = any(
            lot.currency == programme.credits and year.first <= lot.granted_at < year.before for lot in original.lots
        )
        if of_last_year and effect.returned is not None:
            credits -= effect.returned.figures(programme.credits)[0]
            books.others[COUNTED][year] = credits
        return credits


@dataclass(slots=True, kw_only=True)
class ExpireCredits(Expire):
    """Expire credits, and in the same transaction decide what depends on them: in the order of R7."""

    programme: TierProgramme

    def needs(self, needs: Needs) -> None:
        """Where the member stands."""
        Standing.needs(needs, self.holder_id, self.programme)

    def decide(self, books: Books) -> Effect | None:
        """Tiers that end, on credits that expire now too; the expiry; the tier that depends on what is left."""
        standing = Standing(self.programme, self.holder_id, books)
        settled = standing.settled(self.as_of)
        effect = Expire.decide(self, books)
        if effect is not None:
            standing.add(effect, *settled)
        return effect


@dataclass(slots=True, kw_only=True)
class EvaluateTier(Request):
    """Decide what follows a tier that has ended (R7). Nothing is posted; nothing to do is no answer."""

    programme: TierProgramme

    def needs(self, needs: Needs) -> None:
        """Where the member stands."""
        Standing.needs(needs, self.holder_id, self.programme)

    def decide(self, books: Books) -> Effect | None:
        """Rows alone."""
        standing = Standing(self.programme, self.holder_id, books)
        settled = standing.settled(self.as_of)
        if not settled:
            return None
        effect = _unbooked(self)
        standing.add(effect, *settled)
        return effect


def _unbooked(request: Request) -> Effect:
    operation = {"holder_id": request.holder_id, "id": new_id(), "kind": "TIER", "decisions": None}
    return Effect(operation=operation, points=0, booked=False)
