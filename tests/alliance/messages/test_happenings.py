"""What happened is found in the sequence of events and told once, each by the merchant it belongs to."""

from datetime import datetime

import pytest

from alliance.messages.happenings import tell_what_happened
from alliance.messages.planning import Happening, plan
from alliance.messages.reach import people
from alliance.messages.reminders import spans
from domain.base import new_id
from domain.events.model import HeldJob
from domain.members.commands import link_identifier, verify_identifier
from domain.members.model import IdentifierRef
from domain.messages.model import MessageKind
from domain.pools.model import PoolMember
from tests.alliance.clearing.test_funding import give
from tests.alliance.clearing.test_tiers import buy
from tests.alliance.feed.test_sequence import sealed
from tests.alliance.jobs import work_off
from tests.alliance.kinds import put_in_force, with_tiers
from tests.alliance.messages.support import ANN, Post, known, messages, prefer, say, switch_on
from tests.alliance.notices.test_notices import ENDS
from tests.alliance.notices.test_notices import switch_on as notices_on
from tests.alliance.support import NOON, House, days
from workers.actors.reminders import remind, remind_range, tell


async def told(house: House) -> int:
    """Look on in the sequence; how many messages there are."""
    await sealed(house.runtime.database)
    job = HeldJob(new_id(), {"as_of": NOON.isoformat()}, 1)
    async with house.runtime.database.transaction() as session:
        assert await tell(house.runtime, session, [job]) == {}
    return len(await messages(house))


async def test_members_are_told_once_of_what_happened(house: House) -> None:
    await put_in_force(house.runtime, with_tiers())
    switch_on(house)
    ann, bob = [await known(house, await house.member(), EMAIL=f"{name}@example.com") for name in ("ann", "bob")]
    await prefer(house, bob, language="zh-CN")
    await house.earn(ann, "grocer", 70)
    assert await told(house) == 0, "what was before is no news"
    await buy(house, ann, 120)
    await give(house, ann, bob, 30)
    await house.use(ann, await house.quote(ann, points_out=101))
    async with house.runtime.database.transaction() as session:
        phone = IdentifierRef("PHONE", None, ANN["PHONE"])
        catalogue = house.runtime.catalogue
        await link_identifier(session, catalogue, member_id=ann, merchant="grocer", ref=phone, as_of=NOON)
    found = await told(house)
    assert await told(house) == found, "told once"
    post = Post(house, NOON)
    await post.deliver()
    assert sorted(f"{one.to}: {one.subject}" for one in post.provider.sent) == [
        "ann@example.com: 100 Grocer points exchanged for 80 Fuel points",
        "ann@example.com: You are Silver now",
        "ann@example.com: You earned 120 Grocer points",
        "ann@example.com: Your membership was changed",
        "bob@example.com: 您收到了30 Grocer points",
    ]


async def test_a_merchant_tells_what_it_wants_to_those_who_want_it(house: House) -> None:
    switch_on(house, marketing=frozenset({"POINTS_EARNED"}))
    people = [await known(house, await house.member(), EMAIL=f"{name}@example.com") for name in "abc"]
    await say(house, people[1], "EMAIL", given=True, purpose="MARKETING")
    await say(house, people[2], "EMAIL", given=True, purpose="MARKETING")
    await told(house)
    for member in people:
        await house.earn(member, "grocer", 100)
        await house.earn(member, "fuel", 100, of="FUE")
    assert await told(house) == 2, "one said nothing, and fuel writes to nobody"
    await say(house, people[2], "EMAIL", given=False, purpose="MARKETING")
    post = Post(house, NOON)
    await post.deliver()
    assert [one.to for one in post.provider.sent] == ["b@example.com"]
    assert [(one.state, one.why) for one in await messages(house)] == [("DELIVERED", None), ("SKIPPED", "NO_CONSENT")]


async def test_another_that_goes_on_meanwhile_has_nothing_to_do(house: House) -> None:
    database, catalogue = house.runtime.database, house.runtime.catalogue
    await told(house)
    async with database.transaction() as first, database.transaction() as second:
        assert not await tell_what_happened(first, catalogue, NOON)
        assert not await tell_what_happened(second, catalogue, NOON)


async def test_members_are_reminded_as_many_days_ahead_as_the_policy_says(house: House) -> None:
    notices_on(house, reminders=(60, 30, 7))
    switch_on(house, "EMAIL")
    ann = await known(house, await house.member(), EMAIL="ann@example.com")
    await house.earn(ann, "grocer", 100)
    await house.spend(ann, "grocer", 40)
    post, due = Post(house, NOON), []
    for ahead in (61, 59, 31, 29, 28, 5, 1):
        post.now = ENDS - days(ahead)
        async with house.runtime.database.transaction() as session:
            job = HeldJob(new_id(), {"as_of": post.now.isoformat()}, 1)
            await remind(house.runtime, session, [job])
        for _ in range(2):
            await work_off(house, "remind_range", remind_range)
        await post.deliver()
        due.append(len(post.provider.sent))
    assert due == [0, 0, 0, 1, 1, 2, 2], "60 days ahead is the notice's; of days that were missed the last one counts"
    assert {one.subject for one in post.provider.sent} == {"60 Grocer points end on June 1, 2018"}


@pytest.mark.parametrize(
    ("reminders", "notice", "days_ahead"), [((), None, []), ((60, 7), None, [7, 60]), ((60, 7), (30, 60), [7])]
)
def test_a_reminder_is_of_points_that_end_between_two(
    house: House, reminders: tuple[int, ...], notice: tuple[int, int] | None, days_ahead: list[int]
) -> None:
    notices_on(house, reminders=reminders)
    currency = house.runtime.catalogue.currencies["GRO"]
    object.__setattr__(currency.policies[0], "notice", notice)
    found = spans(currency, NOON)
    assert [(until - NOON).days for _, until, _ in found] == [ahead for *_, ahead in found] == days_ahead
    assert all(after < until for after, until, _ in found)


async def test_a_pool_is_told_by_its_owner_and_who_has_closed_is_not_told(house: House) -> None:
    switch_on(house)
    owner = await known(house, await house.member(), EMAIL="ann@example.com")
    closed = await known(house, await house.member("CLOSED"), EMAIL="bob@example.com")
    pool = new_id()
    async with house.runtime.database.transaction() as session:
        session.add(PoolMember(holder_id=pool, id=new_id(), member_id=owner, role="OWNER", joined_at=NOON))
        data = {"points": 10, "currency": "GRO"}
        told = [
            Happening(holder, house.id("grocer"), MessageKind.POINTS_ACTIVATED, "event:1", data)
            for holder in (pool, closed)
        ]
        assert await plan(session, house.runtime.catalogue, told, NOON) == 1
    post = Post(house, NOON)
    await post.deliver()
    assert [one.to for one in post.provider.sent] == ["ann@example.com"]


async def test_an_address_that_has_to_be_verified_is_not_written_to_before(house: House) -> None:
    """The newest of those that were is; one that was verified since a notice came due is no channel for it."""
    switch_on(house)
    ann = await known(house, await house.member(), EMAIL="ann@example.com")
    later = [IdentifierRef("EMAIL", None, "later@example.com"), IdentifierRef("PHONE", None, ANN["PHONE"])]
    catalogue, named = house.runtime.catalogue, {"member_id": ann, "merchant": "grocer"}

    async def addresses(before: datetime | None = None) -> list[str | None]:
        async with house.runtime.database.session() as session:
            who = await people(session, catalogue, [ann])
        merchant = house.runtime.catalogue.merchants["grocer"]
        return [who.address(ann, merchant, channel, before) for channel in ("EMAIL", "SMS")]

    async with house.runtime.database.transaction() as session:
        for ref in later:
            await link_identifier(session, catalogue, ref=ref, as_of=NOON, verified=False, **named)
    assert await addresses() == ["ann@example.com", None]
    async with house.runtime.database.transaction() as session:
        for ref in later:
            await verify_identifier(session, catalogue, ref=ref, as_of=NOON + days(2), **named)
    assert await addresses() == ["later@example.com", ANN["PHONE"]]
    assert await addresses(NOON + days(1)) == ["ann@example.com", None]
