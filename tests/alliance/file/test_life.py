"""`members.life`: applied, changed, written back and compiled; what does not fit is refused where it stands."""

from pathlib import Path

import pytest

from alliance.file import FileErrors, parse
from alliance.runtime import Runtime
from domain.programs.living import LifeTerms, StageTerms
from tests.alliance.file.alliances import SMALL
from tests.alliance.file.test_members import applied, changes

SECTION = """\
members:
  life:
    stages: {newDays: 14, dormantDays: 90, lostDays: 180}
    close: {coolingDays: 7, points: lapse}
    programmes:
      - {merchant: grocer, newDays: 7, dormantDays: 30, lostDays: 60, points: give}
"""


async def test_life_is_declared_and_changed(runtime: Runtime) -> None:
    assert runtime.catalogue.members.life == LifeTerms()
    plan, text = await applied(runtime, SECTION)
    assert changes(plan) == ["create    members life"]
    written, asked = (parse(content, "x.yaml").document.members for content in (text, SMALL + SECTION))
    assert written is not None
    assert asked is not None
    assert written.life == asked.life
    assert runtime.catalogue.members.life == LifeTerms(
        stages=StageTerms(14, 90, 180),
        stages_at={"grocer": StageTerms(7, 30, 60)},
        cooling_days=7,
        points="lapse",
        points_at={"grocer": "give"},
    )
    plan, _ = await applied(runtime, SECTION.replace("coolingDays: 7", "coolingDays: 30"))
    assert changes(plan) == ["update    members life: close"]
    assert runtime.catalogue.members.life.cooling_days == 30


@pytest.mark.parametrize(
    ("old", "new", "path", "reason"),
    [
        ("newDays: 14", "newDays: 91", "members.life.stages", "newDays is at most dormantDays"),
        ("lostDays: 180", "lostDays: 90", "members.life.stages", "less than lostDays"),
        ("lostDays: 60", "lostDays: 30", "members.life.programmes[0]", "less than lostDays"),
        ("points: lapse", "points: money", "members.life.close.points", "'lapse' or 'give'"),
        ("coolingDays: 7", "coolingDays: -1", "members.life.close.coolingDays", "greater than or equal to 0"),
        ("merchant: grocer", "merchant: nobody", "members.life.programmes[0].merchant", "is not declared"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(old: str, new: str, path: str, reason: str) -> None:
    with pytest.raises(FileErrors) as refused:
        parse(SMALL + SECTION.replace(old, new), "x.yaml")
    assert [fault.path for fault in refused.value.errors] == [path]
    assert reason in refused.value.errors[0].reason


def test_a_programme_has_its_own_terms_once() -> None:
    twice = SECTION + SECTION.splitlines()[-1] + "\n"
    with pytest.raises(FileErrors, match="own terms already"):
        parse(SMALL + twice, str(Path("x.yaml")))
