"""L4 and L5 across the alliance: where stored value is used, what is never made of it, and how much a wallet holds."""

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from alliance.clearing.adjustments import adjust_request
from alliance.clearing.holds import hold_request
from alliance.file import FileErrors, apply, parse
from alliance.gifts.commands import gift_request
from alliance.runtime import Runtime
from alliance.stored_value.commands import refund_request, top_up_request
from alliance.stored_value.errors import (
    StoredValueElsewhere,
    StoredValueLimitExceeded,
    StoredValueNotEarned,
    StoredValueNotExchanged,
)
from alliance.stored_value.queries import Deposit, deposits
from domain.database import Database
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.ledger.errors import DuplicateOrder, GiftsNotAllowed, InsufficientPoints
from domain.ledger.request import Posted
from domain.members.commands import link_identifier, verify_identifier
from domain.members.model import IdentifierRef
from tests.alliance.file.alliances import SMALL
from tests.alliance.support import CLIENT, NOON, House, days, key

CARD = '{code: SVC, kind: stored_value, name: Card, worth: {amount: "0.01", currency: USD}}'
NAMED = {"key": None, "client_id": CLIENT, "as_of": NOON}


async def top_up(house: House, member: uuid.UUID, paid: str, bonus: str | None = None, **named: Any) -> Posted:
    """At the grocer's."""
    as_of = named.pop("as_of", NOON)
    request = top_up_request(
        house.runtime,
        member_id=member,
        merchant=house.runtime.catalogue.merchants["grocer"],
        paid=(paid, named.pop("money", "USD")),
        bonus=None if bonus is None else (bonus, "USD"),
        occurred_at=as_of,
        as_of=as_of,
        key=key(),
        client_id=CLIENT,
        **named,
    )
    return await house.runtime.engine.post(request)


async def pay_back(
    house: House, member: uuid.UUID, amount: str | None = None, at: str = "grocer", **named: Any
) -> Posted:
    """By the grocer."""
    request = refund_request(
        house.runtime,
        member_id=member,
        merchant=house.runtime.catalogue.merchants[at],
        amount=None if amount is None else (amount, "USD"),
        reason="asked for",
        key=key(),
        client_id=CLIENT,
        **{"as_of": NOON} | named,
    )
    return await house.runtime.engine.post(request)


async def test_l04_only_the_bonus_has_the_date_of_the_policy(house: House) -> None:
    ann = await house.member()
    await top_up(house, ann, "100.00", "12.34")
    bonus, paid = await house.lots(ann, "GCARD")
    assert (bonus.granted, paid.granted, paid.expires_at) == (1_234, 10_000, None)
    assert bonus.expires_at == datetime.fromisoformat("2017-12-02T00:00:00-05:00"), "six months, to the end of the day"


async def test_l04_it_pays_for_part_of_an_order_at_its_issuer(house: House) -> None:
    ann = await house.member()
    await top_up(house, ann, "20.00")
    spent = await house.spend(ann, "grocer", None, of="GCARD", order=(3_000, "USD"))  # type: ignore[arg-type]
    assert spent.points == 2_000


async def test_l04_strangers_do_not_take_it_and_the_group_does_under_an_agreement(house: House) -> None:
    ann = await house.member()
    await top_up(house, ann, "20.00")
    for call in (house.spend(ann, "fuel", 100, of="GCARD"), _hold(house, ann)):
        with pytest.raises(StoredValueElsewhere) as refused:
            await call
        assert refused.value.data == {"currency": "GCARD", "merchant": "fuel"}
    _join(house.runtime, "grocer", "fuel")
    version = house.version()
    terms = version.redeem[house.id("fuel"), "GRO"]
    house.agree(replace(version, redeem={**version.redeem, (house.id("fuel"), "GCARD"): terms}))
    spent = await house.spend(ann, "fuel", 100, of="GCARD")
    assert ("SPEND", "grocer", "fuel", 100, "0.900000") in await house.owed(spent)


async def _hold(house: House, member: uuid.UUID) -> Posted:
    fuel = house.runtime.catalogue.merchants["fuel"]
    request = hold_request(
        house.runtime, member_id=member, merchant=fuel, points=100, currency="GCARD", **NAMED | {"key": key()}
    )
    return await house.runtime.engine.post(request)


def _join(runtime: Runtime, *codes: str) -> None:
    """One group, from now on."""
    merchants = {
        code: replace(merchant, group="family" if code in codes else merchant.group)
        for code, merchant in runtime.catalogue.merchants.items()
    }
    by_id = {merchant.id: merchant for merchant in merchants.values()}
    runtime.catalogue = replace(runtime.catalogue, merchants=merchants, merchants_by_id=by_id)


async def test_l05_bought_value_is_neither_earned_nor_exchanged_nor_given_nor_taken_by_hand(house: House) -> None:
    ann, bob = await house.member(), await house.member()
    await top_up(house, ann, "20.00")
    with pytest.raises(StoredValueNotEarned):
        await house.earn(ann, "grocer", 100, of="GCARD")
    for route in ({"source": "GCARD", "target": "FUE"}, {"source": "FUE", "target": "GCARD"}):
        with pytest.raises(StoredValueNotExchanged):
            await house.quote(ann, points_out=100, **route)
    given = gift_request(house.runtime, giver_id=ann, receiver_id=bob, currency="GCARD", points=1, **NAMED)
    with pytest.raises(GiftsNotAllowed):
        await house.runtime.engine.post(given)
    by_hand = {"member_id": ann, "currency": "GCARD", "reason": "goodwill", "occurred_at": NOON, **NAMED}
    grocer = house.runtime.catalogue.merchants["grocer"]
    with pytest.raises(NotAllowed):
        adjust_request(house.runtime, merchant=grocer, points=-1, **by_hand)
    await house.runtime.engine.post(adjust_request(house.runtime, merchant=grocer, points=500, **by_hand))
    assert (await pay_back(house, ann)).points == 2_000, "what was given by hand is not money that was paid"


async def test_l05_topping_up_earns_nothing_also_as_a_line_of_an_order(house: House) -> None:
    ann = await house.member()
    request = {"amount": None, "points": None, "money": "USD", "lines": [(5_000, "STORED_VALUE"), (300, None)]}
    earned = await house.earn(ann, "grocer", **request)  # type: ignore[arg-type]
    assert earned.points == 3


@pytest.mark.parametrize(("known", "most"), [(True, "5000.00"), (False, "1000.00")])
async def test_l04_a_wallet_in_china_holds_5000_registered_and_1000_not(house: House, known: bool, most: str) -> None:
    ann = await house.member()
    merchants = dict(house.runtime.catalogue.merchants)
    merchants["grocer"] = replace(merchants["grocer"], jurisdiction="CN")
    by_id = {merchant.id: merchant for merchant in merchants.values()}
    house.runtime.catalogue = replace(house.runtime.catalogue, merchants=merchants, merchants_by_id=by_id)
    if known:
        phone = IdentifierRef("PHONE", None, "+8613800000000")
        linked: dict[str, Any] = {"member_id": ann, "merchant": "grocer", "ref": phone, "as_of": NOON}
        async with house.runtime.database.transaction() as session:
            await link_identifier(session, house.runtime.catalogue, **linked, verified=False)
        await top_up(house, ann, "1000.00")
        with pytest.raises(StoredValueLimitExceeded):
            await top_up(house, ann, "0.01")
        async with house.runtime.database.transaction() as session:
            await verify_identifier(session, house.runtime.catalogue, **linked)
        most = "4000.00"
    await top_up(house, ann, most)
    with pytest.raises(StoredValueLimitExceeded) as refused:
        await top_up(house, ann, "0.01")
    cap = 500_000 if known else 100_000
    assert refused.value.data == {"cap": cap, "used": cap}
    named: dict[str, Any] = {"reason": "goodwill", "occurred_at": NOON, "currency": "GCARD", "points": 1} | NAMED
    by_hand = adjust_request(house.runtime, member_id=ann, merchant=merchants["grocer"], **named)
    with pytest.raises(StoredValueLimitExceeded) as refused:
        await house.runtime.engine.post(by_hand)
    assert refused.value.path == ("points",)
    await house.spend(ann, "grocer", 1, of="GCARD")
    await top_up(house, ann, "0.01")


async def test_calls_that_make_no_sense_are_refused(house: House) -> None:
    ann = await house.member()
    await top_up(house, ann, "1.00")
    for named in ({"currency": "GRO"}, {"money": "EUR"}):
        with pytest.raises(InvalidInput):
            await top_up(house, ann, "1.00", **named)
    with pytest.raises(InvalidInput):
        await top_up(house, ann, "0.001")
    with pytest.raises(NotFound):
        await pay_back(house, ann, at="fuel")
    with pytest.raises(NotAllowed):
        await pay_back(house, ann, at="fuel", currency="GCARD")
    with pytest.raises(InsufficientPoints):
        await pay_back(house, ann, "1.01")


async def test_l04_the_deposit_report_is_of_what_was_paid_and_of_any_instant(house: House) -> None:
    ann, bob = await house.member(), await house.member()
    await top_up(house, ann, "100.00", "10.00")
    await top_up(house, bob, "50.00", as_of=NOON + days(1))
    spent = await house.spend(ann, "grocer", 3_000, of="GCARD", as_of=NOON + days(2))
    await pay_back(house, bob, as_of=NOON + days(3))
    await house.reverse(ann, spent, as_of=NOON + days(4))
    at = [await _report(house, NOON + days(day)) for day in (-1, 0, 1, 2, 3, 4)]
    figures = [(row.topped_up, row.refunded, row.spent, row.outstanding, row.wallets) for rows in at for row in rows]
    assert at[0] == []
    assert figures == [
        (10_000, 0, 0, 10_000, 1),
        (15_000, 0, 0, 15_000, 2),
        (15_000, 0, 2_000, 13_000, 2),
        (15_000, 5_000, 2_000, 8_000, 1),
        (15_000, 5_000, 0, 10_000, 1),
    ]
    assert await _report(house, NOON + days(4), house.id("fuel")) == []


async def _report(house: House, as_of: datetime, issuer: uuid.UUID | None = None) -> list[Deposit]:
    async with house.runtime.database.session() as session:
        return list(await deposits(session, as_of, issuer))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("kind: stored_value", "kind: stored_value, negative: by_reversal", "never owed"),
        ("kind: stored_value", "kind: stored_value, gifts: {allowed: true}", "not given on"),
        ('worth: {amount: "0.01"', 'worth: {amount: "0.02"', "one minor unit"),
        ("points: 1, per", "currency: SVC, points: 1, per", "paid for, not earned"),
        ("points: 1, per", "when: {category: [STORED_VALUE]}, points: 1, per", "they earn nothing"),
        ("from: GRO, to: FUE", "from: SVC, to: FUE", "not points"),
        ("of: GRO", "of: SVC", "issuer and its group"),
        (
            "jurisdiction: US-OH\n    currencies: [{code: GRO",
            "jurisdiction: CN\n    currencies: [{code: GRO",
            "5,000 yuan",
        ),
    ],
)
def test_l04_l05_apply_refuses(old: str, new: str, reason: str) -> None:
    text = SMALL.replace("name: Grocer points}]", f"name: Grocer points}}, {CARD}]")
    parse(text, "x.yaml")
    with pytest.raises(FileErrors, match=reason):
        parse(text.replace(old, new, 1), "x.yaml")


async def test_l04_a_group_may_agree_to_take_it(database: Database) -> None:
    text = SMALL.replace("name: Grocer points}]", f"name: Grocer points}}, {CARD}]").replace("of: GRO", "of: SVC")
    grouped = text.replace("jurisdiction: US-OH\n", "jurisdiction: US-OH\n    settings: {group: family}\n")
    async with database.transaction() as session:
        assert (await apply(session, parse(grouped, "x.yaml"), NOON)).changed


async def test_r12_an_order_is_topped_up_once_where_orders_are_unique(house: House) -> None:
    member = await house.member()
    await top_up(house, member, "1.00", order_ref="o-1")
    await top_up(house, member, "1.00", order_ref="o-1")
    catalogue = house.runtime.catalogue
    grocer = replace(catalogue.merchants["grocer"], unique_orders=True)
    house.runtime.catalogue = replace(catalogue, merchants=dict(catalogue.merchants) | {"grocer": grocer})
    await top_up(house, member, "1.00", order_ref="o-2")
    with pytest.raises(DuplicateOrder):
        await top_up(house, member, "1.00", order_ref="o-2")
