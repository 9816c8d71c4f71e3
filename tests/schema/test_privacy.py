"""What a person may ask over the endpoint, who may not, and what a partner learns by probing (L7, A14)."""

import uuid
from typing import Any

import pytest
import structlog
from sqlalchemy import event, text

from alliance.runtime import Runtime
from resolvers import ids
from tests.schema.support import Client, by_card, viewer_of
from tests.schema.test_merging import enrol, merge

EXPORT = "query ($by: MemberRef!) { exportMember(by: $by) { data } }"
ID = "query ($by: MemberRef!) { member(by: $by) { id } }"


async def erase(client: Client, member: Any, **more: Any) -> Any:
    asked = {"member": member, "reason": "REQUESTED"} | more
    return await client.do("eraseMember", "EraseMemberInput", "... on MemberErased { member { status } }", **asked)


async def test_l07_a_member_exports_and_the_operator_erases(
    operator: Client, anonymous: Client, card: str, runtime: Runtime
) -> None:
    member = (await operator.run(ID, by=by_card(card)))["member"]["id"]
    own = anonymous.signed_in(viewer_of("member", member_id=ids.decode_as("Member", member, 1)[0]))
    told = (await own.run(EXPORT, by={"id": member}))["exportMember"]["data"]
    assert [one["value"] for one in told["identifiers"]] == [card]
    other = anonymous.signed_in(viewer_of("member", member_id=uuid.uuid4()))
    assert (await other.run(EXPORT, by={"id": member}))["exportMember"] is None
    again = {"idempotencyKey": "erased-once-only"}
    assert (await erase(operator, {"id": member}, **again))["member"] == {"status": "CLOSED"}
    assert (await erase(operator, {"id": member}, **again))["member"] == {"status": "CLOSED"}
    assert (await erase(operator, {"id": member}))["code"] == "ALREADY_ERASED"
    assert (await operator.run(EXPORT, by={"id": member}))["exportMember"] is None
    assert (await operator.run(ID, by=by_card(card)))["member"] is None


async def test_l07_merchants_and_auditors_neither_erase_nor_export(
    grocer: Client, anonymous: Client, card: str
) -> None:
    auditor = anonymous.signed_in(viewer_of("auditor"))
    for client in (grocer, auditor):
        [refused] = await client.errors(EXPORT, by=by_card(card))
        assert refused["extensions"]["code"] == "FORBIDDEN"
        mutation = "mutation ($input: EraseMemberInput!) { eraseMember(input: $input) { __typename } }"
        asked = {"idempotencyKey": "x" * 8, "member": by_card(card), "reason": "REQUESTED"}
        [refused] = await client.errors(mutation, input=asked)
        assert refused["extensions"]["code"] == "FORBIDDEN"


PROBES = {
    "member": "query ($id: ID!) { member(by: {id: $id}) { id number status } }",
    "node": "query ($id: ID!) { node(id: $id) { id ... on Member { number } } }",
    "nodes": "query ($id: ID!) { nodes(ids: [$id, $id]) { id } }",
    "earn": """mutation ($id: ID!) { earn(input: {idempotencyKey: "probe-earn", merchant: "fuel", member: {id: $id},
               channel: STORE, amount: {amount: "1.00", currency: "USD"}})
               { ... on UserError { code message path } } }""",
    "redeem": """mutation ($id: ID!) { redeem(input: {idempotencyKey: "probe-redeem", merchant: "fuel",
                 member: {id: $id}, channel: STORE, points: 1, dryRun: true})
                 { ... on UserError { code message path } } }""",
    "quote": """mutation ($id: ID!) { quoteExchange(input: {idempotencyKey: "probe-quote", member: {id: $id},
                from: "GRO", to: "FUE", pointsOut: 100}) { ... on UserError { code message path } } }""",
    "link": """mutation ($id: ID!) { linkIdentifier(input: {idempotencyKey: "probe-link", merchant: "fuel",
               member: {id: $id}, identifier: {type: "CARD", value: "1"}})
               { ... on UserError { code message path } } }""",
    "consent": """mutation ($id: ID!) { giveConsent(input: {idempotencyKey: "probe-consent", merchant: "fuel",
                  member: {id: $id}, purpose: SERVICE, channel: SMS}) { ... on UserError { code message path } } }""",
    "count": "query ($id: ID!) { member(by: {id: $id}) { id } members(first: 1) { totalCount } }",
}


@pytest.mark.parametrize("name", PROBES)
async def test_a14_a_partner_probing_ids_learns_nothing(
    name: str, operator: Client, fuel: Client, card: str, runtime: Runtime
) -> None:
    """Of a member who joined only the grocer the filling station is told, word for word, what it is told of nobody,
    after the very same statements: so it takes as long."""
    there = (await operator.run(ID, by=by_card(card)))["member"]["id"]
    nobody = ids.encode("Member", uuid.uuid4())
    said: list[str] = []

    def heard(_c: object, _cur: object, statement: str, *_: object) -> None:
        said.append(statement)

    answers, statements = [], []
    event.listen(runtime.database.engine.sync_engine, "before_cursor_execute", heard)
    try:
        for id_ in (nobody, there):
            said.clear()
            answer = (await fuel.post(PROBES[name], {"id": id_})).text
            assert id_ not in answer
            answers.append(answer)
            statements.append(sorted(said))  # what one call loads, it loads at once
    finally:
        event.remove(runtime.database.engine.sync_engine, "before_cursor_execute", heard)
    assert answers[0] == answers[1]
    assert statements[0] == statements[1]


async def test_a_call_that_fails_leaves_nothing_personal_in_the_log(
    operator: Client, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither variables nor what the failing statement was given; a bug in the middle of an enrolment."""
    secret = "+16145550188"

    async def broken(*_: object, **named: object) -> None:
        async with runtime.database.session() as session:
            await session.execute(text("SELECT 1 / 0 WHERE :phone <> ''"), {"phone": secret})

    monkeypatch.setattr("domain.members.commands.enrol_many", broken)
    mutation = "mutation ($input: EnrolMemberInput!) { enrolMember(input: $input) { __typename } }"
    identifiers = [{"type": "PHONE", "value": secret}]
    asked = {"idempotencyKey": "y" * 8, "merchant": "grocer", "channel": "APP", "identifiers": identifiers}
    with structlog.testing.capture_logs() as logs:
        [fault] = await operator.errors(mutation, input=asked)
    assert fault["extensions"]["code"] == "INTERNAL"
    assert len(logs) == 1
    written = f"{logs} {logs[0]['exc_info']!r} {logs[0]['exc_info']} {caplog.text} {fault}"
    assert secret not in written
    assert "6145550188" not in written


async def test_l07_who_was_merged_into_a_member_is_erased_with_them(operator: Client, runtime: Runtime) -> None:
    card, _ = await enrol(operator)
    other, _ = await enrol(operator)
    await merge(operator, by_card(other), by_card(card))
    told = (await operator.run(EXPORT, by=by_card(card)))["exportMember"]["data"]
    assert {one["value"] for one in told["identifiers"]} == {card, other}
    held = {"member": by_card(other), "reason": "case 12"}
    await operator.do("placeLegalHold", "PlaceLegalHoldInput", "... on LegalHoldPlaced { member { id } }", **held)
    assert (await erase(operator, by_card(card)))["code"] == "UNDER_LEGAL_HOLD"
    await operator.do(
        "releaseLegalHold", "ReleaseLegalHoldInput", "... on LegalHoldReleased { released }", member=by_card(card)
    )
    assert (await erase(operator, by_card(card)))["member"] == {"status": "CLOSED"}
    for value in (card, other):
        assert (await operator.run(ID, by=by_card(value)))["member"] is None
    async with runtime.database.session() as session:
        left = "SELECT count(*) FROM member_key WHERE wrapped IS NOT NULL"
        assert await session.scalar(text(left)) == 0
