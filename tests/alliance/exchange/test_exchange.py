"""Quote, then exchange (A4): rate and prices hold, a quote is used once, all or nothing."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from alliance.exchange.commands import QUOTE_LIFE
from alliance.exchange.errors import BelowMinimum, CapExceeded, QuoteExpired, QuoteUsed
from alliance.exchange.queries import exchange_terms, exchanged_today, read_quotes
from domain.errors import NotFound
from domain.ledger.errors import InsufficientPoints, MemberNotActive
from domain.ledger.request import Posted
from tests.alliance.support import NOON, House, days, key


async def test_a04_quote_then_exchange(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 500)
    offered = await house.quote(member, points_out=149)
    assert (offered.points_out, offered.points_in, offered.rate) == (100, 80, "0.8")
    assert offered.expires_at == NOON + QUOTE_LIFE
    assert await house.count("obligation") == 0
    posted = await house.use(member, offered)
    assert (posted.kind, posted.points, posted.data) == ("EXCHANGE", 100, {"points_in": 80})
    assert await house.owed(posted) == [("EXCHANGE", "grocer", "fuel", 100, "0.800000")]
    assert [lot.remaining for lot in await house.lots(member, "GRO")] == [400]


async def test_a04_a_quote_is_used_once(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 1_000)
    offered = await house.quote(member, points_out=100)
    results = await asyncio.gather(*(house.use(member, offered) for _ in range(20)), return_exceptions=True)
    done = [result for result in results if isinstance(result, Posted)]
    assert len(done) == 1
    assert [type(result) for result in results if result not in done] == [QuoteUsed] * 19
    with pytest.raises(QuoteUsed) as refused:
        await house.use(member, offered)
    assert refused.value.data == {"operation": str(done[0].operation_id)}
    assert await house.count("obligation") == await house.count("quote_use") == 1


async def test_a04_a_used_quote_says_so_whatever_is_left_in_the_wallet(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 100)
    offered = await house.quote(member, points_out=100)
    await house.use(member, offered)
    with pytest.raises(QuoteUsed):
        await house.use(member, offered)


async def test_a04_a_quote_expires(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 1_000)
    offered, other = [await house.quote(member, points_out=100) for _ in range(2)]
    end = offered.expires_at
    await house.use(member, offered, as_of=end - timedelta(microseconds=1))
    with pytest.raises(QuoteExpired):
        await house.use(member, other, as_of=end)


async def test_r27_a_repeated_key_answers_alike_even_when_the_quote_has_expired(house: House) -> None:
    member, once = await house.member(), key()
    await house.earn(member, "grocer", 100)
    offered = await house.quote(member, points_out=100)
    first = await house.use(member, offered, key=once)
    again = await house.use(member, offered, key=once, as_of=NOON + days(1))
    assert again.duplicate
    assert again.operation_id == first.operation_id
    assert again.data == first.data


async def test_a04_a_quote_locks_its_version_and_prices(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 1_000)
    offered = await house.quote(member, points_out=100)
    old = house.version()
    change = NOON + timedelta(minutes=1)
    route = ("GRO", "FUE")
    dearer = replace(old.exchange[route], rate=Fraction("0.5"), clearing_value=500_000, owed=5_000)
    new = replace(old, version=2, valid_from=change, exchange={**old.exchange, route: dearer})
    house.agree(new, replace(old, valid_to=change))
    later = NOON + timedelta(minutes=2)
    posted = await house.use(member, offered, as_of=later)
    assert posted.data == {"points_in": 80}
    assert await house.owed(posted) == [("EXCHANGE", "grocer", "fuel", 100, "0.800000")]
    fresh = await house.quote(member, points_out=100, as_of=later)
    assert (fresh.points_in, fresh.agreement_version) == (50, 2)


async def test_a04_a_quote_of_a_version_that_this_process_has_not_read_yet(house: House) -> None:
    """Another process made it, just after the file was applied."""
    member = await house.member()
    await house.earn(member, "grocer", 1_000)
    offered = await house.quote(member, points_out=100)
    house.agree()
    house.runtime.catalogue = replace(house.runtime.catalogue, revision=0)
    assert (await house.use(member, offered)).data == {"points_in": 80}


async def test_a04_anothers_quote_is_not_found(house: House) -> None:
    member, other = await house.member(), await house.member()
    await house.earn(other, "grocer", 1_000)
    offered = await house.quote(member, points_out=100)
    with pytest.raises(NotFound):
        await house.use(other, offered)


async def test_a04_a_quote_reserves_nothing(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 100)
    offered = await house.quote(member, points_out=100)
    await house.spend(member, "grocer", 1)
    with pytest.raises(InsufficientPoints):
        await house.use(member, offered)
    assert await house.count("quote_use") == await house.count("obligation") == 0
    await house.earn(member, "grocer", 1)
    assert (await house.use(member, offered)).points == 100


async def test_a04_a_frozen_member_exchanges_nothing(house: House) -> None:
    member = await house.member("FROZEN")
    offered = await house.quote(member, points_out=100)
    with pytest.raises(MemberNotActive):
        await house.use(member, offered)


async def test_a05_the_cap_a_member_and_day(house: House) -> None:
    member, other = await house.member(), await house.member()
    for who in (member, other):
        await house.earn(who, "grocer", 20_000)
    offers = [await house.quote(member, points_out=2_000) for _ in range(4)]
    results = await asyncio.gather(*(house.use(member, offer) for offer in offers), return_exceptions=True)
    refused = [result for result in results if not isinstance(result, Posted)]
    assert [type(result) for result in refused] == [CapExceeded, CapExceeded]
    assert isinstance(refused[0], CapExceeded)
    assert refused[0].data == {"cap": 5_000, "used": 4_000}
    assert (await house.use(other, await house.quote(other, points_out=5_000))).points == 5_000
    midnight = datetime(2017, 6, 2, 4, tzinfo=UTC)
    late = await house.quote(member, points_out=5_000, as_of=midnight - timedelta(minutes=5))
    with pytest.raises(CapExceeded):
        await house.use(member, late, as_of=midnight - timedelta(microseconds=1))
    assert (await house.use(member, late, as_of=midnight)).points == 5_000
    async with house.runtime.database.session() as session:
        zone = house.runtime.catalogue.alliance.timezone
        routes = [(member, "GRO", "FUE"), (member, "FUE", "GRO")]
        assert await exchanged_today(session, routes, NOON, zone) == {routes[0]: (4_000, 2)}


async def test_a03_an_exchanged_lot_expires_at_the_earlier_date(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 100, as_of=NOON - days(300))
    await house.use(member, await house.quote(member, points_out=100))
    [source] = await house.lots(member, "GRO")
    [lot] = await house.lots(member, "FUE")
    assert lot.expires_at == source.expires_at
    assert lot.expires_at is not None
    assert lot.expires_at < NOON + days(70)
    await house.earn(member, "fuel", 200, of="FUE")
    await house.use(member, await house.quote(member, "FUE", "GRO", points_out=200))
    back = (await house.lots(member, "GRO"))[1:]
    assert min(lot.expires_at for lot in back if lot.expires_at) == source.expires_at


async def test_a04_unknown_currencies_are_named(house: House) -> None:
    member = await house.member()
    with pytest.raises(NotFound) as refused:
        await house.quote(member, "XYZ", points_out=100)
    assert refused.value.path == ("from",)
    with pytest.raises(NotFound) as refused:
        await house.quote(member, target="XYZ", points_out=100)
    assert refused.value.path == ("to",)
    with pytest.raises(BelowMinimum):
        await house.quote(member, points_out=99)


async def test_exchange_terms_and_quotes_are_read_in_bulk(house: House) -> None:
    member = await house.member()
    offered = await house.quote(member, points_in=80)
    assert [(t.target, t.block) for t in exchange_terms(house.runtime, "GRO", NOON)] == [("FUE", 100)]
    assert exchange_terms(house.runtime, "XYZ", NOON) == []
    async with house.runtime.database.session() as session:
        found = await read_quotes(await session.connection(), [(member, member), (member, offered.id)])
        assert [quote and (quote.id, quote.points_in) for quote in found] == [None, (offered.id, offered.points_in)]
