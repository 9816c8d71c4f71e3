"""The life of a member over the endpoint: who may freeze, what it answers, and who sees what of it (A14, A16)."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from alliance.runtime import Runtime
from domain.members.model import Member
from domain.programs.living import StageTerms
from domain.stages.commands import derive
from domain.stages.model import ALLIANCE
from resolvers import ids
from tests.schema.support import NOW, Client, by_card, viewer_of
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


HISTORY = """query ($by: MemberRef!, $after: String) { member(by: $by) { history(first: 2, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { kind data reason } } } } }"""


async def test_a14_history_newest_first_and_why_for_the_operator_alone(
    operator: Client, grocer: Client, card: str
) -> None:
    await freeze(operator, card)
    await restore(operator, card)
    first = (await operator.run(HISTORY, by=by_card(card)))["member"]["history"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (3, True)
    told = [(edge["node"]["data"]["to"], edge["node"]["reason"]) for edge in first["edges"]]
    assert told == [("ACTIVE", "cleared"), ("FROZEN", "FRAUD_SUSPECTED")]
    after = first["pageInfo"]["endCursor"]
    rest = (await operator.run(HISTORY, by=by_card(card), after=after))["member"]["history"]
    assert [edge["node"]["kind"] for edge in rest["edges"]] == ["MEMBER_JOINED"]
    seen = (await grocer.run(HISTORY, by=by_card(card)))["member"]["history"]
    assert [edge["node"]["reason"] for edge in seen["edges"]] == [None, None]
    assert "FRAUD_SUSPECTED" not in str(seen)


async def test_a14_a_merchant_sees_and_finds_by_the_stage_at_its_own_alone(
    operator: Client, grocer: Client, fuel: Client, runtime: Runtime, card: str
) -> None:
    await operator.do(
        "enrolMember",
        "EnrolMemberInput",
        "... on Enrolled { joined }",
        merchant="fuel",
        channel="APP",
        identifiers=[by_card(card)["identifier"]],
    )
    terms = StageTerms(30, 180, 365)
    places = dict.fromkeys([ALLIANCE, *runtime.catalogue.merchants_by_id], terms)
    places[runtime.catalogue.merchants["fuel"].id] = StageTerms(0, 1, 2)
    async with runtime.database.transaction() as session:
        await derive(session, places, NOW + 40 * timedelta(days=1), UUID(int=0), None)
    query = "query ($by: MemberRef!) { member(by: $by) { stages { stage boughtAt merchant { code } } } }"
    mine, theirs, all_ = [
        [(one["merchant"] and one["merchant"]["code"], one["stage"]) for one in found["member"]["stages"]]
        for found in [await client.run(query, by=by_card(card)) for client in (grocer, fuel, operator)]
    ]
    assert (mine, theirs) == ([("grocer", "ACTIVE")], [("fuel", "LOST")])
    assert all_[0] == (None, "ACTIVE")
    assert set(all_[1:]) == {("grocer", "ACTIVE"), ("fuel", "LOST")}
    count = "query ($f: MemberFilter) { members(filter: $f) { totalCount edges { node { number } } } }"
    lost = [
        (await client.run(count, f={"stage": "LOST"}))["members"]["totalCount"] for client in (grocer, fuel, operator)
    ]
    assert lost == [0, 1, 0]
    at_fuel = await operator.run(count, f={"stage": "LOST", "merchant": "fuel"})
    assert at_fuel["members"]["totalCount"] == len(at_fuel["members"]["edges"]) == 1


CLOSED = """... on MemberClosed { closesAt ends { currency points fate } holds
            member { status leaving { closesAt reason settled } wallet(currency: "GRO") { balance } } }"""


async def close(client: Client, card: str, **more: Any) -> Any:
    return await client.do("closeMember", "CloseMemberInput", CLOSED, member=by_card(card), **more)


async def test_who_is_closed_leaves_nothing_and_the_same_key_says_so_again(operator: Client, card: str) -> None:
    await earn(operator, card, 100)
    ends = [{"currency": "GRO", "points": 100, "fate": "LAPSED"}]
    asked = {"reason": "FRAUD", "idempotencyKey": "close-once-1"}
    would = await close(operator, card, dryRun=True, **asked)
    assert (would["ends"], would["member"]["status"], would["member"]["leaving"]) == (ends, "ACTIVE", None)
    closed = await close(operator, card, **asked)
    assert closed["ends"] == ends
    assert closed["member"] == {
        "status": "CLOSED",
        "leaving": {"closesAt": NOW.isoformat(), "reason": "FRAUD", "settled": True},
        "wallet": {"balance": 0},
    }
    assert (await close(operator, card, **asked)) == closed
    again = await close(operator, card)
    assert again["code"] == "MEMBER_NOT_ACTIVE"
    withdrawn = await operator.do("withdrawClosing", "WithdrawClosingInput", "", member=by_card(card))
    assert withdrawn["code"] == "MEMBER_NOT_LEAVING"


async def test_members_leave_by_themselves_and_merchants_close_nobody(
    operator: Client, grocer: Client, anonymous: Client, card: str
) -> None:
    found = await operator.run("query ($by: MemberRef!) { member(by: $by) { id } }", by=by_card(card))
    (member_id,) = ids.decode_as("Member", found["member"]["id"], 1)
    member = anonymous.signed_in(viewer_of("member", member_id=member_id))
    query = 'mutation ($m: MemberRef!) { closeMember(input: {idempotencyKey: "by-a-till", member: $m}) { __typename } }'
    [denied] = await grocer.errors(query, m=by_card(card))
    assert denied["extensions"]["code"] == "FORBIDDEN"
    await freeze(operator, card)
    frozen = await close(member, card)
    assert frozen["code"] == "MEMBER_NOT_ACTIVE"
    await restore(operator, card)
    gone = await close(member, card, reason="DECEASED")
    assert (gone["member"]["status"], gone["member"]["leaving"]["reason"]) == ("CLOSED", "MEMBER_ASKED")


async def test_l07_a_note_is_sealed_and_for_the_operator_alone(
    operator: Client, grocer: Client, runtime: Runtime, card: str
) -> None:
    await freeze(operator, card, note="Ann says it was not her")
    query = "query ($by: MemberRef!) { member(by: $by) { frozen { note } } }"
    notes = [(await client.run(query, by=by_card(card)))["member"]["frozen"]["note"] for client in (operator, grocer)]
    assert notes == ["Ann says it was not her", None]
    async with runtime.database.session() as session:
        (sealed,) = await session.scalars(select(Member.status_note).where(Member.status_note.is_not(None)))
    assert sealed is not None
    assert b"Ann" not in sealed
    await restore(operator, card)
    async with runtime.database.session() as session:
        assert await session.scalar(select(Member.id).where(Member.status_note.is_not(None))) is None
