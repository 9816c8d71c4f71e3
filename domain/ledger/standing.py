"""How a holder stands: whether points of theirs may move, and by whose law they are protected."""

from datetime import datetime
from typing import NamedTuple

from domain.ledger.errors import MemberNotActive


class Standing(NamedTuple):
    """A holder's status, their jurisdiction where it is known, and until when they are frozen where that ends."""

    status: str
    jurisdiction: str | None = None
    until: datetime | None = None

    def require_active(self, as_of: datetime | None, path: tuple[str, ...]) -> None:
        """Raises MemberNotActive for who is not active at `as_of`; whose freeze is over by then is."""
        if self.status == "ACTIVE":
            return
        if self.until is None:
            raise MemberNotActive(status=self.status, path=path)
        if as_of is None or as_of < self.until:
            raise MemberNotActive(status=self.status, until=self.until.isoformat(), path=path)
