"""What members accept: terms in versions, each with its texts by language, as compiled from the alliance file (L3)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class TermsText:
    """The terms in one language: where to read them, or the words themselves."""

    title: str
    url: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class ClauseChange:
    """What a version says otherwise, in one language: as it reads `after`, and as it read `before`."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class TermsVersion:
    """A version of terms: of a merchant (its code), else the alliance's. In force from the start of `starts` on, in its
    time zone, until the next version is."""

    code: str
    version: int
    starts: date
    merchant: str | None
    worse: bool
    texts: Mapping[str, TermsText]
    changes: Mapping[str, ClauseChange]

    def starts_at(self, zone: ZoneInfo) -> datetime:
        """Its first instant, in the time zone of whose it is."""
        return datetime.combine(self.starts, time(), zone).astimezone(UTC)


def terms_version(stored: Mapping[str, Any]) -> TermsVersion:
    """From the alliance file."""
    return TermsVersion(
        code=stored["code"],
        version=stored["version"],
        starts=date.fromisoformat(stored["from"]),
        merchant=stored.get("merchant"),
        worse=stored.get("worse", False),
        texts={tag: TermsText(one["title"], one.get("url"), one.get("text")) for tag, one in stored["texts"].items()},
        changes={tag: ClauseChange(one["before"], one["after"]) for tag, one in stored.get("changes", {}).items()},
    )


def by_code(stored: Iterable[Mapping[str, Any]]) -> dict[str, tuple[TermsVersion, ...]]:
    """The versions of all terms, in their order."""
    found: dict[str, list[TermsVersion]] = {}
    for version in sorted(map(terms_version, stored), key=lambda one: (one.code, one.version)):
        found.setdefault(version.code, []).append(version)
    return {code: tuple(versions) for code, versions in found.items()}


def in_force(versions: Sequence[TermsVersion], zone: ZoneInfo, as_of: datetime) -> TermsVersion | None:
    """The version that holds then; None before the first one starts."""
    return next((one for one in reversed(versions) if one.starts_at(zone) <= as_of), None)


def best_language(languages: Iterable[str], wanted: str) -> str:
    """The language to show to who wants one: that, else another form of it (zh-TW for zh-CN), else English, else the
    first there is."""
    known = sorted(languages)
    like = [tag for tag in known if tag.partition("-")[0] == wanted.partition("-")[0]]
    return next(tag for tag in (wanted, *like, DEFAULT_LANGUAGE, *known) if tag in known)
