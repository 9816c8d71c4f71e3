"""Members in the order of joining, a page at a time, as far as they fit a filter."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.ledger.aliases import MemberAlias
from domain.members.model import Member, Membership, MemberStatus
from domain.members.queries import Q, within
from domain.stages.model import ALLIANCE, LifeStage, MemberStage

Cursor = tuple[datetime, uuid.UUID]
"""Where a page ends: when the member joined (the merchant, if one is given; else the alliance), and the id."""

Conditions = Sequence[ColumnElement[bool]]
"""Further ones, on `Member.id`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which members: all that is given must fit. Of a merchant's members, when and by which channel they joined it."""

    merchant_id: uuid.UUID | None = None
    status: MemberStatus | None = None
    stage: LifeStage | None = None
    joined_from: datetime | None = None
    joined_before: datetime | None = None
    channel: str | None = None
    conditions: Conditions = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Members in the order of joining, each with its cursor; whether there are more on either side."""

    members: list[tuple[Cursor, Member]]
    has_previous: bool
    has_next: bool


async def page(
    session: AsyncSession,
    wanted: Wanted,
    *,
    first: int | None = None,
    after: Cursor | None = None,
    last: int | None = None,
    before: Cursor | None = None,
) -> Page:
    """Members between two cursors, the `first` of them, or the `last` if `first` is None. One of both must be given.

    Towards the side that was not counted from, "more" is what the cursor given for that side says.
    """
    joined_at, id_ = _order(wanted)
    query = _filtered(select(joined_at, Member), wanted)
    if after is not None:
        query = query.where(tuple_(joined_at, id_) > after)
    if before is not None:
        query = query.where(tuple_(joined_at, id_) < before)
    if first is not None:
        query = query.order_by(joined_at, id_).limit(first + 1)
    elif last is not None:
        query = query.order_by(joined_at.desc(), id_.desc()).limit(last + 1)
    else:
        raise ValueError("either first or last")
    found = [((at, member.id), member) for at, member in (await session.execute(query)).all()]
    if first is not None:
        return Page(found[:first], has_previous=after is not None, has_next=len(found) > first)
    assert last is not None
    return Page(found[:last][::-1], has_previous=len(found) > last, has_next=before is not None)


async def count(session: AsyncSession, wanted: Wanted) -> int:
    """How many members a page with this filter is cut from."""
    return await session.scalar(_filtered(select(func.count()).select_from(Member), wanted)) or 0


def _order(wanted: Wanted) -> tuple[InstrumentedAttribute[datetime], InstrumentedAttribute[uuid.UUID]]:
    """The columns a page is ordered by, so that one index serves it."""
    if wanted.merchant_id is None:
        return Member.joined_at, Member.id
    return Membership.joined_at, Membership.holder_id


def _filtered(query: Q, wanted: Wanted) -> Q:
    query = within(query, wanted.merchant_id).where(*wanted.conditions)
    if wanted.status is not None:
        query = query.where(Member.status == wanted.status)
    if wanted.stage is not None:
        place = MemberStage.merchant_id == (wanted.merchant_id or ALLIANCE)
        query = query.join(MemberStage, (MemberStage.holder_id == Member.id) & place)
        query = query.where(MemberStage.stage == wanted.stage.value)
    joined_at, _ = _order(wanted)
    if wanted.joined_from is not None:
        query = query.where(joined_at >= wanted.joined_from)
    if wanted.joined_before is not None:
        query = query.where(joined_at < wanted.joined_before)
    if wanted.channel is not None:
        by_it = Membership.channel == wanted.channel
        anywhere = exists().where(Membership.holder_id == Member.id, by_it)
        query = query.where(anywhere if wanted.merchant_id is None else by_it)
    was_merged = exists().where(MemberAlias.holder_id == Member.id)
    return query.where((Member.status != MemberStatus.CLOSED) | ~was_merged)
