"""Rights between merchants (A15): owed for once, at use, at the price of the grant; else nothing, or as agreed."""

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest

from alliance.agreements.book import Fee
from alliance.clearing.preview import lines_of
from alliance.exposure.errors import MerchantFrozen
from alliance.exposure.freezing import freeze
from alliance.exposure.queries import by_merchants
from domain.benefits.errors import (
    BookingEnded,
    RightAlreadyUsed,
    RightBooked,
    RightExpired,
    RightNotFound,
    RightNotUsable,
    RightNotYetValid,
    RightSoldOut,
    RightWithdrawn,
)
from domain.ledger.errors import AlreadyReversed, NotReversible
from tests.alliance.benefits.support import CODES, HOUR, Rights
from tests.alliance.support import NOON, WHO, House, days, key


async def test_a15_a_right_used_at_a_partner_is_owed_for_once(house: House, rights: Rights) -> None:
    right = await rights.grant(await house.member())
    assert (right.remaining, await house.obligations()) == (1, [])
    used = await rights.use(right)
    assert await house.owed(used) == [("RIGHT", "grocer", "fuel", 1, "4.000000")]
    with pytest.raises(RightAlreadyUsed) as refused:
        await rights.use(right)
    assert refused.value.data == {"left": 0, "requested": 1}
    assert len(await house.obligations()) == 1


async def test_a15_a2_the_price_is_that_of_the_grant(house: House, rights: Rights) -> None:
    version = house.version()
    dearer = replace(
        version,
        version=2,
        valid_from=NOON + days(1),
        rights=tuple(replace(one, price=6_000_000) for one in version.rights),
    )
    member = await house.member()
    before = await rights.grant(member)
    house.agree(replace(version, valid_to=NOON + days(1)), dearer)
    later = await rights.grant(member, as_of=NOON + days(2))
    assert (await house.owed(await rights.use(before, as_of=NOON + days(2))))[0][4] == "4.000000"
    assert (await house.owed(await rights.use(later, as_of=NOON + days(2))))[0][4] == "6.000000"


async def test_a15_booked_and_cancelled_in_time_costs_nothing_too_late_as_agreed(house: House, rights: Rights) -> None:
    right = await rights.grant(await house.member(), quantity=3)
    in_time = await rights.reserve(right, promised=1)
    assert (await rights.again(right)).booked == 1
    free = await rights.end(right, in_time, as_of=NOON + HOUR)
    assert (free.operation_id, free.data["noShow"], await house.obligations()) == (None, False, [])
    late = await rights.reserve(right, promised=1)
    missed = await rights.end(right, late, as_of=NOON + HOUR * 1.5)
    assert await house.owed(missed) == [("RIGHT", "grocer", "fuel", 1, "1.000000")]
    away = await rights.reserve(right, promised=1)
    missed = await rights.end(right, away, lapses=True, as_of=NOON + HOUR * 2)
    assert await house.owed(missed) == [("RIGHT", "grocer", "fuel", 1, "1.000000")]
    now = await rights.again(right)
    assert (now.remaining, now.booked, now.used) == (1, 0, 2)
    with pytest.raises(BookingEnded) as refused:
        await rights.end(right, away)
    assert refused.value.data == {"status": "NO_SHOW"}


async def test_a15_who_promised_nothing_owes_nothing(house: House, rights: Rights) -> None:
    right = await rights.grant(await house.member())
    booking = await rights.reserve(right)
    early = await rights.end(right, booking, lapses=True, as_of=NOON + HOUR)
    assert early.kind == "NONE"
    await rights.end(right, booking, lapses=True, as_of=NOON + HOUR * 2)
    now = await rights.again(right)
    assert (now.remaining, now.booked, await house.obligations()) == (1, 0, [])


async def test_a15_a5_a_booking_reserves_the_grantors_position(house: House, rights: Rights) -> None:
    right = await rights.grant(await house.member(), quantity=2)
    booking = await rights.reserve(right)
    assert await position(house) == (0, 4_000_000)
    await rights.end(right, booking)
    assert await position(house) == (0, 0)
    await rights.reserve(right)
    await rights.use(right)
    assert await position(house) == (4_000_000, 0)


async def position(house: House) -> tuple[int, int]:
    async with house.runtime.database.session() as session:
        found = (await by_merchants(session, [house.id("grocer")]))[house.id("grocer")]
    return found.owed, found.reserved


async def test_a15_booked_elsewhere_is_not_free_until_its_time_is_over(house: House, rights: Rights) -> None:
    right = await rights.grant(await house.member())
    await rights.reserve(right, hours=1)
    with pytest.raises(RightBooked):
        await rights.reserve(right)
    with pytest.raises(RightBooked):
        await rights.cancel(right)
    again = await rights.reserve(right, as_of=NOON + HOUR)
    now = await rights.again(right)
    assert (now.remaining, now.booked, again.open) == (1, 1, True)


async def test_a15_unused_rights_cost_nothing_and_go_back_to_their_stock(house: House, rights: Rights) -> None:
    member = await house.member()
    cancelled, expired, used = [await rights.grant(member, quantity=2) for _ in range(3)]
    assert await rights.left("STOCK") == -6
    await rights.cancel(cancelled)
    await rights.use(used)
    over = expired.expires_at
    assert over is not None
    assert (await rights.expire(expired, over - HOUR)).kind == "NONE"
    assert (await rights.expire(expired, over)).points == 2
    assert await rights.left("STOCK") == -2
    assert [line[4] for line in await house.owed()] == ["4.000000"]
    with pytest.raises(RightWithdrawn):
        await rights.use(cancelled)
    with pytest.raises(RightExpired):
        await rights.use(expired, as_of=over)


async def test_a15_r3_valid_through_the_end_of_its_last_day(house: House, rights: Rights) -> None:
    """Ninety days after 1 June in New York is 30 August: over at midnight there, four hours after that of UTC."""
    right = await rights.grant(await house.member(), quantity=2)
    assert right.expires_at == datetime(2017, 8, 31, 4, tzinfo=UTC)
    await rights.use(right, as_of=right.expires_at - HOUR / 60)
    with pytest.raises(RightExpired):
        await rights.use(right, as_of=right.expires_at)


async def test_a15_not_before_it_begins(house: House, rights: Rights) -> None:
    right = await rights.grant(await house.member(), valid_from=NOON + days(3))
    with pytest.raises(RightNotYetValid):
        await rights.use(right)
    assert (await rights.use(right, as_of=NOON + days(3))).points == 1


async def test_a15_only_where_its_terms_and_an_agreement_say(house: House, rights: Rights) -> None:
    right = await rights.grant(await house.member())
    with pytest.raises(RightNotUsable) as refused:
        await rights.use(right, at="grocer")
    assert refused.value.data == {"merchant": "grocer"}
    house.agree()
    with pytest.raises(RightNotUsable):
        await rights.use(right)


async def test_a15_a_code_that_is_not_the_rights_finds_nothing(house: House, rights: Rights) -> None:
    right = await rights.grant(await house.member())
    with pytest.raises(RightNotFound):
        await rights.use(right, code_hash=CODES.hashed("AAAA-BBBB-CCCC-DDDD"))
    typed = CODES.of(right.id).lower().replace("-", " ").replace("o", "0")
    assert (await rights.use(right, code_hash=CODES.hashed(typed))).points == 1


async def test_a15_r22_a_use_is_undone_once_with_what_it_made_owed(house: House, rights: Rights) -> None:
    right = await rights.grant(await house.member(), quantity=3)
    used = await rights.use(right, quantity=2)
    back = await rights.restore(right, used)
    assert await house.owed(back) == [("RIGHT", "grocer", "fuel", -2, "-8.000000")]
    assert ((await rights.again(right)).remaining, await rights.left("STOCK")) == (3, -3)
    with pytest.raises(AlreadyReversed):
        await rights.restore(right, used)
    with pytest.raises(NotReversible):
        await rights.restore(right, back)


async def test_r20_what_comes_back_too_late_comes_back_expired(house: House, rights: Rights) -> None:
    right = await rights.grant(await house.member())
    used = await rights.use(right)
    assert right.expires_at is not None
    back = await rights.restore(right, used, as_of=right.expires_at)
    assert back.data["expired"] == 1
    assert (await rights.expire(right, right.expires_at)).points == 1
    assert await rights.left("STOCK") == 0


async def test_a15_a_cancelled_right_that_is_restored_comes_out_of_the_stock_again(
    house: House, rights: Rights
) -> None:
    right = await rights.grant(await house.member(), quantity=2)
    gone = await rights.cancel(right)
    await rights.restore(right, gone, at="grocer")
    now = await rights.again(right)
    assert (now.remaining, now.cancelled, await rights.left("STOCK")) == (2, 0, -2)


async def test_a15_a_grant_is_undone_while_all_of_it_is_left(house: House, rights: Rights) -> None:
    member = await house.member()
    whole, begun = await rights.grant(member), await rights.grant(member, quantity=2)
    await rights.cancel(whole, reverses=whole.operation_id)
    await rights.use(begun)
    with pytest.raises(RightAlreadyUsed):
        await rights.cancel(begun, reverses=begun.operation_id)
    with pytest.raises(AlreadyReversed):
        await rights.cancel(whole, reverses=whole.operation_id)


async def test_a15_the_operators_fee_on_a_use_is_a_line_of_its_own(house: House, rights: Rights) -> None:
    fee = Fee(frozenset({"right"}), Fraction(1, 100), 0, "issuer")
    house.agree(replace(house.version(), fees=(fee,)))
    used = await rights.use(await rights.grant(await house.member()))
    assert await house.owed(used) == [
        ("RIGHT", "grocer", "fuel", 1, "4.000000"),
        ("FEE", "grocer", "operator", 1, "0.040000"),
    ]


async def test_r27_the_same_key_uses_a_right_once(house: House, rights: Rights) -> None:
    right = await rights.grant(await house.member(), quantity=2)
    once = key("a till's number")
    first, second = await rights.use(right, key=once), await rights.use(right, key=once)
    assert (first.operation_id, second.duplicate) == (second.operation_id, True)
    assert (await rights.again(right)).remaining == 1


async def test_a15_a_dry_run_says_what_would_be_owed(house: House, rights: Rights) -> None:
    right = await rights.grant(await house.member())
    would = (await rights.use(right, dry_run=True)).would
    assert would is not None
    assert [line.owed.amount for line in lines_of(would)] == [4_000_000]
    assert ((await rights.again(right)).remaining, await house.obligations()) == (1, [])


async def test_a12_a_frozen_merchant_grants_nothing_new_and_honours_what_it_granted(
    house: House, rights: Rights
) -> None:
    right = await rights.grant(await house.member())
    async with house.runtime.database.transaction() as session:
        await freeze(session, house.id("grocer"), who=WHO, why="a pay-in is missing", as_of=NOON)
    with pytest.raises(MerchantFrozen):
        await rights.grant(await house.member())
    assert (await rights.use(right)).points == 1


async def test_a15_no_more_than_the_stock(house: House, rights: Rights) -> None:
    for _ in range(50):
        await rights.grant(await house.member(), quantity=10)
    with pytest.raises(RightSoldOut) as refused:
        await rights.grant(await house.member())
    assert refused.value.data == {"left": 0, "requested": 1}
