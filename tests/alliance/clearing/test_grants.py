"""Terms of the alliance file at work: expiry (R3, R4), limits (R9), points that wait and who owes for them (A1)."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert

from alliance.agreements.book import Fee
from alliance.clearing.commands import earn_request, redeem_request, reverse_request
from alliance.clearing.grants import activate_request
from domain.ledger.due import pending_of
from domain.ledger.errors import LimitExceeded
from domain.ledger.grants import Activate, Reject
from domain.ledger.queries import WalletKey, wallets
from domain.ledger.request import Posted
from domain.ledger.returns import Asked
from domain.ledger.verify import verify
from domain.members.model import Membership
from domain.programs.earning import EarningRule, compile_earning
from domain.programs.terms import EarnLimits, ExpiryPolicy, PendingTerms, RuleTerms
from tests.alliance.support import CLIENT, NOON, House, key

DAY = timedelta(days=1)
NEW_YORK = ZoneInfo("America/New_York")
YEAR = ExpiryPolicy("inactivity", months=12)


@pytest.fixture
async def proved(house: House) -> AsyncIterator[House]:
    """A house whose books prove themselves at the end."""
    yield house
    async with house.runtime.database.session() as session:
        assert (await verify(session)).differences == []


def terms(house: House, *, sliding: tuple[ExpiryPolicy, ...] = (), **changed: Any) -> None:
    """Let GRO have these terms, always."""
    catalogue = house.runtime.catalogue
    currency = catalogue.currencies["GRO"]
    policy = replace(currency.policies[0], **changed)
    sliding += (policy.expiry,) if policy.expiry.kind == "inactivity" else ()
    changed_currency = replace(currency, policies=(policy,), sliding=sliding)
    house.runtime.catalogue = replace(catalogue, currencies=catalogue.currencies | {"GRO": changed_currency})


def rules(house: House, *given: tuple[str, int, RuleTerms | None]) -> None:
    """Let the grocer give points for dollars by these rules: code, points a dollar, terms of its own."""
    catalogue = house.runtime.catalogue
    made = [
        EarningRule(
            code=code,
            version=1,
            currency="GRO",
            valid_from=datetime(2000, 1, 1, tzinfo=UTC),
            valid_to=None,
            rate=Fraction(points, 100),
            money="USD",
            multiplier=None,
            rounding=("floor", "order"),
            priority=0,
            stacks=True,
            categories=None,
            excluded=frozenset(),
            terms=own,
        )
        for code, points, own in given
    ]
    grocer = replace(catalogue.merchants["grocer"], earning=MappingProxyType(compile_earning(made)))
    house.runtime.catalogue = replace(catalogue, merchants={**catalogue.merchants, "grocer": grocer})


async def buy(house: House, member: uuid.UUID, cents: int, **named: Any) -> Posted:
    """Earn by the grocer's rules."""
    as_of = named.pop("as_of", NOON)
    request = earn_request(
        house.runtime,
        member_id=member,
        merchant=house.runtime.catalogue.merchants["grocer"],
        amount=cents,
        money="USD",
        occurred_at=as_of,
        as_of=as_of,
        key=key(),
        client_id=CLIENT,
        **named,
    )
    return await house.runtime.engine.post(request)


async def give_back(
    house: House, member: uuid.UUID, earned: Posted, cents: int | None = None, points: int | None = None
) -> Posted:
    """Return a part of a purchase."""
    assert earned.operation_id is not None
    request = reverse_request(
        house.runtime,
        holder_id=member,
        operation_id=earned.operation_id,
        occurred_at=NOON,
        as_of=NOON,
        key=key(),
        client_id=CLIENT,
        asked=Asked(amount=cents, money="USD" if cents else None, points=points),
    )
    return await house.runtime.engine.post(request)


async def confirmed(house: House, member: uuid.UUID, earned: Posted) -> Activate:
    assert earned.operation_id is not None
    async with house.runtime.database.session() as session:
        due = await pending_of(session, [(member, earned.operation_id)])
    return activate_request(house.runtime, due, as_of=NOON, key=key(), confirms=True)


async def figures(house: House, member: uuid.UUID, as_of: datetime = NOON) -> tuple[int, int]:
    async with house.runtime.database.session() as session:
        (found,) = (await wallets(session, [WalletKey(member, "GRO", as_of)])).values()
    return (found[0].balance, found[0].pending) if found else (0, 0)


async def activate(
    house: House, member: uuid.UUID, earned: Posted, as_of: datetime, *, confirms: bool = False
) -> Posted:
    assert earned.operation_id is not None
    async with house.runtime.database.session() as session:
        due = await pending_of(session, [(member, earned.operation_id)])
    request = activate_request(house.runtime, due, as_of=as_of)
    return await house.runtime.engine.post(request)


def after(day: date) -> datetime:
    """The first instant in New York after a day."""
    return datetime(day.year, day.month, day.day, tzinfo=NEW_YORK) + DAY


async def test_r04_anniversary_of_joining_the_issuers_programme(proved: House) -> None:
    terms(proved, expiry=ExpiryPolicy("anniversary"))
    member = await proved.member()
    joined = datetime(2016, 2, 29, 12, tzinfo=UTC)
    async with proved.runtime.database.transaction() as session:
        row = {"merchant_id": proved.id("grocer"), "number": "1", "joined_at": joined, "channel": "APP"}
        await session.execute(insert(Membership).values(holder_id=member, **row))
    for day in ("2017-02-27", "2017-02-28", "2019-06-01"):
        await proved.earn(member, "grocer", 10, as_of=datetime.fromisoformat(f"{day}T12:00Z"))
    ends = [lot.expires_at for lot in await proved.lots(member, "GRO")]
    assert ends == [after(date(2017, 2, 28)), after(date(2018, 2, 28)), after(date(2020, 2, 29))]


async def test_r04_inactivity_slides_with_every_earn_and_spend_in_the_programmes_zone(proved: House) -> None:
    terms(proved, expiry=YEAR)
    member = await proved.member()
    evening = datetime(2017, 3, 1, 3, tzinfo=UTC)  # still 28 February in New York
    await proved.earn(member, "grocer", 100, as_of=evening)
    end = after(date(2018, 2, 28))
    assert await figures(proved, member, end - timedelta(seconds=1)) == (100, 0)
    assert await figures(proved, member, end) == (0, 0)
    spent_at = datetime(2018, 2, 28, 12, tzinfo=UTC)
    await proved.spend(member, "grocer", 30, as_of=spent_at)
    end = after(date(2019, 2, 28))
    assert await figures(proved, member, end - timedelta(seconds=1)) == (70, 0)
    assert await figures(proved, member, end) == (0, 0)


async def test_r04_a_new_policy_leaves_points_already_earned_their_own_span(proved: House) -> None:
    terms(proved, expiry=YEAR)
    member = await proved.member()
    await proved.earn(member, "grocer", 100)
    short = ExpiryPolicy("inactivity", days=30)
    terms(proved, expiry=short, sliding=(YEAR,))
    await proved.earn(member, "grocer", 10, as_of=NOON + 10 * DAY)
    assert await figures(proved, member, NOON + 42 * DAY) == (100, 0)
    assert await figures(proved, member, NOON + 370 * DAY) == (100, 0)
    assert await figures(proved, member, NOON + 380 * DAY) == (0, 0)


async def test_r04_a_rule_may_have_an_expiry_of_its_own(proved: House) -> None:
    rules(proved, ("base", 1, None), ("bonus", 2, RuleTerms(expiry=ExpiryPolicy("rolling", days=7))))
    member = await proved.member()
    earned = await buy(proved, member, 1000)
    assert earned.points == 30
    lots = await proved.lots(member, "GRO")
    assert sorted(lot.granted for lot in lots) == [10, 20]
    assert await figures(proved, member, NOON + 9 * DAY) == (10, 0)


async def test_r18_a_truncated_earn_loses_only_what_the_kept_part_does_not_earn(proved: House) -> None:
    rules(proved, ("base", 1, None))
    terms(proved, limits=EarnLimits(per_transaction=200))
    member = await proved.member()
    earned = await buy(proved, member, 30_000)
    assert (earned.points, earned.data) == (200, {"truncated": 100})
    taken = [(await give_back(proved, member, earned, 10_000)).points for _ in range(3)]
    assert taken == [0, 100, 100]


async def test_r18_a_return_takes_what_waits_first(proved: House) -> None:
    rules(proved, ("base", 1, None), ("bonus", 2, RuleTerms(pending=PendingTerms(None))))
    member = await proved.member()
    earned = await buy(proved, member, 10_000)
    assert await figures(proved, member) == (100, 200)
    assert (await give_back(proved, member, earned, 5_000)).data == {"taken": 150, "shortfall": 0}
    assert await figures(proved, member) == (100, 50)
    done = await proved.runtime.engine.post(await confirmed(proved, member, earned))
    assert done.points == 50
    assert (await proved.reverse(member, earned)).points == 150
    assert await figures(proved, member) == (0, 0)


async def test_r18_a01_parts_returned_before_they_are_active_are_never_billed(proved: House) -> None:
    terms(proved, pending=PendingTerms(None))
    member = await proved.member()
    earned = await proved.earn(member, "fuel", 1_000)
    await give_back(proved, member, earned, points=400)
    done = await proved.runtime.engine.post(await confirmed(proved, member, earned))
    assert await proved.owed(done) == [("EARN", "fuel", "grocer", 600, "5.400000")]
    returned = await give_back(proved, member, earned, points=100)
    assert await proved.owed(returned) == [("EARN", "fuel", "grocer", -100, "-0.900000")]
    rest = await proved.reverse(member, earned)
    assert await proved.owed(rest) == [("EARN", "fuel", "grocer", -500, "-4.500000")]


async def test_r09_days_are_the_programmes(proved: House) -> None:
    terms(proved, limits=EarnLimits(per_day=100))
    member = await proved.member()
    late = datetime(2017, 5, 2, 3, 59, tzinfo=UTC)  # 23:59 on 1 May in New York
    given = [
        (await proved.earn(member, "grocer", 60, as_of=late - timedelta(hours=2))).points,
        (await proved.earn(member, "grocer", 60, as_of=late)).points,
        (await proved.earn(member, "grocer", 60, as_of=late + timedelta(minutes=1))).points,
    ]
    assert given == [60, 40, 60]


async def test_r09_weeks_and_months_and_refusal(proved: House) -> None:
    terms(proved, limits=EarnLimits(per_week=100, per_month=150, over="refuse"))
    member = await proved.member()
    monday = datetime(2017, 5, 1, 12, tzinfo=UTC)
    await proved.earn(member, "grocer", 100, as_of=monday)
    with pytest.raises(LimitExceeded) as refused:
        await proved.earn(member, "grocer", 1, as_of=monday + 6 * DAY)
    assert refused.value.data["limit"] == "perWeek"
    with pytest.raises(LimitExceeded) as refused:
        await proved.earn(member, "grocer", 51, as_of=monday + 7 * DAY)
    assert refused.value.data["limit"] == "perMonth"
    await proved.earn(member, "grocer", 50, as_of=monday + 7 * DAY)


async def test_r09_a01_only_what_is_granted_is_owed(proved: House) -> None:
    terms(proved, limits=EarnLimits(per_transaction=400))
    member = await proved.member()
    granted = await proved.earn(member, "fuel", 1_000)
    assert await proved.owed(granted) == [("EARN", "fuel", "grocer", 400, "3.600000")]


async def test_a01_pending_points_are_owed_when_they_become_active(proved: House) -> None:
    fee = Fee(frozenset({"earn"}), Fraction("0.01"), 0, "issuer")
    proved.agree(replace(proved.version(), fees=(fee,)))
    terms(proved, pending=PendingTerms(14))
    member = await proved.member()
    earned = await proved.earn(member, "fuel", 1_000)
    assert (earned.points, earned.data) == (1_000, {"pending": 1_000})
    assert await proved.owed(earned) == []
    assert await figures(proved, member) == (0, 1_000)
    proved.agree(replace(proved.version(), earn={}, version=2))
    done = await activate(proved, member, earned, NOON + 14 * DAY)
    lines = [("EARN", "fuel", "grocer", 1_000, "9.000000"), ("FEE", "grocer", "operator", 1_000, "0.090000")]
    assert await proved.owed(done) == lines
    await proved.spend(member, "grocer", 400, as_of=NOON + 14 * DAY)
    returned = await proved.reverse(member, earned, as_of=NOON + 15 * DAY)
    assert await proved.owed(returned) == [
        ("EARN", "fuel", "grocer", -600, "-5.400000"),
        ("FEE", "grocer", "operator", -600, "-0.054000"),
    ]


async def test_a01_a_rejected_earn_is_never_billed(proved: House) -> None:
    terms(proved, pending=PendingTerms(None))
    member = await proved.member()
    earned = await proved.earn(member, "fuel", 1_000)
    assert earned.operation_id is not None
    request = reverse_request(
        proved.runtime,
        holder_id=member,
        operation_id=earned.operation_id,
        occurred_at=NOON,
        as_of=NOON,
        key=key(),
        client_id=CLIENT,
    )
    gone = await proved.runtime.engine.post(Reject.of(request))
    assert gone.points == 1_000
    assert await proved.count("obligation") == 0
    assert await figures(proved, member) == (0, 0)


async def test_a01_a_reversal_credits_only_what_was_billed(proved: House) -> None:
    terms(proved, pending=PendingTerms(None))
    member = await proved.member()
    earned = await proved.earn(member, "fuel", 1_000)
    assert (await proved.reverse(member, earned)).points == 1_000
    assert await proved.count("obligation") == 0


async def test_r03_expiry_of_pending_points_starts_when_they_become_active(proved: House) -> None:
    terms(proved, pending=PendingTerms(10), expiry=ExpiryPolicy("rolling", days=30))
    member = await proved.member()
    earned = await proved.earn(member, "grocer", 50, as_of=datetime(2017, 5, 1, 12, tzinfo=UTC))
    midnight = datetime(2017, 5, 11, tzinfo=NEW_YORK)
    early = await activate(proved, member, earned, midnight - timedelta(seconds=1))
    assert early.operation_id is None
    await activate(proved, member, earned, midnight)
    [lot] = await proved.lots(member, "GRO")
    assert lot.expires_at == after(date(2017, 6, 10))


async def test_r08_a_dry_run_of_a_limited_pending_earn_writes_nothing(proved: House) -> None:
    terms(proved, pending=PendingTerms(None), limits=EarnLimits(balance=70))
    member = await proved.member()
    tried = await proved.earn(member, "fuel", 100, dry_run=True)
    done = await proved.earn(member, "fuel", 100)
    assert (tried.points, tried.data) == (done.points, done.data) == (70, {"pending": 70, "truncated": 30})
    assert await figures(proved, member) == (0, 70)


def test_a_currency_without_such_terms_is_earned_in_one_lot(house: House) -> None:
    request = earn_request(
        house.runtime,
        member_id=uuid.uuid4(),
        merchant=house.runtime.catalogue.merchants["grocer"],
        points=5,
        occurred_at=NOON,
        as_of=NOON,
        key=key(),
        client_id=CLIENT,
    )
    spend = redeem_request(
        house.runtime,
        member_id=uuid.uuid4(),
        merchant=house.runtime.catalogue.merchants["grocer"],
        points=5,
        occurred_at=NOON,
        as_of=NOON,
        key=key(),
        client_id=CLIENT,
    )
    assert type(request).__name__ == "Earn"
    assert request.slides is None
    assert spend.slides is None
