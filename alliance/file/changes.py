"""What applying a file would change: its document, laid out flat, is compared with what was applied before."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any, Literal
from zoneinfo import ZoneInfo

from alliance.file.agreement import Agreement
from alliance.file.identifying import clashes
from alliance.file.members import Members
from alliance.file.model import AllianceDocument, CurrencyTerms, Merchant
from alliance.file.round_trips import round_trips
from alliance.file.soundness import breaches, versions_in
from alliance.file.tags import Tag
from alliance.file.terms import Terms, too_sudden
from alliance.file.values import Document
from domain.programs.numbering import NumberRange, number_range

Action = Literal["create", "update", "supersede", "unchanged", "refuse"]
Kind = Literal[
    "alliance",
    "identifier",
    "merchant",
    "store",
    "currency",
    "policy",
    "rule",
    "agreement",
    "feed",
    "benefit",
    "members",
    "attribute",
    "tag",
    "terms",
]

ROUND_TRIPS = 10
"""How many of them a plan tells."""

FIXED: Mapping[Kind, frozenset[str]] = {
    "alliance": frozenset({"settlementCurrency", "timezone"}),
    "identifier": frozenset({"issuer", "normalise", "unique", "verify"}),
    "merchant": frozenset({"timezone"}),
    "currency": frozenset({"merchant", "kind", "scale"}),
    "feed": frozenset({"merchant"}),
    "attribute": frozenset({"merchant", "type", "personal", "find"}),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A thing, or a version of one, as it is stored: `body` is JSON; `starts` and `ends` are dates in `zone`.

    `ends` is the first day without the version: its own `to`, or the day on which the next one begins.
    """

    kind: Kind
    key: tuple[str, ...]
    body: dict[str, Any]
    part: Document
    version: int | None = None
    starts: date | None = None
    ends: date | None = None
    zone: str = ""

    @property
    def name(self) -> str:
        """What the plan calls it."""
        return "/".join(self.key)

    @property
    def title(self) -> str:
        """Kind, name and version."""
        return f"{self.kind} {self.name}" + ("" if self.version is None else f" version {self.version}")

    def instants(self) -> tuple[datetime | None, datetime | None]:
        """The first instant of the version and the first after it."""
        zone = ZoneInfo(self.zone)
        first, last = (
            None if day is None else datetime.combine(day, time(), zone).astimezone(UTC)
            for day in (self.starts, self.ends)
        )
        return first, last


Entries = dict[tuple[Kind, tuple[str, ...], int | None], Entry]
Proposals = frozenset[tuple[tuple[str, ...], int]]


@dataclass(frozen=True, slots=True)
class Change:
    """What would be done about one entry of the file, and why."""

    action: Action
    kind: Kind
    name: str
    version: int | None
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        version = "" if self.version is None else f" version {self.version}"
        reason = f": {self.reason}" if self.reason else ""
        line = f" (line {self.line})" if self.line and self.action == "refuse" else ""
        return f"{self.action:<9} {self.kind} {self.name}{version}{reason}{line}"

    def to_json(self) -> dict[str, Any]:
        """The change as data."""
        names = ("action", "kind", "name", "version", "reason", "line")
        return {name: getattr(self, name) for name in names if getattr(self, name) not in (None, "")}


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes, and what is worth knowing besides.

    `entries` are to be written, `ended` only get a new end; `proposed` are agreement versions not yet in force.
    """

    changes: tuple[Change, ...]
    notices: tuple[str, ...]
    entries: tuple[Entry, ...] = ()
    ended: tuple[Entry, ...] = ()
    proposed: Proposals = frozenset()

    @property
    def refused(self) -> bool:
        """Whether any part is refused; then nothing is applied."""
        return any(change.action == "refuse" for change in self.changes)

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.entries) and not self.refused

    def lines(self) -> list[str]:
        """The plan in words: what changes, how much does not, and what is worth knowing."""
        said = [str(change) for change in self.changes if change.action != "unchanged"]
        same = sum(change.action == "unchanged" for change in self.changes)
        return [*said, *([f"unchanged {same}"] if same else []), *(f"note      {notice}" for notice in self.notices)]

    def to_json(self) -> dict[str, Any]:
        """The plan as data."""
        return {
            "refused": self.refused,
            "changed": self.changed,
            "changes": [change.to_json() for change in self.changes],
            "notices": list(self.notices),
        }


@dataclass(frozen=True, slots=True)
class Stored:
    """What was applied before: the document it makes, and which agreement versions are still proposals.

    Of agreement versions, by key and number: `ended` were ended with notice, on the day that is their `to` here;
    `closed` never came into force, and are not in the document: what became of them, and their terms.
    """

    document: AllianceDocument
    proposed: Proposals
    ended: Proposals = frozenset()
    closed: Mapping[tuple[tuple[str, ...], int], tuple[str, dict[str, Any]]] = field(default_factory=dict)


def compare(
    stored: Stored | None, wanted: AllianceDocument, as_of: datetime, line_of: Callable[[Document], int | None]
) -> Plan:
    """What has to change so that `wanted` holds. What the file leaves out stays as it is."""
    if stored and stored.document.alliance.code != wanted.alliance.code:
        reason = f"this database holds the alliance {stored.document.alliance.code!r}"
        return Plan((Change("refuse", "alliance", wanted.alliance.code, None, reason, 1),), ())
    proposed = stored.proposed if stored else frozenset()
    before = published(stored)
    after, closed = _as_it_went_on(lay_out(wanted), before, stored)
    proposing = _proposals(wanted, before, after, proposed)
    merged = _ended(before | after, proposing)
    changes, entries = [], []
    for place, entry in after.items():
        action, reason = _decide(entry, before, stored)
        if action == "unchanged" and (entry.key, entry.version) in proposed - proposing:
            action, reason = "update", "in force: the operator consents"
        if action == "create" and (sudden := _sudden(entry, before, merged, stored, as_of)):
            action, reason = "refuse", sudden
        if action == "create":
            action, reason = _described(entry, merged, (entry.key, entry.version) in proposing)
        if action not in ("unchanged", "refuse"):
            entries.append(merged[place])
        changes.append(Change(action, entry.kind, entry.name, entry.version, reason, line_of(entry.part)))
    was, now = agreed(before, proposed), agreed(merged, proposing - _named(after))
    for one, other in clashes(_ranges(merged)):
        changes.append(Change("refuse", "merchant", other, None, f"its memberNumbers are also those of {one}"))
    for breach in breaches(was, now, wanted.alliance.round_trip_tolerance):
        of = next((version for version in versions_in(breach) if line_of(version)), versions_in(breach)[0])
        name = "/".join(sorted(of.merchants))
        changes.append(Change("refuse", "agreement", name, of.version, str(breach), line_of(of)))
    ended = [entry for place, entry in merged.items() if place in before and entry.ends != before[place].ends]
    told = [str(trip) for trip in round_trips(now, _versions(entries), owners(merged))]
    shown = told[:ROUND_TRIPS] + [f"and {len(told) - ROUND_TRIPS} more round trips"] * (len(told) > ROUND_TRIPS)
    notices = [*closed, *shown, *_past(entries, before, as_of), *_left_out(before, after)]
    return Plan(tuple(changes), tuple(notices), tuple(entries), tuple(ended), proposing)


def _ranges(entries: Entries) -> Iterator[tuple[str, NumberRange]]:
    """The ranges of numbers that merchants own."""
    for entry in entries.values():
        said = entry.body["settings"].get("memberNumbers") if entry.kind == "merchant" else None
        if (found := number_range(said)) is not None:
            yield entry.name, found


def published(stored: Stored | None) -> Entries:
    """What was applied before, each version ending where the next one begins."""
    return _ended(lay_out(stored.document), stored.proposed) if stored else {}


def with_version(stored: Stored, entry: Entry) -> Entries:
    """What would be published with one agreement version more, or a proposed one in force."""
    place = (entry.kind, entry.key, entry.version)
    proposed = stored.proposed - {(entry.key, entry.version or 0)}
    return _ended({**lay_out(stored.document), place: entry}, proposed)


def _as_it_went_on(after: Entries, before: Entries, stored: Stored | None) -> tuple[Entries, list[str]]:
    """What a file says, but for what merchants have decided about its agreements since; and that in words."""
    entries, notices = dict(after), []
    for place, entry in after.items() if stored else ():
        version = (entry.key, entry.version or 0)
        if entry.kind != "agreement" or stored is None:
            continue
        status, terms = stored.closed.get(version, ("", {}))
        if terms == entry.body:
            notices.append(f"{entry.title} was {status.lower()}, and stays so")
            del entries[place]
        known = before.get(place)
        if known is not None and version in stored.ended and known.body == entry.body | {"to": known.body["to"]}:
            if "to" not in entry.body:
                notices.append(f"{entry.title} was ended: it lasts to {known.body['to']}")
            entries[place] = known
    return entries, notices


def lay_out(document: AllianceDocument) -> Entries:
    """All entries of a document, defaults filled in, each version ending at its own `to`."""
    alliance = document.alliance
    entries = [Entry("alliance", (alliance.code,), alliance.dump(), alliance)]
    entries += [Entry("identifier", (part.type,), part.dump(), part) for part in document.identifiers]
    for merchant in document.merchants:
        entries += _merchant_entries(merchant, merchant.timezone or alliance.timezone)
    for part in document.agreements:
        key, body = tuple(sorted(part.merchants)), part.dump("merchants", "version")
        entries.append(Entry("agreement", key, body, part, part.version, part.from_, part.to, alliance.timezone))
    entries += [Entry("feed", (part.code,), part.dump(), part) for part in document.feeds]
    if document.members is not None:
        entries += _members_entries(document.members, _zones(document))
    return {(entry.kind, entry.key, entry.version): entry for entry in entries}


def _tag_key(part: Tag) -> tuple[str, ...]:
    return (part.code,) if part.merchant is None else (part.merchant, part.code)


def _zones(document: AllianceDocument) -> dict[str | None, str]:
    """The time zone of each merchant, and of the alliance (None)."""
    zone = document.alliance.timezone
    return {None: zone} | {merchant.code: merchant.timezone or zone for merchant in document.merchants}


def _members_entries(members: Members, zones: Mapping[str | None, str]) -> Iterator[Entry]:
    """A key that is a list is its items, each by its own kind; what other keys say is of kind `members`."""
    yield from (Entry("attribute", (part.code,), part.dump("code"), part) for part in members.attributes)
    yield from (Entry("tag", _tag_key(part), part.dump(), part) for part in members.tags)
    for terms in members.terms:
        zone = zones.get(terms.merchant, zones[None])
        yield Entry("terms", (terms.code,), terms.dump(), terms, terms.version, terms.from_, None, zone)
    for name in Members.model_fields:
        part = getattr(members, name)
        if isinstance(part, Document):
            yield Entry("members", (name,), part.dump(), part)


def _merchant_entries(merchant: Merchant, zone: str) -> Iterator[Entry]:
    body = merchant.dump("stores", "currencies", "earning", "benefits") | {"timezone": zone}
    yield Entry("merchant", (merchant.code,), body, merchant)
    for store in merchant.stores:
        yield Entry("store", (merchant.code, store.code), store.dump(), store)
    for benefit in merchant.benefits:
        yield Entry("benefit", (merchant.code, benefit.code), benefit.dump("code"), benefit)
    for currency in merchant.currencies:
        terms = currency.dump()
        body = {key: terms[key] for key in ("code", "kind", "name", "scale")}
        body |= {"merchant": merchant.code, "default": merchant.is_default(currency)}
        yield Entry("currency", (currency.code,), body, currency)
        first = {key: value for key, value in terms.items() if key in CurrencyTerms.model_fields}
        yield Entry("policy", (currency.code,), first, currency, 1, zone=zone)
        for policy in currency.policies:
            body = policy.dump("version")
            yield Entry("policy", (currency.code,), body, policy, policy.version, policy.from_, zone=zone)
    default = next((currency.code for currency in merchant.currencies if merchant.is_default(currency)), "")
    for rule in merchant.earning:
        body = ({} if rule.of else {"currency": default}) | rule.dump("code", "version")
        yield Entry("rule", (merchant.code, rule.code), body, rule, rule.version, rule.from_, rule.to, zone)


def _ended(entries: Entries, proposed: Proposals) -> Entries:
    """The entries, each version also ending where the next one in force begins."""
    following: dict[tuple[Kind, tuple[str, ...]], date] = {}
    ended = dict(entries)
    for place, entry in sorted(entries.items(), key=lambda item: item[1].version or 0, reverse=True):
        if entry.version is None or (entry.kind == "agreement" and (entry.key, entry.version) in proposed):
            continue
        ends = [end for end in (entry.ends, following.get((entry.kind, entry.key))) if end is not None]
        ended[place] = replace(entry, ends=min(ends, default=None))
        if entry.starts is not None:
            following[entry.kind, entry.key] = entry.starts
    return ended


def agreed(entries: Entries, proposed: Proposals) -> list[Agreement]:
    """The agreement versions that count: all but those that are only proposed."""
    counted = [entry for entry in entries.values() if (entry.key, entry.version) not in proposed]
    return [*_versions(counted)]


def _versions(entries: Iterable[Entry]) -> Iterator[Agreement]:
    return (entry.part for entry in entries if isinstance(entry.part, Agreement))


def _named(entries: Entries) -> Proposals:
    agreements = (entry for entry in entries.values() if entry.kind == "agreement")
    return frozenset((entry.key, entry.version) for entry in agreements if entry.version)


def owners(entries: Entries) -> dict[str, str]:
    """The merchant of each currency."""
    return {entry.key[0]: entry.body["merchant"] for entry in entries.values() if entry.kind == "currency"}


def _proposals(wanted: AllianceDocument, before: Entries, after: Entries, proposed: Proposals) -> Proposals:
    """The agreement versions that are proposals once the file is applied."""
    named = _named(after)
    if wanted.alliance.consent == "operator":
        return proposed - named
    return proposed | {(key, version) for key, version in named if ("agreement", key, version) not in before}


def _decide(entry: Entry, before: Entries, stored: Stored | None) -> tuple[Action, str]:
    """What an entry of the file means beside what was applied before."""
    known = before.get((entry.kind, entry.key, entry.version))
    if known is None:
        refusal = stored and refuses_version(entry, before, stored)
        return ("refuse", refusal) if refusal else ("create", "")
    different = sorted(
        key for key in known.body.keys() | entry.body.keys() if known.body.get(key) != entry.body.get(key)
    )
    if not different:
        return "unchanged", ""
    if entry.version is not None:
        return "refuse", f"published, and never edited ({', '.join(different)}): write a new version"
    fixed = [key for key in different if key in FIXED.get(entry.kind, ())]
    if fixed:
        return "refuse", f"{fixed[0]} cannot be changed: it is {known.body.get(fixed[0])!r}"
    return "update", ", ".join(different)


def refuses_version(entry: Entry, before: Entries, stored: Stored) -> str:
    """Why a new version may not follow the last one that was published.

    What was only proposed, or never came into force, keeps its number and no days.
    """
    numbers = [other.version or 0 for other in before.values() if (other.kind, other.key) == (entry.kind, entry.key)]
    if entry.kind == "agreement":
        numbers += [number for key, number in stored.closed if key == entry.key]
    if entry.version is None:
        return ""
    if entry.version <= max(numbers, default=0):
        return f"version {max(numbers)} is published; the next one comes after it"
    return refuses_days(entry, before, stored)


def refuses_days(entry: Entry, before: Entries, stored: Stored) -> str:
    """Why a version may not begin when it does, beside those that are in force."""
    binding = {place: other for place, other in before.items() if (other.key, other.version) not in stored.proposed}
    latest = _latest(entry, binding)
    if latest is None:
        return ""
    if (latest.version or 0) > (entry.version or 0):
        return f"version {latest.version} is in force, which comes after it"
    if latest.starts is not None and entry.starts is not None and entry.starts <= latest.starts:
        return f"must begin after {latest.starts}, when version {latest.version} begins"
    if latest.ends is not None and entry.starts is not None and entry.starts < latest.ends:
        return f"overlaps version {latest.version}, which is published to {latest.ends}"
    return ""


def _sudden(entry: Entry, before: Entries, merged: Entries, stored: Stored | None, as_of: datetime) -> str:
    """Why a new version of terms may not begin when it does (L3); what is history where it comes from is none here."""
    if stored is None or not isinstance(entry.part, Terms):
        return ""
    latest, starts = _latest(entry, before), entry.instants()[0]
    if latest is not None and latest.body.get("merchant") != entry.part.merchant:
        return "all versions of terms are of one merchant, or of the alliance"
    if not entry.part.worse or (latest is None and starts is not None and starts <= as_of):
        return ""
    merchants = [other for other in merged.values() if other.kind == "merchant"]
    whose = [one for one in merchants if entry.part.merchant in (None, one.name)]
    return too_sudden(entry.part, {one.body["jurisdiction"] for one in whose} or {""}, entry.zone, as_of)


def _latest(entry: Entry, entries: Entries) -> Entry | None:
    versions = [other for other in entries.values() if (other.kind, other.key) == (entry.kind, entry.key)]
    return max(versions, key=lambda other: other.version or 0, default=None)


def _described(entry: Entry, merged: Entries, proposed: bool) -> tuple[Action, str]:
    """Whether what is new takes another's place, in words."""
    if proposed:
        return "create", "proposed: both merchants have to accept"
    for other in merged.values():
        same = (other.kind, other.key) == (entry.kind, entry.key)
        if same and entry.starts is not None and other.ends == entry.starts and "to" not in other.body:
            return "supersede", f"version {other.version} ends when {entry.starts} begins"
    return "create", f"from {entry.starts}" if entry.starts else ""


def _past(entries: Iterable[Entry], before: Entries, as_of: datetime) -> Iterator[str]:
    """What begins before now, of things that are there already."""
    for entry in entries:
        starts = entry.instants()[0] if entry.starts else None
        if starts is not None and starts < as_of and _latest(entry, before) is not None:
            yield f"{entry.title} begins in the past: what is booked stays as it is"


def _left_out(before: Entries, after: Entries) -> Iterator[str]:
    """What was applied before and is not in the file: nothing is ever removed by leaving it out."""
    names = [entry.title for place, entry in before.items() if place not in after]
    if names:
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        yield f"not in the file, and kept: {', '.join(names[:10])}{more}"
