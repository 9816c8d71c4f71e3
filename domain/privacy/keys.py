"""The port by which a process comes by its keys, and those that are simply given. An adapter is in server/keyring."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class WrappingKey:
    """An AES-256 key that members' keys are wrapped by. `id` names it where they lie: it tells nothing of the key."""

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: bytes) -> "WrappingKey":
        """The key made of these 32 bytes. Raises ValueError for more or fewer."""
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a wrapping key has {KEY_BYTES} bytes")
        return cls(sha256(b"tessera wrapping key\0" + secret).hexdigest()[:16], secret)


class KeyProvider(Protocol):
    """Where keys come from: files, settings, a key management service that unwraps them at the start.

    Asked often, from several threads: what takes long is done once, and kept.
    """

    def wrapping(self) -> Sequence[WrappingKey]:
        """The wrapping keys, oldest first: new members' keys are wrapped by the last one."""

    def lookup(self) -> bytes:
        """The secret of the keyed hash by which identifiers are looked up: it never changes."""


@dataclass(frozen=True, slots=True)
class GivenKeys:
    """Keys that are there from the start."""

    keys: tuple[WrappingKey, ...]
    secret: bytes = field(repr=False)

    def wrapping(self) -> Sequence[WrappingKey]:
        """As given."""
        return self.keys

    def lookup(self) -> bytes:
        """As given."""
        return self.secret
