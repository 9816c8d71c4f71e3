"""A proof in a file, checked without a database and without trust in whoever made it.

The bundle is JSON: the leaf and its salt, its place and path, the signed checkpoint; for who may see them, the terms
and theirs; and, if asked for, that the log only grew since an earlier checkpoint.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import rfc8785

from alliance.proofs.canonical import salted_hash
from alliance.proofs.lines import commitments, entry_with_lines
from alliance.proofs.model import Inclusion
from alliance.proofs.notes import BadNote, Checkpoint, PublicKey, read_checkpoint
from domain.ledger.merkle import is_consistent, leaf_hash, root_of_inclusion

FORMAT = "tessera-proof-1"


class BadProof(ValueError):
    """A bundle that proves nothing, and why."""


class Growth(msgspec.Struct, forbid_unknown_fields=True):
    """That the log only grew since an earlier checkpoint."""

    checkpoint: str
    path: list[bytes]


class Bundle(msgspec.Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """What is in the file; bytes are base64. `keys` are those that the sender says sign."""

    format: str
    leaf: dict[str, Any]
    salt: bytes
    index: int
    path: list[bytes]
    checkpoint: str
    lines: list[bytes] = []
    terms: dict[str, Any] | None = None
    terms_salt: bytes | None = None
    keys: list[str] = []
    since: Growth | None = None


@dataclass(frozen=True, slots=True)
class Proved:
    """What a bundle proves: this operation was in the log of this name by then. `key` signed it; `told` says that it
    came with the bundle, so that it is worth as much as the bundle's sender."""

    operation: dict[str, Any]
    index: int
    checkpoint: Checkpoint
    key: PublicKey
    told: bool
    terms: bool
    since: int | None

    def to_json(self) -> dict[str, Any]:
        """The answer of `tessera verify --checkpoint --json`."""
        return {
            "proved": True,
            "operation": self.operation,
            "index": self.index,
            "origin": self.checkpoint.origin,
            "size": self.checkpoint.size,
            "root": b64encode(self.checkpoint.root).decode(),
            "key": str(self.key),
            "keyFromBundle": self.told,
            "terms": self.terms,
            "since": self.since,
        }


def make(
    inclusion: Inclusion, keys: Sequence[str], *, terms: bool, since: tuple[str, Sequence[bytes]] | None = None
) -> dict[str, Any]:
    """The bundle of a proof, with or without its terms."""
    leaf = inclusion.leaf
    bundle = Bundle(
        FORMAT,
        leaf.data,
        leaf.salt,
        inclusion.index,
        list(inclusion.path),
        inclusion.checkpoint.note,
        list(leaf.lines),
        leaf.terms if terms else None,
        leaf.terms_salt if terms else None,
        list(keys),
        None if since is None else Growth(since[0], list(since[1])),
    )
    made: dict[str, Any] = msgspec.to_builtins(bundle)
    return made


def check(content: bytes, keys: Sequence[PublicKey] = ()) -> Proved:
    """What a bundle proves to whoever trusts these keys (none: those it came with). Raises BadProof."""
    try:
        bundle = msgspec.json.decode(content, type=Bundle)
        trusted = list(keys) or [PublicKey.parse(line) for line in bundle.keys]
        checkpoint, key = read_checkpoint(bundle.checkpoint, trusted)
        earlier = None if bundle.since is None else read_checkpoint(bundle.since.checkpoint, trusted)[0]
    except (msgspec.DecodeError, BadNote) as error:
        raise BadProof(str(error)) from None
    if bundle.format != FORMAT:
        raise BadProof(f"this is no {FORMAT}")
    if bundle.terms is not None:
        _check_terms(bundle)
    entry = salted_hash(bundle.salt, _canonical(bundle.leaf))
    if bundle.lines:
        entry = entry_with_lines(entry, bundle.lines)
    if root_of_inclusion(bundle.index, checkpoint.size, leaf_hash(entry), bundle.path) != checkpoint.root:
        raise BadProof("the operation is not what the log has at that place")
    if bundle.since is not None and earlier is not None:
        path = bundle.since.path
        if earlier.origin != checkpoint.origin or not is_consistent(
            earlier.size, checkpoint.size, earlier.root, checkpoint.root, path
        ):
            raise BadProof("the log does not hold what it held at the earlier checkpoint")
    operation = bundle.leaf.get("operation")
    return Proved(
        operation if isinstance(operation, dict) else {},
        bundle.index,
        checkpoint,
        key,
        not keys,
        bundle.terms is not None,
        None if earlier is None else earlier.size,
    )


def _check_terms(bundle: Bundle) -> None:
    if bundle.terms_salt is None or bundle.terms is None:
        raise BadProof("the terms lack their salt")
    if salted_hash(bundle.terms_salt, _canonical(bundle.terms)).hex() != bundle.leaf.get("terms"):
        raise BadProof("the terms are not those of the operation")
    if bundle.lines and bundle.lines != _lines(bundle.terms, bundle.terms_salt):
        raise BadProof("the lines are not those of the terms")


def _lines(terms: dict[str, Any], salt: bytes) -> list[bytes]:
    try:
        return commitments(terms["obligations"], salt)
    except (KeyError, TypeError, AttributeError, OverflowError):
        raise BadProof("the terms hold no obligations that make these lines") from None


def _canonical(value: dict[str, Any]) -> bytes:
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise BadProof(f"the leaf has no canonical form: {error}") from None
