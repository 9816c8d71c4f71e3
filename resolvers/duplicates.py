"""Pairs of members who may be one person, and what the operator decides about them."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.merging.commands import merge_members
from domain.duplicates import commands, queries
from domain.duplicates.model import CandidateStatus, DuplicateCandidate
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.ledger.request import Key
from domain.members.queries import by_ids
from domain.programs.duplicates import SURE
from resolvers import ids, members
from resolvers.codes import at_work
from resolvers.context import Context
from resolvers.once import once
from resolvers.pages import Page, Window, page, small_number
from resolvers.sent import Sent, key_of
from resolvers.viewer import Scope

SHAPE = (small_number, UUID, UUID)


async def listed(context: Context, asked: Window, wanted: Sent) -> Page[DuplicateCandidate]:
    """The pairs of a filter, the most probable first. Raises InvalidInput for last or before, NotFound."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="pairs are listed forwards: give first and after", path=("last",))
    named: dict[str, Any] = {"status": CandidateStatus(wanted.get("status") or CandidateStatus.PROPOSED)}
    if wanted.get("leastProbability") is not None:
        named["least"] = _millionths(Decimal(wanted["leastProbability"]))
    if wanted.get("member") is not None:
        member = await members.find(context, wanted["member"])
        if member is None:
            raise NotFound(what="member", path=("filter", "member"))
        named["member_id"] = member.id
    async with context.runtime.database.reader() as session:
        found = await queries.page(session, size=asked.size + 1, after=asked.after, **named)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count(session, **named)

    return page(asked, list(found), lambda row: (str(row.probability), str(row.one_id), str(row.other_id)), total)


def _millionths(share: Decimal) -> int:
    if not 0 <= share <= 1:
        raise InvalidInput(reason="must lie within 0 and 1", path=("filter", "leastProbability"))
    return int(share * SURE)


async def decide(context: Context, sent: Sent) -> DuplicateCandidate:
    """Keep what was decided about a pair. Raises a Refusal."""
    key = key_of(context, "decideDuplicate", sent)
    try:
        one_id, other_id = ids.decode_as("DuplicateCandidate", sent["candidate"], 2)
    except NotFound as refusal:
        raise refusal.at("candidate") from None
    pair = one_id, other_id

    if sent["decision"] == "MERGE":
        await _merge(context, sent, pair, key)
    else:

        async def act(session: AsyncSession) -> dict[str, Any]:
            await _keep(context, session, pair, CandidateStatus(sent["decision"]), sent)
            return {}

        await once(context, key, act)
    found = await load(context, *pair)
    if found is None:
        raise NotFound(what="candidate", path=("candidate",))
    return found


async def _keep(
    context: Context, session: AsyncSession, pair: tuple[UUID, UUID], status: CandidateStatus, sent: Sent
) -> None:
    by: dict[str, Any] = {"client_id": context.signed_in.client_id, "as_of": context.as_of}
    await commands.decide(session, pair, status, note=sent.get("note"), **by)


async def _merge(context: Context, sent: Sent, pair: tuple[UUID, UUID], key: Key) -> None:
    """Have the two merged, and keep that they were; a repeated key does it once. Raises a Refusal."""
    if Scope.MEMBERS_MERGE not in context.signed_in.scopes:
        raise NotAllowed(reason="this needs the scope members:merge", path=("decision",))
    async with context.runtime.database.reader() as session:
        if await session.get(DuplicateCandidate, pair) is None:
            raise NotFound(what="candidate", path=("candidate",))
        known = await by_ids(session, pair)
    survivor_id = min(known.values(), key=lambda one: (one.joined_at, one.id)).id
    if sent.get("survivor") is not None:
        named = await members.find(context, sent["survivor"])
        if named is None or named.id not in pair:
            raise NotFound(what="survivor", path=("survivor",))
        survivor_id = named.id
    [absorbed_id] = [id_ for id_ in pair if id_ != survivor_id]
    by: dict[str, Any] = {"as_of": context.as_of, "client_id": context.signed_in.client_id, "note": sent.get("note")}
    gates = at_work(context, sent, "survivor")
    await merge_members(context.runtime, survivor_id=survivor_id, absorbed_id=absorbed_id, key=key, gates=gates, **by)
    async with context.runtime.database.transaction() as session:
        await _keep(context, session, pair, CandidateStatus.MERGED, sent)


async def load(context: Context, one_id: UUID, other_id: UUID) -> DuplicateCandidate | None:
    """A pair, or None."""
    async with context.runtime.database.reader() as session:
        return await session.get(DuplicateCandidate, (one_id, other_id))
