"""What tells a call that comes again from another: its key, and a fingerprint of what was asked."""

import hmac
from typing import NamedTuple
from uuid import UUID


class Key(NamedTuple):
    """An idempotency key in the space of (client, subject); `fingerprint` tells one call from another under it."""

    client_id: UUID
    subject: UUID
    value: str
    fingerprint: bytes

    def asks_as(self, first: bytes) -> bool:
        """Whether this was asked before with the fingerprint `first`; older ones were kept longer."""
        return first[: len(self.fingerprint)] == self.fingerprint


def fingerprint_of(secret: bytes, asked: bytes) -> bytes:
    """128 bits that tell a call that comes again from another under its key: an HMAC-SHA256, cut."""
    return hmac.digest(secret, asked, "sha256")[:16]
