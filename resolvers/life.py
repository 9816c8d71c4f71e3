"""The life of members: who freezes and restores them; their stages, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.feed import history
from alliance.feed.history import Change
from alliance.leaving.commands import closes_at, settle_one, would_leave
from alliance.leaving.model import End, Fate, Left
from domain.errors import InvalidInput, NotFound, Refusal
from domain.events.kinds import EventKind
from domain.members import leaving, life
from domain.members.model import Member, MemberClosing
from domain.members.reasons import CloseReason
from domain.stages import queries as stages
from domain.stages.model import MemberStage
from resolvers.acting import ref_of
from resolvers.codes import claim
from resolvers.context import Context
from resolvers.events import told
from resolvers.members import find
from resolvers.once import once
from resolvers.pages import Page, Window, page
from resolvers.reach import members_of
from resolvers.sent import Sent, key_of

MOST_REASON = 200


async def freeze(context: Context, sent: Sent) -> Member:
    """Let a member look and move nothing. Raises a Refusal."""
    until = sent.get("until")
    plain = {**sent, "reason": sent["reason"].value, "until": until and until.isoformat()}
    key = key_of(context, "freezeMember", plain)
    member_id = await named(context, sent)
    note = (sent.get("note") or "").strip() or None

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        await life.freeze(session, member_id, reason=sent["reason"], until=until, as_of=context.as_of, note=note)
        return {}

    await once(context, key, act)
    return await shown(context, member_id)


async def restore(context: Context, sent: Sent) -> Member:
    """Let a frozen member move points again. Raises a Refusal."""
    key = key_of(context, "restoreMember", sent)
    member_id = await named(context, sent)
    reason: str = sent["reason"].strip()
    if not 0 < len(reason) <= MOST_REASON:
        raise InvalidInput(reason=f"must have 1 to {MOST_REASON} characters", path=("reason",))

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        await life.restore(session, member_id, reason=reason, as_of=context.as_of)
        return {}

    await once(context, key, act)
    return await shown(context, member_id)


@dataclass(frozen=True, slots=True)
class Closed:
    """A member who leaves, when, what they leave behind as it was when they asked, and what becomes of it."""

    member: Member
    closes_at: datetime
    left: Left
    ends: list[End]


async def close(context: Context, sent: Sent) -> Closed:
    """Have a member leave: at once, or once their time to think is over. Raises a Refusal.

    What is left is settled at once, as far as that goes; what is not is seen to by the worker.
    """
    key = key_of(context, "closeMember", {**sent, "reason": sent["reason"].value})
    member_id = await named(context, sent)
    heir = None
    if sent.get("beneficiary") is not None:
        heir = await beneficiary(context, sent["beneficiary"])
    own_wish = context.signed_in.kind == "member"
    reason = CloseReason.MEMBER_ASKED if own_wish else sent["reason"]
    own_wish = own_wish or reason == CloseReason.MEMBER_ASKED
    runtime, as_of = context.runtime, context.as_of
    at = closes_at(runtime, as_of, own_wish=own_wish)
    member = await shown(context, member_id)
    row = MemberClosing(
        holder_id=member_id, asked_at=as_of, closes_at=at, reason=reason, own_wish=own_wish, beneficiary_id=heir
    )
    async with runtime.database.reader() as session:
        left, ends = await would_leave(runtime, session, row, member.jurisdiction)
    if sent.get("dryRun"):
        return Closed(member, at, left, ends)

    async def act(session: AsyncSession) -> dict[str, Any]:
        wish: dict[str, Any] = {"reason": reason, "own_wish": own_wish, "beneficiary_id": heir}
        await claim(context, session, sent)
        await leaving.ask(session, member_id, closes_at=at, as_of=as_of, **wish)
        told = [[end.currency, end.points, end.fate.value] for end in ends]
        counts = [left.holds, left.pending, left.rights, left.pools]
        return {"closesAt": at.isoformat(), "ends": told, "left": counts}

    outcome = await once(context, key, act)
    await settle_one(runtime, member_id, as_of)
    ends = [End(currency, points, Fate(fate)) for currency, points, fate in outcome["ends"]]
    left = Left([], *outcome["left"])
    return Closed(await shown(context, member_id), datetime.fromisoformat(outcome["closesAt"]), left, ends)


async def stay(context: Context, sent: Sent) -> Member:
    """A member who asked to leave stays. Raises a Refusal."""
    key = key_of(context, "withdrawClosing", sent)
    member_id = await named(context, sent)

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        await leaving.withdraw(session, member_id)
        return {}

    await once(context, key, act)
    return await shown(context, member_id)


async def closing_of(context: Context, member_id: UUID) -> MemberClosing | None:
    """That a member leaves, or has left."""

    async def load(session: AsyncSession, ids: list[UUID]) -> list[MemberClosing | None]:
        found = await leaving.closings(session, ids)
        return [found.get(id_) for id_ in ids]

    return await context.loaders.one_of("closings", load).load(member_id)


async def beneficiary(context: Context, sent: Sent) -> UUID:
    """Whom points go to: a member who is known to whoever asks by an identifier or a number. Raises NotFound."""
    try:
        ref = ref_of(context, sent)
        merchant = next(iter(context.runtime.catalogue.merchants.values()))
        found = await context.house.resolve.load((merchant.code, ref))
    except Refusal as refusal:
        refusal.path = ("beneficiary", *refusal.path[1:])
        raise
    return found.member_id


async def named(context: Context, sent: Sent) -> UUID:
    """The member that a call names, if in reach. Raises NotFound, InvalidInput."""
    found = await find(context, sent["member"])
    if found is None:
        raise NotFound(what="member", path=("member",))
    return found.id


async def shown(context: Context, member_id: UUID) -> Member:
    """The member as they are now."""
    context.forget()
    found = await context.loaders.members.load(member_id)
    if found is None:
        raise LookupError("a member that was just written is not there")
    return found


async def stages_of(context: Context, member_id: UUID) -> list[MemberStage]:
    """The stages of a member; a merchant sees that at its own programme."""

    async def load(session: AsyncSession, ids: list[UUID]) -> list[list[MemberStage]]:
        found = await stages.stages(session, ids, members_of(context.signed_in))
        return [found[id_] for id_ in ids]

    return await context.loaders.one_of("stages", load).load(member_id)


CHANGED = ("MEMBER_", "POOL_", "TIER_", "CONSENT_", "TERMS_")
CHANGES = tuple(kind.value for kind in EventKind if kind.startswith(CHANGED))
HISTORY_SHAPE = (UUID,)


async def history_of(context: Context, member_id: UUID, asked: Window, kinds: Sequence[EventKind]) -> Page[Change]:
    """A page of what became of a member; a merchant sees its own side."""
    wanted = tuple(kind for kind in CHANGES if not kinds or kind in kinds)
    viewer_id = members_of(context.signed_in)
    older, newer = (at[0] if at is not None else None for at in (asked.after, asked.before))

    async def load(session: AsyncSession, ids: list[UUID]) -> list[list[Change]]:
        limits = (asked.size + 1, older, newer)
        found = await history.history(session, ids, wanted, viewer_id, *limits, backward=asked.backward)
        return [found[id_] for id_ in ids]

    async def count(session: AsyncSession, ids: list[UUID]) -> list[int]:
        found = await history.counts(session, ids, wanted, viewer_id)
        return [found[id_] for id_ in ids]

    async def total() -> int:
        return await context.loaders.one_of(("history count", wanted), count).load(member_id)

    found = await context.loaders.one_of(("history", asked, wanted), load).load(member_id)
    return page(asked, list(found), lambda one: (one.happened.id,), total)


def told_of(context: Context, change: Change) -> dict[str, Any]:
    """The data of a change, as this viewer may know them."""
    return told(context.runtime.catalogue, change.happened, context.own_merchant_id)


async def note_of(context: Context, member: Member) -> str | None:
    """What there is to say of how a member stands, for the operator."""
    async with context.runtime.database.reader() as session:
        return await life.note_of(session, member)
