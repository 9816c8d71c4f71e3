"""The section `members`: applied, written back and compiled; what does not fit is refused where it stands."""

import re
from datetime import UTC, datetime

import pytest

from alliance.file import FileErrors, Plan, apply, export, parse
from alliance.runtime import Runtime
from domain.programs.profiles import Attribute
from tests.alliance.file.alliances import SMALL

NOW = datetime(2017, 1, 1, tzinfo=UTC)
SECTION = """\
members:
  attributes:
    - {code: born, name: Born, type: date, personal: true}
    - {code: sizes, name: Sizes, type: choices, choices: [S, M], merchant: grocer, write: [member]}
"""


async def applied(runtime: Runtime, section: str) -> tuple[Plan, str]:
    """What applying the section beside what there is came to, and what is written back."""
    async with runtime.database.transaction() as session:
        before = (await export(session)).split("\nmembers:")[0] + "\n"
        plan = await apply(session, parse(before + section, "x.yaml"), NOW)
        text = await export(session)
    await runtime.refresh()
    return plan, text


def changes(plan: Plan) -> list[str]:
    """What it changes, in words; lines of the file all alike."""
    return [re.sub(r"line \d+", "line 000", str(one)) for one in plan.changes if one.action != "unchanged"]


async def test_attributes_are_declared(runtime: Runtime) -> None:
    plan, text = await applied(runtime, SECTION)
    assert changes(plan) == ["create    attribute born", "create    attribute sizes"]
    kept, wanted = parse(text, "x.yaml").document.members, parse(SMALL + SECTION, "x.yaml").document.members
    assert kept is not None
    assert wanted is not None
    assert [one for one in kept.attributes if one in wanted.attributes] == wanted.attributes
    assert runtime.catalogue.members.attributes["sizes"] == Attribute(
        code="sizes",
        name="Sizes",
        type="choices",
        choices=("S", "M"),
        merchant="grocer",
        personal=False,
        find=False,
        read=frozenset({"member", "merchant"}),
        write=frozenset({"member"}),
    )

    plan, _ = await applied(
        runtime, SECTION.replace("[S, M]", "[S, M, L]").replace("personal: true", "personal: false")
    )
    assert changes(plan) == [
        "refuse    attribute born: personal cannot be changed: it is True (line 000)",
        "update    attribute sizes: choices",
    ]
    plan, text = await applied(runtime, SECTION.replace("[S, M]", "[S, M, L]"))
    assert (plan.changed, "[S, M, L]" in text) == (True, True)
    plan, _ = await applied(runtime, "")
    kept = ", ".join(f"attribute {code}" for code in ("birthday", "born", "favourites", "household", "sizes"))
    kept += ", terms programme version 1"
    assert (plan.changed, plan.notices) == (False, (f"not in the file, and kept: {kept}",))


@pytest.mark.parametrize(
    ("old", "new", "path", "reason"),
    [
        ("attributes:", "attribute:", "members.attribute", "unknown key; did you mean 'attributes'?"),
        ("code: born", "code: Birth-day", "members.attributes[0].code", "is not a name of small letters"),
        ("code: born", "code: sizes", "members.attributes[1].code", "declared twice"),
        ("type: date", "type: day", "members.attributes[0].type", "'date'"),
        ("type: date", "type: choice", "members.attributes[0]", "types choice and choices have choices"),
        ("type: choices", "type: string", "members.attributes[1]", "types choice and choices have choices"),
        ("[S, M]", "[S, S]", "members.attributes[1].choices", "the same value twice"),
        ("merchant: grocer", "merchant: grocery", "members.attributes[1].merchant", "merchant 'grocery' is not decl"),
        ("write: [member]", "write: [anybody]", "members.attributes[1].write[0]", "'member' or 'merchant'"),
        ("choices: [S", "find: true, choices: [S", "members.attributes[1]", "find is for personal attributes"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(old: str, new: str, path: str, reason: str) -> None:
    assert SECTION.count(old) == 1
    with pytest.raises(FileErrors) as refused:
        parse(SMALL + SECTION.replace(old, new), "x.yaml")
    assert [(path, True)] == [(fault.path, reason in fault.reason) for fault in refused.value.errors]
