"""Tiers with what is posted: lifted by credits (R11), multiplying as they did (R19), and after a return (R24)."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alliance.clearing.adjustments import adjust_request, reinstate_request
from alliance.clearing.commands import earn_request
from alliance.clearing.tiers import expire_request
from alliance.verify import verify
from domain.ledger.commands import Earn
from domain.ledger.due import DueWallet
from domain.ledger.request import Posted
from domain.ledger.returns import Asked
from domain.money import from_minor
from domain.tiers.queries import tiers
from domain.tiers.rules import TierState
from domain.tiers.verify import CHECKS
from tests.alliance.kinds import DOUBLE, put_in_force, with_tiers
from tests.alliance.support import CLIENT, NOON, House, key

NEW_YEAR = {year: datetime(year, 1, 1, 5, tzinfo=UTC) for year in (2017, 2018, 2019, 2020)}  # in New York
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture(autouse=True)
async def programme(house: House) -> None:
    await put_in_force(house.runtime, with_tiers())


def buying(house: House, member: uuid.UUID, *dollars: int, at: str = "grocer", **named: Any) -> Earn:
    """Lines "1", "2", ... of so many dollars."""
    amounts = [100 * each for each in dollars]
    details = [(str(n), None, None, "1", from_minor(cents, "USD")) for n, cents in enumerate(amounts, 1)]
    as_of = named.setdefault("as_of", NOON)
    named = {"occurred_at": as_of, "key": key(), "client_id": CLIENT} | named
    return earn_request(
        house.runtime,
        member_id=member,
        merchant=house.runtime.catalogue.merchants[at],
        money="USD",
        lines=[(cents, None) for cents in amounts],
        details=details,
        **named,
    )


async def buy(house: House, member: uuid.UUID, *dollars: int, **named: Any) -> Posted:
    return await house.runtime.engine.post(buying(house, member, *dollars, **named))


async def adjust(house: House, member: uuid.UUID, points: int) -> Posted:
    grocer = house.runtime.catalogue.merchants["grocer"]
    named: dict[str, Any] = {"reason": "goodwill", "occurred_at": NOON, "as_of": NOON, "key": key()}
    request = adjust_request(
        house.runtime, member_id=member, merchant=grocer, currency="VIP", points=points, client_id=CLIENT, **named
    )
    return await house.runtime.engine.post(request)


async def history(house: House, member: uuid.UUID) -> list[TierState]:
    place = (member, house.id("grocer"))
    async with house.runtime.database.session() as session:
        return (await tiers(session, [place]))[place]


async def told(house: House, member: uuid.UUID) -> list[tuple[str | None, str]]:
    """Levels and reasons, oldest first."""
    return [(tier.level, tier.reason) for tier in await history(house, member)]


async def test_r11_credits_lift_a_member_in_the_transaction_that_grants_them(house: House) -> None:
    member = await house.member()
    await buy(house, member, 99)
    assert await history(house, member) == []
    posted = await buy(house, member, 1)
    assert await history(house, member) == [
        TierState("silver", NOON, NEW_YEAR[2019], "REACHED", posted.operation_id, 100, 100)
    ]
    await buy(house, member, 50)
    assert await told(house, member) == [("silver", "REACHED")]
    await buy(house, member, 150)
    assert await told(house, member) == [("silver", "REACHED"), ("gold", "REACHED")]


async def test_r11_one_purchase_may_pass_a_tier(house: House) -> None:
    member = await house.member()
    await buy(house, member, 400)
    assert await told(house, member) == [("gold", "REACHED")]


async def test_a_merchant_without_tiers_pays_nothing_for_them(house: House) -> None:
    member = await house.member()
    assert type(buying(house, member, 5, at="fuel")) is Earn


async def test_r10_a_dry_run_lifts_nobody_and_knows_the_tier(house: House) -> None:
    member = await house.member()
    assert (await buy(house, member, 400, dry_run=True)).points == 400
    assert await history(house, member) == []
    await buy(house, member, 400)
    assert (await buy(house, member, 10, dry_run=True)).points == 20


async def test_r19_a_multiplier_counts_for_members_of_its_tier(house: House) -> None:
    member = await house.member()
    assert (await buy(house, member, 300)).points == 300
    doubled = await buy(house, member, 10)
    assert doubled.points == 20
    assert [(one["rule"], one["currency"], one["points"]) for one in doubled.decisions] == [
        ("base", "GRO", 10),
        ("gold-double", "GRO", 10),
        ("stamp", "STAMP", 1),
        ("credits", "VIP", 10),
    ]


async def test_r12_r19_the_tier_of_the_event_counts(house: House) -> None:
    """What was bought before the member was lifted, and sent after, earns what it would have earned then."""
    member = await house.member()
    await buy(house, member, 300)
    late = await buy(house, member, 10, as_of=NOON + 3 * MINUTE, occurred_at=NOON - MINUTE)
    on_time = await buy(house, member, 10, as_of=NOON + 3 * MINUTE)
    assert (late.points, on_time.points) == (10, 20)


async def test_r28_a_batch_values_purchases_as_one_by_one(house: House) -> None:
    """The third of a batch is of a gold member because of the second."""
    member, other = await house.member(), await house.member()
    together = await house.runtime.engine.post_many([buying(house, member, each) for each in (100, 200, 10, 1)])
    alone = [await buy(house, other, each) for each in (100, 200, 10, 1)]
    assert [posted.points for posted in together if isinstance(posted, Posted)] == [100, 200, 20, 2]
    assert [posted.points for posted in alone] == [100, 200, 20, 2]
    assert await told(house, member) == await told(house, other) == [("silver", "REACHED"), ("gold", "REACHED")]


async def test_r27_a_repeated_key_lifts_once(house: House) -> None:
    member = await house.member()
    request = buying(house, member, 400)
    first, again = await house.runtime.engine.post_many([request, request])
    assert isinstance(first, Posted)
    assert isinstance(again, Posted)
    assert (again.operation_id, again.duplicate) == (first.operation_id, True)
    assert await told(house, member) == [("gold", "REACHED")]


async def test_r04_points_of_a_tier_may_live_longer(house: House) -> None:
    """By a rule for its members, with an expiry of its own."""
    longer = """\
      - {code: gold-base, version: 1, from: 2017-01-01, priority: 5, points: 1, per: {amount: "1.00", currency: USD},
         when: {tier: [gold]}, expiry: {policy: rolling, months: 24}}
"""
    await put_in_force(house.runtime, with_tiers().replace(DOUBLE, DOUBLE + longer))
    member = await house.member()
    await buy(house, member, 300)
    await buy(house, member, 10)
    lots = await house.lots(member, "GRO")
    ends = {2018: datetime(2018, 6, 2, 4, tzinfo=UTC), 2019: datetime(2019, 6, 2, 4, tzinfo=UTC)}
    points = {year: sum(lot.granted for lot in lots if lot.expires_at == end) for year, end in ends.items()}
    assert points == {2018: 310, 2019: 10}


async def test_r19_r24_a_return_uses_the_multiplier_of_the_original(house: House) -> None:
    """A gold member bought 10 + 30 for 80 points. The tier is lost; the 30 come back, and 60 with them."""
    member = await house.member()
    lifting = await buy(house, member, 300)
    doubled = await buy(house, member, 10, 30)
    await house.reverse(member, lifting)
    assert await told(house, member) == [("gold", "REACHED"), (None, "RETURNED")]
    back = await house.reverse(member, doubled, asked=Asked(lines=(("2", None),)))
    assert back.data["taken"] == 60
    back = await house.reverse(member, doubled)
    assert back.data["taken"] == 20


async def test_r19_a_return_does_not_use_a_tier_reached_since(house: House) -> None:
    member = await house.member()
    plain = await buy(house, member, 10, 30)
    await buy(house, member, 300)
    back = await house.reverse(member, plain, asked=Asked(lines=(("2", None),)))
    assert back.data["taken"] == 30


@pytest.mark.parametrize(
    ("after_return", "order", "days", "left", "until"),
    [
        ("if_lifted", "lifting", 29, None, None),
        ("if_lifted", "lifting", 30, "gold", 2018),
        ("if_lifted", "other", 29, "gold", 2018),
        ("now", "other", 60, "silver", 2019),
        ("at_period_end", "lifting", 1, "gold", 2018),
        ("keep", "lifting", 1, "gold", 2019),
    ],
)
async def test_r24_the_tier_after_a_return(
    house: House, after_return: str, order: str, days: int, left: str | None, until: int | None
) -> None:
    """60 and then 240 made gold; one of the two comes back so many days later."""
    await put_in_force(house.runtime, with_tiers(f"afterReturn: {after_return}, returnDays: 30, "))
    member = await house.member()
    bought = {"other": await buy(house, member, 60), "lifting": await buy(house, member, 240)}
    as_of = NOON + days * DAY
    back = await house.reverse(member, bought[order], as_of=as_of)
    first, *rest = await history(house, member)
    last = rest[-1] if rest else first
    assert (last.level, last.until) == (left, until and NEW_YEAR[until])
    assert [(row.reason, row.operation_id, row.valid_from) for row in rest] == (
        [] if after_return == "keep" else [("RETURNED", back.operation_id, as_of)]
    )


async def test_r24_a_return_that_leaves_enough_changes_nothing(house: House) -> None:
    member = await house.member()
    bought = await buy(house, member, 300, 50)
    await house.reverse(member, bought, asked=Asked(lines=(("2", None),)))
    assert await told(house, member) == [("gold", "REACHED")]
    await house.reverse(member, bought)
    assert await told(house, member) == [("gold", "REACHED"), (None, "RETURNED")]


async def test_r24_points_earned_meanwhile_keep_their_rate(house: House) -> None:
    member = await house.member()
    lifting = await buy(house, member, 300)
    await buy(house, member, 50)
    await house.reverse(member, lifting)
    [kept] = [lot.remaining for lot in await house.lots(member, "GRO") if lot.remaining]
    assert kept == 100
    assert (await buy(house, member, 50)).points == 50


async def test_r24_a_tier_of_last_year_stands_on_last_years_credits(house: House) -> None:
    """In December 300 lifted and 200 more were bought; in January, when all of it has expired, 150 come back."""
    member = await house.member()
    december, january = datetime(2017, 12, 20, tzinfo=UTC), datetime(2018, 1, 5, tzinfo=UTC)
    lifting = await buy(house, member, 150, 150, as_of=december)
    await buy(house, member, 200, as_of=december)
    await house.reverse(member, lifting, asked=Asked(lines=(("1", None),)), as_of=january)
    assert await told(house, member) == [("gold", "REACHED")]
    await house.reverse(member, lifting, as_of=january)
    assert [(tier.level, tier.credits) for tier in await history(house, member)] == [("gold", 300), ("silver", 200)]


async def test_r24_several_returns_in_a_batch_add_up(house: House) -> None:
    member = await house.member()
    await put_in_force(house.runtime, with_tiers("afterReturn: now, "))
    december, january = datetime(2017, 12, 20, tzinfo=UTC), datetime(2018, 1, 5, tzinfo=UTC)
    orders = [await buy(house, member, 150, as_of=december) for _ in range(3)]
    for order in orders[:2]:
        await house.reverse(member, order, as_of=january)
    assert [(tier.level, tier.credits) for tier in await history(house, member)] == [
        ("silver", 150),
        ("gold", 300),
        ("silver", 150),
    ]


async def test_r17_r24_credits_below_zero_are_paid_before_they_lift(house: House) -> None:
    member = await house.member()
    bought = await buy(house, member, 90)
    await adjust(house, member, -90)
    await house.reverse(member, bought)
    await buy(house, member, 100)
    assert await history(house, member) == []
    await buy(house, member, 90)
    assert await told(house, member) == [("silver", "REACHED")]


async def test_a16_credits_given_by_hand_lift_and_taken_ones_wait_for_the_end(house: House) -> None:
    member = await house.member()
    given = await adjust(house, member, 300)
    await adjust(house, member, -250)
    assert await told(house, member) == [("gold", "REACHED")]
    await house.reverse(member, given)
    assert await told(house, member) == [("gold", "REACHED"), (None, "RETURNED")]


async def test_r05_r24_credits_that_come_back_lift_at_once(house: House) -> None:
    """Gold by 300 credits, which end with the year after; nobody bought since, and the night took them all."""
    ann, grocer = await house.member(), house.runtime.catalogue.merchants["grocer"]
    await buy(house, ann, 300)
    later = NEW_YEAR[2020]
    gone = await house.runtime.engine.post(expire_request(house.runtime, DueWallet(ann, "VIP", grocer.id, 1), later))
    assert (await told(house, ann))[-1][0] is None
    assert gone.operation_id is not None
    named: dict[str, Any] = {"holder_id": ann, "operation_id": gone.operation_id, "issuer": grocer, "currency": "VIP"}
    for points, level in ((200, "silver"), (100, "gold")):
        named |= {"points": points, "reason": "goodwill", "as_of": later, "client_id": CLIENT}
        tried = await house.runtime.engine.post(reinstate_request(house.runtime, key=key(), dry_run=True, **named))
        assert tried.points == points
        assert (await told(house, ann))[-1][0] != level
        await house.runtime.engine.post(reinstate_request(house.runtime, key=key(), **named))
        assert (await told(house, ann))[-1][0] == level
    async with house.runtime.database.session() as session:
        assert (await verify(session)).balanced


async def test_r07_a_purchase_after_midnight_does_not_wait_for_the_night(house: House) -> None:
    """Gold of 2017 ends with 2018, on the 150 credits of 2018: silver, whether or not the night's work was done."""
    member = await house.member()
    await buy(house, member, 300)
    await buy(house, member, 150, as_of=datetime(2018, 7, 1, tzinfo=UTC))
    posted = await buy(house, member, 10, as_of=NEW_YEAR[2019] + MINUTE)
    assert posted.points == 10
    rows = await history(house, member)
    assert [(tier.level, tier.reason, tier.credits) for tier in rows] == [
        ("gold", "REACHED", 300),
        ("silver", "ENDED", 150),
    ]
    assert (rows[1].valid_from, rows[1].until) == (NEW_YEAR[2019], NEW_YEAR[2020])


async def test_r07_years_in_which_nobody_looked_follow_one_another(house: House) -> None:
    member = await house.member()
    await buy(house, member, 300)
    await buy(house, member, 100, as_of=datetime(2018, 7, 1, tzinfo=UTC))
    await buy(house, member, 1, as_of=datetime(2021, 7, 1, tzinfo=UTC))
    assert await told(house, member) == [("gold", "REACHED"), ("silver", "ENDED"), (None, "ENDED")]


@pytest.mark.parametrize(
    ("terms", "reached", "falls"),
    [
        ("period: {months: 12}, ", ("gold", datetime(2018, 6, 2, 4, tzinfo=UTC)), "ENDED"),
        ("period: {months: 12}, lasts: balance, ", ("gold", None), "BALANCE"),
        ("lasts: balance, ", ("gold", None), "BALANCE"),
    ],
)
async def test_r07_the_other_ways_in_which_a_tier_lasts(
    house: House, terms: str, reached: tuple[str, datetime | None], falls: str
) -> None:
    await put_in_force(house.runtime, with_tiers(terms))
    member = await house.member()
    await buy(house, member, 300)
    [first] = await history(house, member)
    assert (first.level, first.until) == reached
    adjusted = await adjust(house, member, -250)
    balance = "lasts: balance" in terms
    assert await told(house, member) == [("gold", "REACHED"), *([(None, "BALANCE")] if balance else [])]
    await house.reverse(member, adjusted)
    assert len(await history(house, member)) == (3 if balance else 1)
    async with house.runtime.database.session() as session:
        assert (await verify(session)).differences == []


async def test_r24_a_tier_that_follows_the_balance_falls_with_a_return(house: House) -> None:
    await put_in_force(house.runtime, with_tiers("lasts: balance, "))
    member = await house.member()
    bought = await buy(house, member, 300)
    await house.reverse(member, bought, as_of=NOON + 90 * DAY)
    assert await told(house, member) == [("gold", "REACHED"), (None, "RETURNED")]


TAMPERINGS = {
    "UPDATE member_tier SET seq = 7": "tiers of a member follow one another",
    "UPDATE member_tier SET until = valid_from": "tiers of a member follow one another",
    "UPDATE member_tier SET threshold = 400": "tier is what its credits reach",
    "UPDATE member_tier SET credits = 999": "tier has its cause",
    "UPDATE member_tier SET operation_id = holder_id": "tier has its cause",
    "UPDATE member_tier SET until = NULL, threshold = 301, credits = 301": (
        "tier that follows the balance is reached by it"
    ),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_r26_a_tier_that_was_tampered_with_is_found_and_named(house: House, tampering: str) -> None:
    member = await house.member()
    await buy(house, member, 300)
    connection = await house.runtime.database.connect()
    before = await connection.fetchrow("SELECT * FROM member_tier")
    await connection.execute(tampering)
    async with house.runtime.database.session() as session:
        found = (await verify(session)).differences
    assert TAMPERINGS[tampering] in {difference.check for difference in found}
    assert {difference.holder for difference in found} == {str(member)}
    await connection.execute("DELETE FROM member_tier")
    columns = ", ".join(f"${n}" for n in range(1, len(before) + 1))
    await connection.execute(f"INSERT INTO member_tier VALUES ({columns})", *before)
    await connection.close()


def test_every_check_of_tiers_finds_something() -> None:
    assert set(TAMPERINGS.values()) == set(CHECKS)
