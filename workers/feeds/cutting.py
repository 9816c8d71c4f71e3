"""Cutting a file into parts, in one pass that also makes its digest: at the ends of rows, and of orders."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, BinaryIO

from alliance.accrual.commands import Cut
from alliance.accrual.errors import FileUnreadable
from alliance.accrual.rules import FeedMapping, Row
from workers.feeds.reading import csv_reader, json_row, parquet_file, parquet_rows

PART_BYTES = 2 << 20
PART_ROWS = 32_768
MAX_PART = 16 * PART_BYTES
"""A part is read whole: a file in which a row, or the rows of an order, go on for longer is refused."""

_BLOCK = 1 << 20
_BOM = b"\xef\xbb\xbf"

Part = tuple[int, int, int]
Mapped = Callable[[Sequence[str]], FeedMapping]
"""Makes the mapping of a file with these columns. Raises ColumnMissing."""


def cut_file(file: BinaryIO, definition: Mapping[str, Any], mapped: Mapped) -> Cut:
    """The digest, the columns and the parts of a file. Raises ColumnMissing, FileUnreadable, OSError."""
    match definition["format"]:
        case "parquet":
            return _cut_parquet(file, mapped)
        case "csv":
            return _cut_csv(file, definition, mapped)
        case _:
            return _cut_json(file, definition, mapped)


class _Lines:
    """The lines of a file, one after the other; how far that is, and the digest of what was read."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.offset, self.number = file, 0, 1
        self.digest = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        self.file.seek(0)
        tail = b""
        while block := self.file.read(_BLOCK):
            self.digest.update(block)
            first, *others = block.split(b"\n")
            tail += first
            for following in others:
                yield self._told(tail + b"\n")
                tail = following
            if len(tail) > MAX_PART:
                raise FileUnreadable(line=self.number, reason="this line does not end")
        if tail:
            yield self._told(tail)

    def _told(self, line: bytes) -> bytes:
        self.offset += len(line)
        self.number += 1
        return line


class _Cutter:
    """Makes parts as the ends of rows come by. `rows` of Parquet count as bytes do."""

    def __init__(self, start: int, line: int, mapping: FeedMapping, size: int) -> None:
        self.mapping, self.size = mapping, size
        self.parts: list[Part] = []
        self.start, self.line = start, line
        self.before: tuple[int, int, tuple[str, ...]] | None = None

    def row(self, end: int, next_line: int, group: Callable[[], tuple[str, ...] | None]) -> None:
        """A row ends here. Rows of one order, those with the same `group`, stay together; None is with nobody."""
        if end - self.start < self.size:
            return
        if not self.mapping.by_line:
            self.end(end, next_line)
            return
        mine = group()
        if self.before is not None and mine != self.before[2]:
            self.end(*self.before[:2])
        if end - self.start > MAX_PART:
            raise FileUnreadable(line=self.line, reason="the rows of an order that begins near here do not end")
        self.before = (end, next_line, mine or ("", str(next_line)))

    def end(self, end: int, next_line: int) -> None:
        """A part ends here, if anything is in it."""
        if end > self.start:
            self.parts.append((self.start, end, self.line))
        self.start, self.line, self.before = end, next_line, None


def _cut_csv(file: BinaryIO, definition: Mapping[str, Any], mapped: Mapped) -> Cut:
    lines = _Lines(file)
    decoded = (line.decode(errors="surrogateescape") for line in _without_bom(lines))
    reader = csv_reader(decoded, definition)
    columns = [name.strip() for name in next((row for row, _ in reader if row), [])]
    if not columns:
        raise FileUnreadable(line=1, reason="there is no header")
    if repeated := {name for name in columns if columns.count(name) > 1}:
        raise FileUnreadable(line=1, reason=f"column {min(repeated)[:40]!r} stands twice")
    mapping = mapped(columns)
    cutter = _Cutter(lines.offset, lines.number, mapping, PART_BYTES)
    width = len(columns)
    for values, broken in reader:
        group = None if broken or len(values) != width else Row(lines.number, 0, 0, values)
        cutter.row(lines.offset, lines.number, lambda group=group: group and mapping.group_of(group))  # type: ignore[misc]
    cutter.end(lines.offset, lines.number)
    return Cut(lines.digest.hexdigest(), columns, cutter.parts)


def _without_bom(lines: _Lines) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        yield line.removeprefix(_BOM) if number == 0 else line


def _cut_json(file: BinaryIO, definition: Mapping[str, Any], mapped: Mapped) -> Cut:
    lines = _Lines(file)
    columns = list(dict.fromkeys((definition.get("columns") or {}).values()))
    mapping = mapped(columns)
    cutter = _Cutter(0, 1, mapping, PART_BYTES)

    def group(line: bytes) -> tuple[str, ...] | None:
        row = json_row(line, columns, lines.number, 0, 0)
        return None if row.broken is not None else mapping.group_of(row)

    for line in lines:
        cutter.row(lines.offset, lines.number, lambda line=line: group(line))  # type: ignore[misc]
    cutter.end(lines.offset, lines.number)
    return Cut(lines.digest.hexdigest(), columns, cutter.parts)


def _cut_parquet(file: BinaryIO, mapped: Mapped) -> Cut:
    """By rows: the beginning of a part need not be that of a row group."""
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(_BLOCK):
        digest.update(block)
    with parquet_file(file) as opened:
        columns, size = list(opened.schema_arrow.names), opened.metadata.num_rows
    mapping = mapped(columns)
    starts = range(PART_ROWS, size, PART_ROWS)
    places = [_order_after(file, mapping, start, size) if mapping.by_line else start for start in starts]
    bounds = sorted({0, *places, size})
    parts = [(start, end, start + 1) for start, end in pairwise(bounds)]
    return Cut(digest.hexdigest(), columns, parts)


def _order_after(file: BinaryIO, mapping: FeedMapping, start: int, size: int) -> int:
    """The first row from there on that is of another order than the one before it."""
    before: Row | None = None
    for row in parquet_rows(file, start - 1, size):
        if before is not None and mapping.group_of(row) != mapping.group_of(before):
            return row.line - 1
        before = row
    return size
