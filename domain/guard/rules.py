"""When a member's points are guarded: pure, over what is kept of the member and what the programme says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain.errors import Refusal
from domain.guard.errors import CoolingOff, PointsLocked
from domain.programs.guarding import GuardTerms

TermsOf = Callable[[str], GuardTerms]
"""The terms of the programme that issues a currency, by its code."""


@dataclass(frozen=True, slots=True)
class GuardState:
    """What is kept of a member: since when and until when they are locked, when identifiers of a type last changed."""

    locked_at: datetime | None
    locked_until: datetime | None
    changed: Mapping[str, datetime]

    @classmethod
    def of(cls, locked_at: datetime | None, locked_until: datetime | None, changed: Mapping[str, Any]) -> "GuardState":
        """From a row."""
        return cls(locked_at, locked_until, {type_: datetime.fromisoformat(at) for type_, at in changed.items()})

    def is_locked(self, as_of: datetime) -> bool:
        """Whether the member's lock is on."""
        return self.locked_at is not None and (self.locked_until is None or as_of < self.locked_until)

    def cools(self, terms: GuardTerms, as_of: datetime) -> tuple[str, datetime] | None:
        """The change that keeps the member waiting longest, if one does: its type, and until when."""
        if terms.cooling is None:
            return None
        span = timedelta(hours=terms.cooling.hours)
        ends = [(at + span, type_) for type_, at in self.changed.items() if type_ in terms.cooling.types]
        until, type_ = max(ends, default=(as_of, ""))
        return (type_, until) if until > as_of else None

    def bars(self, terms: GuardTerms, as_of: datetime) -> Refusal | None:
        """Why points of a programme may not be spent, if they may not."""
        if terms.lock and self.is_locked(as_of):
            return PointsLocked(until=self.locked_until.isoformat() if self.locked_until else None)
        if (cooling := self.cools(terms, as_of)) is not None:
            type_, until = cooling
            return CoolingOff(type=type_, until=until.isoformat())
        return None


@dataclass(frozen=True, slots=True)
class MemberGuard:
    """As the posting engine asks it: by the currency of what is to be spent."""

    state: GuardState
    terms_of: TermsOf

    def bars(self, currency: str, as_of: datetime) -> Refusal | None:
        """Why it may not be spent, if it may not."""
        return self.state.bars(self.terms_of(currency), as_of)
