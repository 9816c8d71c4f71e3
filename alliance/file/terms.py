"""Terms that members accept: the shape of `members.terms`, and what is wrong with it (L3)."""

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from alliance.file.source import Path
from alliance.file.values import Code, Day, Document, Name, Version, refusal, shaped
from domain.programs.jurisdictions import Profile, profile_of

Faults = Iterator[tuple[Path, str]]
Language = Annotated[str, shaped(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", "a language tag such as en or zh-CN")]
Url = Annotated[str, Field(max_length=2_000), shaped(r"https://[^\s/]+(/\S*)?", "an address such as https://a.example")]
Wording = Annotated[str, Field(min_length=1, max_length=100_000)]


class TermsText(Document):
    """The terms in one language: their address or their words."""

    title: Name
    url: Url | None = None
    text: Wording | None = None

    @model_validator(mode="after")
    def _fits(self) -> "TermsText":
        if (self.url is None) == (self.text is None):
            raise refusal("terms have either a url or a text")
        return self


class ClauseChange(Document):
    """What a version says otherwise."""

    before: Wording
    after: Wording


class Terms(Document):
    """A version of terms."""

    code: Code
    version: Version
    from_: Day = Field(alias="from")
    merchant: Code | None = None
    texts: Annotated[dict[Language, TermsText], Field(min_length=1, max_length=50)]
    worse: bool | None = None
    changes: Annotated[dict[Language, ClauseChange], Field(max_length=50)] = {}

    @model_validator(mode="after")
    def _fits(self) -> "Terms":
        if self.version == 1 and (self.worse or self.changes):
            raise refusal("a first version changes nothing: worse and changes are for later ones")
        if self.version > 1 and self.worse is None:
            raise refusal("say whether this version is worse for members than the one before it: worse: true or false")
        return self


def wrong_terms(terms: Sequence[Terms], merchants: Set[str], places: Mapping[int, Path]) -> Faults:
    """What of them does not fit together. `places` are the paths of list items, by identity."""
    for one in terms:
        if one.merchant is not None and one.merchant not in merchants:
            yield (*places[id(one)], "merchant"), f"merchant {one.merchant!r} is not declared"
    for earlier, one in pairwise(sorted(terms, key=lambda one: (one.code, one.version))):
        path = places[id(one)]
        if one.code != earlier.code:
            continue
        if one.version == earlier.version:
            yield (*path, "version"), f"version {one.version} is declared twice"
        elif one.from_ <= earlier.from_:
            yield (*path, "from"), f"must be after {earlier.from_}, when version {earlier.version} begins"
        if one.merchant != earlier.merchant:
            yield (*path, "merchant"), "all versions of terms are of one merchant, or of the alliance"


def too_sudden(terms: Terms, jurisdictions: Set[str], zone: str, as_of: datetime) -> str:
    """Why a version that is worse for members may not start then, if it is announced now; empty if it may.

    By the strictest of the laws that hold where it starts (L1), each as it is in force on that day.
    """
    for profile in sorted({profile_of(one, terms.from_) for one in jurisdictions}, key=lambda one: one.code):
        if reason := _breach(profile, terms, zone, as_of):
            return f"{reason} ({profile.code}: {profile.terms_clause})"
    return ""


def _breach(profile: Profile, terms: Terms, zone: str, as_of: datetime) -> str:
    earliest = _first_day(as_of + timedelta(days=profile.terms_notice), zone)
    if terms.from_ < earliest:
        return f"worse for members, so announced at least {profile.terms_notice} days before: not before {earliest}"
    if profile.terms_notice_most is not None:
        latest = (as_of + timedelta(days=profile.terms_notice_most)).astimezone(ZoneInfo(zone)).date()
        if terms.from_ > latest:
            return f"worse for members, so announced at most {profile.terms_notice_most} days before: by {latest}"
    for language in profile.terms_languages:
        if language not in terms.texts or language not in terms.changes:
            return f"worse for members, so its texts, and changes with the clause before and after, are in {language}"
    return ""


def _first_day(moment: datetime, zone: str) -> date:
    """The first day that begins at that moment or later, in that zone."""
    day = moment.astimezone(ZoneInfo(zone)).date()
    begins = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    return day if begins >= moment else day + timedelta(days=1)
