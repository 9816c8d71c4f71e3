"""A partner sees what the member lets it have, and no more; it goes on as long as they do (L7)."""

import uuid
from typing import Any

import pytest

from alliance.runtime import Runtime
from resolvers import ids
from tests.schema.support import Client, by_card, viewer_of

PHONE = "+16145550166"
SEEN = "query ($by: MemberRef!) { member(by: $by) { id identifiers { type value } sharing { kind given purpose } } }"


@pytest.fixture
async def known(operator: Client, card: str) -> dict[str, Any]:
    """A member who is known by a card of the grocer's, and by a telephone number."""
    linked = await operator.do(
        "linkIdentifier",
        "LinkIdentifierInput",
        "... on Linked { linked }",
        merchant="grocer",
        member=by_card(card),
        identifier={"type": "PHONE", "value": PHONE},
    )
    assert linked["linked"]
    return by_card(card)


async def say(client: Client, mutation: str, member: Any, **more: Any) -> Any:
    kind, done = {
        "shareData": ("ShareDataInput", "DataShared"),
        "stopSharing": ("StopSharingInput", "SharingStopped"),
    }[mutation]
    asked = {"merchant": "grocer", "member": member, "kinds": ["IDENTIFIERS"]} | more
    want = f"... on {done} {{ sharing {{ kind given purpose textVersion merchant {{ code }} }} }}"
    return await client.do(mutation, kind, want, **asked)


async def phone(client: Client, member: Any) -> str:
    found = (await client.run(SEEN, by=member))["member"]["identifiers"]
    return next(str(one["value"]) for one in found if one["type"] == "PHONE")


async def test_l07_a_partner_has_what_is_the_alliances_only_by_consent_and_until_it_is_withdrawn(
    operator: Client, grocer: Client, anonymous: Client, known: dict[str, Any]
) -> None:
    masked = await phone(grocer, known)
    assert masked == "•••0166"
    assert await phone(operator, known) == PHONE
    member = (await operator.run(SEEN, by=known))["member"]["id"]
    own = anonymous.signed_in(viewer_of("member", member_id=ids.decode_as("Member", member, 1)[0]))
    said = await say(own, "shareData", {"id": member}, purpose="delivery of orders", textVersion="2")
    assert said["sharing"] == [
        {
            "kind": "IDENTIFIERS",
            "given": True,
            "purpose": "delivery of orders",
            "textVersion": "2",
            "merchant": {"code": "grocer"},
        }
    ]
    assert await phone(grocer, known) == PHONE
    stopped = await say(own, "stopSharing", {"id": member})
    assert [one["given"] for one in stopped["sharing"]] == [False]
    assert await phone(grocer, known) == masked
    earned = await grocer.do(
        "earn",
        "EarnInput",
        "... on Earned { points }",
        merchant="grocer",
        member=known,
        channel="STORE",
        amount={"amount": "5.00", "currency": "USD"},
    )
    assert earned["points"] > 0, "without consent one still earns"


async def test_l07_consent_names_its_receiver_and_nobody_records_it_for_another(
    grocer: Client, fuel: Client, known: dict[str, Any], runtime: Runtime
) -> None:
    assert (await say(fuel, "shareData", known, purpose="x"))["code"] == "NOT_ALLOWED"
    assert (await say(grocer, "shareData", known, kinds=[], purpose="x"))["path"] == ["kinds"]
    assert (await say(grocer, "shareData", known, purpose=" "))["path"] == ["purpose"]
    stranger = {"id": ids.encode("Member", uuid.uuid4())}
    assert (await say(grocer, "shareData", stranger, purpose="x"))["code"] == "NOT_FOUND"
    assert (await say(grocer, "shareData", known, purpose="delivery"))["sharing"][0]["given"] is True
    query = """query ($by: MemberRef!) { member(by: $by) {
                 history(first: 5, kinds: [CONSENT_CHANGED]) { edges { node { data } } } } }"""
    [told] = (await grocer.run(query, by=known))["member"]["history"]["edges"]
    assert (told["node"]["data"]["kinds"], told["node"]["data"]["given"]) == ("IDENTIFIERS", "yes")
