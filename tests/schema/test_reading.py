"""Who reads personal data is written down before it is shown, and auditors see it."""

from typing import Any

import pytest

from alliance.runtime import Runtime
from resolvers import ids
from tests.schema.support import Client, by_card, viewer_of

SEEN = "query ($by: MemberRef!) { member(by: $by) { id identifiers { value } } }"
LOG = """query ($member: MemberRef, $client: String, $after: String) {
  personalReads(member: $member, client: $client, first: 2, after: $after) {
    totalCount edges { cursor node { what viewer client member merchant { code } } } } }"""


@pytest.fixture
def auditor(anonymous: Client) -> Client:
    """Who looks through the log."""
    return anonymous.signed_in(viewer_of("auditor"))


async def entries(auditor: Client, **of: Any) -> list[tuple[str, str]]:
    found = (await auditor.run(LOG, **of))["personalReads"]["edges"]
    return [(edge["node"]["what"], edge["node"]["viewer"]) for edge in found]


async def test_l07_who_sees_identifiers_in_full_is_in_the_log_and_who_sees_them_masked_is_not(
    operator: Client, anonymous: Client, auditor: Client, card: str, runtime: Runtime
) -> None:
    grocer = viewer_of("merchant", merchant_id=runtime.catalogue.merchants["grocer"].id, scopes=["members:read"])
    seen = (await anonymous.signed_in(grocer).run(SEEN, by=by_card(card)))["member"]
    assert card not in str(seen)
    own = viewer_of("member", member_id=ids.decode_as("Member", seen["id"], 1)[0])
    assert card in str(await anonymous.signed_in(own).run(SEEN, by={"id": seen["id"]}))
    assert await entries(auditor) == []

    assert card in str(await operator.run(SEEN, by=by_card(card)))
    whole = viewer_of("merchant", merchant_id=grocer.merchant_id)
    assert card in str(await anonymous.signed_in(whole).run(SEEN, by=by_card(card)))
    await operator.run("query ($by: MemberRef!) { exportMember(by: $by) { data } }", by=by_card(card))
    told = (await auditor.run(LOG, member={"id": seen["id"]}))["personalReads"]
    assert told["totalCount"] == 3
    assert [edge["node"]["what"] for edge in told["edges"]] == ["EXPORT", "IDENTIFIERS"]
    assert told["edges"][1]["node"] == {
        "what": "IDENTIFIERS",
        "viewer": "merchant",
        "client": str(whole.client_id),
        "member": seen["id"],
        "merchant": {"code": "grocer"},
    }
    assert await entries(auditor, after=told["edges"][1]["cursor"]) == [("IDENTIFIERS", "operator")]
    assert await entries(auditor, client=str(whole.client_id)) == [("IDENTIFIERS", "merchant")]
    assert await auditor.run("{ readAlerts { client hour members usual } }") == {"readAlerts": []}


async def test_what_cannot_be_written_down_is_not_shown(
    operator: Client, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("resolvers.noting.note_reads", broken)
    answer = (await operator.post(SEEN, {"by": by_card(card)})).text
    assert "INTERNAL" in answer
    assert card not in answer


async def test_merchants_do_not_see_the_log(anonymous: Client, runtime: Runtime) -> None:
    grocer = anonymous.signed_in(viewer_of("merchant", merchant_id=runtime.catalogue.merchants["grocer"].id))
    [refused] = await grocer.errors(LOG)
    assert refused["extensions"]["code"] == "FORBIDDEN"
