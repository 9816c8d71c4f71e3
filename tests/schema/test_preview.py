"""Who funds what, and what would be owed: told before it is done, to those whom it concerns (A1, A14)."""

from typing import Any

import pytest
from sqlalchemy import text

from alliance.agreements.book import load_book
from alliance.runtime import Runtime
from resolvers import ids
from tests.schema.support import Client, by_card, viewer_of

OWED = "obligations { kind debtor { code } creditor { code } points price amount { amount } agreementVersion waits }"
FUNDING = "funding { merchant { code } share amount { amount } atIssue { amount } }"
EARNED = f"... on Earned {{ points operation {{ id }} {OWED} {FUNDING} }}"
REDEEMED = f"... on Redeemed {{ points worth {{ amount }} operation {{ id }} {OWED} contribution {{ amount }} }}"


@pytest.fixture
async def later(runtime: Runtime) -> None:
    """Fuel pays for GRO when they are spent."""
    changed = """UPDATE agreement_version SET terms =
        jsonb_set(terms, '{earn,0}', terms #> '{earn,0}' || '{"funding": "at_redemption", "breakageTo": "funder"}')"""
    async with runtime.database.transaction() as session:
        await session.execute(text(changed))
    async with runtime.database.session() as session:
        runtime.agreements = await load_book(session)


def given(card: str, merchant: str, points: int, **more: Any) -> dict[str, Any]:
    return {
        "merchant": merchant,
        "member": by_card(card),
        "channel": "STORE",
        "currency": "GRO",
        "points": points,
    } | more


async def earn(client: Client, card: str, merchant: str, points: int, **more: Any) -> Any:
    return await client.do("earn", "EarnInput", EARNED, **given(card, merchant, points, **more))


async def redeem(client: Client, card: str, merchant: str, points: int, **more: Any) -> Any:
    return await client.do("redeem", "RedeemInput", REDEEMED, **given(card, merchant, points, **more))


def line(kind: str, debtor: str, creditor: str, points: int, price: str, amount: str, *, waits: bool = False) -> Any:
    return {
        "kind": kind,
        "debtor": {"code": debtor},
        "creditor": {"code": creditor},
        "points": points,
        "price": price,
        "amount": {"amount": amount},
        "agreementVersion": 1,
        "waits": waits,
    }


async def test_a01_an_earn_says_who_funds_what(operator: Client, card: str) -> None:
    told = await earn(operator, card, "fuel", 1000, dryRun=True)
    assert told["operation"] is None
    assert told["obligations"] == [line("EARN", "fuel", "grocer", 1000, "0.00900000", "9.000000")]
    assert told["funding"] == [
        {
            "merchant": {"code": "fuel"},
            "share": "0.9",
            "amount": {"amount": "9.000000"},
            "atIssue": {"amount": "9.000000"},
        },
        {"merchant": {"code": "grocer"}, "share": "0.1", "amount": None, "atIssue": None},
    ]
    done = await earn(operator, card, "fuel", 1000)
    assert (done["obligations"], done["funding"]) == (told["obligations"], None)
    own = await earn(operator, card, "grocer", 10, dryRun=True)
    assert own["obligations"] == []
    assert own["funding"] == [{"merchant": {"code": "grocer"}, "share": "1", "amount": None, "atIssue": None}]


async def test_a01_a_spend_says_what_it_costs_the_partner(operator: Client, card: str) -> None:
    await earn(operator, card, "grocer", 1000)
    told = await redeem(operator, card, "fuel", 600, dryRun=True)
    assert told["obligations"] == [line("SPEND", "grocer", "fuel", 600, "0.00900000", "5.400000")]
    assert (told["worth"], told["contribution"]) == ({"amount": "6.00"}, {"amount": "0.600000"})
    assert (await redeem(operator, card, "fuel", 600))["obligations"] == told["obligations"]
    assert (await redeem(operator, card, "grocer", 10, dryRun=True))["contribution"] is None


@pytest.mark.usefixtures("later")
async def test_a01_at_redemption_the_preview_names_the_funder_of_the_lots(operator: Client, card: str) -> None:
    told = await earn(operator, card, "fuel", 100, dryRun=True)
    assert told["obligations"] == []
    assert (told["funding"][0]["amount"], told["funding"][0]["atIssue"]) == (
        {"amount": "0.900000"},
        {"amount": "0.000000"},
    )
    await earn(operator, card, "fuel", 100)
    expected = [
        line("SPEND", "grocer", "fuel", 60, "0.00900000", "0.540000"),
        line("FUNDING", "fuel", "grocer", 60, "0.00900000", "0.540000"),
    ]
    assert (await redeem(operator, card, "fuel", 60, dryRun=True))["obligations"] == expected
    want = f"... on Held {{ points hold {{ id }} {OWED} }}"
    asked = given(card, "fuel", 60)
    held = await operator.do("holdPoints", "HoldPointsInput", want, **asked, dryRun=True)
    assert (held["hold"], held["obligations"]) == (None, expected)
    held = await operator.do("holdPoints", "HoldPointsInput", want, **asked)
    assert held["obligations"] == []
    want = f"... on Captured {{ points operation {{ id }} {OWED} }}"
    for dry in (True, False):
        captured = await operator.do("captureHold", "CaptureHoldInput", want, hold=held["hold"]["id"], dryRun=dry)
        assert (captured["obligations"], captured["operation"] is None) == (expected, dry)


async def test_a01_an_exchange_says_what_it_moves(operator: Client, card: str) -> None:
    await earn(operator, card, "grocer", 400)
    quote = {"member": by_card(card), "from": "GRO", "to": "FUE", "pointsOut": 400}
    quoted = await operator.do("quoteExchange", "QuoteExchangeInput", "... on Quoted { quote { id } }", **quote)
    want = f"... on Exchanged {{ pointsOut pointsIn operation {{ id }} {OWED} }}"
    for dry in (True, True, False):
        done = await operator.do("exchangePoints", "ExchangePointsInput", want, quote=quoted["quote"]["id"], dryRun=dry)
        assert done["obligations"] == [line("EXCHANGE", "grocer", "fuel", 400, "0.00800000", "3.200000")]
        assert (done["pointsIn"], done["operation"] is None) == (320, dry)


@pytest.fixture
def today(anonymous: Client) -> Client:
    """The operator, by the clock on the wall, as merchants and members have it."""
    return anonymous.signed_in(viewer_of("operator"))


async def test_a14_members_see_points_and_worth_and_no_price(today: Client, anonymous: Client, card: str) -> None:
    await earn(today, card, "fuel", 1000)
    query = "query($by: MemberRef!) { member(by: $by) { id } }"
    found = (await today.run(query, by=by_card(card)))["member"]["id"]
    [member_id] = ids.decode_as("Member", found, 1)
    member = anonymous.signed_in(viewer_of("member", member_id=member_id))
    asked = given(card, "fuel", 100) | {"member": {"id": found}, "channel": "APP"}
    told = await member.do("redeem", "RedeemInput", REDEEMED, **asked, dryRun=True)
    assert (told["points"], told["worth"]) == (100, {"amount": "1.00"})
    assert (told["obligations"], told["contribution"]) == (None, None)


@pytest.mark.usefixtures("later")
async def test_a14_a_merchant_sees_its_own_lines(today: Client, grocer: Client, fuel: Client, card: str) -> None:
    await earn(today, card, "fuel", 100)
    assert len((await redeem(fuel, card, "fuel", 10, dryRun=True))["obligations"]) == 2
    at_home = await redeem(grocer, card, "grocer", 10, dryRun=True)
    assert [one["kind"] for one in at_home["obligations"]] == ["FUNDING"]
    assert at_home["contribution"] is None
