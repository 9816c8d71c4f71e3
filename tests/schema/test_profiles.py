"""Attributes, preferences and tags of members, as clients tell and see them (A14, L7)."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from alliance.file import apply, export, parse
from alliance.runtime import Runtime
from domain.ledger.verify import examine
from domain.profiles.verify import CHECKS
from tests.schema.support import Client, by_card, viewer_of

SECTION = """\
members:
  attributes:
    - {code: birthday, name: Birthday, type: date, personal: true, write: [member, merchant]}
    - {code: nickname, name: Nickname, type: string, personal: true, find: true}
    - {code: height, name: Height, type: decimal, read: [member], write: [member]}
    - {code: pets, name: Pets, type: integer}
    - {code: vegan, name: Vegan, type: boolean}
    - {code: diet, name: Diet, type: choices, choices: [FISH, NUTS, MILK], merchant: grocer}
    - {code: car, name: Car, type: choice, choices: [PETROL, DIESEL], merchant: fuel, read: []}
"""
READ = """query ($by: MemberRef!) { member(by: $by) {
  profile { code name value toldBy { code } } preferences { language timezone } tags { code byRule merchant { code } }
} }"""
UPDATED = "... on MemberUpdated { changed } ... on UnfitAttribute { expected }"
TAGGED = "... on Members{} {{ results {{ changed refusal {{ code path }} member {{ number }} }} }}"


async def declare(runtime: Runtime, section: str) -> None:
    """Apply a section `members` beside what there is."""
    async with runtime.database.transaction() as session:
        before = (await export(session)).split("\nmembers:")[0] + "\n"
        plan = await apply(session, parse(before + section, "x.yaml"), datetime(2017, 1, 1, tzinfo=UTC))
    assert not plan.refused, plan.lines()
    await runtime.refresh()


@pytest.fixture
async def ann(runtime: Runtime, operator: Client, card: str) -> dict[str, Any]:
    """A member of the grocer and the filling station, of whom attributes are declared."""
    await declare(runtime, SECTION)
    joined = await operator.do(
        "enrolMember",
        "EnrolMemberInput",
        "... on Enrolled { joined }",
        merchant="fuel",
        channel="STORE",
        identifiers=[{"type": "CARD", "issuer": "grocer", "value": card}, {"type": "PHONE", "value": "+16145550177"}],
    )
    assert joined["joined"]
    return by_card(card)


async def update(client: Client, member: Any, profile: Any, **more: Any) -> Any:
    return await client.do("updateMember", "UpdateMemberInput", UPDATED, member=member, profile=profile, **more)


async def known(client: Client, member: Any) -> dict[str, Any]:
    found = (await client.run(READ, by=member))["member"]["profile"]
    return {one["code"]: one["value"] for one in found}


async def test_attributes_are_told_seen_and_taken_away(runtime: Runtime, grocer: Client, ann: dict[str, Any]) -> None:
    told = {"pets": 2, "vegan": False, "diet": ["NUTS", "FISH", "NUTS"], "birthday": "1990-02-28"}
    assert (await update(grocer, ann, told, language="zh-CN"))["changed"] == ["birthday", "diet", "pets", "vegan"]
    assert await known(grocer, ann) == told | {"diet": ["FISH", "NUTS"]}
    again = await update(grocer, ann, {"pets": 2, "diet": None, "vegan": True}, timezone="Asia/Shanghai")
    assert again["changed"] == ["diet", "vegan"]
    found = (await grocer.run(READ, by=ann))["member"]
    assert found["preferences"] == {"language": "zh-CN", "timezone": "Asia/Shanghai"}
    assert found["profile"][1:] == [
        {"code": "pets", "name": "Pets", "value": 2, "toldBy": {"code": "grocer"}},
        {"code": "vegan", "name": "Vegan", "value": True, "toldBy": {"code": "grocer"}},
    ]
    async with runtime.database.reader() as session:
        rows = await session.execute(text("SELECT code FROM member_attribute WHERE sealed IS NOT NULL"))
        assert rows.scalars().all() == ["birthday"]
        events = await session.execute(text("SELECT data FROM event WHERE kind = 'MEMBER_UPDATED' ORDER BY id"))
        assert [row.data["attributes"] for row in events] == ["birthday", "diet", "pets vegan", "diet", "vegan"]


async def test_enrolling_tells_attributes_too(grocer: Client, ann: dict[str, Any]) -> None:
    wanted: dict[str, Any] = {"merchant": "grocer", "channel": "WEB", "identifiers": [{"type": "CARD", "value": "88"}]}
    want = "... on Enrolled { created member { profile { code value } } } ... on UnknownAttribute { attribute }"
    answer = await grocer.do("enrolMember", "EnrolMemberInput", want, **wanted, profile={"pets": 1})
    assert answer["member"]["profile"] == [{"code": "pets", "value": 1}]
    answer = await grocer.do("enrolMember", "EnrolMemberInput", want, **wanted, profile={"car": "DIESEL"})
    assert (answer["code"], answer["path"]) == ("UNKNOWN_ATTRIBUTE", ["profile", "car"])


UNFIT: list[tuple[str, Any, str]] = [
    ("pets", True, "a whole number"),
    ("pets", 2**53, "a whole number"),
    ("pets", "2", "a whole number"),
    ("vegan", "yes", "true or false"),
    ("diet", ["EGGS"], "a list of one or more of FISH, NUTS, MILK"),
    ("diet", [], "a list of one or more"),
    ("birthday", "1990-02-30", "a date"),
    ("birthday", 19900228, "a date"),
    ("nickname", "a" * 201, "a text of 1 to 200"),
    ("nickname", "a\u0007", "a text of 1 to 200"),
]


async def test_what_does_not_fit_is_refused_with_what_does(grocer: Client, ann: dict[str, Any]) -> None:
    for code, value, expected in UNFIT:
        answer = await update(grocer, ann, {code: value})
        assert (answer["code"], answer["path"]) == ("UNFIT_ATTRIBUTE", ["profile", code])
        assert answer["expected"].startswith(expected)
    assert await known(grocer, ann) == {}


async def test_a14_who_may_not_see_an_attribute_learns_nothing_of_it(
    runtime: Runtime, operator: Client, grocer: Client, fuel: Client, anonymous: Client, ann: dict[str, Any]
) -> None:
    id_ = await _id(runtime)
    member = anonymous.signed_in(viewer_of("member", member_id=id_))
    auditor = anonymous.signed_in(viewer_of("auditor"))
    assert (await update(fuel, {"number": await _number(runtime)}, {"car": "PETROL", "birthday": "1990-02-28"}))[
        "changed"
    ] == ["birthday", "car"]
    assert (await update(member, {"number": await _number(runtime)}, {"height": "1.80"}))["changed"] == ["height"]
    assert await known(operator, ann) == {"birthday": "1990-02-28", "car": "PETROL", "height": "1.8"}
    assert await known(member, {"number": await _number(runtime)}) == {"birthday": "1990-02-28", "height": "1.8"}
    assert await known(auditor, {"number": await _number(runtime)}) == {"car": "PETROL", "height": "1.8"}
    assert await known(grocer, ann) == {}, "neither another's own, nor what another was told of a person (L7)"
    assert await known(fuel, {"number": await _number(runtime)}) == {"birthday": "1990-02-28"}
    for client, code, refused in (
        (grocer, "car", "UNKNOWN_ATTRIBUTE"),
        (grocer, "none", "UNKNOWN_ATTRIBUTE"),
        (grocer, "height", "UNKNOWN_ATTRIBUTE"),
        (member, "pets", "ATTRIBUTE_READ_ONLY"),
        (member, "car", "UNKNOWN_ATTRIBUTE"),
    ):
        answer = await update(client, {"number": await _number(runtime)}, {code: 1})
        assert (answer["code"], answer["path"]) == (refused, ["profile", code])
    definitions = "{ alliance { attributes { code readable writable findable merchant { code } } } }"
    found = (await grocer.run(definitions))["alliance"]["attributes"]
    assert [one["code"] for one in found] == [
        "birthday",
        "diet",
        "favourites",
        "household",
        "nickname",
        "pets",
        "vegan",
    ]
    assert found[1] == {
        "code": "diet",
        "readable": True,
        "writable": True,
        "findable": True,
        "merchant": {"code": "grocer"},
    }


async def _id(runtime: Runtime) -> UUID:
    async with runtime.database.reader() as session:
        return UUID(str((await session.execute(text("SELECT id FROM member"))).scalar_one()))


async def _number(runtime: Runtime) -> str:
    async with runtime.database.reader() as session:
        return str((await session.execute(text("SELECT number FROM member"))).scalar_one())


async def test_a14_tags_are_their_owners(
    runtime: Runtime, operator: Client, grocer: Client, fuel: Client, ann: dict[str, Any]
) -> None:
    number = {"number": await _number(runtime)}
    refs = [ann, by_card("nobody"), ann]
    key = {"idempotencyKey": "tag-them-all"}
    answers = [
        await grocer.do("tagMembers", "TagMembersInput", TAGGED.format("Tagged"), tag="vip", members=refs, **key)
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    changed, unknown, twice = answers[0]["results"]
    assert (changed["changed"], twice["changed"], changed["member"]) == (True, False, number)
    assert unknown == {"changed": False, "member": None, "refusal": {"code": "NOT_FOUND", "path": ["members", "1"]}}
    await operator.do("tagMembers", "TagMembersInput", TAGGED.format("Tagged"), tag="watched", members=[number])

    async def seen(client: Client) -> list[tuple[str, Any]]:
        found = (await client.run(READ, by=number))["member"]["tags"]
        return sorted((one["code"], one["merchant"] and one["merchant"]["code"]) for one in found)

    assert [await seen(one) for one in (grocer, fuel)] == [[("vip", "grocer")], []]
    assert await seen(operator) == [("vip", "grocer"), ("watched", None)]
    want = TAGGED.format("Untagged")
    gone = await fuel.do("untagMembers", "TagMembersInput", want, tag="vip", members=[number])
    assert gone["results"][0]["changed"] is False, "its own tag of that name, which nobody has"
    gone = await grocer.do("untagMembers", "TagMembersInput", want, tag="vip", members=[ann])
    assert gone["results"][0]["changed"] is True
    assert await seen(grocer) == []
    for wrong, refused in (
        ({"merchant": "fuel"}, ("NOT_ALLOWED", ["merchant"])),
        ({"tag": "V I P"}, ("INVALID_INPUT", ["tag"])),
        ({"members": [ann] * 501}, ("INVALID_INPUT", ["members"])),
    ):
        asked = {"tag": "vip", "members": [ann]} | wrong
        answer = await grocer.do("tagMembers", "TagMembersInput", TAGGED.format("Tagged"), **asked)
        assert (answer["code"], answer["path"]) == refused


TAMPERINGS = {
    "UPDATE member_attribute SET value = '1', sealed = NULL WHERE code = 'birthday'": "what is personal",
    "UPDATE member_attribute SET code = 'shoes' WHERE code = 'pets'": "what is known by attributes",
    "UPDATE member_tag SET owner_id = holder_id": "tags are of a member",
}


async def test_r26_the_proof_covers_profiles(runtime: Runtime, grocer: Client, ann: dict[str, Any]) -> None:
    await update(grocer, ann, {"birthday": "1990-02-28", "pets": 2})
    await grocer.do("tagMembers", "TagMembersInput", "", tag="vip", members=[ann])
    checks = {named: next(check for check in CHECKS if check.startswith(named)) for named in TAMPERINGS.values()}
    assert set(checks.values()) == set(CHECKS)
    id_ = await _id(runtime)
    connection = await runtime.database.connect()
    try:
        assert await examine(connection, [id_], CHECKS) == []
        for tampering, named in TAMPERINGS.items():
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(tampering)
            assert [one.check for one in await examine(connection, [id_], CHECKS)] == [checks[named]]
            await transaction.rollback()
    finally:
        await connection.close()
