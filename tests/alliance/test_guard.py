"""Members' points, guarded: which requests it stops and which it must not, in turn with what is posted for them."""

import asyncio
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from alliance.clearing.holds import capture_request, hold_request, release_request
from alliance.file import FileErrors, apply, export, parse
from alliance.gifts.commands import gift_request
from alliance.runtime import Runtime
from domain.errors import Refusal
from domain.guard import commands
from domain.guard.commands import By
from domain.guard.errors import CoolingOff, DeviceLimit, PointsLocked
from domain.guard.model import GuardPart
from domain.guard.riders import FromDevice
from domain.ledger.model import Hold
from domain.ledger.request import Request
from domain.members.commands import enrol, link_identifier
from domain.members.model import EnrolAsk, IdentifierRef
from domain.programs.guarding import NewDevice, guard_terms
from tests.alliance.support import CLIENT, NOON, House, key
from tests.keys import KEYS

COOL = {"coolingOff": {"types": ["PHONE"], "hours": 24}}
BY = By(CLIENT, NOON)
LATER = NOON + timedelta(hours=24)


@pytest.fixture
async def house(runtime: Runtime) -> House:
    """The sample alliance; the grocer's points cool off when a telephone changes."""
    guarded(runtime, "grocer", **COOL)
    return House(runtime)


def guarded(runtime: Runtime, code: str, **said: Any) -> None:
    """Have a merchant's programme say this."""
    catalogue = runtime.catalogue
    merchants = {**catalogue.merchants, code: replace(catalogue.merchants[code], guard=guard_terms({}, said))}
    by_id = {merchant.id: merchant for merchant in merchants.values()}
    runtime.catalogue = replace(catalogue, merchants=merchants, merchants_by_id=by_id)


async def ann(house: House, *more: IdentifierRef) -> uuid.UUID:
    """A member of the grocer's with 500 points, known by a card and whatever else."""
    card = IdentifierRef("CARD", None, uuid.uuid4().hex[:12])
    async with house.runtime.database.transaction() as session:
        ask = EnrolAsk("grocer", "STORE", None, (card, *more), NOON)
        member = (await enrol(session, house.runtime.catalogue, ask)).member_id
    await house.earn(member, "grocer", 500)
    return member


async def lock(house: House, member: uuid.UUID, until: datetime | None = None) -> None:
    async with house.runtime.database.transaction() as session:
        await commands.lock(session, member, until, BY)


async def link(house: House, member: uuid.UUID, as_of: datetime = NOON) -> None:
    ref = IdentifierRef("PHONE", None, f"+1212{uuid.uuid4().int % 10**7:07}")
    async with house.runtime.database.transaction() as session:
        named = {"member_id": member, "merchant": "grocer", "ref": ref, "as_of": as_of}
        await link_identifier(session, house.runtime.catalogue, **named)  # type: ignore[arg-type]


def hold(house: House, member: uuid.UUID, points: int, **named: Any) -> Request:
    at = house.runtime.catalogue.merchants["grocer"]
    common = {"as_of": NOON, "key": key(), "client_id": CLIENT} | named
    return hold_request(house.runtime, member_id=member, merchant=at, points=points, **common)


def give(house: House, member: uuid.UUID, to: uuid.UUID, points: int = 10) -> Request:
    common = {"as_of": NOON, "key": key(), "client_id": CLIENT}
    return gift_request(house.runtime, giver_id=member, receiver_id=to, currency="GRO", points=points, **common)


async def test_a_lock_stops_what_the_member_may_cause_and_nothing_else(house: House) -> None:
    member, other = await ann(house), await ann(house)
    spent = await house.spend(member, "grocer", 50)
    kept, freed = [await house.runtime.engine.post(hold(house, member, 20)) for _ in range(2)]
    offered = await house.quote(member, points_out=100)
    await lock(house, member)
    for barred in (
        house.spend(member, "grocer", 10),
        house.spend(member, "fuel", 10),
        house.runtime.engine.post(hold(house, member, 10)),
        house.runtime.engine.post(give(house, member, other)),
        house.use(member, offered),
        house.quote(member, points_out=100),
    ):
        with pytest.raises(PointsLocked):
            await barred
    await house.earn(member, "grocer", 100)
    await house.runtime.engine.post(give(house, other, member))
    await house.reverse(member, spent)
    async with house.runtime.database.session() as session:
        holds = [await session.get_one(Hold, (member, uuid.UUID(one.data["hold"]))) for one in (kept, freed)]
    at = {"as_of": NOON, "client_id": CLIENT}
    captured = await house.runtime.engine.post(
        await capture_request(house.runtime, hold=holds[0], points=None, key=key(), **at)
    )
    assert captured.points == 20, "what was held is promised"
    await house.runtime.engine.post(release_request(hold=holds[1], key=key(), **at))


async def test_a_lock_ends_by_its_time_by_the_member_or_by_the_operator(house: House) -> None:
    member = await ann(house)
    await lock(house, member, LATER)
    await lock(house, member, NOON + timedelta(hours=1))  # a lock is never made shorter by locking again
    with pytest.raises(PointsLocked) as refused:
        await house.spend(member, "grocer", 10, as_of=LATER - timedelta(seconds=1))
    assert refused.value.data == {"until": LATER.isoformat()}
    await house.spend(member, "grocer", 10, as_of=LATER)
    for unlock in (commands.unlock, lambda *of: commands.lift(of[0], of[1], {GuardPart.LOCK}, of[2])):
        await lock(house, member)
        with pytest.raises(PointsLocked):
            await house.spend(member, "grocer", 10)
        async with house.runtime.database.transaction() as session:
            await unlock(session, member, BY._replace(reason="came to the desk"))
        await house.spend(member, "grocer", 10)
    async with house.runtime.database.session() as session:
        steps = (await session.scalars(text("SELECT kind FROM guard_step ORDER BY id"))).all()
        events = (
            await session.scalars(text("SELECT kind FROM event WHERE kind LIKE 'MEMBER_%LOCKED' ORDER BY id"))
        ).all()
    assert steps == ["LOCKED", "LOCKED", "UNLOCKED", "LOCKED", "LOCK_LIFTED"]
    assert events == ["MEMBER_LOCKED", "MEMBER_LOCKED", "MEMBER_UNLOCKED", "MEMBER_LOCKED", "MEMBER_UNLOCKED"]


async def test_a_changed_telephone_makes_the_programmes_points_wait_and_no_others(house: House) -> None:
    member = await ann(house, IdentifierRef("PHONE", None, "+1 212 555 0100"))
    await house.earn(member, "fuel", 500, of="FUE")
    await house.spend(member, "grocer", 10)  # who has just joined by it may spend
    await link(house, member)
    with pytest.raises(CoolingOff) as refused:
        await house.spend(member, "grocer", 10)
    assert refused.value.data == {"type": "PHONE", "until": LATER.isoformat()}
    await house.spend(member, "fuel", 10, of="FUE")
    await house.spend(member, "grocer", 10, as_of=LATER)
    async with house.runtime.database.transaction() as session:
        await commands.lift(session, member, {GuardPart.COOLING_OFF}, BY._replace(reason="known at the desk"))
    await house.spend(member, "grocer", 10)
    async with house.runtime.database.session() as session:
        told = (await session.scalars(text("SELECT data FROM event WHERE kind = 'MEMBER_COOLING_OFF'"))).all()
    assert told == [{"merchant": str(house.id("grocer")), "type": "PHONE", "until": LATER.isoformat()}]


async def test_an_enrolment_that_links_something_more_to_a_member_is_a_change(house: House) -> None:
    phone, card = IdentifierRef("PHONE", None, "+1 212 555 0101"), IdentifierRef("CARD", None, "77001")
    for identifiers in ((card,), (card, phone)):
        async with house.runtime.database.transaction() as session:
            ask = EnrolAsk("grocer", "STORE", None, identifiers, NOON)
            member = (await enrol(session, house.runtime.catalogue, ask)).member_id
    await house.earn(member, "grocer", 100)
    with pytest.raises(CoolingOff):
        await house.spend(member, "grocer", 10)


async def test_new_devices_spend_so_much_a_day_together(house: House) -> None:
    member = await ann(house)
    async with house.runtime.database.transaction() as session:
        old = await commands.see_device(session, member, house.id("grocer"), b"old", NOON - timedelta(days=7))
        new = await commands.see_device(session, member, house.id("grocer"), b"new", NOON - timedelta(days=6))
        again = await commands.see_device(session, member, house.id("grocer"), b"new", NOON)
    assert again == new

    async def spend(device: uuid.UUID | None, points: int) -> Any:
        request = hold(house, member, points, dry_run=False)
        day = NOON.replace(hour=4)
        request.riders = (FromDevice(member, device, "GRO", NewDevice(7, 100), day, NOON), *request.riders)
        return await house.runtime.engine.post(request)

    await spend(old, 200)
    await spend(new, 60)
    with pytest.raises(DeviceLimit) as refused:
        await spend(None, 41)
    assert refused.value.data == {"cap": 100, "used": 60, "until": None}
    with pytest.raises(DeviceLimit) as refused:
        await spend(new, 41)
    assert refused.value.data == {"cap": 100, "used": 60, "until": (NOON + timedelta(days=1)).isoformat()}
    both = await asyncio.gather(*(spend(new, 25) for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in both) == ["DeviceLimit", "Posted"], "in one batch"
    async with house.runtime.database.transaction() as session:
        await commands.lift(session, member, {GuardPart.DEVICES}, BY._replace(reason="seen at the desk"))
    await spend(new, 100)


async def test_r16_a_lock_waits_for_what_is_being_posted_and_what_comes_after_sees_it(house: House) -> None:
    member = await ann(house)

    async def locked() -> None:
        async with house.runtime.database.transaction() as session:
            await commands.lock(session, member, None, BY)
            balance = text("SELECT posted FROM account WHERE holder_id = :id AND kind = 'POINTS'")
            seen.append(await session.scalar(balance, {"id": member}))

    seen: list[int] = []
    spends = [house.spend(member, "grocer", 10) for _ in range(12)]
    answers = await asyncio.gather(*spends[:6], locked(), *spends[6:], return_exceptions=True)
    refused = [one for one in answers if isinstance(one, Refusal)]
    assert all(isinstance(one, PointsLocked) for one in refused)
    wallet = sum(lot.remaining for lot in await house.lots(member, "GRO"))
    assert seen == [wallet], "nothing was spent after the lock had been set"
    with pytest.raises(PointsLocked):
        await house.spend(member, "grocer", 10)


GUARDED = """\
alliance: {code: two, name: Two, settlementCurrency: USD, timezone: America/New_York}
identifiers: [{type: PHONE, normalise: e164, unique: alliance}]
members: {guard: {coolingOff: {types: [PHONE]}, newDevice: {points: 500}}}
merchants:
  - code: grocer
    name: Grocer
    jurisdiction: US-OH
    settings: {guard: {lock: false, coolingOff: {types: [PHONE], hours: 48}}}
    currencies: [{code: GRO, kind: points, name: Grocer points}]
"""


async def test_a_programme_switches_its_guard_in_the_alliance_file(database: Any, database_url: str) -> None:
    async with database.transaction() as session:
        await apply(session, parse(GUARDED, "guarded.yaml"), NOON)
        assert not (await apply(session, parse(await export(session), "again.yaml"), NOON)).changed
    async with Runtime.open(database_url, keys=KEYS) as opened:
        terms = opened.catalogue.merchants["grocer"].guard
    assert terms == guard_terms(
        {}, {"lock": False, "coolingOff": {"types": ["PHONE"], "hours": 48}, "newDevice": {"days": 7, "points": 500}}
    )
    with pytest.raises(FileErrors) as refused:
        parse(GUARDED.replace("[PHONE], hours", "[FAX], hours"), "guarded.yaml")
    assert "'FAX' is not declared" in str(refused.value)
    off = GUARDED.replace("coolingOff: {types: [PHONE], hours: 48}", "coolingOff: false")
    assert parse(off, "guarded.yaml").document.merchants[0].settings.guard is not None
