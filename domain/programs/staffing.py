"""Who of a merchant's staff, or of the operator's, is written to about what. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Contact:
    """An address of staff, and the topics they asked for: `all` is every one."""

    email: str
    topics: frozenset[str]
    language: str = "en"

    @property
    def key(self) -> str:
        """Names the contact without its address, which is in the alliance file alone."""
        return hashlib.sha256(self.email.casefold().encode()).hexdigest()[:24]

    def wants(self, topic: str) -> bool:
        """Whether they are written to about it."""
        return topic in self.topics or "all" in self.topics


def contacts_of(stored: Mapping[str, Any]) -> tuple[Contact, ...]:
    """From the alliance file's `contacts`."""
    listed: Sequence[Mapping[str, Any]] = stored.get("contacts", ())
    return tuple(Contact(one["email"], frozenset(one["for"]), one["language"]) for one in listed)
