"""A version as it is proposed: terms in the shape of the alliance file, read and held against what is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from alliance.agreements.errors import NoticeTooShort, UnsoundAgreement
from alliance.agreements.rules import earliest, notice_of
from alliance.file.agreement import Agreement
from alliance.file.changes import Entry, Stored, agreed, lay_out, owners, published, refuses_days, with_version
from alliance.file.model import AllianceDocument
from alliance.file.round_trips import round_trips
from alliance.file.rules import check_parts
from alliance.file.soundness import breaches
from alliance.file.source import Path
from domain.errors import InvalidInput
from domain.programs.catalogue import Alliance

Pair = tuple[str, str]
"""The codes of two merchants, in order."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A version that may be put in force, what it would end, and its round trips, as far as a party may know them."""

    entry: Entry
    supersedes: int | None
    round_trips: tuple[str, ...]

    @property
    def starts(self) -> datetime:
        """Its first instant."""
        start, _ = self.entry.instants()
        assert start is not None
        return start


def candidate(stored: Stored, pair: Pair, starts: date, ends: date | None, terms: Mapping[str, Any]) -> Entry:
    """The next version between two merchants by these terms. Raises InvalidInput, with the path of what is wrong."""
    numbers = [one.version for one in stored.document.agreements if tuple(sorted(one.merchants)) == pair]
    numbers += [number for key, number in stored.closed if key == pair]
    values = {**terms, "merchants": list(pair), "version": max(numbers, default=0) + 1, "from": starts}
    unknown = [key for key in ("merchants", "version", "from", "to") if key in terms]
    if unknown:
        raise InvalidInput(reason="terms do not say between whom and when", path=("terms", unknown[0]))
    if ends is not None:
        values["to"] = ends
    try:
        version = Agreement.model_validate(values)
    except ValidationError as faults:
        first = faults.errors(include_url=False)[0]
        raise InvalidInput(reason=first["msg"].removeprefix("Input "), path=_path(first["loc"])) from None
    _require_fitting(stored.document, version)
    laid_out = lay_out(stored.document.model_copy(update={"merchants": [], "agreements": [version]}))
    return next(entry for entry in laid_out.values() if entry.part is version)


def judge(stored: Stored, entry: Entry, merchant: str | None, as_of: datetime, alliance: Alliance) -> Proposal:
    """The version as it would be in force. `merchant` is who asks, None for the operator: nobody is told more than it
    may know (A14). Raises NoticeTooShort, InvalidInput, UnsoundAgreement."""
    first = earliest(as_of, notice_of(entry.body, alliance).start, alliance)
    if entry.starts is None or entry.starts < first:
        raise NoticeTooShort(earliest=first.isoformat(), path=("from",))
    before = published(stored)
    if reason := refuses_days(entry, before, stored):
        raise InvalidInput(reason=reason, path=("from",))
    merged = with_version(stored, entry)
    proposed = stored.proposed - {(entry.key, entry.version or 0)}
    now = agreed(merged, proposed)
    found = breaches(agreed(before, stored.proposed), now, stored.document.alliance.round_trip_tolerance)
    if found:
        reasons = [breach.told(merchant) for breach in found]
        raise UnsoundAgreement(reason="; ".join(reasons), reasons=reasons, path=("terms",))
    trips = round_trips(now, [part for part in now if part is entry.part], owners(merged))
    ended = (one.version for place, one in merged.items() if place in before and one.ends != before[place].ends)
    return Proposal(entry, next(ended, None), tuple(str(trip) for trip in trips if trip.all_of(merchant)))


def _require_fitting(document: AllianceDocument, version: Agreement) -> None:
    """Raises InvalidInput for the first thing that does not fit to the alliance, or together."""
    alone = document.model_copy(update={"agreements": [version]})
    faults = _faults(alone)
    if faults:
        known = _faults(document.model_copy(update={"agreements": []}))
        faults = {path: reason for path, reason in faults.items() if known.get(path) != reason}
    for path, reason in faults.items():
        of_version = path[:1] == ("agreements",)
        raise InvalidInput(reason=reason, path=_path(path[2:]) if of_version else ("terms",))


def _faults(document: AllianceDocument) -> dict[Path, str]:
    named = [
        {"code": one.code, "currencies": [{"code": currency.code} for currency in one.currencies]}
        for one in document.merchants
    ]
    found = check_parts(document, {"merchants": named}, dict(_places(document, ())))
    return {fault.path: fault.reason for fault in found}


def _places(part: BaseModel, path: Path) -> list[tuple[int, Path]]:
    """The paths of all items of lists in a part, by identity."""
    found: list[tuple[int, Path]] = []
    for name, field in type(part).model_fields.items():
        value, key = getattr(part, name), field.alias or name
        if isinstance(value, BaseModel):
            found += _places(value, (*path, key))
        for place, item in enumerate(value) if isinstance(value, list) else ():
            if isinstance(item, BaseModel):
                found += [(id(item), (*path, key, place)), *_places(item, (*path, key, place))]
    return found


def _path(found: Path) -> tuple[str, ...]:
    """The path in the input: dates stand beside the terms."""
    parts = tuple(str(step) for step in found)
    return parts if parts[:1] in (("from",), ("to",), ("merchants",)) else ("terms", *parts)
