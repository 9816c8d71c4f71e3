"""The log of operations: checkpoints, and proofs that an operation is in it and that it only grew."""

from base64 import b64encode
from datetime import datetime
from typing import Self

import strawberry

from alliance.proofs.canonical import canonical
from alliance.proofs.model import SignedCheckpoint
from resolvers.proofs import SeenInclusion
from schema.scalars import JSON, LogIndex


def _base64(content: bytes) -> str:
    return b64encode(content).decode()


@strawberry.type(description="The state of the log of all operations, signed (C2SP tlog-checkpoint, Ed25519).")
class LogCheckpoint:
    """Whoever keeps one can prove later that the log was changed."""

    size: LogIndex = strawberry.field(description="How many operations were in the log.")
    root: str = strawberry.field(description="Their Merkle root (RFC 6962), in base64.")
    note: str = strawberry.field(description="The signed note: keep this.")
    signed_at: datetime

    @classmethod
    def of(cls, row: SignedCheckpoint) -> Self:
        """From the log."""
        return cls(size=LogIndex(row.size), root=_base64(row.root), note=row.note, signed_at=row.signed_at)


@strawberry.type(description="That an operation is in the log of a signed checkpoint. Hashes and salts are base64.")
class InclusionProof:
    """Checked by `tessera verify --checkpoint`, without a database, or by any implementation of RFC 6962."""

    leaf_index: LogIndex
    leaf_hash: str
    path: list[str] = strawberry.field(description="The audit path, from the leaf upwards.")
    checkpoint: LogCheckpoint
    lines: list[str] = strawberry.field(
        description="Commitments to what it made owed, one an obligation, which enter the leaf beside its data."
    )
    leaf: str | None = strawberry.field(
        description="What was hashed after the salt, as RFC 8785 JSON; null unless you may see the whole operation."
    )
    salt: str | None = strawberry.field(description="16 bytes; null with the leaf.")
    terms: str | None = strawberry.field(
        description="Prices, funding and obligations, whose salted hash is in the leaf; null unless they are yours."
    )
    terms_salt: str | None
    bundle: JSON | None = strawberry.field(description="All of it as one file, for `tessera verify --checkpoint`.")

    @classmethod
    def of(cls, seen: SeenInclusion) -> Self:
        """From the log, as far as the viewer may see it."""
        inclusion, leaf = seen.inclusion, seen.inclusion.leaf
        return cls(
            leaf_index=LogIndex(inclusion.index),
            leaf_hash=_base64(inclusion.leaf_hash),
            path=[_base64(step) for step in inclusion.path],
            checkpoint=LogCheckpoint.of(inclusion.checkpoint),
            lines=[_base64(line) for line in leaf.lines],
            leaf=canonical(leaf.data).decode() if seen.data else None,
            salt=_base64(leaf.salt) if seen.data else None,
            terms=canonical(leaf.terms).decode() if seen.terms else None,
            terms_salt=_base64(leaf.terms_salt) if seen.terms else None,
            bundle=JSON(seen.bundle),
        )


@strawberry.type(description="That the log of `second` operations begins with that of `first`, unchanged.")
class ConsistencyProof:
    """RFC 9162, 2.1.4."""

    first: LogIndex
    second: LogIndex
    path: list[str] = strawberry.field(description="Hashes in base64.")

    @classmethod
    def of(cls, first: int, second: int, path: list[bytes]) -> Self:
        """From the log."""
        return cls(first=LogIndex(first), second=LogIndex(second), path=[_base64(step) for step in path])
