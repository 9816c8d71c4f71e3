"""Merging members who are one person, and undoing it: the operator's."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.dataloader import DataLoader

from alliance.merging.commands import merge_members, unmerge_member
from domain.errors import InvalidInput, NotFound, Refusal
from domain.ledger.aliases import MemberAlias
from domain.ledger.request import Posted
from domain.members.model import Member
from domain.members.queries import as_numbered
from resolvers import ids
from resolvers.codes import at_work
from resolvers.context import Context
from resolvers.members import find
from resolvers.sent import Sent, key_of

MOST_REASON = 200


class Former(NamedTuple):
    """The number that a member had who was merged into another, and when that was."""

    number: str
    merged_at: datetime


async def merge(context: Context, sent: Sent) -> Posted:
    """Let one member become another; the answer lies under the survivor. Raises a Refusal."""
    key = key_of(context, "mergeMembers", sent)
    survivor, absorbed = [await _named(context, sent, name) for name in ("survivor", "absorbed")]
    posted = await merge_members(
        context.runtime,
        survivor_id=survivor.id,
        absorbed_id=absorbed.id,
        as_of=context.as_of,
        client_id=context.signed_in.client_id,
        key=key,
        note=_reason(sent),
        dry_run=bool(sent.get("dryRun")),
        gates=at_work(context, sent, "survivor", "absorbed"),
    )
    return replace(posted, holder_id=survivor.id)


async def unmerge(context: Context, sent: Sent) -> tuple[Posted, UUID]:
    """Undo that one became another; the answer comes with the survivor. Raises a Refusal."""
    key = key_of(context, "unmergeMembers", sent)
    absorbed_id = await _as_they_were(context, sent["absorbed"])
    posted = await unmerge_member(
        context.runtime,
        absorbed_id=absorbed_id,
        as_of=context.as_of,
        client_id=context.signed_in.client_id,
        key=key,
        note=_reason(sent),
        dry_run=bool(sent.get("dryRun")),
    )
    return posted, UUID(posted.data["survivor"])


async def shown(context: Context, member_id: UUID) -> Member:
    """A member as they are now."""
    found = await context.loaders.members.load(member_id)
    if found is None:
        raise LookupError("a member that was just written is not there")
    return found


async def former(context: Context, member_id: UUID) -> list[Former]:
    """Who was merged into a member, in the order of merging."""

    async def load(session: AsyncSession, asked: list[UUID]) -> list[list[Former]]:
        rows = await session.execute(
            select(MemberAlias.survivor_id, Member.number, MemberAlias.merged_at)
            .join(Member, Member.id == MemberAlias.holder_id)
            .where(MemberAlias.survivor_id.in_(asked))
            .order_by(MemberAlias.merged_at, Member.number)
        )
        found: dict[UUID, list[Former]] = {id_: [] for id_ in asked}
        for survivor_id, number, merged_at in rows:
            found[survivor_id].append(Former(number, merged_at))
        return [found[id_] for id_ in asked]

    loader: DataLoader[UUID, list[Former]] = context.loaders.one_of("former members", load)
    return await loader.load(member_id)


async def _named(context: Context, sent: Sent, field: str) -> Member:
    """The member that is named there, as they are now. Raises NotFound, InvalidInput."""
    try:
        found = await find(context, sent[field])
    except Refusal as refusal:
        raise _at(refusal, field) from None
    if found is None:
        raise NotFound(what="member", path=(field,))
    return found


async def _as_they_were(context: Context, sent: Sent) -> UUID:
    """The member of this id or number, whoever they are by now: an identifier is the survivor's. Raises NotFound,
    InvalidInput."""
    if sent.get("id") is not None:
        try:
            return ids.decode_as("Member", sent["id"], 1)[0]
        except NotFound as refusal:
            raise _at(refusal, "absorbed", "id") from None
    if (number := sent.get("number")) is None:
        raise InvalidInput(reason="name who was merged by id or number", path=("absorbed",))
    async with context.runtime.database.reader() as session:
        found = await as_numbered(session, number)
    if found is None:
        raise NotFound(what="member", path=("absorbed", "number"))
    return found


def _at(refusal: Refusal, *path: str) -> Refusal:
    refusal.path = path
    return refusal


def _reason(sent: Sent) -> str:
    reason: str = sent["reason"].strip()
    if not 0 < len(reason) <= MOST_REASON:
        raise InvalidInput(reason=f"must have 1 to {MOST_REASON} characters", path=("reason",))
    return reason


def figures(posted: Posted) -> Sequence[dict[str, int | str]]:
    """What moved, by currency."""
    moved: Sequence[dict[str, int | str]] = posted.data.get("moved", ())
    return moved
