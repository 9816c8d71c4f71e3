"""Defaults and deposits over the endpoint (A12, A14, A16): two people, a preview, and what each side sees."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from alliance.runtime import Runtime
from resolvers import ids
from tests.alliance.support import NOON, House, days
from tests.schema.support import Client, viewer_of

DONE = "... on Approved { approval { status outcome } }"
FIGURES = "missing { amount } collateral { amount } loss { amount }"
SHARES = "shares { merchant { code } claim { amount } loss { amount } repaid { amount } }"
DECLARED = f"""... on DefaultDeclared {{ approval {{ id }} default {{ id }}
               preview {{ waterfall {{ {FIGURES} }} {SHARES} graceUntil }} }}"""
SEEN = f"""{{ defaults {{ totalCount edges {{ node {{ id cycle merchant {{ code }} reason endedAt
           waterfall {{ {FIGURES} }} {SHARES} recoveries {{ amount {{ amount }} losses {{ amount }} }} }} }} }} }}"""
ACCOUNTS = "{ moneyAccounts { edges { node { merchant { code } account balance { amount } } } } }"
MOVED = "... on DepositMoved { approval { id } accounts { account balance { amount } } }"


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


async def approved(other: Client, found: Any) -> Any:
    """Somebody else says yes."""
    assert found["approval"] is not None, found
    done = await other.do("approve", "DecideApprovalInput", DONE, approval=found["approval"]["id"])
    assert done["__typename"] == "Approved", done
    return done["approval"]["outcome"]


async def test_a12_a14_a16_a_default_from_end_to_end(
    runtime: Runtime, anonymous: Client, operator: Client, fuel: Client, grocer: Client
) -> None:
    """Fuel owes grocer 72.00 and does not pay; its collateral has 20.00."""
    house, late = House(runtime), NOON + days(20)
    first, second = operator.at(late), anonymous.signed_in(viewer_of("operator")).at(late)
    deposit = {"merchant": "fuel", "amount": usd("20.00"), "reason": "transfer"}
    asked = await first.do("postCollateral", "DepositInput", MOVED, **deposit)
    assert asked["accounts"] == []
    own = await first.do("approve", "DecideApprovalInput", DONE, approval=asked["approval"]["id"])
    assert own["code"] == "SAME_HANDS"
    await approved(second, asked)
    assert [edge["node"]["balance"]["amount"] for edge in (await fuel.run(ACCOUNTS))["moneyAccounts"]["edges"]] == [
        "20.00"
    ]
    assert (await grocer.run(ACCOUNTS))["moneyAccounts"]["edges"] == []
    await house.earn(await house.member(), "fuel", 8_000)
    cycle = await house.through(await house.close(), "settle_cycle")
    wanted = {"merchant": "fuel", "cycle": ids.encode("SettlementCycle", cycle.id), "reason": "nothing came"}
    preview = await first.do("declareDefault", "DeclareDefaultInput", DECLARED, dryRun=True, **wanted)
    assert preview["preview"]["waterfall"] == {
        "missing": {"amount": "72.00"},
        "collateral": {"amount": "20.00"},
        "loss": {"amount": "52.00"},
    }
    assert (preview["approval"], preview["default"], await house.count("merchant_default")) == (None, None, 0)
    waits = await first.do("declareDefault", "DeclareDefaultInput", DECLARED, **wanted)
    assert await house.count("merchant_default") == 0
    outcome = await approved(second, waits)
    again = await first.do("declareDefault", "DeclareDefaultInput", DECLARED, **wanted)
    assert again["code"] in {"PAY_IN_NOT_MISSING", "WRONG_CYCLE_STATUS"}
    default = ids.encode("MerchantDefault", UUID(outcome["default"]))
    recovery = {"default": default, "amount": usd("13.00"), "reason": "a part"}
    recorded = await first.do(
        "recordRecovery", "RecordRecoveryInput", "... on RecoveryRecorded { approval { id } }", **recovery
    )
    await approved(second, recorded)
    seen = (await fuel.run(SEEN))["defaults"]
    assert (seen["totalCount"], seen["edges"][0]["node"]["waterfall"]["loss"]) == (1, {"amount": "52.00"})
    [theirs] = (await grocer.run(SEEN))["defaults"]["edges"]
    assert (theirs["node"]["waterfall"], theirs["node"]["reason"], theirs["node"]["recoveries"]) == (None, None, [])
    assert theirs["node"]["shares"] == [
        {"merchant": {"code": "grocer"}, "claim": usd_("72.00"), "loss": usd_("52.00"), "repaid": usd_("13.00")}
    ]
    refused = await first.do(
        "restoreMerchant", "FreezeMerchantInput", "... on DefaultNotRepaid { missing }", merchant="fuel", reason="x"
    )
    assert (refused["code"], refused["missing"]) == ("DEFAULT_NOT_REPAID", "39.00")


def usd_(amount: str) -> dict[str, str]:
    return {"amount": amount}


async def test_a16_what_is_promised_is_not_released(
    anonymous: Client, operator: Client, fuel: Client, runtime: Runtime
) -> None:
    second = anonymous.signed_in(viewer_of("operator"))
    deposit = {"merchant": "fuel", "account": "RESERVE", "amount": usd("20.00"), "reason": "transfer"}
    await approved(second, await operator.do("postCollateral", "DepositInput", MOVED, **deposit))
    more = await operator.do("releaseCollateral", "DepositInput", MOVED, **deposit | {"amount": usd("20.01")})
    late = await second.do(
        "approve", "DecideApprovalInput", "... on ActRefused { refusal }", approval=more["approval"]["id"]
    )
    assert late["refusal"] == "DEPOSIT_NEEDED"
    [denied] = await fuel.errors(
        """mutation { releaseCollateral(input: {idempotencyKey: "by-itself", merchant: "fuel", reason: "x",
           amount: {amount: "1.00", currency: "USD"}}) { __typename } }"""
    )
    assert denied["extensions"]["code"] == "FORBIDDEN"
    for wrong in (usd("0.00"), {"amount": "1.00", "currency": "EUR"}):
        refused = await operator.do("releaseCollateral", "DepositInput", MOVED, **deposit | {"amount": wrong})
        assert refused["code"] == "INVALID_INPUT"


async def test_a16_what_is_late_is_drawn_from_collateral(
    runtime: Runtime, anonymous: Client, operator: Client, fuel: Client
) -> None:
    house, late = House(runtime), NOON + days(20)
    first, second = operator.at(late), anonymous.signed_in(viewer_of("operator")).at(late)
    await approved(
        second,
        await first.do(
            "postCollateral", "DepositInput", MOVED, merchant="fuel", amount=usd("20.00"), reason="transfer"
        ),
    )
    await house.earn(await house.member(), "fuel", 8_000)
    cycle = await house.through(await house.close(), "settle_cycle")
    wanted = {"merchant": "fuel", "cycle": ids.encode("SettlementCycle", cycle.id), "reason": "late"}
    asked = await first.do("drawCollateral", "DrawCollateralInput", MOVED, amount=usd("15.00"), **wanted)
    assert asked["accounts"] == [{"account": "COLLATERAL", "balance": {"amount": "20.00"}}]
    await approved(second, asked)
    [edge] = (await fuel.run(ACCOUNTS))["moneyAccounts"]["edges"]
    assert edge["node"]["balance"]["amount"] == "5.00"
    assert (await fuel.run(SEEN))["defaults"]["totalCount"] == 0
    more = await first.do("drawCollateral", "DrawCollateralInput", MOVED, amount=usd("5.01"), **wanted)
    refused = await second.do(
        "approve", "DecideApprovalInput", "... on ActRefused { refusal }", approval=more["approval"]["id"]
    )
    assert refused["refusal"] == "NOT_ENOUGH_MONEY"


LEAVING = "merchant { code } exit { status endsAt reason obstacles withdrawnAt }"
EXIT = '{ merchant(code: "fuel") { exit { status reason obstacles } } }'


async def test_a12_a14_notice_is_given_and_withdrawn(fuel: Client, grocer: Client) -> None:
    """By the merchant itself; others see the dates alone."""
    soon = (datetime.now(UTC) + days(10)).date().isoformat()
    early = await fuel.do("announceExit", "AnnounceExitInput", "", merchant="fuel", on=soon, reason="sold")
    assert early["code"] == "NOTICE_TOO_SHORT"
    asked = {"merchant": "fuel", "reason": "sold"}
    denied = await grocer.do("announceExit", "AnnounceExitInput", "", **asked)
    assert denied["code"] == "NOT_ALLOWED"
    found = await fuel.do("announceExit", "AnnounceExitInput", f"... on ExitAnnounced {{ {LEAVING} }}", **asked)
    assert (found["merchant"], found["exit"]["status"], found["exit"]["reason"]) == (
        {"code": "fuel"},
        "ANNOUNCED",
        "sold",
    )
    assert "RUN_OFF" in found["exit"]["obstacles"]
    twice = await fuel.do("announceExit", "AnnounceExitInput", "... on AlreadyLeaving { merchant }", **asked)
    assert (twice["code"], twice["merchant"]) == ("ALREADY_LEAVING", "fuel")
    seen = (await grocer.run(EXIT))["merchant"]["exit"]
    assert seen == {"status": "ANNOUNCED", "reason": None, "obstacles": None}
    stays = await fuel.do("withdrawExit", "WithdrawExitInput", f"... on ExitWithdrawn {{ {LEAVING} }}", **asked)
    assert stays["exit"]["withdrawnAt"]
    again = await fuel.do("withdrawExit", "WithdrawExitInput", "... on NotLeaving { merchant }", **asked)
    assert (again["code"], again["merchant"]) == ("NOT_LEAVING", "fuel")
