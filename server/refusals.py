"""The file of what a run refused: as the run's own file, with columns that say where and why. Corrected, it can be fed.

Written a page at a time; what people change in it is read again by the same feed.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from importlib.util import find_spec
from typing import Any
from uuid import UUID

import orjson

from alliance.accrual.model import AccrualRefusal, AccrualRun
from alliance.accrual.queries import refusals
from alliance.accrual.refusals import refusal_of
from alliance.accrual.rules import REPORTED
from domain.database import Database

PAGE = 1000

MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


def format_of(run: AccrualRun) -> str:
    """`csv`, `ndjson` or `parquet`; Parquet is written as CSV where pyarrow is not installed."""
    said: str = run.definition["format"]
    return "csv" if said == "parquet" and find_spec("pyarrow") is None else said


def name_of(run: AccrualRun) -> str:
    """What the file is called."""
    return f"{run.file.rpartition('.')[0] or run.file}.refused.{format_of(run)}"


async def refusals_file(database: Database, run: AccrualRun, language: str = "en") -> AsyncIterator[bytes]:
    """The file, in pieces."""
    columns = [name for name in run.columns or () if name not in REPORTED]
    match format_of(run):
        case "ndjson":
            async for page in _pages(database, run.id):
                yield b"".join(_object(row, language) for row in page)
        case "csv":
            delimiter = run.definition.get("delimiter", ",")
            yield _lines([[*columns, *REPORTED]], delimiter)
            async for page in _pages(database, run.id):
                yield _lines((_cells(run, columns, row, language) for row in page), delimiter)
        case _:
            async for piece in _parquet(database, run, columns, language):
                yield piece


async def _pages(database: Database, run_id: UUID) -> AsyncIterator[Sequence[AccrualRefusal]]:
    after = 0
    while True:
        async with database.session() as session:
            page = await refusals(session, run_id, after, PAGE)
        if not page:
            return
        yield page
        after = page[-1].line


def _why(row: AccrualRefusal, language: str) -> list[str]:
    refusal = refusal_of(row.refusal)
    return [str(row.line), refusal.code, ".".join(refusal.path), refusal.message(language)]


def _cells(run: AccrualRun, columns: Sequence[str], row: AccrualRefusal, language: str) -> list[str]:
    """The row's own fields by the columns of its file; one with too few or too many keeps what fits."""
    said = dict(zip(run.columns or (), orjson.loads(row.content), strict=False))
    return [*(said.get(name, "") for name in columns), *_why(row, language)]


def _lines(rows: Iterable[Sequence[str]], delimiter: str) -> bytes:
    page = io.StringIO()
    csv.writer(page, delimiter=delimiter).writerows(rows)
    return page.getvalue().encode()


def _object(row: AccrualRefusal, language: str) -> bytes:
    """What is no object is given as the text that it was."""
    try:
        said = orjson.loads(row.content)
    except orjson.JSONDecodeError:
        said = None
    known: dict[str, Any] = said if isinstance(said, dict) else {"text": row.content}
    return orjson.dumps(known | dict(zip(REPORTED, _why(row, language), strict=True))) + b"\n"


async def _parquet(database: Database, run: AccrualRun, columns: Sequence[str], language: str) -> AsyncIterator[bytes]:
    """All columns are text, which the feed reads as it reads what they were."""
    import pyarrow
    from pyarrow import parquet

    names = [*columns, *REPORTED]
    schema = pyarrow.schema([(name, pyarrow.string()) for name in names])
    file = io.BytesIO()
    with parquet.ParquetWriter(file, schema) as writer:
        async for page in _pages(database, run.id):
            rows = [_cells(run, columns, row, language) for row in page]
            arrays = [pyarrow.array(column, pyarrow.string()) for column in zip(*rows, strict=True)]
            writer.write_table(pyarrow.table(arrays, schema=schema))
    yield file.getvalue()
