"""The law of a member's jurisdiction besides that of the merchant's (R5, L1)."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from alliance.clearing.adjustments import reinstate_request
from alliance.clearing.commands import earn_request
from alliance.clearing.grants import activate_request
from domain.ledger.commands import Expire
from domain.ledger.due import pending_of
from domain.ledger.request import Posted
from domain.ledger.verify import verify
from domain.members.model import Member
from domain.programs.terms import ExpiryPolicy, PendingTerms
from tests.alliance.clearing.test_grants import buy, give_back, rules, terms
from tests.alliance.gifts.test_cashing_out import give
from tests.alliance.support import CLIENT, House, key

DAY = timedelta(days=1)
SINCE = datetime(2020, 6, 1, 16, tzinfo=UTC)
BY_TIME = ExpiryPolicy("rolling", months=12)


@pytest.fixture
async def proved(house: House) -> AsyncIterator[House]:
    """A house whose books prove themselves at the end."""
    yield house
    async with house.runtime.database.session() as session:
        assert (await verify(session)).differences == []


async def ends(house: House, member: uuid.UUID) -> list[datetime | None]:
    """When each of the member's lots ends."""
    return [lot.expires_at for lot in await house.lots(member, "GRO")]


@pytest.mark.parametrize(
    ("jurisdiction", "policy", "never"),
    [
        (None, BY_TIME, False),
        ("US-OH", BY_TIME, False),
        ("CA-BC", BY_TIME, False),
        ("CA-ON", BY_TIME, True),
        ("CA-ON", ExpiryPolicy("anniversary"), True),
        ("CA-ON", ExpiryPolicy("inactivity", days=90), False),
        ("CA-QC", BY_TIME, True),
        ("CA-QC", ExpiryPolicy("inactivity", months=11), True),
        ("CA-QC", ExpiryPolicy("inactivity", months=12), False),
        ("CA-ON", ExpiryPolicy("never"), True),
    ],
)
async def test_r05_the_stricter_of_the_programmes_and_the_members_law(
    proved: House, jurisdiction: str | None, policy: ExpiryPolicy, never: bool
) -> None:
    terms(proved, expiry=policy, notice=(30, 60))
    member = await proved.member(jurisdiction=jurisdiction)
    named = {"as_of": SINCE, "occurred_at": SINCE}
    earned = [await proved.earn(member, "grocer", points, **named) for points in (100, 20)]
    assert [end is None for end in await ends(proved, member)] == [never, never]
    by_law = never and policy.kind != "never"
    decided = [{"rule": f"law:{jurisdiction}", "version": 1, "points": 0}] if by_law else []
    assert [one.decisions for one in earned] == [decided, decided]
    if never:
        assert await proved.count("sliding_expiry") == 0, "no date is kept that no lot has"


@pytest.mark.parametrize(("notice", "never"), [(None, True), ((20, 60), True), ((30, 70), True), ((31, 59), False)])
async def test_r05_l02_points_that_end_without_the_notice_of_the_members_law_never_end(
    proved: House, notice: tuple[int, int] | None, never: bool
) -> None:
    """Quebec lets points end by a year's inactivity, and then asks for a notice 30 to 60 days before."""
    terms(proved, expiry=ExpiryPolicy("inactivity", months=12), notice=notice)
    quebec, ontario = [await proved.member(jurisdiction=code) for code in ("CA-QC", "CA-ON")]
    for member in (quebec, ontario):
        await proved.earn(member, "grocer", 5, as_of=SINCE, occurred_at=SINCE)
    assert [end is None for end in (*await ends(proved, quebec), *await ends(proved, ontario))] == [never, False]


async def test_r05_l01_what_counts_is_the_law_on_the_day_of_the_event(proved: House) -> None:
    terms(proved, expiry=BY_TIME)
    member = await proved.member(jurisdiction="CA-ON")
    in_force = datetime(2018, 1, 1, 5, tzinfo=UTC)  # midnight at the grocer's
    before = in_force - timedelta(seconds=1)
    await proved.earn(member, "grocer", 1, as_of=before, occurred_at=before)
    await proved.earn(member, "grocer", 2, as_of=in_force + DAY, occurred_at=before)
    await proved.earn(member, "grocer", 3, as_of=in_force, occurred_at=in_force)
    assert [end is None for end in await ends(proved, member)] == [False, False, True]


async def test_r05_points_that_waited_are_protected_when_they_become_active(proved: House) -> None:
    terms(proved, expiry=BY_TIME, pending=PendingTerms(1))
    member = await proved.member(jurisdiction="CA-ON")
    earned = await proved.earn(member, "grocer", 100, as_of=SINCE, occurred_at=SINCE)
    assert earned.operation_id is not None
    async with proved.runtime.database.session() as session:
        due = await pending_of(session, [(member, earned.operation_id)])
    activated = await proved.runtime.engine.post(activate_request(proved.runtime, due, as_of=SINCE + 2 * DAY))
    assert activated.points == 100
    assert await ends(proved, member) == [None]


async def test_r05_the_law_takes_no_part_in_what_rules_gave(proved: House) -> None:
    terms(proved, expiry=BY_TIME)
    rules(proved, ("base", 1, None))
    member = await proved.member(jurisdiction="CA-ON")
    earned = await buy(proved, member, 1_000, as_of=SINCE)
    assert [one["rule"] for one in earned.decisions] == ["base", "law:CA-ON"]
    assert await ends(proved, member) == [None]
    assert (await give_back(proved, member, earned, cents=400)).points == 4


async def test_r05_a_dry_run_says_so_too_and_tier_credits_end_with_their_period(proved: House) -> None:
    member = await proved.member(jurisdiction="CA-ON")

    async def earned(**named: Any) -> Posted:
        request = earn_request(
            proved.runtime,
            member_id=member,
            merchant=proved.runtime.catalogue.merchants["grocer"],
            points=5,
            occurred_at=SINCE,
            as_of=SINCE,
            key=key(),
            client_id=CLIENT,
            **named,
        )
        return await proved.runtime.engine.post(request)

    terms(proved, expiry=BY_TIME)
    assert [one["rule"] for one in (await earned(dry_run=True)).decisions] == ["law:CA-ON"]
    catalogue = proved.runtime.catalogue
    credits = replace(catalogue.currencies["GRO"], kind="tier_credits")
    proved.runtime.catalogue = replace(catalogue, currencies=catalogue.currencies | {"GRO": credits})
    assert (await earned()).decisions == []
    [end] = await ends(proved, member)
    assert end is not None


async def test_r05_points_keep_their_date_where_they_move(proved: House) -> None:
    terms(proved, expiry=BY_TIME)
    giver, receiver = await proved.member(), await proved.member(jurisdiction="CA-ON")
    await proved.earn(giver, "grocer", 100, as_of=SINCE, occurred_at=SINCE)
    [end] = await ends(proved, giver)
    await give(proved, giver, receiver, 10, as_of=SINCE)
    assert await ends(proved, receiver) == [end]


async def reinstated(house: House, member: uuid.UUID) -> Posted:
    """Ten points that ended after a year, and come back."""
    await house.earn(member, "grocer", 10, as_of=SINCE, occurred_at=SINCE)
    issuer, later = house.runtime.catalogue.merchants["grocer"], SINCE + 400 * DAY
    common: dict[str, Any] = {"holder_id": member, "client_id": CLIENT, "as_of": later}
    expire = Expire(currency="GRO", issuer_id=issuer.id, key=None, occurred_at=later, **common)
    gone = await house.runtime.engine.post(expire)
    assert gone.operation_id is not None
    common |= {
        "operation_id": gone.operation_id,
        "issuer": issuer,
        "currency": "GRO",
        "points": None,
        "reason": "goodwill",
    }
    return await house.runtime.engine.post(reinstate_request(house.runtime, key=key(), **common))


@pytest.mark.parametrize(("jurisdiction", "never"), [("US-OH", False), ("CA-ON", True), ("CA-QC", True)])
async def test_r05_l01_reinstated_points_end_as_the_members_law_lets_them(
    proved: House, jurisdiction: str, never: bool
) -> None:
    """They ended where the member lived before; `graceDays` is time alone."""
    terms(proved, expiry=BY_TIME)
    member = await proved.member()
    await proved.earn(member, "grocer", 10, as_of=SINCE, occurred_at=SINCE)
    async with proved.runtime.database.transaction() as session:
        await session.execute(update(Member).values(jurisdiction=jurisdiction))
    law = f"law:{jurisdiction}"
    back = await reinstated(proved, member)
    assert back.points == (10 if never else 20), "what is earned there does not end"
    assert back.data["expires_at"] == (None if never else "2021-08-06T04:00:00+00:00")
    assert [one["rule"] for one in back.decisions] == ([law] if never else [])
    *_, lot = await proved.lots(member, "GRO")
    assert (lot.expires_at is None) == never


async def test_r05_l01_reinstated_points_end_as_the_issuers_law_lets_them(proved: House) -> None:
    terms(proved, expiry=BY_TIME)
    catalogue = proved.runtime.catalogue
    grocer = replace(catalogue.merchants["grocer"], jurisdiction="CA-ON")
    proved.runtime.catalogue = replace(catalogue, merchants=catalogue.merchants | {"grocer": grocer})
    back = await reinstated(proved, await proved.member())
    assert (back.points, back.data["expires_at"]) == (10, None)
