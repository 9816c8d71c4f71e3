"""Consents, messages and previews, as clients see them (L7, A14)."""

from typing import Any

import pytest

from tests.schema.support import Client, by_card

WORD = "... on {} {{ consents {{ merchant {{ code }} purpose channel given textVersion }} }}"
READ = "query ($by: MemberRef!) { member(by: $by) { consents { merchant { code } channel given } messages { kind } } }"


@pytest.fixture
async def ann(operator: Client) -> dict[str, Any]:
    """A member of both merchants, who let the grocer write to her as she joined."""
    identifiers = [{"type": "CARD", "issuer": "grocer", "value": "77"}, {"type": "EMAIL", "value": "ann@example.com"}]
    consents = [{"purpose": "MARKETING", "channel": "EMAIL", "textVersion": "v1"}]
    for merchant, said in (("grocer", consents), ("fuel", [])):
        answer = await operator.do(
            "enrolMember",
            "EnrolMemberInput",
            "... on Enrolled { created }",
            merchant=merchant,
            channel="WEB",
            identifiers=identifiers,
            consents=said,
            language="zh-CN",
            timezone="Asia/Shanghai",
        )
        assert answer["__typename"] == "Enrolled"
    return by_card("77")


async def say(client: Client, member: Any, merchant: str, given: bool, **changes: Any) -> Any:
    name, kind, want = ("give", "Give", "ConsentGiven") if given else ("withdraw", "Withdraw", "ConsentWithdrawn")
    word = {"merchant": merchant, "member": member, "purpose": "MARKETING", "channel": "EMAIL"} | changes
    return await client.do(f"{name}Consent", f"{kind}ConsentInput", WORD.format(want), **word)


async def test_l07_consent_is_given_withdrawn_and_seen_by_whom_it_was_given_to(
    operator: Client, grocer: Client, fuel: Client, ann: dict[str, Any]
) -> None:
    given = {"merchant": {"code": "grocer"}, "channel": "EMAIL", "given": True}
    assert (await grocer.run(READ, by=ann))["member"] == {"consents": [given], "messages": []}
    said = await say(fuel, {"identifier": {"type": "EMAIL", "value": "ann@example.com"}}, "fuel", given=True)
    assert [one["merchant"]["code"] for one in said["consents"]] == ["fuel"]
    withdrawn = await say(grocer, ann, "grocer", given=False)
    assert [(one["given"], one["textVersion"]) for one in withdrawn["consents"]] == [(False, None)]
    assert (await grocer.run(READ, by=ann))["member"]["consents"] == [given | {"given": False}]
    assert len((await operator.run(READ, by=ann))["member"]["consents"]) == 2


async def test_nobody_gives_a_consent_for_another(grocer: Client, ann: dict[str, Any]) -> None:
    assert (await say(grocer, ann, "fuel", given=True))["code"] == "NOT_ALLOWED"
    assert (await say(grocer, ann, "grocer", given=True, textVersion=""))["path"] == ["textVersion"]
    assert (await say(grocer, by_card("none"), "grocer", given=True))["code"] == "NOT_FOUND"
    again = {"idempotencyKey": "consent-again"}
    answers = [await say(grocer, ann, "grocer", given=True, **again) for _ in range(2)]
    assert answers[0] == answers[1]
    assert (await say(grocer, ann, "grocer", given=True, channel="SMS", **again))["code"] == "IDEMPOTENCY_CONFLICT"


@pytest.mark.parametrize(("name", "value"), [("language", "Chinese!"), ("timezone", "Mars/Olympus")])
async def test_how_a_member_is_written_to_is_checked(operator: Client, name: str, value: str) -> None:
    card = [{"type": "CARD", "issuer": "grocer", "value": "78"}]
    enrol = {"merchant": "grocer", "channel": "WEB", "identifiers": card, name: value}
    answer = await operator.do("enrolMember", "EnrolMemberInput", "... on Enrolled { created }", **enrol)
    assert (answer["code"], answer["path"]) == ("INVALID_INPUT", [name])


async def test_a_text_is_previewed_by_its_merchant(operator: Client, grocer: Client, fuel: Client) -> None:
    query = '{ messagePreview(merchant: "grocer", kind: GIFT_RECEIVED, channel: EMAIL) { language subject sms } }'
    shown = {"language": "en", "subject": "You were given 1,200 Grocer points", "sms": None}
    for client, answer in ((operator, shown), (grocer, shown), (fuel, None)):
        assert (await client.run(query))["messagePreview"] == answer
