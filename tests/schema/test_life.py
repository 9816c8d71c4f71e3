"""The life of a member over the endpoint: who may freeze, what it answers, and who sees what of it (A14, A16)."""

from datetime import timedelta
from typing import Any

from tests.schema.support import NOW, Client, by_card
from tests.schema.test_statements import earn

STANDING = "member { status frozen { since until reason } }"
SEEN = f"query ($by: MemberRef!) {{ member(by: $by) {{ {STANDING[9:-2]} }} }}"
WEEK = timedelta(days=7)


async def freeze(client: Client, card: str, **more: Any) -> Any:
    asked = {"member": by_card(card), "reason": "FRAUD_SUSPECTED"} | more
    return await client.do("freezeMember", "FreezeMemberInput", f"... on MemberFrozen {{ {STANDING} }}", **asked)


async def restore(client: Client, card: str) -> Any:
    asked = {"member": by_card(card), "reason": "cleared"}
    return await client.do("restoreMember", "RestoreMemberInput", f"... on MemberRestored {{ {STANDING} }}", **asked)


async def redeem(client: Client, card: str, points: int) -> Any:
    asked = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "points": points}
    want = "... on Redeemed { points } ... on MemberNotActive { status until }"
    return await client.do("redeem", "RedeemInput", want, **asked)


async def test_who_is_frozen_looks_and_moves_nothing_until_the_time_is_over(
    operator: Client, grocer: Client, card: str
) -> None:
    await earn(operator, card, 100)
    until = (NOW + WEEK).isoformat()
    frozen = await freeze(operator, card, until=until)
    assert frozen["member"] == {
        "status": "FROZEN",
        "frozen": {"since": NOW.isoformat(), "until": until, "reason": "FRAUD_SUSPECTED"},
    }
    refused = await redeem(operator, card, 10)
    assert (refused["code"], refused["status"], refused["until"]) == ("MEMBER_NOT_ACTIVE", "FROZEN", until)
    seen = (await grocer.run(SEEN, by=by_card(card)))["member"]
    assert seen["status"] == "ACTIVE"  # the till's clock is today, long after
    later = operator.at(NOW + WEEK)
    assert (await later.run(SEEN, by=by_card(card)))["member"] == {"status": "ACTIVE", "frozen": None}
    assert (await redeem(later, card, 10))["points"] == 10
    nothing = await restore(later, card)
    assert nothing["code"] == "MEMBER_NOT_FROZEN"


async def test_a14_merchants_neither_freeze_nor_learn_why(operator: Client, grocer: Client, card: str) -> None:
    await freeze(operator, card)
    seen = (await grocer.run(SEEN, by=by_card(card)))["member"]
    assert (seen["status"], seen["frozen"]["until"], seen["frozen"]["reason"]) == ("FROZEN", None, None)
    query = """mutation ($member: MemberRef!) {
        restoreMember(input: {idempotencyKey: "by-a-merchant", member: $member, reason: "x"}) { __typename } }"""
    [denied] = await grocer.errors(query, member=by_card(card))
    assert denied["extensions"]["code"] == "FORBIDDEN"
    restored = await restore(operator, card)
    assert restored["member"] == {"status": "ACTIVE", "frozen": None}
    unknown = await freeze(operator, "nobody")
    assert unknown["code"] == "NOT_FOUND"


async def test_the_same_key_freezes_once(operator: Client, card: str) -> None:
    first = await freeze(operator, card, idempotencyKey="freeze-once-1")
    await restore(operator, card)
    again = await freeze(operator, card, idempotencyKey="freeze-once-1")
    assert first["member"]["status"] == "FROZEN"
    assert again["member"] == {"status": "ACTIVE", "frozen": None}
