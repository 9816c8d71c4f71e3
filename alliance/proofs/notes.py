"""Signed notes and checkpoints, as C2SP specifies them (signed-note, tlog-checkpoint), with Ed25519.

A checkpoint says how many leaves the log of that name had, and what their root was. A key is known by its line
`name+hash+base64`; so is the private one, with `PRIVATE+KEY+` before it, as Go's note package writes it.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
_PRIVATE = "PRIVATE+KEY+"
_DASH = "— "


class BadNote(ValueError):
    """A note, checkpoint or key that is not well formed, or not signed by whom it should be."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Checks signatures made in this name."""

    name: str
    key: bytes

    @property
    def id(self) -> bytes:
        """Four bytes by which a signature names its key."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(ED25519 + self.key).decode()}"

    @classmethod
    def parse(cls, line: str) -> Self:
        """From its line. Raises BadNote."""
        name, id_, key = _key_parts(line.strip())
        parsed = cls(name, key)
        if parsed.id.hex() != id_:
            raise BadNote(f"the hash of the key of {name} is not {id_}")
        return parsed

    def signed(self, text: str, signature: bytes) -> bool:
        """Whether the signature is this key's, of this text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """Signs in a name."""

    name: str
    seed: bytes

    @classmethod
    def new(cls, name: str) -> Self:
        """A fresh key. Raises BadNote for a name that cannot stand in a note."""
        if not name or "+" in name or any(character.isspace() for character in name):
            raise BadNote(f"{name!r} cannot name a log: it must have neither spaces nor a plus")
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, line: str) -> Self:
        """From its line. Raises BadNote."""
        text = line.strip()
        if not text.startswith(_PRIVATE):
            raise BadNote("this is no private key of a log")
        name, id_, seed = _key_parts(text.removeprefix(_PRIVATE))
        parsed = cls(name, seed)
        if parsed.public.id.hex() != id_:
            raise BadNote(f"the hash of the key of {name} is not {id_}")
        return parsed

    @property
    def public(self) -> PublicKey:
        """The key that checks what this one signs."""
        return PublicKey(self.name, Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw())

    def __str__(self) -> str:
        return f"{_PRIVATE}{self.name}+{self.public.id.hex()}+{b64encode(ED25519 + self.seed).decode()}"

    def __repr__(self) -> str:
        return f"PrivateKey({self.name!r})"

    def sign(self, text: str) -> bytes:
        """The signature of a text."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: its name, how many leaves, and their root."""

    origin: str
    size: int
    root: bytes

    def signed(self, keys: Sequence[PrivateKey]) -> str:
        """The checkpoint as a note, with a signature of each key."""
        text = f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"
        return signed_note(text, keys)


def signed_note(text: str, keys: Sequence[PrivateKey]) -> str:
    """The text, which ends with a newline, with a signature of each key."""
    lines = [f"{_DASH}{key.name} {b64encode(key.public.id + key.sign(text)).decode()}\n" for key in keys]
    return f"{text}\n{''.join(lines)}"


def read_checkpoint(note: str, keys: Iterable[PublicKey]) -> tuple[Checkpoint, PublicKey]:
    """The checkpoint of a note, and the first of the keys that signed it. Raises BadNote where none did."""
    text, signers = read_note(note, keys)
    checkpoint = _checkpoint(text)
    for key in signers:
        if key.name == checkpoint.origin:
            return checkpoint, key
    raise BadNote("the checkpoint is signed by none of the known keys")


def read_note(note: str, keys: Iterable[PublicKey]) -> tuple[str, list[PublicKey]]:
    """The text of a note, and which of the keys signed it. Raises BadNote for a signature that is not of it."""
    text, separator, rest = note.rpartition("\n\n")
    if not separator or not rest.endswith("\n"):
        raise BadNote("this is no signed note")
    text += "\n"
    signatures = [_signature(line) for line in rest[:-1].split("\n")]
    signers = []
    for key in keys:
        for name, id_, signature in signatures:
            if (name, id_) != (key.name, key.id):
                continue
            if not key.signed(text, signature):
                raise BadNote(f"the signature of {key.name}+{key.id.hex()} is not of this checkpoint")
            signers.append(key)
    return text, signers


def _checkpoint(text: str) -> Checkpoint:
    lines = text.split("\n")
    try:
        origin, size, root = lines[0], lines[1], b64decode(lines[2], validate=True)
    except (IndexError, binascii.Error):
        raise BadNote("this is no checkpoint") from None
    if not origin or not size.isascii() or not size.isdecimal() or str(int(size)) != size or len(root) != 32:
        raise BadNote("this is no checkpoint")
    return Checkpoint(origin, int(size), root)


def _signature(line: str) -> tuple[str, bytes, bytes]:
    """Name, id of the key, signature."""
    name, separator, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        raw = b64decode(encoded, validate=True)
    except binascii.Error:
        raw = b""
    if not line.startswith(_DASH) or not separator or not name or len(raw) < 5:
        raise BadNote("this is no signed note")
    return name, raw[:4], raw[4:]


def _key_parts(text: str) -> tuple[str, str, bytes]:
    """Name, hash, and the 32 bytes of an Ed25519 key. Raises BadNote."""
    name, _, rest = text.partition("+")
    id_, _, encoded = rest.partition("+")
    try:
        raw = b64decode(encoded, validate=True)
    except binascii.Error:
        raw = b""
    if not name or len(raw) != 33 or raw[:1] != ED25519:
        raise BadNote("this is no Ed25519 key of a log")
    return name, id_, raw[1:]
