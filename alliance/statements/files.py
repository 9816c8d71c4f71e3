"""All files of a statement: the statement itself, what is signed of it, the proofs, and these three in one."""

import io
from collections.abc import AsyncIterator, Callable
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from alliance.statements import proving, queries
from alliance.statements.model import Head
from alliance.statements.render import WRITERS
from domain.database import Database

BUNDLE = ("jsonl", "jsonl.sig", "jsonl.proofs")
FILES = (*WRITERS, *(f"{kind}.sig" for kind in WRITERS), "jsonl.proofs", "zip")
"""What there is of a statement, by the end of its name."""

Progress = Callable[[str, int], None]


def _quiet(step: str, done: int) -> None:
    """Nobody asked."""


async def ready(database: Database, head: Head, kind: str, size: int | None = None) -> None:
    """Raises NotSigned, NotInCheckpoint or NotFound for a file that cannot be had (yet)."""
    async with database.reader() as session:
        if kind.endswith((".sig", "zip")):
            await queries.signature(session, head)
        if kind.endswith((".proofs", "zip")):
            await proving.require_sealed(session, head, size)


async def content(
    database: Database, head: Head, kind: str, size: int | None = None, progress: Progress = _quiet
) -> AsyncIterator[bytes]:
    """A file, a part at a time; proofs to the checkpoint of `size` leaves, or the newest."""
    if kind == "zip":
        parts = _zipped(database, head, size, progress)
    elif kind.endswith(".sig"):
        parts = _signature(database, head)
    elif kind.endswith(".proofs"):
        parts = proving.proofs(database, head, size, progress)
    else:
        parts = queries.written(database, head, WRITERS[kind](head), progress)
    async for part in parts:
        yield part


async def _signature(database: Database, head: Head) -> AsyncIterator[bytes]:
    async with database.reader() as session:
        yield (await queries.signature(session, head)).encode()


async def _zipped(database: Database, head: Head, size: int | None, progress: Progress) -> AsyncIterator[bytes]:
    sink = _Sink()
    with ZipFile(sink, "w", ZIP_DEFLATED) as archive:
        for kind in BUNDLE:
            entry = ZipInfo(f"{head.file}.{kind}")
            entry.compress_type = ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member:
                async for part in content(database, head, kind, size, progress):
                    member.write(part)
                    yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """What was written and not taken yet."""

    def __init__(self) -> None:
        self._parts = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, part: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        self._parts += part
        return len(part)

    def taken(self) -> bytes:
        """All of it, which is forgotten."""
        parts = bytes(self._parts)
        self._parts.clear()
        return parts
