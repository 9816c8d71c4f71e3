"""How a holder stands: whether points of theirs may move, and by whose law they are protected."""

from datetime import datetime
from typing import NamedTuple

from domain.ledger.errors import MemberNotActive
from domain.ledger.parts import Guard


class Standing(NamedTuple):
    """A holder's status, their jurisdiction where it is known, until when they are frozen where that ends, and what
    guards their points where anything may."""

    status: str
    jurisdiction: str | None = None
    until: datetime | None = None
    guard: Guard | None = None

    def require_active(self, as_of: datetime | None, path: tuple[str, ...]) -> None:
        """Raises MemberNotActive for who is not active at `as_of`; whose freeze is over by then is."""
        if self.status == "ACTIVE":
            return
        if self.until is None:
            raise MemberNotActive(status=self.status, path=path)
        if as_of is None or as_of < self.until:
            raise MemberNotActive(status=self.status, until=self.until.isoformat(), path=path)

    def require_unbarred(self, currency: str, as_of: datetime | None, path: str) -> None:
        """Raises what the guard says of a debit of this currency at `as_of`, if anything."""
        if self.guard is not None and as_of is not None and (refusal := self.guard.bars(currency, as_of)) is not None:
            raise refusal.at(path)
