"""Hold before tender over the endpoint (R14): who may hold, capture, release; what is answered when it is too late."""

from datetime import timedelta
from typing import Any

import pytest

from alliance.runtime import Runtime
from resolvers.wallets import holder_of
from tests.schema.support import NOW, Client, by_card, viewer_of

HOLD = (
    "hold { id points captured status expiresAt currency { code } merchant { code } orderRef capturedBy { id kind } }"
)
WALLET = "wallet { balance available held }"
HELD = f"... on Held {{ points {HOLD} {WALLET} }} ... on InsufficientPoints {{ available requested }}"
CAPTURED = f'... on Captured {{ points released operation {{ id kind change(currency: "GRO") }} {HOLD} {WALLET} }}'
RELEASED = f"... on Released {{ points {HOLD} {WALLET} }}"


@pytest.fixture
async def hundred(operator: Client, card: str) -> str:
    """A card with 100 GRO."""
    given = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "points": 100}
    assert (await operator.do("earn", "EarnInput", "", **given))["__typename"] == "Earned"
    return card


async def hold(client: Client, card: str, points: int = 15, **input: Any) -> Any:
    given = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "points": points, **input}
    return await client.do("holdPoints", "HoldPointsInput", HELD, **given)


async def capture(client: Client, hold_id: str, **input: Any) -> Any:
    want = CAPTURED + " ... on HoldExceeded { held requested } ... on HoldLapsed { expired }"
    return await client.do("captureHold", "CaptureHoldInput", want, hold=hold_id, **input)


async def release(client: Client, hold_id: str, **input: Any) -> Any:
    return await client.do("releaseHold", "ReleaseHoldInput", RELEASED, hold=hold_id, **input)


async def test_r14_hold_capture_part_release_the_rest(operator: Client, hundred: str) -> None:
    held = await hold(operator, hundred, orderRef="77")
    assert (held["points"], held["wallet"]) == (15, {"balance": 100, "available": 85, "held": 15})
    made = held["hold"]
    assert (
        made
        == {
            "id": made["id"],
            "points": 15,
            "captured": 0,
            "status": "OPEN",
            "expiresAt": (NOW + timedelta(seconds=900)).isoformat().replace("+00:00", "Z"),
            "currency": {"code": "GRO"},
            "merchant": {"code": "grocer"},
            "orderRef": "77",
            "capturedBy": None,
        }
        or made["expiresAt"] == (NOW + timedelta(seconds=900)).isoformat()
    )
    captured = await capture(operator, made["id"], points=13, idempotencyKey="capture-it-once")
    assert (captured["points"], captured["released"]) == (13, 2)
    assert captured["wallet"] == {"balance": 87, "available": 87, "held": 0}
    operation = captured["operation"]
    assert (operation["kind"], operation["change"]) == ("REDEEM", -13)
    assert captured["hold"]["status"] == "CAPTURED"
    assert captured["hold"]["capturedBy"] == {"id": operation["id"], "kind": "REDEEM"}
    assert await capture(operator, made["id"], points=13, idempotencyKey="capture-it-once") == captured
    other = await capture(operator, made["id"], points=14, idempotencyKey="capture-it-once")
    assert other["__typename"] == "IdempotencyConflict"
    again = await capture(operator, made["id"], points=13)
    assert (again["__typename"], again["path"]) == ("AlreadyCaptured", ["hold"])
    undone = await operator.do(
        "reverse",
        "ReverseInput",
        "... on Reversed { restored }",
        operation=operation["id"],
        reason="returned",
    )
    assert undone["restored"] == 13


async def test_r14_release_and_what_comes_after_it(operator: Client, hundred: str) -> None:
    hold_id = (await hold(operator, hundred))["hold"]["id"]
    exceeded = await capture(operator, hold_id, points=16)
    assert (exceeded["code"], exceeded["held"], exceeded["requested"]) == ("HOLD_EXCEEDED", 15, 16)
    released = await release(operator, hold_id)
    assert (released["points"], released["hold"]["status"]) == (15, "RELEASED")
    assert released["wallet"] == {"balance": 100, "available": 100, "held": 0}
    assert (await capture(operator, hold_id))["code"] == "ALREADY_RELEASED"
    spent = await hold(operator, hundred, points=101)
    assert (spent["available"], spent["requested"]) == (100, 101)


async def test_r14_a_hold_lapses_by_its_time_alone(operator: Client, hundred: str) -> None:
    hold_id = (await hold(operator, hundred, expiresIn=60))["hold"]["id"]
    late = operator.at(NOW + timedelta(seconds=60))
    read = "query ($id: ID!) { node(id: $id) { ... on Hold { status points } } }"
    assert (await operator.run(read, id=hold_id))["node"]["status"] == "OPEN"
    assert (await late.run(read, id=hold_id))["node"]["status"] == "LAPSED"
    for end in (capture, release):
        refused = await end(late, hold_id)
        assert (refused["code"], refused["path"]) == ("HOLD_LAPSED", ["hold"])
    chinese = await capture(late.speaking("zh-CN"), hold_id)
    assert "失效" in chinese["message"]


@pytest.mark.parametrize(
    ("input", "path"),
    [({"expiresIn": 0}, "expiresIn"), ({"expiresIn": 604_801}, "expiresIn"), ({"points": 0}, "points")],
)
async def test_bad_holds_say_where(operator: Client, hundred: str, input: Any, path: str) -> None:
    refused = await hold(operator, hundred, **input)
    assert (refused["__typename"], refused["path"]) == ("InvalidInput", [path])


async def test_a14_who_may_end_a_hold(
    operator: Client, grocer: Client, fuel: Client, anonymous: Client, card: str, runtime: Runtime
) -> None:
    amount = {"amount": "100.00", "currency": "USD"}
    want = "... on Earned { operation { member { id number } } }"
    earned = await grocer.do(
        "earn", "EarnInput", want, merchant="grocer", member=by_card(card), channel="STORE", amount=amount
    )
    member = earned["operation"]["member"]
    hold_id = (await hold(grocer, card))["hold"]["id"]
    assert (await capture(fuel, hold_id))["__typename"] == "NotFound"
    assert (await capture(operator, "bm9ib2R5"))["path"] == ["hold"]
    at_fuel = await hold(fuel, card, points=5, merchant="fuel", currency="GRO")
    assert at_fuel["wallet"] is None
    assert (await release(grocer, at_fuel["hold"]["id"]))["__typename"] == "NotAllowed"
    app = anonymous.signed_in(viewer_of("member", member_id=holder_of(member["id"])))
    assert (await release(app, hold_id))["__typename"] == "NotAllowed"
    stranger = anonymous.signed_in(viewer_of("member", member_id=runtime.catalogue.alliance.id))
    assert (await release(stranger, hold_id))["__typename"] == "NotFound"
    own = await app.do(
        "holdPoints",
        "HoldPointsInput",
        HELD,
        merchant="grocer",
        member={"number": member["number"]},
        channel="APP",
        points=7,
    )
    assert (await release(app, own["hold"]["id"]))["points"] == 7
    assert (await release(grocer, hold_id))["points"] == 15
