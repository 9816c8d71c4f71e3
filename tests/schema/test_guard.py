"""Locking points over the endpoint: who may, what is refused and how, who sees what of it (A14)."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from alliance.runtime import Runtime
from domain.guard.commands import see_device
from domain.members.queries import by_numbers
from tests.alliance.test_guard import guarded
from tests.schema.support import Client, by_card, viewer_of
from tests.schema.test_settlement import give

LOCKED = "... on Locked { member { guard { locked lockedUntil steps { kind } } } }"
UNLOCKED = "... on Unlocked { member { guard { locked } } }"
SEEN = """query($by: MemberRef!) { member(by: $by) { guard { locked coolingOff { merchant { code } type } steps { kind }
          devices { merchant { code } trusted } } exchangeOptions(from: "GRO") { blockedBy } } }"""


@pytest.fixture
async def mine(runtime: Runtime, operator: Client, grocer: Client, card: str) -> Client:
    """The member's own app."""
    await give(grocer, card, 1_000)
    found = await operator.run("query($by: MemberRef!) { member(by: $by) { number } }", by=by_card(card))
    async with runtime.database.session() as session:
        number = found["member"]["number"]
        member_id = (await by_numbers(session, [number]))[number].id
    return operator.signed_in(viewer_of("member", member_id=member_id))


async def spend(client: Client, card: str, points: int = 10, **more: Any) -> Any:
    wanted = {"merchant": "grocer", "member": by_card(card), "channel": "APP", "points": points} | more
    want = "... on Redeemed { points } ... on PointsLocked { until } ... on DeviceLimit { cap used until }"
    return await client.do("redeem", "RedeemInput", want, **wanted)


async def test_a_member_locks_and_unlocks_their_points(
    operator: Client, grocer: Client, mine: Client, card: str
) -> None:
    member = {"member": by_card(card)}
    locked = await mine.do("lockPoints", "LockPointsInput", LOCKED, until="2099-01-01T00:00:00+00:00", **member)
    assert locked["member"]["guard"] == {
        "locked": True,
        "lockedUntil": "2099-01-01T00:00:00+00:00",
        "steps": [{"kind": "LOCKED"}],
    }
    for dry in (False, True):
        refused = await spend(grocer, card, dryRun=dry)
        assert (refused["code"], refused["until"]) == ("POINTS_LOCKED", "2099-01-01T00:00:00+00:00")
    quoted = {"from": "GRO", "to": "FUE", "pointsOut": 200}
    want = "... on PointsLocked { until }"
    refused = await mine.do("quoteExchange", "QuoteExchangeInput", want, **member, **quoted)
    assert refused["code"] == "POINTS_LOCKED"
    seen = (await mine.run(SEEN, by=by_card(card)))["member"]
    assert all("POINTS_LOCKED" in option["blockedBy"] for option in seen["exchangeOptions"])
    at_grocer = (await grocer.run(SEEN, by=by_card(card)))["member"]["guard"]
    assert (at_grocer["locked"], at_grocer["steps"]) == (True, []), "who did what is none of a merchant's"
    [denied] = await grocer.errors(
        'mutation { unlockPoints(input: {idempotencyKey: "by-the-till", member: {number: "1"}}) { __typename } }'
    )
    assert denied["extensions"]["code"] == "FORBIDDEN"
    unlocked = await mine.do("unlockPoints", "UnlockPointsInput", UNLOCKED, **member)
    assert unlocked["member"]["guard"] == {"locked": False}
    assert (await spend(grocer, card))["points"] == 10


async def test_who_is_out_of_reach_is_not_found(fuel: Client, grocer: Client, mine: Client, card: str) -> None:
    number = (await grocer.run("query($by: MemberRef!) { member(by: $by) { number } }", by=by_card(card)))["member"][
        "number"
    ]
    refused = await fuel.do("lockPoints", "LockPointsInput", LOCKED, member={"number": number})
    assert (refused["code"], refused["path"]) == ("NOT_FOUND", ["member"])
    past = await mine.do(
        "lockPoints", "LockPointsInput", LOCKED, member={"number": number}, until="2016-01-01T00:00:00Z"
    )
    assert (past["code"], past["path"]) == ("INVALID_INPUT", ["until"])


async def test_a_merchant_sees_that_its_own_points_cool_off_and_the_operator_lifts_it(
    runtime: Runtime, operator: Client, fuel: Client, mine: Client, card: str
) -> None:
    guarded(runtime, "grocer", coolingOff={"types": ["PHONE"], "hours": 24})
    phone = {"type": "PHONE", "value": f"+1212{uuid.uuid4().int % 10**7:07}"}
    linked = {"merchant": "grocer", "member": by_card(card), "identifier": phone}
    await operator.do("linkIdentifier", "LinkIdentifierInput", "... on Linked { linked }", **linked)
    refused = await spend(operator, card)
    assert refused["code"] == "COOLING_OFF"
    both = (await operator.run(SEEN, by={"identifier": phone}))["member"]
    assert both["guard"]["coolingOff"] == [{"merchant": {"code": "grocer"}, "type": "PHONE"}]
    joining = {"merchant": "fuel", "channel": "STORE", "identifiers": [phone]}
    await operator.do("enrolMember", "EnrolMemberInput", "... on Enrolled { joined }", **joining)
    theirs = (await fuel.run(SEEN, by={"identifier": phone}))["member"]
    assert theirs["guard"]["coolingOff"] == []
    lift = {"member": by_card(card), "parts": ["COOLING_OFF"]}
    want = "... on GuardLifted { member { guard { coolingOff { type } steps { kind reason } } } }"
    unsaid = await operator.do("liftGuard", "LiftGuardInput", want, reason=" ", **lift)
    assert (unsaid["code"], unsaid["path"]) == ("INVALID_INPUT", ["reason"])
    lifted = await operator.do("liftGuard", "LiftGuardInput", want, reason="known at the desk", **lift)
    steps = [{"kind": "COOLING_OFF_LIFTED", "reason": "known at the desk"}]
    assert lifted["member"]["guard"] == {"coolingOff": [], "steps": steps}
    assert (await spend(operator, card))["points"] == 10


async def test_a_new_device_spends_so_much_a_day(runtime: Runtime, operator: Client, mine: Client, card: str) -> None:
    guarded(runtime, "grocer", newDevice={"days": 7, "points": 50})
    viewer = mine.tokens.verify(mine.headers["authorization"].removeprefix("Bearer "))
    assert viewer.member_id is not None
    async with runtime.database.transaction() as session:
        grocer_id = runtime.catalogue.merchants["grocer"].id
        device = await see_device(session, viewer.member_id, grocer_id, b"phone", datetime.now(UTC))
    phone = mine.signed_in(replace(viewer, device_id=device))
    assert (await spend(phone, card, 40))["points"] == 40
    refused = await spend(phone, card, 11)
    assert (refused["code"], refused["cap"], refused["used"], refused["path"]) == ("DEVICE_LIMIT", 50, 40, ["points"])
    unnamed = await spend(mine, card, 11)
    assert (unnamed["code"], unnamed["until"]) == ("DEVICE_LIMIT", None)
    assert (await spend(operator, card, 100))["points"] == 100, "the till is no device"
    seen = (await mine.run(SEEN, by=by_card(card)))["member"]["guard"]["devices"]
    assert seen == [{"merchant": {"code": "grocer"}, "trusted": False}]
