"""Members' points, guarded: locking and unlocking, what bars them, and what a new device may spend."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import InvalidInput, NotFound
from domain.guard import commands, queries
from domain.guard.commands import By
from domain.guard.model import GuardPart, GuardStep, MemberDevice
from domain.guard.riders import FromDevice
from domain.guard.rules import GuardState
from domain.ledger.request import Rider
from domain.members.model import Member
from domain.programs.catalogue import Merchant
from domain.programs.rules import day_bounds
from resolvers import members
from resolvers.codes import claim
from resolvers.context import Context
from resolvers.once import once
from resolvers.reach import members_of
from resolvers.sent import Sent, key_of

NOTHING = GuardState(None, None, {})
MAX_REASON = 500


class Debit(Protocol):
    """A request that spends points."""

    currency: str
    issuer_id: UUID
    as_of: datetime
    riders: tuple[Rider, ...]


def from_device(context: Context, request: Debit, member_id: UUID) -> None:
    """Hold a debit that a member's own token asks for to what their new devices may spend, if the issuer says so.

    What a merchant's or the operator's client asks for comes from no device.
    """
    viewer = context.signed_in
    issuer = context.runtime.catalogue.merchants_by_id[request.issuer_id]
    if viewer.kind == "member" and issuer.guard.device is not None:
        day, _ = day_bounds(request.as_of, issuer.timezone)
        where = (member_id, viewer.device_id, request.currency)
        request.riders = (FromDevice(*where, issuer.guard.device, day, request.as_of), *request.riders)


async def lock(context: Context, sent: Sent) -> Member:
    """Lock a member's points. Raises a Refusal."""
    until: datetime | None = sent.get("until")

    async def act(session: AsyncSession, member_id: UUID, by: By) -> None:
        await commands.lock(session, member_id, until, by)

    return await _changed(context, "lockPoints", sent, act)


async def unlock(context: Context, sent: Sent) -> Member:
    """Unlock one's own points. Raises a Refusal."""

    async def act(session: AsyncSession, member_id: UUID, by: By) -> None:
        await commands.unlock(session, member_id, by)

    return await _changed(context, "unlockPoints", sent, act)


async def lift(context: Context, sent: Sent) -> Member:
    """Take parts of a guard off, for a reason. Raises a Refusal."""
    parts = {GuardPart(part) for part in sent["parts"]}
    if not parts:
        raise InvalidInput(reason="name at least one part", path=("parts",))
    if not 1 <= len(sent["reason"].strip()) <= MAX_REASON:
        raise InvalidInput(reason=f"give a reason of 1 to {MAX_REASON} characters", path=("reason",))

    async def act(session: AsyncSession, member_id: UUID, by: By) -> None:
        await commands.lift(session, member_id, parts, by._replace(reason=sent["reason"].strip()))

    return await _changed(context, "liftGuard", sent, act)


async def _changed(context: Context, name: str, sent: Sent, act: Any) -> Member:
    """The member, once it is done. What is out of the caller's reach is not found."""
    key = key_of(context, name, sent)
    try:
        member = await members.find(context, sent["member"])
    except InvalidInput as refusal:
        refusal.path = ("member", *refusal.path[1:])
        raise
    if member is None:
        raise NotFound(what="member", path=("member",))

    async def written(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        await act(session, member.id, By(context.signed_in.client_id, context.as_of))
        return {"member": str(member.id)}

    await once(context, key, written)
    return member


@dataclass(frozen=True, slots=True)
class Cooling:
    """That points of a merchant's wait, for a change of this type, until then."""

    merchant: Merchant
    type: str
    until: datetime


async def state(context: Context, member_id: UUID) -> GuardState:
    """What guards a member."""

    async def load(session: AsyncSession, ids: list[UUID]) -> list[GuardState]:
        found = await queries.states(session, ids)
        return [found.get(id_, NOTHING) for id_ in ids]

    return await context.loaders.one_of("guards", load).load(member_id)


async def cooling(context: Context, member_id: UUID) -> list[Cooling]:
    """Whose points wait; a merchant sees its own."""
    known = await state(context, member_id)
    own = members_of(context.signed_in)
    found = []
    for merchant in context.runtime.catalogue.merchants.values():
        waits = known.cools(merchant.guard, context.as_of) if own in (None, merchant.id) else None
        if waits is not None:
            found.append(Cooling(merchant, *waits))
    return found


async def devices(context: Context, member_id: UUID) -> Sequence[MemberDevice]:
    """From which a member was signed in: for themselves and the operator."""
    if context.signed_in.kind not in ("member", "operator"):
        return []

    async def load(session: AsyncSession, ids: list[UUID]) -> list[list[MemberDevice]]:
        found = await queries.devices(session, ids)
        return [found[id_] for id_ in ids]

    return await context.loaders.one_of("devices", load).load(member_id)


async def steps(context: Context, member_id: UUID) -> Sequence[GuardStep]:
    """What was done by hand, newest first: for themselves and the operator."""
    if context.signed_in.kind not in ("member", "operator"):
        return []

    async def load(session: AsyncSession, ids: list[UUID]) -> list[list[GuardStep]]:
        found = await queries.steps(session, ids)
        return [found[id_] for id_ in ids]

    return await context.loaders.one_of("guard steps", load).load(member_id)


async def barred(context: Context, member_id: UUID, currency: str) -> tuple[str, ...]:
    """The codes of what bars a member from spending points of a kind, if anything does."""
    known = await state(context, member_id)
    refusal = known.bars(context.runtime.catalogue.issuer_of(currency).guard, context.as_of)
    return () if refusal is None else (refusal.code,)
