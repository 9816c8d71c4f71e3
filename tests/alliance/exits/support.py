"""Nights of forced exits in the sample alliance: GRO is sold into GCARD."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from alliance.runtime import Runtime
from domain.base import new_id
from domain.events.model import HeldJob
from domain.ledger.model import ForcedExit, Operation
from domain.notices.commands import report
from domain.notices.model import Notice, Outcome
from domain.programs.catalogue import CurrencyPolicy, ForcedExitTerms
from tests.alliance.support import CLIENT, NOON, House, days
from workers.actors.exits import exits, exits_range

WEEK = days(7)


def switch_on(house: House, *policies: CurrencyPolicy, **terms: Any) -> None:
    """The grocer's points are sold so from now on; later `policies` follow the sample's."""
    made = ForcedExitTerms(**{"times": 2, "measure": "worth", "into": "GCARD"} | terms)
    currencies = dict(house.runtime.catalogue.currencies)
    versions = [*currencies["GRO"].policies[:1], *policies]
    on = tuple(replace(policy, forced_exit=made) for policy in versions)
    currencies["GRO"] = replace(currencies["GRO"], policies=on)
    house.runtime.catalogue = replace(house.runtime.catalogue, currencies=currencies)


async def night(house: House, as_of: datetime = NOON) -> None:
    """What the night does about exits."""
    everybody = {"currency": "GRO", "first": str(uuid.UUID(int=0)), "before": None}
    async with house.runtime.database.transaction() as session:
        for actor in (exits, exits_range):
            await actor(house.runtime, session, [HeldJob(new_id(), {"as_of": as_of.isoformat()} | everybody, 1)])


async def notices(house: House) -> Sequence[Notice]:
    """All that came due."""
    async with house.runtime.database.session() as session:
        return (await session.scalars(select(Notice).order_by(Notice.id))).all()


async def tell(runtime: Runtime, notice: Notice, at: datetime, outcome: Outcome = Outcome.DELIVERED) -> None:
    """Somebody sent the notice, or gave up."""
    async with runtime.database.transaction() as session:
        await report(
            session,
            holder_id=notice.holder_id,
            notice_id=notice.id,
            outcome=outcome,
            happened_at=at,
            channel="SMS",
            proof="receipt 1",
            as_of=at,
            client_id=CLIENT,
        )


async def sold(house: House, as_of: datetime = NOON) -> Sequence[ForcedExit]:
    """Announce to all who are due, tell them at once, and come back a week later; every exit there is."""
    await night(house, as_of)
    for notice in await notices(house):
        if notice.opens_at == as_of:
            await tell(house.runtime, notice, as_of)
    await night(house, as_of + WEEK)
    return await all_exits(house)


async def all_exits(house: House) -> Sequence[ForcedExit]:
    """In the order in which they were booked."""
    async with house.runtime.database.session() as session:
        return (await session.scalars(select(ForcedExit).order_by(ForcedExit.operation_id))).all()


async def operation_of(house: House, exit_: ForcedExit) -> Operation:
    """The operation of an exit."""
    async with house.runtime.database.session() as session:
        found = await session.get(Operation, (exit_.holder_id, exit_.operation_id))
        assert found is not None
        return found
