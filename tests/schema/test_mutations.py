"""Mutations over the endpoint: enrolling, earning, spending, undoing; keys, refusals, batches."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest

from alliance.runtime import Runtime
from domain.ledger.errors import Overloaded
from tests.keys import hashed
from tests.schema.support import NOW, Client, by_card, viewer_of

EARNED = (
    "... on Earned { points operation { id kind status } wallet { balance available } "
    "decidedBy { rule version points } }"
)


async def earn(client: Client, card: str, want: str = EARNED, **input: Any) -> Any:
    """One earn at the grocer's."""
    given = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", **input}
    if not given.keys() & {"amount", "lines", "points"}:
        given["amount"] = {"amount": "12.50", "currency": "USD"}
    return await client.do("earn", "EarnInput", want, **given)


async def spend(client: Client, card: str, **input: Any) -> Any:
    """One redemption at the grocer's."""
    want = "... on Redeemed { points worth { amount } operation { id } wallet { available } } "
    want += "... on InsufficientPoints { available requested }"
    given = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", **input}
    return await client.do("redeem", "RedeemInput", want, **given)


async def test_enrol_finds_or_creates(operator: Client, card: str) -> None:
    want = "... on Enrolled { created joined member { id number status memberships { number merchant { code } } } }"
    phone = {"type": "PHONE", "value": "+1 614 555 0100"}
    card_ref = {"type": "CARD", "issuer": "grocer", "value": card}
    found = await operator.do(
        "enrolMember", "EnrolMemberInput", want, merchant="fuel", channel="APP", identifiers=[card_ref, phone]
    )
    assert (found["created"], found["joined"]) == (False, True)
    assert [m["merchant"]["code"] for m in found["member"]["memberships"]] == ["grocer", "fuel"]
    other = await operator.do(
        "enrolMember",
        "EnrolMemberInput",
        want,
        merchant="fuel",
        channel="APP",
        identifiers=[{"type": "PHONE", "value": "614 555 0100"}],
    )
    assert other["member"]["id"] == found["member"]["id"]
    bad = await operator.do(
        "enrolMember",
        "EnrolMemberInput",
        want,
        merchant="fuel",
        channel="APP",
        identifiers=[phone, {"type": "TATTOO", "value": "x"}],
    )
    assert (bad["code"], bad["path"]) == ("INVALID_INPUT", ["identifiers", "1", "type"])


async def test_r05_enrolment_says_where_a_member_lives_and_the_law_there_protects_them(operator: Client) -> None:
    async def enrol(**named: Any) -> Any:
        identifiers = [{"type": "CARD", "value": "ontario"}]
        want = "... on Enrolled { member { jurisdiction } }"
        common = {"merchant": "grocer", "channel": "APP", "identifiers": identifiers}
        return await operator.do("enrolMember", "EnrolMemberInput", want, **common | named)

    assert (await enrol())["member"] == {"jurisdiction": None}
    bad = await enrol(jurisdiction="Ontario")
    assert (bad["code"], bad["path"]) == ("INVALID_INPUT", ["jurisdiction"])
    assert (await enrol(jurisdiction="CA-ON"))["member"] == {"jurisdiction": "CA-ON"}
    assert (await enrol())["member"] == {"jurisdiction": "CA-ON"}
    assert (await enrol(jurisdiction="US-OH"))["member"] == {"jurisdiction": "US-OH"}


async def test_link_identifier_once_and_to_one_member(operator: Client, card: str) -> None:
    want = "... on Linked { linked member { identifiers { type issuer value } } }"
    mail = {"type": "EMAIL", "value": "Ada@Example.org"}
    given: dict[str, Any] = {"merchant": "grocer", "member": by_card(card), "identifier": mail}
    linked = await operator.do("linkIdentifier", "LinkIdentifierInput", want, **given)
    assert linked["linked"]
    assert {"type": "EMAIL", "issuer": None, "value": "ada@example.org"} in linked["member"]["identifiers"]
    again = await operator.do("linkIdentifier", "LinkIdentifierInput", want, **given)
    assert not again["linked"]
    stranger = {"type": "CARD", "value": "another"}
    await operator.do("enrolMember", "EnrolMemberInput", "", merchant="grocer", channel="WEB", identifiers=[stranger])
    taken = await operator.do(
        "linkIdentifier", "LinkIdentifierInput", "... on IdentifierTaken { type }", **given | {"identifier": stranger}
    )
    assert (taken["code"], taken["type"]) == ("IDENTIFIER_TAKEN", "CARD")


async def test_earn_by_amount_lines_or_points(operator: Client, card: str) -> None:
    by_amount = await earn(operator, card, store="330", orderRef="1")
    assert by_amount["points"] == 13
    assert by_amount["wallet"] == {"balance": 13, "available": 13}
    assert by_amount["decidedBy"] == [{"rule": "base", "version": 1, "points": 13}]
    assert (by_amount["operation"]["kind"], by_amount["operation"]["status"]) == ("EARN", "POSTED")
    lines = [
        {"ref": "1", "category": "PASTRY", "quantity": "2", "amount": {"amount": "3.00", "currency": "USD"}},
        {"ref": "2", "amount": {"amount": "4.40", "currency": "USD"}},
    ]
    by_lines = await earn(operator, card, lines=lines, occurredAt="2017-03-15T12:00:00-04:00")
    assert by_lines["points"] == 10
    assert {d["rule"] for d in by_lines["decidedBy"]} == {"base", "bakery-double"}
    tenders = [
        {"kind": "POINTS", "amount": {"amount": "2.50", "currency": "USD"}},
        {"kind": "MONEY", "amount": {"amount": "10.00", "currency": "USD"}},
    ]
    assert (await earn(operator, card, tenders=tenders))["points"] == 10
    assert (await earn(operator, card, points="7"))["points"] == 7
    both = await earn(operator, card, points=1, amount={"amount": "1.00", "currency": "USD"})
    assert (both["code"], both["path"]) == ("INVALID_INPUT", ["amount"])


async def test_r27_same_key_same_answer(operator: Client, card: str) -> None:
    first = await earn(operator, card, idempotencyKey="till-1-000001")
    again = await earn(operator, card, idempotencyKey="till-1-000001")
    assert again == first
    assert again["wallet"]["balance"] == 13
    other = await earn(operator, card, idempotencyKey="till-1-000001", orderRef="2")
    assert other["code"] == "IDEMPOTENCY_CONFLICT"
    assert other["path"] == ["idempotencyKey"]
    nulls = await earn(operator, card, idempotencyKey="till-1-000001", orderRef=None, store=None)
    assert nulls == first
    short = await earn(operator, card, idempotencyKey="short")
    assert (short["code"], short["path"]) == ("INVALID_INPUT", ["idempotencyKey"])


async def test_r27_a_repeated_key_is_authorised_again(anonymous: Client, runtime: Runtime, card: str) -> None:
    viewer = viewer_of("merchant", merchant_id=runtime.catalogue.merchants["grocer"].id)
    till = anonymous.signed_in(viewer)
    first = await earn(till, card, idempotencyKey="till-1-000001")
    assert first["__typename"] == "Earned"
    moved = anonymous.signed_in(
        viewer.__class__(
            "merchant", viewer.client_id, viewer.subject, runtime.catalogue.merchants["fuel"].id, None, viewer.scopes
        )
    )
    again = await earn(moved, card, idempotencyKey="till-1-000001")
    assert (again["__typename"], again["path"]) == ("NotAllowed", ["merchant"])


async def test_keys_are_unique_to_client_and_subject(anonymous: Client, runtime: Runtime, card: str) -> None:
    merchant_id = runtime.catalogue.merchants["grocer"].id
    one, other = (anonymous.signed_in(viewer_of("merchant", merchant_id=merchant_id)) for _ in range(2))
    first = await earn(one, card, idempotencyKey="till-1-000001")
    second = await earn(other, card, idempotencyKey="till-1-000001", orderRef="another")
    assert (first["wallet"]["balance"], second["wallet"]["balance"]) == (13, 26)


async def test_r10_a_dry_run_answers_the_same_and_writes_nothing(operator: Client, card: str) -> None:
    dry = await earn(operator, card, dryRun=True, idempotencyKey="till-1-000001")
    assert (dry["points"], dry["operation"], dry["wallet"]["balance"]) == (13, None, 0)
    assert dry["decidedBy"] == [{"rule": "base", "version": 1, "points": 13}]
    real = await earn(operator, card, idempotencyKey="till-1-000001")
    assert (real["points"], real["wallet"]["balance"]) == (13, 13)


async def test_i1_a_batch_returns_one_result_an_item_in_order(operator: Client, card: str) -> None:
    def item(number: int, **more: Any) -> dict[str, Any]:
        base = {"idempotencyKey": f"batch-{number:04}", "merchant": "grocer", "member": by_card(card)}
        return base | {"channel": "STORE", "points": number} | more

    inputs = [item(n) for n in range(1, 30)]
    inputs[4] = item(5, member=by_card("nobody"))
    inputs[7] = item(8, points=-1)
    inputs[9] = item(1)
    query = (
        "mutation ($inputs: [EarnInput!]!) { earnBatch(inputs: $inputs) { __typename ... on Earned { "
        "points } ... on UserError { path } } }"
    )
    results = (await operator.run(query, inputs=inputs))["earnBatch"]
    assert len(results) == 29
    assert results[4] == {"__typename": "NotFound", "path": ["member"]}
    assert results[7] == {"__typename": "InvalidInput", "path": ["points"]}
    assert results[9] == {"__typename": "Earned", "points": 1}
    assert [r["points"] for r in results[10:]] == list(range(11, 30))
    errors = await operator.errors(query, inputs=[item(n) for n in range(501)])
    assert errors[0]["extensions"] == {"code": "BAD_USER_INPUT", "path": ["inputs"]}


async def test_redeem_by_points_or_by_order(operator: Client, card: str) -> None:
    await earn(operator, card, points=500)
    spent = await spend(operator, card, points=100)
    assert (spent["points"], spent["worth"]["amount"], spent["wallet"]["available"]) == (100, "1.00", 400)
    covered = await spend(operator, card, orderAmount={"amount": "2.505", "currency": "USD"})
    assert (covered["code"], covered["path"]) == ("INVALID_INPUT", ["orderAmount", "amount"])
    covered = await spend(operator, card, orderAmount={"amount": "2.50", "currency": "USD"})
    assert covered["points"] == 250
    least = await spend(operator, card, points=20, orderAmount={"amount": "9.00", "currency": "USD"})
    assert least["points"] == 20
    rest = await spend(operator, card, orderAmount={"amount": "9.00", "currency": "USD"})
    assert (rest["points"], rest["wallet"]["available"]) == (130, 0)
    none = await spend(operator, card, orderAmount={"amount": "9.00", "currency": "USD"})
    assert (none["points"], none["operation"], none["worth"]) == (0, None, {"amount": "0.00"})
    euros = await spend(operator, card, orderAmount={"amount": "9.00", "currency": "EUR"})
    assert (euros["code"], euros["path"]) == ("INVALID_INPUT", ["orderAmount", "currency"])
    neither = await spend(operator, card)
    assert (neither["code"], neither["path"]) == ("INVALID_INPUT", ["points"])
    more = await spend(operator, card, points=1)
    assert (more["available"], more["requested"], more["code"]) == (0, 1, "INSUFFICIENT_POINTS")


async def test_r16_of_twenty_debits_at_once_one_succeeds(operator: Client, card: str) -> None:
    await earn(operator, card, points=100)
    results = await asyncio.gather(*(spend(operator, card, points=100) for _ in range(20)))
    assert sorted(r["__typename"] for r in results) == ["InsufficientPoints"] * 19 + ["Redeemed"]


async def test_r22_reverse_once(operator: Client, card: str) -> None:
    earned = await earn(operator, card, points=100)
    want = "... on Reversed { points taken restored expired shortfall operation { id kind reverses { id status } } }"
    operation = earned["operation"]["id"]
    undone = await operator.do("reverse", "ReverseInput", want, operation=operation, reason="returned")
    assert (undone["points"], undone["taken"], undone["shortfall"]) == (100, 100, 0)
    assert undone["operation"]["kind"] == "REVERSAL"
    assert undone["operation"]["reverses"] == {"id": operation, "status": "REVERSED"}
    again = await operator.do("reverse", "ReverseInput", want, operation=operation, reason="returned")
    assert (again["__typename"], again["code"]) == ("AlreadyReversed", "ALREADY_REVERSED")
    of_it = await operator.do("reverse", "ReverseInput", want, operation=undone["operation"]["id"], reason="no")
    assert of_it["__typename"] == "NotReversible"
    nothing = await operator.do("reverse", "ReverseInput", want, operation="garbage", reason="no")
    assert (nothing["__typename"], nothing["path"]) == ("NotFound", ["operation"])


async def test_r18_an_order_comes_back_in_parts(operator: Client, card: str) -> None:
    lines = [
        {"ref": "a", "quantity": "3", "amount": {"amount": "30.00", "currency": "USD"}},
        {"ref": "b", "amount": {"amount": "20.00", "currency": "USD"}},
    ]
    operation = (await earn(operator, card, lines=lines, amount=None))["operation"]["id"]
    want = "... on Reversed { taken operation { reverses { status reversedBy { kind } } } }"
    more = "... on ReturnExceedsOrder { left requested }"

    async def back(**input: Any) -> Any:
        named = {"operation": operation, "reason": "returned"} | input
        return await operator.do("reverse", "ReverseInput", want + more, **named)

    one = await back(lines=[{"ref": "a", "quantity": "1"}])
    assert one["taken"] == 10
    assert one["operation"]["reverses"] == {"status": "PARTLY_REVERSED", "reversedBy": [{"kind": "REVERSAL"}]}
    refused = await back(lines=[{"ref": "b"}, {"ref": "a", "quantity": "2.5"}])
    assert (refused["code"], refused["left"], refused["requested"]) == ("RETURN_EXCEEDS_ORDER", "2", "2.5")
    assert refused["path"] == ["lines", "1", "quantity"]
    assert (await back(amount={"amount": "5.00", "currency": "USD"}))["taken"] == 5
    assert (await back(points=3))["taken"] == 3
    both = await back(points=3, lines=[{"ref": "a"}])
    assert (both["__typename"], both["path"]) == ("InvalidInput", ["points"])
    rest = await back()
    assert (rest["taken"], rest["operation"]["reverses"]["status"]) == (32, "REVERSED")
    assert (await back(lines=[{"ref": "b"}]))["__typename"] == "AlreadyReversed"


@pytest.mark.parametrize(
    ("input", "path"),
    [
        ({"lines": []}, ["lines"]),
        ({"lines": [{"ref": "a", "quantity": "0.0000001"}]}, ["lines", "0", "quantity"]),
        ({"lines": [{"ref": "a", "quantity": "0"}]}, ["lines", "0", "quantity"]),
        ({"amount": {"amount": "1.005", "currency": "USD"}}, ["amount", "amount"]),
        ({"amount": {"amount": "1.00", "currency": "QQQ"}}, ["amount", "currency"]),
        ({"amount": {"amount": "0.00", "currency": "USD"}}, ["amount", "amount"]),
        ({"amount": {"amount": "1.00", "currency": "EUR"}}, ["amount", "currency"]),
        ({"points": 0}, ["points"]),
    ],
)
async def test_what_comes_back_is_said_precisely(operator: Client, card: str, input: Any, path: list[str]) -> None:
    lines = [{"ref": "a", "amount": {"amount": "30.00", "currency": "USD"}}]
    operation = (await earn(operator, card, lines=lines, amount=None))["operation"]["id"]
    refused = await operator.do("reverse", "ReverseInput", "", operation=operation, reason="returned", **input)
    assert (refused["__typename"], refused["path"]) == ("InvalidInput", path)


async def test_merchants_act_for_themselves(grocer: Client, fuel: Client, operator: Client, card: str) -> None:
    earned = await earn(grocer, card)
    assert earned["__typename"] == "Earned"
    elsewhere = await earn(fuel, card)
    assert (elsewhere["__typename"], elsewhere["path"]) == ("NotAllowed", ["merchant"])
    foreign = await fuel.do("reverse", "ReverseInput", "", operation=earned["operation"]["id"], reason="not theirs")
    assert foreign["__typename"] == "NotFound"
    member = (await operator.run("query ($by: MemberRef!) { member(by: $by) { id number } }", by=by_card(card)))[
        "member"
    ]
    for ref in ({"id": member["id"]}, {"number": member["number"]}):
        unseen = await earn(fuel, card, merchant="fuel", member=ref)
        assert (unseen["__typename"], unseen["path"]) == ("NotFound", ["member"])
    at_till = await earn(fuel, card, merchant="fuel")
    assert at_till["__typename"] == "Earned"


async def test_explicit_points_need_their_scope(anonymous: Client, runtime: Runtime, card: str) -> None:
    viewer = viewer_of("merchant", merchant_id=runtime.catalogue.merchants["grocer"].id, scopes=["points:earn"])
    refused = await earn(anonymous.signed_in(viewer), card, points=5)
    assert (refused["__typename"], refused["path"]) == ("NotAllowed", ["points"])


async def test_members_spend_their_own_alone(anonymous: Client, grocer: Client, card: str, runtime: Runtime) -> None:
    await earn(grocer, card, points=100)
    async with runtime.database.session() as session:
        from sqlalchemy import text

        member_id = await session.scalar(
            text("SELECT holder_id FROM identifier_owner WHERE value = :v"), {"v": hashed("CARD", card)}
        )
    own = anonymous.signed_in(viewer_of("member", member_id=member_id))
    assert (await spend(own, card, points=10))["points"] == 10
    other = anonymous.signed_in(viewer_of("member", member_id=uuid.uuid4()))
    assert (await spend(other, card, points=10))["__typename"] == "NotFound"
    errors = await own.errors(
        "mutation ($input: EarnInput!) { earn(input: $input) { __typename } }",
        input={"idempotencyKey": "x" * 8, "merchant": "grocer", "member": by_card(card), "channel": "APP", "points": 1},
    )
    assert errors[0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize(
    ("input", "code", "path"),
    [
        ({"merchant": "nowhere"}, "NOT_FOUND", ["merchant"]),
        ({"store": "999"}, "NOT_FOUND", ["store"]),
        ({"currency": "XXX"}, "NOT_FOUND", ["currency"]),
        ({"currency": "FUE"}, "NO_AGREEMENT", ["currency"]),
        ({"points": -5}, "INVALID_INPUT", ["points"]),
        ({"amount": {"amount": "-1.00", "currency": "USD"}}, "INVALID_INPUT", ["amount", "amount"]),
        ({"amount": {"amount": "1.005", "currency": "USD"}}, "INVALID_INPUT", ["amount", "amount"]),
        ({"amount": {"amount": "1.00", "currency": "EUR"}}, "INVALID_INPUT", None),
        ({"amount": {"amount": "1.00", "currency": "QQQ"}}, "INVALID_INPUT", ["amount", "currency"]),
        ({"occurredAt": "2017-06-02T12:00:00Z"}, "INVALID_INPUT", ["occurredAt"]),
        ({"orderRef": "x\0y"}, "INVALID_INPUT", ["orderRef"]),
        ({"orderRef": "x" * 2000}, "INVALID_INPUT", ["orderRef"]),
        ({"member": {"number": "12"}}, "NOT_FOUND", ["member"]),
        ({"member": {"id": "TWVtYmVyOg"}}, "NOT_FOUND", ["member", "id"]),
    ],
)
async def test_bad_input_is_refused_with_code_and_path(
    operator: Client, card: str, input: dict[str, Any], code: str, path: list[str] | None
) -> None:
    refused = await earn(operator, card, **input)
    assert refused["code"] == code, refused
    assert path is None or refused["path"] == path


async def test_refusals_speak_the_callers_language(operator: Client, card: str) -> None:
    english = await spend(operator, card, points=5)
    assert english["message"] == "5 points were asked for, 0 are available"
    chinese = await spend(operator.speaking("zh-Hans-CN, en;q=0.5"), card, points=5)
    assert chinese["message"] == "积分不足：需要 5，可用 0"


async def test_a_fault_in_one_alias_leaves_the_others_answer(
    operator: Client, card: str, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted = runtime.engine.__class__.post
    calls = 0

    async def second_fails(engine: Any, request: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ZeroDivisionError("secret detail")
        return await posted(engine, request)

    monkeypatch.setattr(runtime.engine.__class__, "post", second_fails)
    base = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "points": 5}
    query = (
        "mutation ($a: EarnInput!, $b: EarnInput!) { a: earn(input: $a) { ... on Earned { points } } b: "
        "earn(input: $b) { __typename } }"
    )
    response = await operator.post(
        query, {"a": base | {"idempotencyKey": "a" * 8}, "b": base | {"idempotencyKey": "b" * 8}}
    )
    body = response.json()
    assert response.status_code == 200
    assert body["data"] == {"a": {"points": 5}, "b": None}
    (error,) = body["errors"]
    assert error["path"] == ["b"]
    assert error["extensions"].keys() == {"code", "requestId"}
    assert error["extensions"]["code"] == "INTERNAL"
    assert "secret" not in response.text


async def test_a_full_queue_is_rate_limited_with_a_time_to_retry(
    operator: Client, card: str, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(engine: Any, request: Any) -> Any:
        raise Overloaded(retry_after=2)

    monkeypatch.setattr(runtime.engine.__class__, "post", full)
    query = "mutation ($input: EarnInput!) { earn(input: $input) { __typename } }"
    base = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "points": 5, "idempotencyKey": "a" * 8}
    (error,) = await operator.errors(query, input=base)
    assert error["extensions"] == {"code": "RATE_LIMITED", "retryAfter": 2}


async def test_two_enrolments_with_one_key_at_once(operator: Client) -> None:
    identifiers = [{"type": "CARD", "issuer": "grocer", "value": "once-and-for-all"}]
    want = "... on Enrolled { created member { id } }"
    results = await asyncio.gather(
        *(
            operator.do(
                "enrolMember",
                "EnrolMemberInput",
                want,
                merchant="grocer",
                channel="WEB",
                identifiers=identifiers,
                idempotencyKey="enrol-once",
            )
            for _ in range(5)
        )
    )
    assert all(result == results[0] for result in results)
    assert results[0]["created"]


async def test_r02_what_has_expired_is_in_no_figure(operator: Client, card: str) -> None:
    await earn(operator, card, points=40)
    figures = (
        'query ($by: MemberRef!) { member(by: $by) { wallet(currency: "GRO") { balance available worth '
        "{ amount } expiries { on points } lots { totalCount } } } }"
    )
    now = (await operator.run(figures, by=by_card(card)))["member"]["wallet"]
    assert now == {
        "balance": 40,
        "available": 40,
        "worth": {"amount": "0.40"},
        "expiries": [{"on": "2018-06-01", "points": 40}],
        "lots": {"totalCount": 1},
    }
    later = (await operator.at(NOW + timedelta(days=400)).run(figures, by=by_card(card)))["member"]["wallet"]
    assert (later["balance"], later["available"], later["expiries"], later["lots"]["totalCount"]) == (0, 0, [], 0)
