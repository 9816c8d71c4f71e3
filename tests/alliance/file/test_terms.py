"""`members.terms`: applied, written back and compiled; a version that is worse for members keeps its notice (L3)."""

from datetime import UTC, datetime

import pytest

from alliance.file import FileErrors, Plan, apply, export, parse
from alliance.runtime import Runtime
from domain.programs.accepting import ClauseChange, best_language, in_force
from tests.alliance.file.alliances import SMALL

NOW = datetime(2026, 1, 1, 17, tzinfo=UTC)
"""Noon in New York. In thirty days it is noon on the 31st, so the first day that is far enough is the one after it."""
FIRST = """\
members:
  terms:
    - {code: club, version: 1, from: 2025-01-01, texts: {en: {title: Club, text: All of it.}}}
"""
OF_CIDRE = FIRST.replace("version: 1,", "version: 1, merchant: cidre,")
QUEBEC = "merchants:\n  - {code: cidre, name: Cidre, jurisdiction: CA-QC, timezone: America/New_York}\n"
TEXT = "{title: Club, url: 'https://club.example/2'}"
CHANGE = "{before: Points last two years., after: Points last a year.}"
BOTH = f"texts: {{en: {TEXT}, fr: {TEXT}}}, changes: {{en: {CHANGE}, fr: {CHANGE}}}"


def second(starts: str, said: str = f"texts: {{en: {TEXT}}}", *, worse: str = "true") -> str:
    return f"    - {{code: club, version: 2, from: {starts}, worse: {worse}, {said}}}\n"


async def put(runtime: Runtime, section: str, as_of: datetime = NOW) -> Plan:
    """Apply the section beside what there is."""
    async with runtime.database.transaction() as session:
        before = (await export(session)).split("\nmembers:")[0] + "\n"
        if "merchant: cidre" in section and "cidre" not in before:
            before = before.replace("merchants:\n", QUEBEC, 1)
        plan = await apply(session, parse(before + section, "x.yaml"), as_of)
    await runtime.refresh()
    return plan


async def said(runtime: Runtime, section: str) -> str:
    """What is said of the only new version."""
    plan = await put(runtime, section)
    [change] = [one for one in plan.changes if one.kind == "terms" and one.action != "unchanged"]
    return f"{change.action} {change.version}: {change.reason}"


async def test_l03_terms_are_published_in_versions_and_written_back(runtime: Runtime) -> None:
    section = FIRST + second("2026-02-01", f"{BOTH}, merchant: grocer").replace("club", "shop").replace("n: 2", "n: 1")
    section = section.replace("worse: true, ", "").replace(f", changes: {{en: {CHANGE}, fr: {CHANGE}}}", "")
    assert not (await put(runtime, section)).refused
    async with runtime.database.session() as session:
        kept = parse(await export(session), "x.yaml").document.members
    wanted = parse(SMALL + section, "x.yaml").document.members
    assert kept is not None
    assert wanted is not None
    assert [one for one in kept.terms if one.code != "programme"] == wanted.terms
    assert not (await put(runtime, section)).changed
    known = runtime.catalogue.members.terms
    zone = runtime.catalogue.alliance.timezone
    assert known.keys() == {"club", "programme", "shop"}
    assert (known["club"][0].texts["en"].text, known["shop"][0].merchant) == ("All of it.", "grocer")
    assert in_force(known["club"], zone, NOW) == known["club"][0]
    assert in_force(known["shop"], zone, NOW) is None


async def test_l03_a_version_is_never_edited_and_others_come_after_it(runtime: Runtime) -> None:
    await put(runtime, FIRST)
    assert "never edited (texts)" in await said(runtime, FIRST.replace("All of it.", "Less."))
    assert "must begin after 2025-01-01" in await said(runtime, FIRST.replace("n: 1", "n: 2, worse: false"))
    other = second("2026-01-02", f"texts: {{en: {TEXT}}}, merchant: grocer", worse="false")
    assert "of one merchant" in await said(runtime, FIRST.split("    -")[0] + other)
    superseded = await said(runtime, FIRST + second("2026-01-02", worse="false"))
    assert superseded == "supersede 2: version 1 ends when 2026-01-02 begins", "what is not worse needs no notice"


async def test_l03_a_version_worse_for_members_is_announced_thirty_days_before(runtime: Runtime) -> None:
    await put(runtime, FIRST)
    for sudden in ("2026-01-02", "2026-01-31"):
        refused = await said(runtime, FIRST + second(sudden))
        assert refused.startswith(
            "refuse 2: worse for members, so announced at least 30 days before: not before 2026-02-01"
        )
        assert "no stricter law is known" in refused, "the clause is named"
    assert len(runtime.catalogue.members.terms["club"]) == 1
    assert (await said(runtime, FIRST + second("2026-02-01"))).startswith("supersede 2")
    # Nor are two versions a way round it.
    fresh = FIRST.replace("club", "fresh").replace("2025-01-01", "2026-01-02")
    both = await put(runtime, fresh + second("2026-01-03").replace("club", "fresh"))
    assert [one.action for one in both.changes if one.name == "fresh"] == ["create", "refuse"]


async def test_l03_quebec_asks_sixty_to_ninety_days_and_both_texts(runtime: Runtime) -> None:
    assert not (await put(runtime, OF_CIDRE)).refused

    async def asked(starts: str, how: str = BOTH) -> str:
        return await said(runtime, OF_CIDRE + second(starts, f"{how}, merchant: cidre"))

    early, late = await asked("2026-03-02"), await asked("2026-04-02")
    assert "at least 60 days before: not before 2026-03-03" in early
    assert "at most 90 days before: by 2026-04-01" in late
    assert all("CA-QC: Consumer Protection Act, s. 187.9" in one for one in (early, late))
    assert "are in fr" in await asked("2026-03-03", f"texts: {{en: {TEXT}}}, changes: {{en: {CHANGE}}}")
    assert "are in en" in await asked("2026-03-03", BOTH.replace("en:", "de:"))
    assert "are in fr" in await asked("2026-03-03", BOTH.split(", changes")[0]), "the clause before and after too"
    alliance = FIRST.replace("club", "all") + second("2026-02-01").replace("club", "all")
    plan = await put(runtime, alliance)
    assert [one.action for one in plan.changes if one.name == "all"] == ["create", "refuse"], "a merchant is in Quebec"
    assert (await asked("2026-04-01")).startswith("supersede 2")
    change = runtime.catalogue.members.terms["club"][1].changes["fr"]
    assert change == ClauseChange("Points last two years.", "Points last a year.")


async def test_l03_what_is_history_where_it_comes_from_needs_no_notice(runtime: Runtime) -> None:
    assert (await said(runtime, FIRST.replace("n: 1", "n: 2, worse: true"))).startswith("create 2")


@pytest.mark.parametrize(
    ("section", "path", "reason"),
    [
        (FIRST.replace("n: 1", "n: 2"), "members.terms[0]", "say whether this version is worse"),
        (FIRST.replace("n: 1", "n: 1, worse: true"), "members.terms[0]", "a first version changes nothing"),
        (FIRST.replace("text: All", "url: 'http://a.example', text: All"), "members.terms[0].texts.en.url", "https"),
        (FIRST.replace(", text: All of it.", ""), "members.terms[0].texts.en", "either a url or a text"),
        (FIRST.replace("{en: {", "{English: {"), "members.terms[0].texts.English", "language tag"),
        (OF_CIDRE, "members.terms[0].merchant", "is not declared"),
        (FIRST + second("2025-01-01"), "members.terms[1].from", "must be after 2025-01-01"),
        (FIRST + FIRST.splitlines()[-1] + "\n", "members.terms[1].version", "declared twice"),
        (
            FIRST + second("2026-01-01", f"merchant: grocer, texts: {{en: {TEXT}}}"),
            "members.terms[1].merchant",
            "of one merchant",
        ),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(section: str, path: str, reason: str) -> None:
    with pytest.raises(FileErrors) as refused:
        parse(SMALL + section, "x.yaml")
    assert any(fault.path.startswith(path) and reason in fault.reason for fault in refused.value.errors), refused.value


def test_terms_are_shown_in_the_nearest_language() -> None:
    assert [best_language(["en", "zh-CN", "fr"], one) for one in ("fr", "zh-TW", "zh-CN", "de")] == [
        "fr",
        "zh-CN",
        "zh-CN",
        "en",
    ]
    assert best_language(["fr-CA", "es"], "de") == "es"
