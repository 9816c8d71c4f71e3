"""Pairs of members who may be one person, and what the operator decides about them."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.duplicates import commands, queries
from domain.duplicates.model import CandidateStatus, DuplicateCandidate
from domain.errors import InvalidInput, NotFound
from domain.programs.duplicates import SURE
from resolvers import ids, members
from resolvers.context import Context
from resolvers.once import once
from resolvers.pages import Page, Window, page, small_number
from resolvers.sent import Sent, key_of

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

    async def act(session: AsyncSession) -> dict[str, Any]:
        by: dict[str, Any] = {"client_id": context.signed_in.client_id, "as_of": context.as_of}
        await commands.decide(session, pair, CandidateStatus(sent["decision"]), note=sent.get("note"), **by)
        return {}

    await once(context, key, act)
    found = await load(context, *pair)
    if found is None:
        raise NotFound(what="candidate", path=("candidate",))
    return found


async def load(context: Context, one_id: UUID, other_id: UUID) -> DuplicateCandidate | None:
    """A pair, or None."""
    async with context.runtime.database.reader() as session:
        return await session.get(DuplicateCandidate, (one_id, other_id))
