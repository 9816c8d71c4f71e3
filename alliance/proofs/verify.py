"""The proof of the log: every leaf made again from the rows, and every checkpoint from the leaves."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.proofs.leaves import Rows, entry_of, read, version_of
from alliance.proofs.model import LogCheckpoint, LogKey
from alliance.proofs.notes import BadNote, Checkpoint, PublicKey, read_checkpoint
from alliance.proofs.queries import driver
from domain.ledger.merkle import HASH_SIZE, fold, grow
from domain.ledger.model import Repair
from domain.ledger.verify import Difference, Progress, Proof, quiet

CHUNK = 5000
"""Leaves that are made again at a time."""

CHECKS = {
    "operation before the end of the log is in it": """
        SELECT o.holder_id, o.id::text AS kind, '' AS currency, 1 AS kept, 0 AS proved
        FROM operation o
        CROSS JOIN (SELECT * FROM log_checkpoint ORDER BY size DESC LIMIT 1) c
        CROSS JOIN LATERAL (SELECT c.xid, operation_id, holder_id FROM log_leaf
                            WHERE "index" = c.size - 1 OFFSET 0) last
        LEFT JOIN LATERAL (SELECT "index" FROM log_leaf
                           WHERE operation_id = o.id AND holder_id = o.holder_id OFFSET 0) l ON true
        WHERE (o.xid, o.id, o.holder_id) <= (last.xid, last.operation_id, last.holder_id) AND l."index" IS NULL""",
    "obligation belongs to an operation": """
        SELECT b.holder_id, b.operation_id::text AS kind, b.currency, b.points AS kept, 0 AS proved
        FROM obligation b LEFT JOIN operation o ON o.holder_id = b.holder_id AND o.id = b.operation_id
        LEFT JOIN LATERAL (SELECT archived_by FROM log_leaf
                           WHERE o.id IS NULL AND operation_id = b.operation_id AND holder_id = b.holder_id OFFSET 0) l
                  ON true
        WHERE o.id IS NULL AND l.archived_by IS NULL AND b.operation_id NOT IN (SELECT target_id FROM all_repair)""",
}
"""See `domain.ledger.checks`."""

_LEAVES = text("""
    SELECT "index" AS place, holder_id, operation_id, salt, hashes, archived_by FROM log_leaf
    WHERE "index" >= :start ORDER BY "index" LIMIT :size""")
_NOBODY = "00000000-0000-0000-0000-000000000000"


async def verify_log(session: AsyncSession, proof: Proof, progress: Progress = quiet) -> None:
    """Add to the proof what is not as it was sealed and signed, in the snapshot of the session's transaction.

    One pass over the leaves, a chunk at a time; the next is read while one is hashed.
    """
    total = (await session.execute(text("SELECT count(*) FROM log_leaf"))).scalar_one()
    pass_ = _Pass(proof, await public_keys_of(session))
    end = done = 0
    chunk = await _read(session, 0)
    while chunk.leaves:
        end, done = chunk.end, done + len(chunk.leaves)
        following, _ = await asyncio.gather(_read(session, end), asyncio.to_thread(pass_.chunk, chunk))
        chunk = following
        progress("leaves of the log", done, total)
    beyond = select(LogCheckpoint).where(LogCheckpoint.size > end).order_by(LogCheckpoint.size)
    async for checkpoint in await session.stream_scalars(beyond):
        what = f"checkpoint {checkpoint.size}"
        pass_.differ("leaves of a checkpoint are there", _NOBODY, what, checkpoint.size, end)
        pass_.signed_size = checkpoint.size
    if pass_.signed_size < end:
        pass_.differ("the newest checkpoint is of all leaves", _NOBODY, "the log", end, pass_.signed_size)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Some leaves, the rows made again for each, the checkpoints among them, and what of it was taken for right."""

    end: int
    leaves: Sequence[Any]
    made: Iterable[Rows | None]
    checkpoints: Sequence[LogCheckpoint]
    accepted: set[tuple[UUID, bytes]]


async def _read(session: AsyncSession, start: int) -> _Chunk:
    """The leaves from `start` on."""
    leaves = (await session.execute(_LEAVES, {"start": start, "size": CHUNK})).all()
    if not leaves:
        return _Chunk(start, (), (), (), set())
    end = leaves[-1].place + 1
    made = await read(await driver(session), [(leaf.holder_id, leaf.operation_id) for leaf in leaves])
    between = select(LogCheckpoint).where(LogCheckpoint.size > start, LogCheckpoint.size <= end)
    checkpoints = (await session.scalars(between.order_by(LogCheckpoint.size))).all()
    session.expunge_all()
    return _Chunk(end, leaves, made, checkpoints, await _accepted(session, leaves))


async def public_keys_of(session: AsyncSession) -> list[PublicKey]:
    """The keys that may have signed; by a line that is none, nothing was."""
    keys = []
    for line in await session.scalars(select(LogKey.key)):
        try:
            keys.append(PublicKey.parse(line))
        except BadNote:
            continue
    return keys


async def _accepted(session: AsyncSession, leaves: Sequence[Any]) -> set[tuple[UUID, bytes]]:
    """Of these operations, those that were repaired, and what was taken for right."""
    if not (await session.execute(text("SELECT EXISTS (SELECT FROM repair)"))).scalar_one():
        return set()
    ids = [leaf.operation_id for leaf in leaves]
    found = await session.execute(select(Repair.target_id, Repair.accepted).where(Repair.target_id.in_(ids)))
    return {(target_id, accepted) for target_id, accepted in found}


class _Pass:
    """One pass over the log, and where it stands."""

    def __init__(self, proof: Proof, keys: Sequence[PublicKey]) -> None:
        self.signed_size = 0
        self._proof = proof
        self._keys = keys
        self._frontier: list[bytes] = []
        self._size = 0
        self._whole = True

    def differ(self, check: str, holder: object, what: str, kept: int, proved: int) -> None:
        """Name something."""
        self._proof.add(Difference(check, str(holder), what, "", kept, proved))

    def chunk(self, chunk: _Chunk) -> None:
        """Prove all of a chunk."""
        by_size = {checkpoint.size: checkpoint for checkpoint in chunk.checkpoints}
        for leaf, rows in zip(chunk.leaves, chunk.made, strict=True):
            self._leaf(leaf, rows, chunk.accepted)
            self._node(leaf)
            if (checkpoint := by_size.pop(leaf.place + 1, None)) is not None:
                self._checkpoint(checkpoint)
        for checkpoint in by_size.values():
            self._checkpoint(checkpoint)

    def _leaf(self, leaf: Any, made: Rows | None, accepted: set[tuple[UUID, bytes]]) -> None:
        """The rows of an operation against its leaf."""
        if leaf.archived_by is not None:
            if made is not None:
                self.differ("archived operation is gone", leaf.holder_id, str(leaf.operation_id), 1, 0)
            return
        if made is not None and version_of(made, leaf.salt, leaf.hashes[:HASH_SIZE]) is not None:
            return
        what = f"{leaf.operation_id} (leaf {leaf.place})"
        if (leaf.operation_id, b"" if made is None else entry_of(made, leaf.salt)) in accepted:
            self._proof.repaired += 1
        elif made is None:
            self.differ("sealed operation is there", leaf.holder_id, what, 0, 1)
        else:
            self.differ("operation is as it was sealed", leaf.holder_id, what, 1, 0)

    def _node(self, leaf: Any) -> None:
        """A leaf's place in the tree, and the nodes kept with it."""
        if leaf.place != self._size:
            self.differ("leaves are numbered without a gap", _NOBODY, f"leaf {self._size}", 0, leaf.place - self._size)
            self._whole = False
        self._size = leaf.place + 1
        if not self._whole:
            return
        [nodes] = grow(self._frontier, leaf.place, [leaf.hashes[:HASH_SIZE]])
        if leaf.hashes != b"".join(nodes):
            what = f"{leaf.operation_id} (leaf {leaf.place})"
            self.differ("nodes of the log are those of its leaves", leaf.holder_id, what, 1, 0)

    def _checkpoint(self, row: LogCheckpoint) -> None:
        """A checkpoint against the leaves before it, and its signature against the keys."""
        what = f"checkpoint {row.size}"
        self.signed_size = max(self.signed_size, row.size)
        if self._whole and (self._size != row.size or fold(self._frontier) != row.root):
            self.differ("checkpoint is the root of the leaves", _NOBODY, what, 1, 0)
        try:
            signed, _ = read_checkpoint(row.note, self._keys)
        except BadNote:
            self.differ("checkpoint is signed", _NOBODY, what, 1, 0)
            return
        if signed != Checkpoint(signed.origin, row.size, row.root):
            self.differ("checkpoint is what was signed", _NOBODY, what, row.size, signed.size)
