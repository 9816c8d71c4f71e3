"""All files of a statement: the statement itself, what is signed of it, the proofs, and these three in one."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from alliance.proofs.notes import BadNote
from alliance.proofs.verify import public_keys_of
from alliance.statements import proving, queries
from alliance.statements.errors import NotSigned
from alliance.statements.model import Head
from alliance.statements.pdf import MOST, Printed, pdf
from alliance.statements.render import WRITERS
from alliance.statements.rules import Line
from alliance.statements.signature import read_signed
from domain.database import Database
from domain.programs.catalogue import load_catalogue

BUNDLE = ("jsonl", "jsonl.sig", "jsonl.proofs")
FILES = (*WRITERS, *(f"{kind}.sig" for kind in WRITERS), "jsonl.proofs", "zip", "pdf")
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
    database: Database,
    head: Head,
    kind: str,
    size: int | None = None,
    progress: Progress = _quiet,
    language: str = "en",
) -> AsyncIterator[bytes]:
    """A file, a part at a time; proofs to the checkpoint of `size` leaves, or the newest."""
    if kind == "zip":
        parts = _zipped(database, head, size, progress)
    elif kind == "pdf":
        parts = _printed(database, head, language)
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


async def _printed(database: Database, head: Head, language: str) -> AsyncIterator[bytes]:
    names = await queries.pseudonyms(database)
    lines: list[Line] = []
    async for rows in queries.stretches(database, head):
        lines += [line for line, _ in queries.lines_of(head, rows, names)]
        if len(lines) >= MOST:
            break
    async with database.reader() as session:
        balances = await queries.balances(session, head)
        catalogue = await load_catalogue(session)
        try:
            signed, _ = read_signed(await queries.signature(session, head), await public_keys_of(session))
            hashed = signed.hashes["jsonl"]
        except (NotSigned, BadNote):
            hashed = None
    called = {catalogue.alliance.id: catalogue.alliance.name}
    called |= {id_: merchant.name for id_, merchant in catalogue.merchants_by_id.items()}
    yield await asyncio.to_thread(pdf, Printed(head, called, balances, lines[:MOST], hashed, language))


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
