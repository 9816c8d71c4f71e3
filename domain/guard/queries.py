"""Reading guards: many keys in, many rows out."""

import uuid
from collections.abc import Sequence

from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, cast, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.guard.model import GuardStep, MemberDevice, MemberGuard
from domain.guard.rules import GuardState


async def states(session: AsyncSession, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, GuardState]:
    """What guards these members; those of whom there is nothing to say are left out."""
    rows = await session.scalars(select(MemberGuard).where(_is_in(MemberGuard.holder_id, ids)))
    return {row.holder_id: GuardState.of(row.locked_at, row.locked_until, row.changed) for row in rows}


async def devices(session: AsyncSession, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[MemberDevice]]:
    """The devices these members were signed in from, the one seen last first."""
    found: dict[uuid.UUID, list[MemberDevice]] = {id_: [] for id_ in ids}
    wanted = select(MemberDevice).where(_is_in(MemberDevice.holder_id, ids))
    for row in await session.scalars(wanted.order_by(MemberDevice.last_seen_at.desc(), MemberDevice.id.desc())):
        found[row.holder_id].append(row)
    return found


async def steps(session: AsyncSession, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[GuardStep]]:
    """What was done about these members' guards by hand, newest first."""
    found: dict[uuid.UUID, list[GuardStep]] = {id_: [] for id_ in ids}
    wanted = select(GuardStep).where(_is_in(GuardStep.holder_id, ids)).order_by(GuardStep.id.desc())
    for row in await session.scalars(wanted):
        found[row.holder_id].append(row)
    return found


def _is_in(column: InstrumentedAttribute[uuid.UUID], ids: Sequence[uuid.UUID]) -> ColumnElement[bool]:
    """One parameter however many ids, so that the statement is prepared once."""
    return column == any_(cast(list(ids), ARRAY(Uuid())))
