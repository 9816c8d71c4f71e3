"""The last microsecond of a day and the first of the next, on days that are longer or shorter than others."""

import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from alliance.clearing.holds import capture_request, hold_request
from alliance.exchange.errors import CapExceeded
from alliance.file import apply, parse
from alliance.gifts.commands import gift_request
from alliance.intake.commands import Sender, take
from alliance.runtime import Runtime
from alliance.verify import verify
from domain.database import Database
from domain.ledger.errors import GiftLimitExceeded, HoldLapsed, InsufficientPoints
from domain.ledger.queries import holds
from domain.ledger.request import Posted
from tests.alliance.support import CLIENT, House, key
from tests.keys import KEYS

# Kiritimati is a day ahead of all others: who took the day of the wrong merchant would be found out.
ALLIANCE = """
alliance: {{code: far, name: Far, settlementCurrency: USD, timezone: {zone}, consent: operator}}
identifiers: [{{type: CARD, issuer: merchant, unique: issuer}}]
merchants:
  - code: grocer
    name: Grocer
    jurisdiction: US
    settings: {{enrolOnPurchase: true}}
    currencies:
      - {{code: GRO, kind: points, default: true, name: Grocer points, worth: {{amount: "0.01", currency: USD}},
         expiry: {{policy: rolling, months: 12}}, gifts: {{allowed: true, maxPoints: 1000}}}}
    earning:
      - {{code: base, version: 1, from: 2017-01-01, points: 1, per: {{amount: "1.00", currency: USD}}}}
      - {{code: base, version: 2, from: {day}, points: 3, per: {{amount: "1.00", currency: USD}}}}
  - code: fuel
    name: Fuel
    jurisdiction: US
    timezone: Pacific/Kiritimati
    currencies:
      - {{code: FUE, kind: points, default: true, name: Fuel points, worth: {{amount: "0.01", currency: USD}}}}
agreements:
  - merchants: [grocer, fuel]
    version: 1
    from: 2017-01-01
    exchange:
      - {{from: GRO, to: FUE, rate: "0.8", clearingValue: {{amount: "0.008", currency: USD}}, dailyCapPerMember: 1000}}
    earn: [{{at: fuel, of: GRO, issuePrice: {{amount: "0.010", currency: USD}}}}]
    redeem: [{{at: fuel, of: GRO, redemptionPrice: {{amount: "0.009", currency: USD}}}}]
  - merchants: [grocer, fuel]
    version: 2
    from: {day}
    exchange:
      - {{from: GRO, to: FUE, rate: "0.8", clearingValue: {{amount: "0.008", currency: USD}}, dailyCapPerMember: 1000}}
    earn: [{{at: fuel, of: GRO, issuePrice: {{amount: "0.010", currency: USD}}}}]
    redeem: [{{at: fuel, of: GRO, redemptionPrice: {{amount: "0.008", currency: USD}}}}]
"""

TICK = timedelta(microseconds=1)
OFFSETS = [timezone(timedelta(hours=hours)) for hours in (-12, -3.5, 0, 5.75, 14)]
on_days = pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", "2017-11-05", 25),
        ("America/New_York", "2018-03-11", 23),
        ("Australia/Lord_Howe", "2018-04-01", 24.5),
        ("Australia/Lord_Howe", "2017-10-01", 23.5),
        ("Asia/Shanghai", "2018-02-28", 24),
    ],
)


@pytest.fixture
async def house(database: Database, database_url: str, zone: str, day: str) -> AsyncIterator[House]:
    """An alliance whose new versions begin on that day."""
    async with database.transaction() as session:
        await apply(session, parse(ALLIANCE.format(zone=zone, day=day), "far.yaml"), datetime(2017, 1, 1, tzinfo=UTC))
    async with Runtime.open(database_url, keys=KEYS) as runtime:
        yield House(runtime)
    async with database.session() as session:
        assert (await verify(session)).differences == []


def day_in(zone: str, day: str) -> tuple[datetime, datetime]:
    """The first instant of a day, and of the next."""
    first = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    return first.astimezone(UTC), (first + timedelta(days=1)).astimezone(UTC)


async def give(house: House, giver: uuid.UUID, receiver: uuid.UUID, points: int, as_of: datetime) -> Posted:
    named = {"giver_id": giver, "receiver_id": receiver, "key": key(), "client_id": CLIENT}
    return await house.runtime.engine.post(
        gift_request(house.runtime, currency="GRO", points=points, as_of=as_of, **named)
    )


@on_days
async def test_r06_what_is_given_counts_until_the_day_is_over(house: House, zone: str, day: str, hours: float) -> None:
    first, next_ = day_in(zone, day)
    assert next_ - first == timedelta(hours=hours)
    giver, receiver = await house.member(), await house.member()
    await house.earn(giver, "grocer", 5_000, as_of=first - timedelta(days=3))
    await give(house, giver, receiver, 1_000, first - TICK)
    await give(house, giver, receiver, 900, first)
    with pytest.raises(GiftLimitExceeded) as refused:
        await give(house, giver, receiver, 101, next_ - TICK)
    assert (refused.value.data["used"], refused.value.data["cap"]) == (900, 1_000)
    await give(house, giver, receiver, 1_000, next_)


@on_days
async def test_a05_what_is_exchanged_counts_until_the_day_is_over(
    house: House, zone: str, day: str, hours: float
) -> None:
    first, next_ = day_in(zone, day)
    member = await house.member()
    await house.earn(member, "grocer", 5_000, as_of=first - timedelta(days=3))

    async def exchange(points: int, as_of: datetime) -> Posted:
        return await house.use(member, await house.quote(member, points_out=points, as_of=as_of), as_of=as_of)

    await exchange(1_000, first - TICK)
    await exchange(900, first)
    with pytest.raises(CapExceeded):
        await exchange(200, next_ - TICK)
    await exchange(1_000, next_)


@on_days
async def test_a02_prices_begin_at_midnight_of_the_alliance(house: House, zone: str, day: str, hours: float) -> None:
    first, _ = day_in(zone, day)
    member = await house.member()
    later = first + timedelta(days=1)
    await house.earn(member, "grocer", 1_000, as_of=later)
    for moment, owed in ((first - TICK, "0.090000"), (first, "0.080000")):
        for offset in OFFSETS:
            spent = await house.spend(member, "fuel", 10, occurred_at=moment.astimezone(offset), as_of=later)
            assert await house.owed(spent) == [("SPEND", "grocer", "fuel", 10, owed)]


@on_days
async def test_r12_rules_are_those_of_the_event_time_however_it_is_written(
    house: House, zone: str, day: str, hours: float
) -> None:
    """A feed written all over the world, at the last microsecond of a rule and the first of the next."""
    first, _ = day_in(zone, day)
    sender = Sender(CLIENT, CLIENT, b"secret", None, may_give=False, may_reverse=False)
    lines = [
        {
            "key": f"purchase-{n}-{moment.isoformat()}",
            "merchant": "grocer",
            "member": {"type": "CARD", "value": "900"},
            "channel": "STORE",
            "occurredAt": moment.astimezone(offset).isoformat(),
            "amount": {"amount": "10.00", "currency": "USD"},
        }
        for moment in (first - TICK, first)
        for n, offset in enumerate(OFFSETS)
    ]
    answers = await take(house.runtime, sender, [json.dumps(line).encode() for line in lines], first)
    outcomes = [answer.outcome for answer in answers]
    assert [one.points for one in outcomes if isinstance(one, Posted)] == [10] * 5 + [30] * 5


LAST_DAYS = {
    "2019-02-28": "2020-02-28",
    "2019-03-01": "2020-03-01",
    "2020-02-29": "2021-02-28",
    "2020-12-31": "2021-12-31",
    "2017-11-05": "2018-11-05",
    "2018-03-11": "2019-03-11",
    "2017-10-01": "2018-10-01",
}
"""Days, and those on which what was granted then ends; each is the day of a change somewhere, or at an end."""


@pytest.mark.parametrize("day", ["2017-06-01"])
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Shanghai", "Australia/Lord_Howe"])
async def test_r03_points_of_a_year_are_spent_until_the_end_of_its_last_day(house: House, zone: str, day: str) -> None:
    for granted, last in LAST_DAYS.items():
        first, next_ = day_in(zone, granted)
        _, ends = day_in(zone, last)
        member = await house.member()
        for moment in (first, next_ - TICK):
            await house.earn(member, "grocer", 10, as_of=moment)
        assert [lot.expires_at for lot in await house.lots(member, "GRO")] == [ends, ends]
        await house.spend(member, "grocer", 15, as_of=ends - TICK)
        with pytest.raises(InsufficientPoints) as refused:
            await house.spend(member, "grocer", 5, as_of=ends)
        assert refused.value.data["available"] == 0


@on_days
async def test_r14_a_hold_lasts_its_seconds_at_its_price_over_midnight(
    house: House, zone: str, day: str, hours: float
) -> None:
    first, next_ = day_in(zone, day)
    member, fuel = await house.member(), house.runtime.catalogue.merchants["fuel"]
    await house.earn(member, "grocer", 20, as_of=first - timedelta(days=3))
    common = {"client_id": CLIENT, "member_id": member, "merchant": fuel, "currency": "GRO", "points": 10}
    seconds = int(hours * 3600)
    asked = [hold_request(house.runtime, **common, key=key(), as_of=first - TICK, seconds=seconds) for _ in range(2)]
    made = [(member, uuid.UUID((await house.runtime.engine.post(one)).data["hold"])) for one in asked]
    async with house.runtime.database.session() as session:
        held = await holds(session, made)

    async def capture(number: int, as_of: datetime) -> Posted:
        named = {"points": None, "key": key(), "client_id": CLIENT}
        return await house.runtime.engine.post(
            await capture_request(house.runtime, hold=held[made[number]], as_of=as_of, **named)
        )

    captured = await capture(0, next_ - 2 * TICK)
    assert await house.owed(captured) == [("SPEND", "grocer", "fuel", 10, "0.090000")]
    with pytest.raises(HoldLapsed):
        await capture(1, next_ - TICK)
