"""Silence in disputes, as a job: applied once, however often it runs (A10)."""

from datetime import timedelta

from sqlalchemy import select

from alliance.disputes.claims import ClaimAsked, raise_claims
from alliance.disputes.model import ClaimCode, Dispute
from alliance.runtime import Runtime
from domain.base import new_id
from domain.events.model import HeldJob
from tests.alliance.support import NOON, WHO, House
from workers.actors.disputes import disputes


async def test_a10_the_job_applies_silences_once(runtime: Runtime) -> None:
    house = House(runtime)
    asked = ClaimAsked(None, house.id("fuel"), 5_000_000, ClaimCode.OTHER, "as agreed on the phone")
    async with runtime.database.transaction() as session:
        alliance = runtime.catalogue.alliance
        about = {"merchant_id": house.id("grocer"), "who": WHO}
        (claim,) = await raise_claims(session, alliance, [asked], **about, as_of=NOON)
    assert isinstance(claim, Dispute)
    late = claim.due_at + timedelta(days=3)
    for as_of, owed in ((claim.due_at - timedelta(seconds=1), 0), (claim.due_at, 1), (late, 1)):
        async with runtime.database.transaction() as session:
            assert await disputes(runtime, session, [HeldJob(new_id(), {"as_of": as_of.isoformat()}, 1)]) == {}
        assert len(await house.obligations()) == owed
    async with runtime.database.session() as session:
        assert list(await session.scalars(select(Dispute.decided_at))) == [claim.due_at]
