"""Stages of members: how long ago they bought, with the dates at which each began."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.base import new_id
from domain.database import Database
from domain.events.model import Event
from domain.ledger.aliases import MemberAlias
from domain.ledger.model import Operation
from domain.members.model import Member, Membership
from domain.programs.living import StageTerms
from domain.stages.commands import cut_members, derive
from domain.stages.model import ALLIANCE
from domain.stages.queries import stages

JOINED = datetime(2017, 1, 1, 12, tzinfo=UTC)
GROCER, FUEL = uuid.UUID(int=1), uuid.UUID(int=2)
TERMS = {ALLIANCE: StageTerms(30, 180, 365), GROCER: StageTerms(30, 180, 365), FUEL: StageTerms(7, 20, 40)}
LOWEST = uuid.UUID(int=0)


def day(number: int) -> datetime:
    return JOINED + timedelta(days=number)


async def join(session: AsyncSession, *merchants: uuid.UUID) -> uuid.UUID:
    id_ = new_id()
    session.add(Member(id=id_, number=id_.hex[:12], joined_at=JOINED, status="ACTIVE"))
    for merchant_id in merchants:
        session.add(
            Membership(holder_id=id_, merchant_id=merchant_id, number="1", joined_at=JOINED, channel="APP", store=None)
        )
    await session.flush()
    return id_


async def buy(
    session: AsyncSession, holder_id: uuid.UUID, merchant_id: uuid.UUID, at: datetime, kind: str = "EARN"
) -> None:
    row = {"holder_id": holder_id, "id": new_id(), "kind": kind, "merchant_id": merchant_id, "occurred_at": at}
    await session.execute(insert(Operation).values(row | {"as_of": at}))


async def stands(session: AsyncSession, id_: uuid.UUID) -> dict[uuid.UUID, tuple[str, datetime]]:
    found = (await stages(session, [id_]))[id_]
    return {row.merchant_id: (row.stage, row.since) for row in found}


async def test_stages_follow_the_days_since_joining_and_since_the_last_purchase(database: Database) -> None:
    async with database.transaction() as session:
        ann = await join(session, GROCER, FUEL)
        for until, expected in (
            (0, {ALLIANCE: ("NEW", day(0)), GROCER: ("NEW", day(0)), FUEL: ("NEW", day(0))}),
            (7, {ALLIANCE: ("NEW", day(0)), GROCER: ("NEW", day(0)), FUEL: ("ACTIVE", day(7))}),
            (30, {ALLIANCE: ("ACTIVE", day(30)), GROCER: ("ACTIVE", day(30)), FUEL: ("DORMANT", day(20))}),
        ):
            await derive(session, TERMS, day(until), LOWEST, None)
            assert await stands(session, ann) == expected, until
        await buy(session, ann, FUEL, day(50))
        await buy(session, ann, FUEL, day(52))
        await buy(session, ann, FUEL, day(400))  # not yet
        await derive(session, TERMS, day(60), LOWEST, None)
        assert (await stands(session, ann))[FUEL] == ("ACTIVE", day(50))
        await derive(session, TERMS, day(185), LOWEST, None)
        assert await stands(session, ann) == {
            ALLIANCE: ("ACTIVE", day(30)),
            GROCER: ("DORMANT", day(180)),
            FUEL: ("LOST", day(92)),
        }
        await derive(session, TERMS, day(399), LOWEST, None)
        assert (await stands(session, ann))[ALLIANCE] == ("DORMANT", day(232))
        assert await derive(session, TERMS, day(399), LOWEST, None) == 0


async def test_what_was_bought_before_a_merge_counts_as_the_survivors(database: Database) -> None:
    async with database.transaction() as session:
        ann, gone = await join(session, GROCER), await join(session, GROCER)
        await derive(session, TERMS, day(200), LOWEST, None)
        await buy(session, gone, GROCER, day(210))
        await buy(session, gone, GROCER, day(220))
        merged = {"into_id": ann, "survivor_id": ann, "merged_at": day(221), "moved": {}}
        session.add(MemberAlias(holder_id=gone, **merged))
        await session.execute(update(Member).where(Member.id == gone).values(status="CLOSED"))
        await derive(session, TERMS, day(222), LOWEST, None)
        assert await stands(session, ann) == {ALLIANCE: ("ACTIVE", day(210)), GROCER: ("ACTIVE", day(210))}


async def test_what_is_no_purchase_changes_nothing(database: Database) -> None:
    async with database.transaction() as session:
        ann = await join(session, GROCER)
        for kind in ("GIFT", "EXPIRE", "ADJUST"):
            await buy(session, ann, GROCER, day(200), kind)
        await derive(session, TERMS, day(201), LOWEST, None)
        assert (await stands(session, ann))[GROCER] == ("DORMANT", day(180))
        await buy(session, ann, GROCER, day(202), "REDEEM")
        await derive(session, TERMS, day(203), LOWEST, None)
        assert (await stands(session, ann))[GROCER] == ("ACTIVE", day(202))


async def test_changes_are_told_to_the_merchant_and_those_of_the_alliance_to_none(database: Database) -> None:
    async with database.transaction() as session:
        ann = await join(session, GROCER)
        await derive(session, TERMS, day(29), LOWEST, None)
        assert await derive(session, TERMS, day(31), LOWEST, None) == 2
        told = (await session.scalars(select(Event).where(Event.holder_id == ann))).all()
    assert {event.kind for event in told} == {"MEMBER_STAGE_CHANGED"}
    since = day(30).isoformat()
    assert sorted((event.seen_by, event.data.get("merchant"), event.data["since"]) for event in told) == [
        ([], None, since),
        ([str(GROCER)], str(GROCER), since),
    ]
    assert {(event.data["from"], event.data["to"]) for event in told} == {("NEW", "ACTIVE")}


@pytest.mark.parametrize("status", ["CLOSED", "FROZEN"])
async def test_who_has_left_has_no_stage_and_who_is_frozen_has(database: Database, status: str) -> None:
    async with database.transaction() as session:
        ann = await join(session, GROCER)
        (await session.get_one(Member, ann)).status = status
        await session.flush()
        await derive(session, TERMS, day(1), LOWEST, None)
        assert bool(await stands(session, ann)) == (status == "FROZEN")
        assert (ann in await cut_members(session, 1)) == (status == "FROZEN")


async def test_ranges_are_the_whole(database: Database) -> None:
    async with database.transaction() as session:
        everybody = sorted([await join(session, GROCER) for _ in range(5)])
        firsts = await cut_members(session, 2)
        assert list(firsts) == everybody[::2]
        for first, before in zip(firsts, [*firsts[1:], None], strict=True):
            await derive(session, {GROCER: TERMS[GROCER]}, day(1), first, before)
        found = await stages(session, everybody)
    assert [[row.stage for row in found[id_]] for id_ in everybody] == [["NEW"]] * 5
