"""Tags by rule: over attributes, membership and purchases, of each owner as far as it sees; events of what changes."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from alliance.file import FileErrors, parse
from alliance.runtime import Runtime
from domain.events.model import HeldJob
from server.commands.tagging import tag_all
from tests.alliance.file.alliances import SMALL
from tests.schema.support import Client
from tests.schema.test_lists import counted
from tests.schema.test_member_filter import by, found, join
from tests.schema.test_profiles import SECTION, declare
from workers.actors.tag_rules import tags, tags_range

AS_OF = datetime(2017, 6, 1, 12, tzinfo=UTC)
RULES = (
    SECTION
    + """\
  tags:
    - code: baker
      name: Buys bread
      merchant: grocer
      facts:
        loaves: {of: count, days: 30, category: [BREAD]}
        spent: {of: sum, days: 30, category: [BREAD]}
        away: {of: days_since, days: 30}
      when: loaves >= 2 && spent >= 700 && away < 5 && channel == 'STORE' && tier == ''
    - {code: pets, name: Has pets, merchant: grocer, when: attributes.pets > 0}
    - {code: quiet, name: Bought nothing, merchant: fuel, facts: {n: {of: count, days: 365}}, when: n == 0}
    - code: everywhere
      name: Shops
      read: [merchant]
      facts: {n: {of: sum, days: 365, merchants: [grocer]}}
      when: n > 1
    - {code: staff, name: Staff, merchant: grocer, read: [member]}
"""
)


@pytest.fixture
async def people(runtime: Runtime, operator: Client, grocer: Client) -> dict[str, str]:
    """Ann and Bob of the grocer, Cid of both; Bob and Cid bought bread, and Cid's came back."""
    await declare(runtime, RULES)
    await join(operator, "grocer", "ann", "WEB", {"pets": 1})
    await join(operator, "grocer", "bob", "STORE", {"pets": 0})
    await join(operator, "grocer", "cid", "STORE", {})
    await join(operator, "fuel", "cid", "APP", {})
    for card, day, category, amount in (
        ("bob", "2017-05-29T12:00:00Z", "BREAD", "3.50"),
        ("bob", "2017-05-30T12:00:00Z", "BREAD", "3.50"),
        ("bob", "2017-05-30T12:00:00Z", "MILK", "1.00"),
        ("ann", "2017-04-01T12:00:00Z", "BREAD", "9.00"),
        ("cid", "2017-05-30T12:00:00Z", "BREAD", "9.00"),
        ("cid", "2017-05-30T13:00:00Z", "BREAD", "9.00"),
    ):
        line = {"ref": "1", "category": category, "amount": {"amount": amount, "currency": "USD"}}
        want = "... on Earned { operation { id } }"
        bought = {"merchant": "grocer", "member": by(card), "channel": "STORE", "lines": [line], "occurredAt": day}
        earned = await operator.at(AS_OF).do("earn", "EarnInput", want, **bought)
        if card == "cid":
            back = {"operation": earned["operation"]["id"], "reason": "returned"}
            await operator.at(AS_OF).do("reverse", "ReverseInput", "... on Reversed { points }", **back)
    names = {}
    for name in ("ann", "bob", "cid"):
        one = await operator.run("query ($by: MemberRef!) { member(by: $by) { number } }", by=by(name))
        names[one["member"]["number"]] = name
    return names


async def test_rules_put_and_take_tags(
    runtime: Runtime, operator: Client, grocer: Client, fuel: Client, people: dict[str, str]
) -> None:
    wanted = {
        "everywhere": (2, 2, 0, 0),
        "fuel/quiet": (1, 1, 0, 0),
        "grocer/baker": (1, 1, 0, 0),
        "grocer/pets": (1, 1, 0, 1),
    }
    for dry_run in (True, False):
        with counted(runtime) as statements:
            tallies = {one.pop("tag"): one for one in await tag_all(runtime, AS_OF, dry_run)}
        assert {name: tuple(one.values())[:4] for name, one in tallies.items()} == wanted
        assert len(statements) <= (14 if dry_run else 30), "whatever the number of members"
    assert "attributes.pets" in tallies["grocer/pets"]["why"], "of Cid nobody knows it"
    assert [await found(people, grocer, tags={"all": [code]}) for code in ("baker", "pets")] == ["bob", "ann"]
    assert await found(people, grocer, tags={"all": ["everywhere"]}) == "ann bob", "a tag that merchants may read"
    assert await found(people, fuel, tags={"any": ["quiet", "baker"]}) == "cid"

    again = {one["tag"]: (one["put"], one["taken"]) for one in await tag_all(runtime, AS_OF, False)}
    assert set(again.values()) == {(0, 0)}
    later = {one["tag"]: (one["put"], one["taken"]) for one in await tag_all(runtime, AS_OF.replace(month=8), False)}
    assert later["grocer/baker"] == (0, 1)
    async with runtime.database.reader() as session:
        told = await session.execute(
            text("SELECT kind, data->>'tag' AS tag, seen_by FROM event WHERE kind LIKE 'MEMBER_%TAGGED' ORDER BY id")
        )
        events = [(row.kind, row.tag) for row in told if row.tag == "baker"]
    assert events == [("MEMBER_TAGGED", "baker"), ("MEMBER_UNTAGGED", "baker")]


async def test_the_night_runs_them_in_ranges(
    runtime: Runtime, operator: Client, grocer: Client, people: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.actors.tag_rules.MEMBERS_A_JOB", 2)

    def job(args: Any) -> HeldJob:
        return HeldJob(uuid4(), args, 1)

    async with runtime.database.transaction() as session:
        await tags(runtime, session, [job({"as_of": AS_OF.isoformat()})])
        args = (await session.scalars(text("SELECT args FROM job WHERE actor = 'tags_range' ORDER BY id"))).all()
        assert len(args) == 2
        await tags_range(runtime, session, [job(one) for one in args])
    assert await found(people, grocer, tags={"any": ["baker", "pets"]}) == "ann bob"


async def test_a_tag_by_rule_is_nobodys_to_put(operator: Client, grocer: Client, people: dict[str, str]) -> None:
    for name in ("tagMembers", "untagMembers"):
        answer = await grocer.do(name, "TagMembersInput", "... on TagByRule { tag }", tag="baker", members=[by("ann")])
        assert (answer["code"], answer["tag"]) == ("TAG_BY_RULE", "baker")
    want = "... on MembersTagged { results { changed member { tags { code name } } } }"
    answer = await grocer.do("tagMembers", "TagMembersInput", want, tag="staff", members=[by("ann")])
    assert answer["results"] == [{"changed": True, "member": {"tags": [{"code": "staff", "name": "Staff"}]}}]


@pytest.mark.parametrize(
    ("tag", "path", "reason"),
    [
        ("when: attributes.birthday > now", "when", "1:11: undeclared reference to 'attributes.birthday'"),
        ("merchant: grocer, when: attributes.car == ''", "when", "1:11: undeclared reference to 'attributes.car'"),
        ("when: tier == ''", "when", "1:1: undeclared reference to 'tier'"),
        ("facts: {known: {of: count, days: 1}}, when: 'true'", "", "a fact is not called known"),
        ("facts: {n: {of: count, days: 1}}", "", "facts are for when"),
        ("facts: {n: {of: count, days: 1, money: USD}}, when: n > 0", "facts.n", "only a sum is of money"),
        ("facts: {n: {of: count, days: 1, merchants: [x]}}, when: n > 0", "facts.n.merchants", "'x' is not declared"),
        ("facts: {n: {of: count, days: 1, merchants: [fuel]}}, merchant: fuel, when: n > 0", "", "its own purchases"),
        ("merchant: x", "merchant", "merchant 'x' is not declared"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_where_it_stands(tag: str, path: str, reason: str) -> None:
    section = SECTION + f"  tags:\n    - {{code: t, name: T, {tag}}}\n"
    with pytest.raises(FileErrors) as refused:
        parse(SMALL + section, "x.yaml")
    [fault] = refused.value.errors
    assert (fault.path, reason in fault.reason) == (f"members.tags[0].{path}".rstrip("."), True), fault
