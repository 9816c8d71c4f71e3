"""The proof of the log: every leaf made again from the rows, and every checkpoint from the leaves."""

from collections.abc import Iterable, Sequence
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
        CROSS JOIN (SELECT c.xid, l.operation_id, l.holder_id
                    FROM (SELECT * FROM log_checkpoint ORDER BY size DESC LIMIT 1) c
                    JOIN log_leaf l ON l."index" = c.size - 1) AS last
        LEFT JOIN log_leaf l ON l.operation_id = o.id AND l.holder_id = o.holder_id
        WHERE (o.xid, o.id, o.holder_id) <= (last.xid, last.operation_id, last.holder_id) AND l."index" IS NULL""",
    "obligation belongs to an operation": """
        SELECT b.holder_id, b.operation_id::text AS kind, b.currency, b.points AS kept, 0 AS proved
        FROM obligation b LEFT JOIN operation o ON o.holder_id = b.holder_id AND o.id = b.operation_id
        WHERE o.id IS NULL AND NOT EXISTS (SELECT FROM repair p WHERE p.target_id = b.operation_id)
          AND NOT EXISTS (SELECT FROM log_leaf l WHERE l.operation_id = b.operation_id AND l.holder_id = b.holder_id
                          AND l.archived_by IS NOT NULL)""",
}
"""What one aggregate finds; see `domain.ledger.verify.verify`."""

_LEAVES = text("""
    SELECT "index" AS place, holder_id, operation_id, salt, hashes, archived_by FROM log_leaf
    WHERE "index" >= :start ORDER BY "index" LIMIT :size""")
_NOBODY = "00000000-0000-0000-0000-000000000000"


async def verify_log(session: AsyncSession, proof: Proof, progress: Progress = quiet) -> None:
    """Add to the proof what is not as it was sealed and signed, in the snapshot of the session's transaction.

    One pass over the leaves, a chunk at a time.
    """
    total = (await session.execute(text("SELECT count(*) FROM log_leaf"))).scalar_one()
    pass_ = _Pass(proof, await _public_keys(session))
    connection = await driver(session)
    start = done = 0
    while leaves := (await session.execute(_LEAVES, {"start": start, "size": CHUNK})).all():
        last = leaves[-1].place
        made = await read(connection, [(leaf.holder_id, leaf.operation_id) for leaf in leaves])
        between = select(LogCheckpoint).where(LogCheckpoint.size > start, LogCheckpoint.size <= last + 1)
        checkpoints = (await session.scalars(between.order_by(LogCheckpoint.size))).all()
        pass_.accepted = await _accepted(session, leaves)
        pass_.chunk(leaves, made, checkpoints)
        session.expunge_all()
        start, done = last + 1, done + len(leaves)
        progress("leaves", done, total)
    beyond = select(LogCheckpoint).where(LogCheckpoint.size > start).order_by(LogCheckpoint.size)
    async for checkpoint in await session.stream_scalars(beyond):
        what = f"checkpoint {checkpoint.size}"
        pass_.differ("leaves of a checkpoint are there", _NOBODY, what, checkpoint.size, start)
        pass_.signed_size = checkpoint.size
    if pass_.signed_size < start:
        pass_.differ("the newest checkpoint is of all leaves", _NOBODY, "the log", start, pass_.signed_size)


async def _public_keys(session: AsyncSession) -> list[PublicKey]:
    keys = []
    for line in await session.scalars(select(LogKey.key)):
        try:
            keys.append(PublicKey.parse(line))
        except BadNote:  # what it signed will be signed by nobody
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
        self.accepted: set[tuple[UUID, bytes]] = set()
        self._proof = proof
        self._keys = keys
        self._frontier: list[bytes] = []
        self._size = 0
        self._whole = True

    def differ(self, check: str, holder: object, what: str, kept: int, proved: int) -> None:
        """Name something."""
        self._proof.add(Difference(check, str(holder), what, "", kept, proved))

    def chunk(self, leaves: Sequence[Any], made: Iterable[Rows | None], checkpoints: Sequence[LogCheckpoint]) -> None:
        """Prove some leaves, the rows made again for them, and the checkpoints among them."""
        by_size = {checkpoint.size: checkpoint for checkpoint in checkpoints}
        for leaf, rows in zip(leaves, made, strict=True):
            self._leaf(leaf, rows)
            self._node(leaf)
            if (checkpoint := by_size.pop(leaf.place + 1, None)) is not None:
                self._checkpoint(checkpoint)
        for checkpoint in by_size.values():
            self._checkpoint(checkpoint)

    def _leaf(self, leaf: Any, made: Rows | None) -> None:
        """The rows of an operation against its leaf."""
        if leaf.archived_by is not None:
            if made is not None:
                self.differ("archived operation is gone", leaf.holder_id, str(leaf.operation_id), 1, 0)
            return
        if made is not None and version_of(made, leaf.salt, leaf.hashes[:HASH_SIZE]) is not None:
            return
        what = f"{leaf.operation_id} (leaf {leaf.place})"
        if (leaf.operation_id, b"" if made is None else entry_of(made, leaf.salt)) in self.accepted:
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
