"""Rights that come with a tier (R24): granted when it is reached, and taken back, as far as unused, when it is lost.

A job follows each change of a tier. It is added in the transaction of the change, and holds the member's tiers locked,
so that of two changes that come quickly the later one finds what the earlier one granted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.benefits.commands import Call, cancel_request, grant_request
from alliance.runtime import Runtime
from domain.benefits.model import Right, RightBooking, TierRight
from domain.benefits.rules import Codes
from domain.errors import Refusal
from domain.events.commands import add_event
from domain.events.kinds import EventKind
from domain.ledger.errors import Unposted
from domain.ledger.request import Books, Effect, Key, Needs
from domain.programs.catalogue import Merchant
from domain.programs.tiering import TierProgramme
from domain.tiers.model import MemberTier, TierReason

CLIENT = UUID("00000000-0000-7000-8000-07e3e0000001")
"""The client that grants what comes with tiers; the keys have the member as their subject."""

_SAME = b"the rights of a tier"
_TIER_RIGHT: Any = TierRight.__table__


@dataclass(frozen=True, slots=True)
class Packaged:
    """Rides on a grant, and keeps with which tier the right came."""

    merchant_id: UUID
    seq: int
    level: str

    def needs(self, needs: Needs) -> None:
        """Nothing."""

    def ride(self, books: Books, effect: Effect) -> None:
        """The row."""
        row = {"holder_id": effect.operation["holder_id"], "right_id": UUID(effect.data["right"])}
        row |= {"merchant_id": self.merchant_id, "seq": self.seq, "level": self.level}
        effect.rows.append((_TIER_RIGHT, row))


@dataclass(slots=True)
class Outcome:
    """What one change of a tier came to, in uses; `refused` are codes of why something was not granted."""

    granted: int = 0
    cancelled: int = 0
    used: int = 0
    booked: int = 0
    refused: tuple[str, ...] = ()
    again_at: datetime | None = None


async def follow(
    runtime: Runtime,
    session: AsyncSession,
    codes: Codes,
    place: tuple[UUID, UUID, int],
    as_of: datetime,
    *,
    again: bool = False,
) -> datetime | None:
    """Grant what a tier brings, and take back what is lost with the one before: `place` are holder, merchant and `seq`.

    Done twice it does nothing more. The answer is when to do it `again`, if rights that were lost are still booked.
    """
    holder_id, merchant_id, seq = place
    there = (MemberTier.holder_id == holder_id) & (MemberTier.merchant_id == merchant_id)
    query = select(MemberTier).where(there).order_by(MemberTier.seq).with_for_update()
    tiers = (await session.scalars(query)).all()
    merchant = runtime.catalogue.merchants_by_id[merchant_id]
    programme, tier = merchant.tiers, next((one for one in tiers if one.seq == seq), None)
    if programme is None or tier is None:
        return None
    made = Outcome()
    await _take_back(runtime, session, merchant, programme, tiers[-1], made, as_of, again)
    if not again and _brings(programme, tier, tiers):
        await _grant(runtime, codes, merchant, programme, tier, made)
    if made.granted or made.refused or made.cancelled or made.used:
        data: dict[str, object] = {"merchant": str(merchant_id), "level": tier.level, "reason": tier.reason}
        data |= {name: getattr(made, name) for name in ("granted", "cancelled", "used", "booked")}
        data |= {"refused": ", ".join(made.refused), "operation": tier.operation_id and str(tier.operation_id)}
        await add_event(session, holder_id, EventKind.TIER_RIGHTS, data, merchant_id)
    return made.again_at


def _brings(programme: TierProgramme, tier: MemberTier, tiers: Sequence[MemberTier]) -> bool:
    """Whether a tier brings its rights: it was reached, or begins another period; and none since is as low."""
    begun = tier.level is not None and tier.reason in (TierReason.REACHED, TierReason.ENDED)
    rank = programme.rank(tier.level)
    return begun and all(programme.rank(later.level) > rank for later in tiers if later.seq > tier.seq)


async def _grant(
    runtime: Runtime, codes: Codes, merchant: Merchant, programme: TierProgramme, tier: MemberTier, made: Outcome
) -> None:
    """What is sold out, or refused for another reason of the programme's, is told, and not tried again."""
    level = programme.level(tier.level)
    refused = []
    for number, (kind, quantity) in enumerate(level.grants if level else ()):
        key = Key(CLIENT, tier.holder_id, f"tier-{merchant.id}-{tier.seq}-{number}-{kind}", _SAME)
        moment = tier.valid_from
        call = Call(at=merchant, occurred_at=moment, as_of=moment, key=key, client_id=CLIENT)
        try:
            request = grant_request(runtime, call, member_id=tier.holder_id, kind=kind, codes=codes, quantity=quantity)
            request.riders = (*request.riders, Packaged(merchant.id, tier.seq, tier.level or ""))
            made.granted += (await runtime.engine.post(request)).points
        except Unposted:
            raise
        except Refusal as refusal:
            refused.append(f"{kind}: {refusal.code}")
    made.refused = tuple(refused)


async def _take_back(
    runtime: Runtime,
    session: AsyncSession,
    merchant: Merchant,
    programme: TierProgramme,
    now: MemberTier,
    made: Outcome,
    as_of: datetime,
    again: bool,
) -> None:
    """Cancel what is left of the rights of tiers above the one that the member has now; count once what was used."""
    mine = (TierRight.holder_id == now.holder_id) & (TierRight.merchant_id == merchant.id)
    both = (Right.holder_id == TierRight.holder_id) & (Right.id == TierRight.right_id)
    query = select(TierRight, Right).join(Right, both).where(mine).order_by(Right.id)
    booked: list[UUID] = []
    for came, right in (await session.execute(query)).all():
        if programme.rank(came.level) <= programme.rank(now.level):
            continue
        if came.lost is None:
            came.lost = now.seq
            made.used += right.used
            made.booked += right.booked
        elif not again:
            continue
        if right.booked:
            booked.append(right.id)
        key = Key(CLIENT, now.holder_id, f"lost-{right.id}-{as_of.isoformat()}", _SAME)
        call = Call(at=merchant, occurred_at=as_of, as_of=as_of, key=key, client_id=CLIENT)
        made.cancelled += await _cancelled(runtime, call, right, f"tier {came.level} lost: {now.reason}")
    if booked:
        last = select(func.max(RightBooking.expires_at)).where(RightBooking.open, RightBooking.right_id.in_(booked))
        made.again_at = await session.scalar(last.where(RightBooking.holder_id == now.holder_id))


async def _cancelled(runtime: Runtime, call: Call, right: Right, reason: str) -> int:
    """How many uses; none where all were used, are booked, or were taken back before."""
    try:
        return (await runtime.engine.post(cancel_request(call, right, reason=reason))).points
    except Unposted:
        raise
    except Refusal:
        return 0
