"""The section `notifications` of a merchant: applied, written back, and its texts refused where they do not fit."""

from datetime import UTC, datetime, time

import pytest

from alliance.file import FileErrors, apply, export, parse
from alliance.runtime import Runtime
from domain.programs.notifying import NotificationTerms, QuietHours
from tests.alliance.file.alliances import SMALL

SECTION = """
    notifications:
      channels: [sms, email]
      kinds: [gift_received]
      marketing: [gift_received]
      language: zh-CN
      quietHours: {from: "21:00", to: "08:00", zone: merchant}
      templates:
        - {kind: gift_received, language: en, sms: "{{ points }}!"}
"""
AFTER = "    jurisdiction: US-OH\n"


def changed(old: str = "", new: str = "") -> str:
    assert old in SECTION
    return SMALL.replace(AFTER, AFTER + SECTION.replace(old, new).lstrip("\n"), 1)


async def test_a_merchant_says_how_it_writes(runtime: Runtime) -> None:
    text = await _exported(runtime)
    code = parse(text, "x.yaml").document.merchants[0].code
    text = text.replace(AFTER, AFTER + SECTION.lstrip("\n"), 1)
    for again in range(2):
        async with runtime.database.transaction() as session:
            plan = await apply(session, parse(text, "x.yaml"), datetime(2017, 1, 1, tzinfo=UTC))
        assert (plan.refused, plan.changed) == (False, not again)
        text = await _exported(runtime)
    await runtime.refresh()
    assert runtime.catalogue.merchants[code].notifications == NotificationTerms(
        channels=("SMS", "EMAIL"),
        kinds=frozenset({"GIFT_RECEIVED"}),
        language="zh-CN",
        quiet=QuietHours(time(21), time(8), by_member=False),
        texts={("GIFT_RECEIVED", "en"): {"sms": "{{ points }}!"}},
        marketing=frozenset({"GIFT_RECEIVED"}),
    )
    others = [one for one in runtime.catalogue.merchants.values() if one.code != code]
    assert [one.notifications for one in others] == [None]


async def _exported(runtime: Runtime) -> str:
    async with runtime.database.session() as session:
        return await export(session)


@pytest.mark.parametrize(
    ("old", "new", "path", "reason"),
    [
        ("{{ points }}!", "{{ tier }}", "templates[0].sms", "gift_received has no 'tier': there are currency, m"),
        ("{{ points }}!", "{{ points.real }}", "templates[0].sms", "Getattr is not allowed"),
        ("{{ points }}!", "{% if %}", "templates[0].sms", "not a template"),
        ('sms: "{{ points }}!"', 'text: "x"', "templates[0]", "an e-mail has a subject and a text"),
        ("language: en", 'language: "e n"', "templates[0].language", "is not a language tag"),
        ("[sms, email]", "[sms, fax]", "channels[1]", "'sms'"),
        ('"08:00"', '"21:00"', "quietHours", "are none"),
        ('"08:00"', '"8"', "quietHours.to", "is not a time of day"),
        ("kinds: [gift_received]", "kinds: [lottery]", "kinds[0]", "gift_received"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(old: str, new: str, path: str, reason: str) -> None:
    with pytest.raises(FileErrors) as refused:
        parse(changed(old, new), "x.yaml")
    [fault] = refused.value.errors
    assert (fault.path.endswith(f"notifications.{path}"), reason in fault.reason) == (True, True), fault


def test_reminders_stand_in_falling_order() -> None:
    with pytest.raises(FileErrors, match="falling order"):
        parse(SMALL.replace("kind: points,", "kind: points, reminders: [7, 30],", 1), "x.yaml")
