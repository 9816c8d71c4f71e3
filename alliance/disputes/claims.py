"""Claiming after settling (A10), singly or many at once, each answered by itself, in the caller's transaction.

What was paid stays paid; what is accepted is corrected in the cycle that is open then.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.rules import claim_days
from alliance.calendar import Calendar
from alliance.disputes import claimable
from alliance.disputes.claimable import Claimable
from alliance.disputes.errors import ClaimTooEarly, ClaimTooLarge, ClaimTooLate, LineInDispute
from alliance.disputes.life import DisputeStatus, Move, Side
from alliance.disputes.model import ClaimCode, Dispute, Door
from alliance.disputes.rules import LARGEST, Place
from alliance.disputes.threads import MOST_ATTACHMENTS, Step, add_steps, due_at, known_attachments, require_text
from domain.base import new_id
from domain.errors import IdempotencyConflict, InvalidInput, NotFound, Refusal
from domain.money import half_even, unscaled
from domain.programs.catalogue import Alliance

MOST_CLAIMS = 1000
"""At once."""


@dataclass(frozen=True, slots=True)
class ClaimAsked:
    """What a merchant wants: `amount` in millionths, of a line or of another merchant (or the operator) without one.

    Of a line it may name a `quantity` of its points instead. `key` is the merchant's own; the same again is the same
    claim.
    """

    place: Place | None
    against_id: uuid.UUID | None
    amount: int | None
    code: ClaimCode
    text: str
    quantity: int | None = None
    cause_break_id: uuid.UUID | None = None
    attachments: Sequence[uuid.UUID] = ()
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Raised:
    """A claim; `again` if it was there before, under the same key."""

    claim: Dispute
    again: bool


async def raise_claims(
    session: AsyncSession,
    alliance: Alliance,
    asked: Sequence[ClaimAsked],
    *,
    merchant_id: uuid.UUID,
    who: uuid.UUID,
    as_of: datetime,
) -> list[Dispute | Refusal]:
    """Raise claims, or say of each why not: InvalidInput, NotFound, ClaimTooEarly, ClaimTooLate, ClaimTooLarge,
    LineInDispute, IdempotencyConflict. One that is refused keeps no other from being raised."""
    found = await raise_or_find(session, alliance, asked, merchant_id=merchant_id, who=who, as_of=as_of)
    return [one.claim if isinstance(one, Raised) else one for one in found]


async def raise_or_find(
    session: AsyncSession,
    alliance: Alliance,
    asked: Sequence[ClaimAsked],
    *,
    merchant_id: uuid.UUID,
    who: uuid.UUID,
    as_of: datetime,
) -> list[Raised | Refusal]:
    """As `raise_claims`; and which of them were there already."""
    if len(asked) > MOST_CLAIMS:
        raise InvalidInput(reason=f"at most {MOST_CLAIMS} claims at once", path=("claims",))
    keys = {one.key for one in asked if one.key is not None}
    before = await claimable.by_keys(session, merchant_id, keys)
    lines = await claimable.lines(session, {one.place for one in asked if one.place is not None}, merchant_id)
    partners = await claimable.partners(session, {one.against_id for one in asked if one.against_id}, merchant_id)
    files = await known_attachments(session, {id_ for one in asked for id_ in one.attachments}, merchant_id)
    known = _Known(alliance, merchant_id, as_of, lines, partners | {alliance.id}, files)
    result: dict[int, Raised | Refusal] = {}
    rows: dict[int, dict[str, Any]] = {}
    taken: set[Place | str] = set()
    for index, one in enumerate(asked):
        try:
            if one.key in before and one.key is not None:
                result[index] = _again(before[one.key], one)
                continue
            row = known.row(one)
            if taken & {name for name in (one.place, one.key) if name is not None}:
                raise LineInDispute(path=("line",))
            taken |= {name for name in (one.place, one.key) if name is not None}
            rows[index] = row
        except Refusal as refusal:
            result[index] = refusal
    written = await _written(session, list(rows.values()))
    steps = []
    for index, row in rows.items():
        one, claim = asked[index], written.get(row["id"])
        if claim is None:
            result[index] = await _lost(session, merchant_id, one)
            continue
        text, files_ = one.text, tuple(one.attachments)
        steps.append(Step(claim, Side.RAISER, merchant_id, who, Move.RAISE, as_of, text, claim.claimed, files_))
        result[index] = Raised(claim, again=False)
    await add_steps(session, steps)
    return [result[index] for index in range(len(asked))]


async def _written(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> Mapping[uuid.UUID, Dispute]:
    """The claims that were written: not where another was raised on the line, or under the key, at the same time."""
    if not rows:
        return {}
    await session.execute(insert(Dispute).on_conflict_do_nothing(), rows)
    found = await session.scalars(select(Dispute).where(Dispute.id.in_([row["id"] for row in rows])))
    return {claim.id: claim for claim in found}


async def _lost(session: AsyncSession, merchant_id: uuid.UUID, one: ClaimAsked) -> Raised | Refusal:
    """What became of a claim that another came before."""
    keys = {one.key} - {None}
    found = await claimable.by_keys(session, merchant_id, {key for key in keys if key is not None})
    try:
        return (
            _again(found[one.key], one) if one.key is not None and one.key in found else LineInDispute(path=("line",))
        )
    except IdempotencyConflict as conflict:
        return conflict


def _again(claim: Dispute, one: ClaimAsked) -> Raised:
    """The claim of a key that was used before. Raises IdempotencyConflict if that was for another."""
    place = None if claim.operation_id is None else (claim.holder_id, claim.operation_id, claim.seq)
    if place != one.place or claim.code != one.code.value or one.against_id not in (None, claim.against_id):
        raise IdempotencyConflict(path=("key",))
    return Raised(claim, again=True)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of all that was asked for."""

    alliance: Alliance
    merchant_id: uuid.UUID
    as_of: datetime
    lines: Mapping[Place, Claimable]
    partners: set[uuid.UUID]
    files: set[uuid.UUID]

    def row(self, one: ClaimAsked) -> dict[str, Any]:
        """The claim as it is kept. Raises a Refusal."""
        require_text(one.text)
        if not one.text.strip():
            raise InvalidInput(reason="a claim says why", path=("text",))
        if set(one.attachments) - self.files:
            raise NotFound(what="attachment", path=("attachments",))
        if len(set(one.attachments)) > MOST_ATTACHMENTS:
            raise InvalidInput(reason=f"a step has at most {MOST_ATTACHMENTS} attachments", path=("attachments",))
        about = self._without(one) if one.place is None else self._of_line(one, one.place)
        return about | {
            "id": new_id(),
            "door": Door.CLAIM.value,
            "status": DisputeStatus.RAISED.value,
            "round": 1,
            "raiser_id": self.merchant_id,
            "code": one.code.value,
            "quantity": one.quantity,
            "due_at": due_at(self.alliance, DisputeStatus.RAISED, self.as_of),
            "raised_at": self.as_of,
            "key": one.key,
            "break_id": one.cause_break_id,
        }

    def _without(self, one: ClaimAsked) -> dict[str, Any]:
        if one.against_id is None:
            raise InvalidInput(reason="name a line, or a merchant", path=("against",))
        if one.against_id not in self.partners or one.against_id == self.merchant_id:
            raise NotFound(what="merchant", path=("against",))
        if one.quantity is not None:
            raise InvalidInput(reason="a quantity is of a line", path=("quantity",))
        where = dict.fromkeys(("cycle_id", "holder_id", "operation_id", "seq"))
        claimed = _positive(one.amount)
        return where | {"against_id": one.against_id, "debtor_id": one.against_id, "claimed": claimed}

    def _of_line(self, one: ClaimAsked, place: Place) -> dict[str, Any]:
        line = self.lines.get(place)
        if line is None or one.against_id not in (None, line.other(self.merchant_id)):
            raise NotFound(what="line", path=("line",))
        if line.in_dispute:
            raise LineInDispute(path=("line",))
        if line.settled_at is None:
            raise ClaimTooEarly(number=line.number, path=("line",))
        days = claim_days(line.terms, self.alliance)
        until = Calendar.of(self.alliance.calendar).deadline(line.settled_at, days, self.alliance.timezone)
        if self.as_of >= until:
            raise ClaimTooLate(until=until.isoformat(), path=("line",))
        claimed = _positive(_of_quantity(one, line))
        room = line.room(self.merchant_id)
        if room is not None and claimed > room:
            raise ClaimTooLarge(room=unscaled(room, 6), path=("amount",))
        holder_id, operation_id, seq = place
        return {
            "cycle_id": line.cycle_id,
            "holder_id": holder_id,
            "operation_id": operation_id,
            "seq": seq,
            "against_id": line.other(self.merchant_id),
            "debtor_id": line.debtor_id,
            "claimed": claimed,
        }


def _of_quantity(one: ClaimAsked, line: Claimable) -> int | None:
    """The amount that is claimed: as it says, or that of so many of the line's points. Raises InvalidInput."""
    if one.quantity is None:
        return one.amount
    if not 0 < one.quantity <= abs(line.points):
        raise InvalidInput(reason=f"the line is of {abs(line.points)} points", path=("quantity",))
    return one.amount if one.amount is not None else half_even(abs(line.amount) * one.quantity, abs(line.points))


def _positive(amount: int | None) -> int:
    if amount is None or not 0 < amount <= LARGEST:
        raise InvalidInput(reason="a claim is of an amount above zero", path=("amount",))
    return amount
