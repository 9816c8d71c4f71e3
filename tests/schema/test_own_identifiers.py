"""Members change by themselves what they are recognised by: what they prove, at merchants they have joined (A14)."""

import uuid
from typing import Any

import pytest

from alliance.passcodes import Passcodes
from alliance.runtime import Runtime
from resolvers import ids
from resolvers.viewer import DEFAULT_SCOPES, Scope
from tests.alliance.passcodes.support import Phone
from tests.schema.support import Client, by_card, viewer_of
from tests.schema.test_guard import guarded, spend
from tests.schema.test_statements import earn

LINK = "linkIdentifier", "LinkIdentifierInput", "... on Linked { linked member { identifiers { type identifies } } }"
SEND = "sendOneTimeCode", "SendOneTimeCodeInput", "... on OneTimeCodeSent { expiresAt }"
VERIFY = "verifyIdentifier", "VerifyIdentifierInput", "... on Verified { verified }"
UNLINK = "unlinkIdentifier", "UnlinkIdentifierInput", "... on Unlinked { unlinked }"
FIND = "query ($by: MemberRef!) { member(by: $by) { id } }"


def phone() -> dict[str, str]:
    return {"type": "PHONE", "value": f"+1212{2_000_000 + uuid.uuid4().int % 7_000_000}"}


@pytest.fixture
async def member_id(operator: Client, card: str) -> str:
    found: str = (await operator.run(FIND, by=by_card(card)))["member"]["id"]
    return found


@pytest.fixture
async def app(anonymous: Client, member_id: str) -> Client:
    return anonymous.signed_in(viewer_of("member", member_id=ids.decode_as("Member", member_id, 1)[0]))


@pytest.fixture
def sent(anonymous: Client, runtime: Runtime) -> Phone:
    got = Phone()
    anonymous.house.passcodes = Passcodes(runtime, got.notifiers)
    return got


async def sent_to(app: Client, asked: dict[str, Any]) -> Any:
    answer = await app.do(*SEND, merchant=asked["merchant"], identifier=asked["identifier"])
    assert app.house.passcodes is not None
    await app.house.passcodes.idle()
    return answer


async def test_a_member_links_proves_and_unlinks_and_their_points_cool_off(
    runtime: Runtime, operator: Client, app: Client, sent: Phone, card: str, member_id: str
) -> None:
    guarded(runtime, "grocer", coolingOff={"types": ["PHONE"], "hours": 24})
    await earn(operator, card, 100)
    own = {"merchant": "grocer", "member": {"id": member_id}, "identifier": phone()}
    assert (await sent_to(app, own))["code"] == "NOT_FOUND", "nothing is sent to what is not linked"
    linked = await app.do(*LINK, **own)
    assert (linked["linked"], linked["member"]["identifiers"][-1]) == (True, {"type": "PHONE", "identifies": False})
    assert (await operator.run(FIND, by={"identifier": own["identifier"]}))["member"] is None
    assert "expiresAt" in await sent_to(app, own)
    assert (await app.do(*VERIFY, **own))["code"] == "NOT_ALLOWED", "nobody vouches for themselves"
    assert (await app.do(*VERIFY, **own, code="1"))["code"] == "WRONG_ONE_TIME_CODE"
    assert (await spend(operator, card))["points"] == 10
    assert (await app.do(*VERIFY, **own, code=sent.code))["verified"]
    assert (await operator.run(FIND, by={"identifier": own["identifier"]}))["member"] == {"id": member_id}
    assert (await spend(operator, card))["code"] == "COOLING_OFF"
    assert (await app.do(*UNLINK, **own))["unlinked"]
    assert (await operator.run(FIND, by={"identifier": own["identifier"]}))["member"] is None


async def test_a14_a_member_reaches_themselves_alone_and_learns_of_nobody_else(
    runtime: Runtime, operator: Client, app: Client, anonymous: Client, sent: Phone, card: str, member_id: str
) -> None:
    taken = phone()
    joining = {"merchant": "grocer", "channel": "APP", "identifiers": [taken]}
    await operator.do("enrolMember", "EnrolMemberInput", "", **joining)
    own = {"merchant": "grocer", "member": {"id": member_id}}
    for identifier in (taken, phone()):
        assert (await app.do(*LINK, **own, identifier=identifier))["linked"], "taken or not, it is only noted"
    await sent_to(app, own | {"identifier": taken})
    proved = await app.do(*VERIFY, **own, identifier=taken, code=sent.code)
    assert proved["code"] == "IDENTIFIER_TAKEN"
    for member in ({"identifier": taken}, {"identifier": phone()}):
        for call in (LINK, UNLINK):
            refused = await app.do(*call, merchant="grocer", member=member, identifier=phone())
            assert (refused["code"], refused["path"]) == ("NOT_FOUND", ["member"])
    other = {"type": "CARD", "issuer": "grocer", "value": uuid.uuid4().hex[:12]}
    unproved = await app.do(*LINK, **own, identifier=other)
    assert (unproved["code"], unproved["path"]) == ("NOT_ALLOWED", ["identifier", "type"])
    elsewhere = await app.do(*LINK, merchant="fuel", member={"id": member_id}, identifier=phone())
    assert (elsewhere["code"], elsewhere["path"]) == ("NOT_ALLOWED", ["merchant"])
    viewer = viewer_of(
        "member",
        member_id=ids.decode_as("Member", member_id, 1)[0],
        scopes=DEFAULT_SCOPES["member"] - {Scope.IDENTIFIERS_WRITE},
    )
    narrow = anonymous.signed_in(viewer)
    assert (await sent_to(narrow, own | {"identifier": taken}))["code"] == "NOT_ALLOWED"
    [denied] = await narrow.errors(
        'mutation { unlinkIdentifier(input: {idempotencyKey: "12345678", merchant: "grocer", member: {number: "1"},'
        ' identifier: {type: "CARD", value: "1"}}) { __typename } }'
    )
    assert denied["extensions"]["code"] == "FORBIDDEN"
