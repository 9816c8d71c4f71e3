"""A file as a table of text: CSV, or Parquet where pyarrow is installed. Read a chunk at a time."""

import csv
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from alliance.opening.errors import BrokenRow
from alliance.opening.model import Row
from server.commands.common import Unavailable, WrongUse

CHUNK = 1000
"""Rows at a time: as many as one batch of the engine takes."""


@dataclass(frozen=True, slots=True)
class Table:
    """An open file: its columns, its rows in chunks, and how much of it has been read, from 0 to 1."""

    columns: tuple[str, ...]
    chunks: Iterator[list[Row]]
    read: Callable[[], float]


def hash_of(path: Path) -> str:
    """SHA-256 of the file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def opened(path: Path) -> Iterator[Table]:
    """The table in a file, by its ending. Raises WrongUse for what is no table, Unavailable without pyarrow."""
    with _parquet(path) if path.suffix == ".parquet" else _csv(path) as table:
        yield table


@contextmanager
def _csv(path: Path) -> Iterator[Table]:
    size = max(1, path.stat().st_size)
    with path.open("rb") as raw, open(raw.fileno(), encoding="utf-8-sig", newline="", closefd=False) as text:
        reader = csv.reader(text, strict=True)
        rows = _sound(reader, path)
        columns = tuple(name.strip() for name in next(rows, []))
        numbered = (_row(number, columns, row) for number, row in enumerate((row for row in rows if row), start=1))
        chunks = iter(lambda: list(islice(numbered, CHUNK)), [])
        yield Table(columns, chunks, lambda: min(1.0, raw.tell() / size))


def _sound(reader: Any, path: Path) -> Iterator[list[str]]:
    """The rows as far as the file is sound. Raises WrongUse where it is not."""
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except (csv.Error, UnicodeDecodeError) as error:
            raise WrongUse(f"{path} is no CSV in UTF-8: after line {reader.line_num}: {error}") from None
        yield row


def _row(number: int, columns: tuple[str, ...], fields: list[str]) -> Row:
    if len(fields) != len(columns):
        broken = BrokenRow(found=len(fields), expected=len(columns))
        return Row(number, dict(zip(columns, fields, strict=False)), broken)
    return Row(number, {name: field.strip() for name, field in zip(columns, fields, strict=True)})


@contextmanager
def _parquet(path: Path) -> Iterator[Table]:
    if find_spec("pyarrow") is None:
        raise Unavailable("to read Parquet takes pyarrow: pip install 'tessera-loyalty[parquet]'")
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path)
    except (ArrowException, OSError) as error:
        raise WrongUse(f"{path} is no Parquet: {error}") from None
    with file:
        total, seen = max(1, file.metadata.num_rows), 0

        def chunks() -> Iterator[list[Row]]:
            nonlocal seen
            for batch in file.iter_batches(batch_size=CHUNK):
                texts = ({name: _text(value) for name, value in row.items()} for row in batch.to_pylist())
                rows = [Row(number, values) for number, values in enumerate(texts, start=seen + 1)]
                seen += len(rows)
                yield rows

        yield Table(tuple(file.schema_arrow.names), chunks(), lambda: min(1.0, seen / total))


def _text(value: Any) -> str:
    """A value as a CSV would have it."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # whole numbers with gaps are floats to those who write such files
    return value.isoformat() if isinstance(value, date) else str(value).strip()
