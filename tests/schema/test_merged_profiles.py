"""What is known of members who are merged: the survivor's own first, then what only the other had; and taken back."""

from typing import Any

from alliance.runtime import Runtime
from tests.schema.support import Client
from tests.schema.test_merging import enrol, merge, unmerge
from tests.schema.test_profiles import SECTION, declare, known, update

TAGS = "query ($by: MemberRef!) { member(by: $by) { tags { code } } }"
LISTED = """query ($filter: MemberFilter) { members(first: 5, filter: $filter) { edges { node { number } } } }"""


async def tags(operator: Client, member: Any) -> list[str]:
    return [one["code"] for one in (await operator.run(TAGS, by=member))["member"]["tags"]]


async def tag(operator: Client, code: str, *members: Any) -> None:
    await operator.do("tagMembers", "TagMembersInput", "... on MembersTagged { __typename }", tag=code, members=members)


async def test_what_only_the_absorbed_member_had_is_the_survivors_until_it_is_undone(
    runtime: Runtime, operator: Client
) -> None:
    await declare(runtime, SECTION)
    (_, gone), (_, stays) = await enrol(operator), await enrol(operator)
    gone, stays = {"number": gone["number"]}, {"number": stays["number"]}
    theirs = {"birthday": "1990-02-28", "nickname": f"Ann {gone['number']}", "pets": 2, "vegan": True}
    mine = {"pets": 7}
    await update(operator, gone, theirs, merchant="grocer")
    await update(operator, stays, mine, merchant="grocer")
    await tag(operator, "vip", gone, stays)
    await tag(operator, "press", gone)
    await merge(operator, stays, gone)
    for name in (gone, stays):
        assert await known(operator, name) == theirs | mine
        assert await tags(operator, name) == ["press", "vip"]
    wanted = {"attributes": [{"code": "nickname", "equals": theirs["nickname"]}], "tags": {"all": ["press"]}}
    listed = (await operator.run(LISTED, filter=wanted))["members"]["edges"]
    assert [edge["node"]["number"] for edge in listed] == [stays["number"]]
    await update(operator, stays, {"vegan": False, "nickname": None}, merchant="grocer")
    await unmerge(operator, gone)
    assert await known(operator, gone) == theirs
    assert await known(operator, stays) == mine | {"vegan": False}
    assert await tags(operator, stays) == ["vip"]
