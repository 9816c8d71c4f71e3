"""Texts with gaps: what is shipped is sound, what a merchant writes reaches nothing, languages fall back."""

import pytest

from domain.contacts.model import ContactChannel
from domain.messages.model import MessageKind
from domain.messages.texts import GAPS, LANGUAGES, PARTS, choose, faults, fill, preview, shipped
from domain.programs.notifying import NotificationTerms

EARNED = MessageKind.POINTS_EARNED
TERMS = NotificationTerms(("EMAIL",), frozenset(MessageKind))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_is_shipped_for_every_channel_in_every_language(language: str) -> None:
    assert shipped(language).keys() == set(MessageKind)
    for kind in MessageKind:
        for part, source in shipped(language)[kind].items():
            assert list(faults(kind, part, source)) == []
        for channel in PARTS:
            spoken, parts = preview(TERMS, kind, channel, language)
            assert (spoken, all(parts.values())) == (language, True)
            assert "{" not in "".join(parts.values())


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ points.__init__.__globals__ }}",
        "{{ cycler.__init__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ config }}",
        "{{ lipsum() }}",
        "{{ points * 1000000 }}",
        "{{ points|replace('a', 'b') }}",
        "{{ 'x' % points }}",
        "{% for a in points %}x{% endfor %}",
        "{% set a = 1 %}",
        "{% macro a() %}{% endmacro %}",
        "{% include 'secret' %}",
        "{% import 'os' as os %}",
        "{{ points[0] }}",
        "{% raw %}{{",
        "{{",
        "{{ " + "not " * 5000 + "points }}",
        "x" * 20_001,
    ],
)
def test_a_text_only_prints_and_tests_its_gaps(source: str) -> None:
    assert list(faults(EARNED, "text", source))


def test_a_gap_that_the_kind_does_not_have_is_named() -> None:
    [reason] = faults(EARNED, "text", "{{ points }} {% if tier %}{{ merchant }}{% endif %}")
    assert reason == "points_earned has no 'tier': there are currency, merchant, number, points"


@pytest.mark.parametrize(
    ("wanted", "spoken"),
    [("zh-CN", "zh-CN"), ("zh-TW", "zh-CN"), ("en-GB", "en"), ("fr", "de"), ("de-AT", "de"), (None, "de")],
)
def test_languages_fall_back_to_the_merchants_and_then_to_english(wanted: str | None, spoken: str) -> None:
    own = {(EARNED.value, "de"): {"sms": "{{ points }} Punkte"}}
    terms = NotificationTerms(("SMS",), frozenset(), language="de", texts=own)
    assert choose(terms, EARNED, ContactChannel.SMS, wanted).language == spoken
    other = {"de": "en"}.get(spoken, spoken)
    assert choose(terms, EARNED, ContactChannel.EMAIL, wanted).language == other, "there is no e-mail in German"


def test_html_is_escaped_and_a_subject_is_one_line() -> None:
    parts = {"subject": "{{ merchant }}\r\nBcc: all", "text": "{{ merchant }}", "html": "<b>{{ merchant }}</b>"}
    terms = NotificationTerms(("EMAIL",), frozenset(), texts={(EARNED.value, "en"): parts})
    chosen = choose(terms, EARNED, ContactChannel.EMAIL, "en")
    filled = fill(chosen, GAPS[EARNED] | {"merchant": "<i>A&B</i>"})
    assert filled["html"] == "<b>&lt;i&gt;A&amp;B&lt;/i&gt;</b>"
    assert (filled["text"], filled["subject"]) == ("<i>A&B</i>", "<i>A&B</i> Bcc: all")
    assert chosen.digest != choose(TERMS, EARNED, ContactChannel.EMAIL, "en").digest


def test_figures_and_dates_are_written_as_the_language_writes_them() -> None:
    english, chinese = (preview(TERMS, MessageKind.POINTS_EXPIRING, ContactChannel.SMS, one)[1] for one in LANGUAGES)
    assert "June 30, 2027" in english["sms"]
    assert "2027年6月30日" in chinese["sms"]
