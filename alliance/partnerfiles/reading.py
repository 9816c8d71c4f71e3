"""From the bytes of a file to its records, one at a time, each with the line where it begins. Nothing is kept of it.

What is wrong with a file here ends its reading: what follows a broken quote or character cannot be told apart.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import orjson

from alliance.partnerfiles.errors import PartnerFileTooLarge
from alliance.partnerfiles.shape import Shape

LONGEST_LINE = 64 * 1024
"""Characters; a longer line is refused before it is read."""

LARGEST = 4 * 1024**3
"""Characters of a whole file, unpacked."""

GZIP = b"\x1f\x8b"


class Record(NamedTuple):
    """A row of CSV, or an object; `line` is where it begins."""

    line: int
    values: Any


class Broken(Exception):
    """From this line on nothing can be read, and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


def opened(path: Path) -> BinaryIO:
    """The file's content, unpacked if it is packed."""
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
    return cast(BinaryIO, gzip.open(path, "rb") if packed else path.open("rb"))


def format_of(path: Path) -> str:
    """jsonl if the first character says so, else csv; for files that nobody declared."""
    with opened(path) as file:
        try:
            head = file.read(512)
        except (OSError, EOFError, zlib.error):
            head = b""
    return "jsonl" if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" else "csv"


def records(path: Path, shape: Shape, read: Callable[[int], None] = lambda _: None) -> Iterator[Record]:
    """The records of a file in order; `read` is told now and then how many bytes of it were read.

    Raises Broken, PartnerFileTooLarge.
    """
    with path.open("rb") as raw, _unpacked(raw) as file:
        lines = _Lines(file, shape.encoding, lambda: read(raw.tell()))
        try:
            yield from _csv(lines, shape) if shape.format == "csv" else _objects(lines)
        except UnicodeError:
            raise Broken(_undecodable(path, shape.encoding), f"not {shape.encoding.removesuffix('-sig')}") from None
        except (OSError, EOFError, zlib.error) as fault:
            raise Broken(lines.number + 1, f"cannot be unpacked: {fault}") from None


def _unpacked(raw: BinaryIO) -> BinaryIO:
    packed = raw.read(2) == GZIP
    raw.seek(0)
    return cast(BinaryIO, gzip.open(raw, "rb")) if packed else raw


class _Lines:
    """The lines of a text; `number` is that of the last."""

    def __init__(self, file: BinaryIO, encoding: str, told: Callable[[], None]) -> None:
        # Ends of lines are kept as they are: a quoted value may hold one.
        self._read = io.TextIOWrapper(file, encoding=encoding, errors="strict", newline="").readline
        self._told, self._size = told, 0
        self.number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._read(LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._size += len(line)
        if len(line) > LONGEST_LINE:
            raise Broken(self.number, f"the line has more than {LONGEST_LINE} characters")
        if "\0" in line:
            raise Broken(self.number, "a character U+0000 is in the line")
        if self._size > LARGEST:
            raise PartnerFileTooLarge(limit=LARGEST)
        if not self.number & 0x3FFF:
            self._told()
        return line


def _csv(lines: _Lines, shape: Shape) -> Iterator[Record]:
    reader = csv.reader(lines, delimiter=shape.delimiter, strict=True)
    begins = 1
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            raise Broken(begins, f"not CSV: {fault}") from None
        if values:
            yield Record(begins, values)
        begins = lines.number + 1


def _objects(lines: _Lines) -> Iterator[Record]:
    for line in lines:
        if not line.strip():
            continue
        try:
            # Surrogates that stand alone, which orjson refuses, cannot be stored either.
            value = orjson.loads(line)
            if _has_float(value):
                value = json.loads(line, parse_float=str)
        except (ValueError, RecursionError) as fault:
            raise Broken(lines.number, f"not JSON: {fault}"[:200]) from None
        if not isinstance(value, dict):
            raise Broken(lines.number, "not a JSON object")
        yield Record(lines.number, value)


def _has_float(value: Any) -> bool:
    """Whether a number is written with a point: such are read as text, so that no digit is lost."""
    if isinstance(value, dict):
        return any(_has_float(one) for one in value.values() if not isinstance(one, str))
    return isinstance(value, float)


def _undecodable(path: Path, encoding: str) -> int:
    """The first line that has a character which is none; only asked where there is one."""
    with opened(path) as file, io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="") as text:
        number = 0
        while line := text.readline(LONGEST_LINE):
            if "\ufffd" in line:
                return number + 1
            number += line.endswith(("\n", "\r"))
    return number + 1


def column_of(names: Sequence[str] | None, said: str) -> int | None:
    """Where a column of CSV is, by its name or its place counted from 1."""
    if names is not None and said in names:
        return names.index(said)
    return int(said) - 1 if said.isascii() and said.isdigit() and 0 < int(said) <= 1000 else None
