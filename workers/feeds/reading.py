"""A part of a file as rows, each with where it is; what cannot be read is a row that is broken."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from io import BytesIO, StringIO
from itertools import accumulate
from typing import Any, BinaryIO

import msgspec

from alliance.accrual.errors import BrokenCsv, FileUnreadable
from alliance.accrual.rules import Row, without_report
from alliance.intake.errors import LineTooLong, MalformedLine
from alliance.opening.errors import BrokenRow
from domain.errors import Refusal

MAX_ROW = 256 * 1024
"""Bytes of a row, as of a line of POST /ingest/purchases."""

BATCH = 1000

_objects = msgspec.json.Decoder(float_hook=str)


def rows_of(
    file: BinaryIO, definition: Mapping[str, Any], columns: Sequence[str], start: int, stop: int, line: int
) -> Iterator[Row]:
    """The rows from `start` to before `stop`, the first of which is in `line`. Raises FileUnreadable, OSError."""
    if definition["format"] == "parquet":
        return parquet_rows(file, start, stop)
    file.seek(start)
    data = file.read(stop - start)
    if definition["format"] == "csv":
        return csv_rows(data, definition, columns, start, line)
    return json_rows(data, columns if definition.get("columns") is not None else None, start, line)


def csv_reader(lines: Iterable[str], definition: Mapping[str, Any]) -> Iterator[tuple[list[str], Refusal | None]]:
    """Rows of CSV, quoted by double quotes, or how they are broken; an empty line is an empty row."""
    reader = csv.reader(lines, delimiter=definition.get("delimiter", ","), strict=True)
    while True:
        try:
            yield next(reader), None
        except StopIteration:
            return
        except csv.Error as error:
            yield [], BrokenCsv(reason=str(error))


def csv_rows(
    data: bytes, definition: Mapping[str, Any], columns: Sequence[str], start: int, line: int
) -> Iterator[Row]:
    """Rows of CSV in UTF-8."""
    raw = list(BytesIO(data))  # cut at line feeds, and nowhere else
    ends = list(accumulate(map(len, raw), initial=start))
    text = data.decode(errors="surrogateescape")
    sound, width, taken, before = not _escaped(text), len(columns), 0, 0

    def fed() -> Iterator[str]:
        nonlocal taken
        for piece in StringIO(text, newline="\n"):
            taken += 1
            yield piece

    for values, broken in csv_reader(fed(), definition):
        here, before = line + before, taken
        if not values and broken is None:
            continue
        if broken is not None:
            said = b"".join(raw[here - line : taken]).decode(errors="replace")
            values = [said]
        elif len(values) != width:
            broken = BrokenRow(found=len(values), expected=width)
        elif not sound and any(map(_escaped, values)):
            values = [value.encode(errors="surrogateescape").decode(errors="replace") for value in values]
            broken = BrokenCsv(reason="not UTF-8")
        yield Row(here, ends[taken], line + taken, values, None, broken)


def _escaped(text: str) -> bool:
    """Whether there are bytes in it that are no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def json_rows(data: bytes, columns: Sequence[str] | None, start: int, line: int) -> Iterator[Row]:
    """Rows that are JSON, one a line; `columns` are the fields that are looked at, None where a line is taken whole."""
    end = start
    for number, piece in enumerate(BytesIO(data), start=line):
        end += len(piece)
        if not piece.isspace():
            yield json_row(piece, columns, number, end, number + 1)


def json_row(piece: bytes, columns: Sequence[str] | None, here: int, end: int, next_line: int) -> Row:
    """One of them."""
    raw = piece.rstrip(b"\r\n")
    if len(raw) > MAX_ROW:
        return Row(here, end, next_line, (), raw[:1000], LineTooLong(limit=MAX_ROW))
    if columns is None:
        return Row(here, end, next_line, (), raw)
    return _object(raw, columns, here, end, next_line)


def _object(raw: bytes, columns: Sequence[str], here: int, end: int, number: int) -> Row:
    try:
        found = _objects.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Row(here, end, number, (), raw, MalformedLine(reason=str(error)))
    except RecursionError:
        return Row(here, end, number, (), raw, MalformedLine(reason="nested too deeply"))
    if not isinstance(found, dict):
        return Row(here, end, number, (), raw, MalformedLine(reason="not an object"))
    return Row(here, end, number, [_field(found, name) for name in columns], without_report(raw))


def _field(found: dict[str, Any], name: str) -> Any:
    """A field by its name, or by a path with points through objects in it; None where it is not there."""
    if name in found:
        return found[name]
    value: Any = found
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def parquet_file(file: BinaryIO) -> Any:
    """The file, open. Raises FileUnreadable, also where pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise FileUnreadable(line=1, reason="to read Parquet takes pyarrow: pip install 'tessera-loyalty[parquet]'")
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
    except (ArrowException, OSError) as error:
        raise FileUnreadable(line=1, reason=f"not Parquet: {error}".partition("\n")[0][:200]) from None


def parquet_rows(file: BinaryIO, start: int, stop: int) -> Iterator[Row]:
    """Rows of Parquet; their line is their number, from 1. Raises FileUnreadable."""
    from pyarrow import ArrowException

    opened = parquet_file(file)
    groups, first = _groups(opened.metadata, start, stop)
    number = first
    try:
        for batch in opened.iter_batches(batch_size=BATCH, row_groups=groups):
            begin, number = number, number + batch.num_rows
            if number <= start or begin >= stop:
                continue
            low, high = max(start, begin), min(stop, number)
            wanted = batch.slice(low - begin, high - low)
            columns = [column.to_pylist() for column in wanted.columns]
            for offset, values in enumerate(zip(*columns, strict=True), start=low):
                yield Row(offset + 1, offset + 1, offset + 2, values)
    except (ArrowException, UnicodeDecodeError) as error:
        raise FileUnreadable(line=number + 1, reason=str(error).partition("\n")[0][:200]) from None


def _groups(metadata: Any, start: int, stop: int) -> tuple[list[int], int]:
    """The row groups in which these rows are, and the number of the first row of the first of them."""
    groups: list[int] = []
    first = begin = 0
    for number in range(metadata.num_row_groups):
        end = begin + metadata.row_group(number).num_rows
        if begin < stop and end > start:
            if not groups:
                first = begin
            groups.append(number)
        begin = end
    return groups, first
