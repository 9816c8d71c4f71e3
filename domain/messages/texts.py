"""Texts with gaps (Jinja2): which gaps a kind of message has, what a text may say, and how it is filled.

A merchant's text is not trusted: besides the sandbox it may only test and print the gaps of its kind. Nothing in it
can be called, looked up or repeated, so that it costs next to nothing and reaches nothing.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

import orjson
from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal
from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from ruamel.yaml import YAML

from domain.contacts.model import ContactChannel
from domain.messages.model import MessageKind
from domain.programs.notifying import NotificationTerms, Texts

LANGUAGES = ("en", "zh-CN")
"""Those that are shipped; the first is what a member gets whose language nobody wrote."""

PARTS = {ContactChannel.EMAIL: ("subject", "text", "html"), ContactChannel.SMS: ("sms",)}
"""What a message of a channel is made of; `html` may be missing."""

MAX_TEXT = 20_000

_ALWAYS = {"merchant": "Grocer", "number": "10000000009"}
_POINTS = {"points": "1,200", "currency": "Grocer points"}

GAPS: Mapping[MessageKind, Mapping[str, str]] = {
    MessageKind.POINTS_EARNED: _ALWAYS | _POINTS,
    MessageKind.POINTS_ACTIVATED: _ALWAYS | _POINTS,
    MessageKind.POINTS_EXPIRING: _ALWAYS | _POINTS | {"day": ""},
    MessageKind.POINTS_SOLD: _ALWAYS | _POINTS | {"day": ""},
    MessageKind.TIER_CHANGED: _ALWAYS | {"tier": "Gold", "previous": "Silver", "day": ""},
    MessageKind.EXCHANGE_DONE: _ALWAYS | _POINTS | {"into_points": "960", "into_currency": "Fuel points"},
    MessageKind.GIFT_RECEIVED: _ALWAYS | _POINTS,
    MessageKind.ACCOUNT_CHANGED: _ALWAYS | {"change": "linked", "detail": "EMAIL"},
    MessageKind.ACCOUNT_GUARDED: _ALWAYS | {"guard": "cooling_off", "detail": "PHONE", "until": "30 June 2027, 09:00"},
}
"""The gaps of each kind, with what a preview is filled with (and a `day`): texts, empty where nothing is known."""

_DAY = date(2027, 6, 30)

_MAY = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.CondExpr,
    nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Concat,
)  # fmt: skip


def _environment(*, html: bool) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(autoescape=html, undefined=StrictUndefined, keep_trailing_newline=False)


_PLAIN, _HTML = _environment(html=False), _environment(html=True)


def faults(kind: MessageKind, part: str, source: str) -> Iterator[str]:
    """What is wrong with a text: it does not parse, does what it may not, or names a gap that its kind has not."""
    if len(source) > MAX_TEXT:
        yield f"must have at most {MAX_TEXT} characters"
        return
    try:
        tree = _of(part).parse(source)
    except (TemplateSyntaxError, RecursionError) as error:
        where = f" (line {error.lineno} of the text)" if isinstance(error, TemplateSyntaxError) else ""
        yield f"not a template: {error}{where}"
        return
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _MAY):
            yield f"a text only prints and tests its gaps: {type(node).__name__} is not allowed"
            return
    named = {node.name for node in tree.find_all(nodes.Name)}
    for name in sorted(named - GAPS[kind].keys()):
        yield f"{kind.value.lower()} has no {name!r}: there are {', '.join(sorted(GAPS[kind]))}"


@cache
def shipped(language: str) -> Mapping[str, Texts]:
    """The texts of a language that comes with the house, by kind."""
    text = (resources.files("domain.messages.shipped") / f"{language}.yaml").read_text(encoding="utf-8")
    texts: Mapping[str, Texts] = YAML(typ="safe", pure=True).load(text)
    return texts


@dataclass(frozen=True, slots=True)
class Chosen:
    """A text in a language, and its digest: the same for the same text, wherever it came from."""

    language: str
    parts: Texts
    digest: str


def choose(terms: NotificationTerms, kind: MessageKind, channel: ContactChannel, *wanted: str | None) -> Chosen:
    """The text for a channel in the first of the `wanted` languages that there is: as it was asked for, else the same
    language of another region; then the merchant's language, then English. The merchant's own texts go before ours.
    """
    languages = [language for language in (*wanted, terms.language, LANGUAGES[0]) if language]
    own = {language: parts for (of, language), parts in terms.texts.items() if of == kind}
    needed = PARTS[channel][0]
    for language in (found for asked in languages for found in _like(asked, {*own, *LANGUAGES})):
        ours = shipped(language)[kind] if language in LANGUAGES else {}
        for parts in (own.get(language, {}), ours):
            if needed in parts:
                used = {part: parts[part] for part in PARTS[channel] if part in parts}
                return Chosen(language, used, _digest(kind, language, used))
    raise AssertionError("English has every kind")


def fill(chosen: Chosen, values: Mapping[str, str]) -> dict[str, str]:
    """The parts with their gaps filled; a subject is one line.

    Raises jinja2.TemplateError for a text that `faults` would have refused.
    """
    filled = {part: _compiled(part == "html", source).render(values) for part, source in chosen.parts.items()}
    return {part: " ".join(text.split()) if part == "subject" else text.strip() for part, text in filled.items()}


def preview(
    terms: NotificationTerms, kind: MessageKind, channel: ContactChannel, language: str | None
) -> tuple[str, dict[str, str]]:
    """The language, and the parts with their gaps filled with examples."""
    chosen = choose(terms, kind, channel, language)
    given = dict(GAPS[kind]) | ({"day": day(_DAY, chosen.language)} if "day" in GAPS[kind] else {})
    return chosen.language, fill(chosen, given)


def number(value: Decimal | int, language: str) -> str:
    """A number, as a language writes it."""
    return format_decimal(value, locale=_locale(language))


def day(value: date, language: str) -> str:
    """A date, as a language writes it."""
    return format_date(value, "long", locale=_locale(language))


def moment(value: datetime, language: str) -> str:
    """A moment by the clock that it is given in, as a language writes it."""
    return f"{format_date(value.date(), 'long', locale=_locale(language))}, {value:%H:%M}"


@cache
def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale.parse(LANGUAGES[0])


def _like(asked: str, known: set[str]) -> list[str]:
    first = asked.partition("-")[0]
    return [asked] * (asked in known) + sorted(one for one in known if one != asked and one.partition("-")[0] == first)


def _digest(kind: str, language: str, parts: Any) -> str:
    content = orjson.dumps([kind, language, parts], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()[:16]


def _of(part: str) -> ImmutableSandboxedEnvironment:
    return _HTML if part == "html" else _PLAIN


@cache
def _compiled(html: bool, source: str) -> Any:
    return (_HTML if html else _PLAIN).from_string(source)
