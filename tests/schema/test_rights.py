"""Rights over GraphQL: who sees what of them, and the examples of docs/rights.md."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from alliance.runtime import Runtime
from resolvers import ids
from tests.schema.support import Client, by_card, viewer_of
from tests.schema.test_docs import EXAMPLE, fits
from tests.schema.test_events import sealed

PAGE = Path(__file__).parents[2] / "docs" / "rights.md"
RIGHT = "right { id code remaining booked usableAt { code } member { number } moves { kind } bookings { id status } }"


async def granted(client: Client, card: str, **more: Any) -> Any:
    found = await client.do(
        "grantRight",
        "GrantRightInput",
        f"... on RightGranted {{ {RIGHT} operation {{ id }} }}",
        merchant="grocer",
        kind="car_wash",
        channel="WEB",
        member=by_card(card),
        **more,
    )
    assert found["__typename"] == "RightGranted", found
    return found


async def used(client: Client, code: str, **more: Any) -> Any:
    want = f"... on RightUsed {{ uses {RIGHT} operation {{ id }} obligations {{ amount {{ amount }} }} }}"
    want += " ... on RightAlreadyUsed { left requested }"
    return await client.do(
        "useRight", "UseRightInput", want, merchant="fuel", channel="STORE", right={"code": code}, **more
    )


async def test_the_page_says_what_happens(grocer: Client, fuel: Client) -> None:
    card = [{"type": "CARD", "issuer": "grocer", "value": "900"}]
    found = await grocer.do(
        "enrolMember",
        "EnrolMemberInput",
        "... on Enrolled { created }",
        merchant="grocer",
        channel="STORE",
        identifiers=card,
    )
    assert found["created"]
    page = PAGE.read_text(encoding="utf-8")
    examples = EXAMPLE.findall(page)
    assert len(examples) == page.count("```graphql") > 5
    named: dict[str, str] = {}
    for document, answer in examples:
        for name, value in named.items():
            document = document.replace(name, value)
        caller = fuel if "as the filling station" in document else grocer
        said = await caller.run(document)
        assert fits(orjson.loads(answer), said), (document, said)
        (what,) = said.values()
        if "code" in (what.get("right") or {}):
            named |= {"RIGHT_ID": what["right"]["id"], "RIGHT_CODE": what["right"]["code"]}
        if what.get("booking"):
            named.setdefault("BOOKING_ID", what["booking"].get("id", ""))
        if "useRight" in said:
            named["OPERATION_ID"] = what["operation"]["id"]


async def test_a15_a14_a_partner_knows_a_right_by_its_code_alone(
    grocer: Client, fuel: Client, operator: Client, card: str
) -> None:
    mine = (await granted(grocer, card, quantity=2))["right"]
    query = "query ($id: ID!) { node(id: $id) { ... on Right { code } } }"
    assert (await grocer.run(query, id=mine["id"]))["node"] == {"code": mine["code"]}
    assert (await operator.run(query, id=mine["id"]))["node"] == {"code": None}
    assert (await fuel.run(query, id=mine["id"]))["node"] is None
    by_id = await fuel.do("useRight", "UseRightInput", "", merchant="fuel", channel="STORE", right={"id": mine["id"]})
    assert (by_id["__typename"], by_id["code"]) == ("RightNotFound", "RIGHT_NOT_FOUND")
    answer = await used(fuel, mine["code"].lower())
    theirs = answer["right"]
    assert (answer["uses"], answer["obligations"]) == (1, [{"amount": {"amount": "4.000000"}}])
    assert (theirs["code"], theirs["member"], theirs["moves"]) == (None, None, [{"kind": "RIGHT_USE"}])
    assert (await fuel.run(query, id=mine["id"]))["node"] == {"code": None}
    wrong = await used(fuel, "AAAA-BBBB-CCCC-DDDD")
    assert wrong["__typename"] == "RightNotFound"


async def test_a15_a_member_books_and_cancels_their_own(
    grocer: Client, anonymous: Client, operator: Client, card: str
) -> None:
    right = (await granted(grocer, card))["right"]
    query = "query ($by: MemberRef!) { member(by: $by) { id rights { totalCount edges { node { id code status } } } } }"
    member_id = (await operator.run(query, by=by_card(card)))["member"]["id"]
    viewer = viewer_of("member", member_id=ids.decode_as("Member", member_id, 1)[0])
    member = anonymous.signed_in(viewer)
    listed = (await member.run(query, by={"id": member_id}))["member"]["rights"]
    node = {"id": right["id"], "code": right["code"], "status": "VALID"}
    assert listed == {"totalCount": 1, "edges": [{"node": node}]}
    booked = await member.do(
        "reserveRight",
        "ReserveRightInput",
        f"... on RightReserved {{ booking {{ id status }} {RIGHT} }}",
        merchant="fuel",
        right={"id": right["id"]},
        channel="APP",
    )
    assert (booked["booking"]["status"], booked["right"]["booked"]) == ("OPEN", 1)
    freed = await member.do(
        "cancelRight",
        "CancelRightInput",
        "... on RightCancelled { noShow obligations { kind } booking { status } }",
        booking=booked["booking"]["id"],
    )
    assert (freed["noShow"], freed["obligations"], freed["booking"]["status"]) == (False, None, "CANCELLED")
    whole = await member.do("cancelRight", "CancelRightInput", "", right=right["id"])
    assert whole["__typename"] == "NotAllowed"
    other = anonymous.signed_in(viewer_of("member", member_id=viewer.client_id))
    nothing = await other.do("cancelRight", "CancelRightInput", "", booking=booked["booking"]["id"])
    assert nothing["__typename"] == "NotFound"


async def test_a15_refused_with_what_is_left(grocer: Client, fuel: Client, card: str) -> None:
    right = (await granted(grocer, card))["right"]
    assert (await used(fuel, right["code"]))["uses"] == 1
    again = await used(fuel, right["code"])
    assert (again["code"], again["left"], again["requested"]) == ("RIGHT_ALREADY_USED", 0, 1)
    chinese = await used(fuel.speaking("zh-CN"), right["code"])
    assert chinese["message"] == "该权益剩余 0 次，请求使用 1 次"


async def test_a15_granted_within_limits_or_not_at_all(grocer: Client, fuel: Client, card: str) -> None:
    named: dict[str, Any] = {"merchant": "grocer", "kind": "car_wash", "channel": "WEB", "member": by_card(card)}
    want = "... on RightLimitExceeded { cap used }"
    many = await grocer.do("grantRight", "GrantRightInput", want, **named, quantity=11)
    assert (many["__typename"], many["cap"], many["used"]) == ("RightLimitExceeded", 10, 0)
    dry = await grocer.do(
        "grantRight", "GrantRightInput", "... on RightGranted { right { id } operation { id } }", **named, dryRun=True
    )
    assert (dry["right"], dry["operation"]) == (None, None)
    other = await fuel.do("grantRight", "GrantRightInput", want, **named)
    assert other["__typename"] == "NotAllowed"
    none = await grocer.do("grantRight", "GrantRightInput", want, **(named | {"kind": "lounge"}))
    assert none["__typename"] == "NotFound"


@pytest.mark.parametrize("used_before", [True, False])
async def test_a15_reverse_undoes_a_use_and_a_grant(
    grocer: Client, fuel: Client, card: str, runtime: Runtime, used_before: bool
) -> None:
    grant = await granted(grocer, card)
    want = "... on Reversed { restored taken operation { kind reverses { kind } } }"
    if used_before:
        operation = (await used(fuel, grant["right"]["code"]))["operation"]["id"]
        found = await fuel.do("reverse", "ReverseInput", want, operation=operation, reason="a mistake")
        assert (found["restored"], found["operation"]["kind"]) == (1, "RIGHT_RESTORE")
        again = await fuel.do("reverse", "ReverseInput", want, operation=operation, reason="a mistake")
        assert again["__typename"] == "AlreadyReversed"
    found = await grocer.do("reverse", "ReverseInput", want, operation=grant["operation"]["id"], reason="a mistake")
    assert (found["taken"], found["operation"]["reverses"]) == (1, {"kind": "RIGHT_GRANT"})


async def test_a15_a14_each_is_told_of_its_own(grocer: Client, fuel: Client, card: str, runtime: Runtime) -> None:
    right = (await granted(grocer, card))["right"]
    await used(fuel, right["code"], orderRef="7-0001")
    await sealed(runtime)
    query = "{ events(first: 100) { edges { node { kind data } } } }"
    seen = {}
    for name, client in (("grocer", grocer), ("fuel", fuel)):
        events = [edge["node"] for edge in (await client.run(query))["events"]["edges"]]
        seen[name] = [one for one in events if one["kind"].startswith("RIGHT_")]
    assert [one["kind"] for one in seen["grocer"]] == ["RIGHT_GRANTED", "RIGHT_USED"]
    assert [("member" in one["data"], "orderRef" in one["data"]) for one in seen["grocer"]] == [(True, False)] * 2
    (told,) = seen["fuel"]
    assert (told["kind"], told["data"]["right"], "member" in told["data"]) == ("RIGHT_USED", right["id"], False)
    assert (told["data"]["grantor"], told["data"]["uses"], told["data"]["orderRef"]) == ("grocer", 1, "7-0001")
