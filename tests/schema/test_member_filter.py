"""Members are found by what is known of them: attributes by their type, tags, joining, identifiers (A14, L7)."""

from typing import Any

import pytest

from alliance.runtime import Runtime
from tests.schema.support import Client
from tests.schema.test_lists import counted
from tests.schema.test_profiles import SECTION, declare

FIND = """query ($f: MemberFilter, $first: Int, $after: String) { members(filter: $f, first: $first, after: $after) {
  totalCount pageInfo { hasNextPage endCursor }
  edges { node { number memberships { channel } profile { code value } tags { code } } } } }"""
PEOPLE: dict[str, tuple[str, dict[str, Any]]] = {
    "ann": ("WEB", {"pets": 9, "vegan": True, "diet": ["FISH"], "nickname": "Ann"}),
    "bob": ("STORE", {"pets": 10, "vegan": False, "diet": ["FISH", "NUTS"], "nickname": "Bob"}),
    "cid": ("STORE", {"pets": -1}),
}


@pytest.fixture
async def people(runtime: Runtime, operator: Client, grocer: Client) -> dict[str, str]:
    """Names of members of the grocer, by their numbers; cid joined the filling station too, where he has a car."""
    await declare(runtime, SECTION)
    for name, (channel, profile) in PEOPLE.items():
        await join(grocer, "grocer", name, channel, profile)
    await join(operator, "fuel", "cid", "APP", {"car": "DIESEL", "nickname": "Cid"})
    await grocer.do("tagMembers", "TagMembersInput", "", tag="vip", members=[by("ann"), by("bob")])
    await grocer.do("tagMembers", "TagMembersInput", "", tag="new", members=[by("bob")])
    await operator.do("tagMembers", "TagMembersInput", "", tag="vip", members=[by("cid")])
    asked = " ".join(f"{name}: member(by: $" + f"{name}) {{ number }}" for name in PEOPLE)
    query = "query (" + " ".join(f"${name}: MemberRef!" for name in PEOPLE) + ") { " + asked + " }"
    return {one["number"]: name for name, one in (await operator.run(query, **{n: by(n) for n in PEOPLE})).items()}


def by(card: str) -> dict[str, Any]:
    return {"identifier": {"type": "CARD", "issuer": "grocer", "value": card}}


async def join(client: Client, merchant: str, card: str, channel: str, profile: dict[str, Any]) -> None:
    identifiers = [{"type": "CARD", "issuer": "grocer", "value": card}]
    answer = await client.do(
        "enrolMember",
        "EnrolMemberInput",
        "... on Enrolled { joined }",
        merchant=merchant,
        channel=channel,
        identifiers=identifiers,
        profile=profile,
    )
    assert answer["joined"]


async def found(people: dict[str, str], client: Client, **filter: Any) -> str:
    """The names of who is found, in the order of joining; their number is counted alike."""
    members = (await client.run(FIND, f=filter))["members"]
    names = [people[edge["node"]["number"]] for edge in members["edges"]]
    assert members["totalCount"] == len(names)
    return " ".join(names)


def attribute(code: str, **compared: Any) -> dict[str, Any]:
    return {"attributes": [{"code": code, **compared}]}


async def test_members_are_found_by_what_is_known_of_them(
    runtime: Runtime, grocer: Client, people: dict[str, str]
) -> None:
    for filter, names in (
        (attribute("pets", atLeast=9), "ann bob"),
        (attribute("pets", moreThan=9), "bob"),
        (attribute("pets", lessThan=0), "cid"),
        (attribute("pets", atLeast=-1, atMost=9), "ann cid"),
        (attribute("pets", oneOf=[9, -1]), "ann cid"),
        (attribute("vegan", equals=False), "bob"),
        (attribute("vegan", known=False), "cid"),
        (attribute("vegan", known=True), "ann bob"),
        (attribute("diet", has="FISH"), "ann bob"),
        (attribute("diet", has="NUTS"), "bob"),
        (attribute("nickname", equals=" Bob "), "bob"),
        ({"attributes": [{"code": "pets", "atLeast": 0}, {"code": "vegan", "equals": True}]}, "ann"),
        ({"tags": {"all": ["vip"]}}, "ann bob"),
        ({"tags": {"all": ["vip", "new"]}}, "bob"),
        ({"tags": {"any": ["new", "old"], "none": ["vip"]}}, ""),
        ({"tags": {"none": ["new"]}}, "ann cid"),
        ({"channel": "STORE"}, "bob cid"),
        ({"joinedFrom": "2017-01-01T00:00:00Z"}, "ann bob cid"),
        ({"joinedBefore": "2017-01-01T00:00:00Z"}, ""),
        ({"identifier": {"type": "CARD", "value": "bob"}, "tags": {"all": ["vip"]}}, "bob"),
        ({"identifier": {"type": "CARD", "value": "nobody"}}, ""),
    ):
        assert await found(people, grocer, **filter) == names, filter
    first = (await grocer.run(FIND, f={"tags": {"all": ["vip"]}}, first=1))["members"]
    rest = await grocer.run(FIND, f={"tags": {"all": ["vip"]}}, first=1, after=first["pageInfo"]["endCursor"])
    assert (first["pageInfo"]["hasNextPage"], rest["members"]["pageInfo"]["hasNextPage"]) == (True, False)
    with counted(runtime) as statements:
        await found(people, grocer, **attribute("pets", atLeast=-1), tags={"none": ["old"]})
    several = len(statements)
    with counted(runtime) as statements:
        await found(people, grocer, **attribute("pets", atLeast=-1), tags={"all": ["new"]})
    assert len(statements) <= several <= 8, "as many for three members as for one, who needed no consent"


async def test_a14_a_filter_tells_nothing_that_the_caller_may_not_see(
    operator: Client, grocer: Client, fuel: Client, people: dict[str, str]
) -> None:
    assert await found(people, fuel) == "cid"
    assert await found(people, fuel, tags={"all": ["vip"]}) == "", "the operator's tag, and the grocer's"
    assert await found(people, fuel, **attribute("pets", equals=9)) == "", "members of the grocer's"
    assert await found(people, operator, tags={"all": ["vip"]}) == "cid"
    assert await found(people, operator, tags={"all": ["vip"]}, merchant="grocer") == "ann bob cid"
    assert await found(people, operator, **attribute("car", equals="DIESEL")) == "cid"
    assert await found(people, operator, channel="APP") == "cid"
    assert await found(people, operator, **attribute("nickname", equals="Cid")) == "cid"
    assert await found(people, grocer, **attribute("nickname", equals="Cid")) == "", "of which another was told (L7)"
    for filter, path, code in (
        (attribute("car", equals="DIESEL"), "attributes.0.code", "UNKNOWN_ATTRIBUTE"),
        (attribute("none", equals=1), "attributes.0.code", "UNKNOWN_ATTRIBUTE"),
        (attribute("pets", equals="9"), "attributes.0.equals", "UNFIT_ATTRIBUTE"),
        (attribute("vegan", atLeast=True), "attributes.0.atLeast", "BAD_USER_INPUT"),
        (attribute("diet", equals="FISH"), "attributes.0.equals", "BAD_USER_INPUT"),
        (attribute("birthday", equals="1990-02-28"), "attributes.0.equals", "BAD_USER_INPUT"),
        (attribute("nickname", known=True), "attributes.0.known", "BAD_USER_INPUT"),
        (attribute("pets"), "attributes.0.equals", "BAD_USER_INPUT"),
        ({"tags": {"any": ["x"] * 11}}, "tags", "BAD_USER_INPUT"),
    ):
        [error] = await grocer.errors(FIND, f=filter)
        assert (error["extensions"]["code"], error["extensions"]["path"]) == (code, ["filter", *path.split(".")]), (
            filter
        )
