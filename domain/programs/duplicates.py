"""By what the alliance looks for members who are one person, and from which probability on."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

SURE = 1_000_000
"""A probability of one: they are kept in millionths."""


@dataclass(frozen=True, slots=True)
class DuplicateTerms:
    """Codes of the attributes that hold a name and an address, in their order, and a birthday; the least probability
    (millionths) of a pair that is put before people."""

    name: tuple[str, ...]
    birthday: str | None
    address: tuple[str, ...]
    propose: int

    @property
    def attributes(self) -> frozenset[str]:
        """All that are looked at."""
        return frozenset((*self.name, *self.address, *((self.birthday,) if self.birthday else ())))


def duplicate_terms(stored: Mapping[str, Any] | None) -> DuplicateTerms | None:
    """From the alliance file's `members.duplicates`; None where nobody looks."""
    if stored is None:
        return None
    return DuplicateTerms(
        tuple(stored.get("name", ())),
        stored.get("birthday"),
        tuple(stored.get("address", ())),
        int(Decimal(stored["propose"]) * SURE),
    )
