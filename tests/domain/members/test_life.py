"""The life of members: frozen for a while, thawed by time, restored."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.database import Database
from domain.errors import InvalidInput, NotFound
from domain.events.model import Event
from domain.ledger.errors import MemberNotActive
from domain.members import life
from domain.members.errors import MemberNotFrozen
from domain.members.model import Member, MemberStatus
from domain.members.reasons import FreezeReason

NOW = datetime(2017, 1, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


async def a_member(session: AsyncSession, **standing: object) -> uuid.UUID:
    id_ = uuid.uuid4()
    session.add(Member(id=id_, number=id_.hex[:12], joined_at=NOW, **{"status": "ACTIVE", **standing}))
    await session.flush()
    return id_


async def test_a_freeze_ends_by_itself_at_its_time(database: Database) -> None:
    async with database.transaction() as session:
        id_ = await a_member(session)
        await life.freeze(session, id_, reason=FreezeReason.DISPUTE, until=NOW + WEEK, as_of=NOW)
        with pytest.raises(MemberNotActive) as refused:
            await life.require_active(session, id_, NOW + WEEK - timedelta(seconds=1))
        assert refused.value.data == {"status": "FROZEN", "until": (NOW + WEEK).isoformat()}
        await life.require_active(session, id_, NOW + WEEK)
        with pytest.raises(MemberNotFrozen):
            await life.restore(session, id_, reason="late", as_of=NOW + WEEK)


async def test_the_job_writes_that_freezes_are_over_and_tells_of_it_once(database: Database) -> None:
    async with database.transaction() as session:
        over = [await a_member(session) for _ in range(3)]
        later = await a_member(session)
        for id_ in over:
            await life.freeze(session, id_, reason=FreezeReason.OTHER, until=NOW + WEEK, as_of=NOW)
        await life.freeze(session, later, reason=FreezeReason.OTHER, until=NOW + 2 * WEEK, as_of=NOW)
        assert [await life.thaw(session, NOW + WEEK, 2) for _ in range(3)] == [2, 1, 0]
        for id_ in over:
            member = await session.get_one(Member, id_, populate_existing=True)
            assert (member.status, member.status_since, member.frozen_until) == ("ACTIVE", NOW + WEEK, None)
        assert (await session.get_one(Member, later, populate_existing=True)).status == "FROZEN"
        told = (await session.scalars(select(Event.data).where(Event.holder_id == over[0]).order_by(Event.id))).all()
    assert [(one["from"], one["to"], one["reason"]) for one in told] == [
        ("ACTIVE", "FROZEN", "OTHER"),
        ("FROZEN", "ACTIVE", "TIME_OVER"),
    ]


async def test_what_cannot_be_frozen_or_restored(database: Database) -> None:
    async with database.transaction() as session:
        active, closed = await a_member(session), await a_member(session, status="CLOSED")
        with pytest.raises(InvalidInput):
            await life.freeze(session, active, reason=FreezeReason.OTHER, until=NOW, as_of=NOW)
        with pytest.raises(MemberNotFrozen):
            await life.restore(session, active, reason="x", as_of=NOW)
        with pytest.raises(MemberNotActive, match="CLOSED"):
            await life.freeze(session, closed, reason=FreezeReason.OTHER, as_of=NOW)
        with pytest.raises(MemberNotActive, match="CLOSED"):
            await life.restore(session, closed, reason="x", as_of=NOW)
        with pytest.raises(NotFound):
            await life.freeze(session, uuid.uuid4(), reason=FreezeReason.OTHER, as_of=NOW)
        await life.freeze(session, active, reason=FreezeReason.OTHER, as_of=NOW)
        await life.restore(session, active, reason="cleared", as_of=NOW + WEEK)
        member = await session.get_one(Member, active, populate_existing=True)
        assert (member.status_at(NOW), member.status_reason) == (MemberStatus.ACTIVE, "cleared")
