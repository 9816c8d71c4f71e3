"""`tessera statement`: what merchants are sent of a cycle, as files, and the check of one."""

import sys
from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from server.commands.common import Home, Json, answer, servers, with_runtime
from server.commands.proving import Progress

if TYPE_CHECKING:
    from alliance.runtime import Runtime
    from alliance.statements.model import Head

statement = typer.Typer(help="Statements of cycles, as files.", no_args_is_help=True)


class Format(StrEnum):
    """Of a statement's file."""

    JSONL = "jsonl"
    CSV = "csv"


@statement.command()
def export(
    cycle: Annotated[int, typer.Option(help="The cycle's number.")],
    merchant: Annotated[str, typer.Option(help="The merchant's code; the alliance's for the operator's own.")],
    format_: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.JSONL,
    out: Annotated[Path | None, typer.Option(help="The file [default: standard output].", dir_okay=False)] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write a merchant's statement of a cycle: the same bytes whenever it is written."""
    with servers("tessera statement export") as settings:

        async def run(runtime: "Runtime") -> int:
            head = await _head(runtime, cycle, merchant)
            if out is None:
                return await _write(_content(runtime, head, format_), sys.stdout.buffer)
            with out.open("wb") as file:
                return await _write(_content(runtime, head, format_), file)

        size = with_runtime(settings, run)
    if out is not None:
        told = {"cycle": cycle, "merchant": merchant, "format": format_, "file": str(out), "bytes": size}
        answer(told, json, lambda console: console.print(f"{out}: {size:,} bytes", markup=False))


async def _head(runtime: "Runtime", cycle: int, code: str) -> "Head":
    """Raises NotFound."""
    from alliance.statements import queries
    from domain.errors import NotFound

    alliance = runtime.catalogue.alliance
    merchant = runtime.catalogue.merchants.get(code)
    if merchant is None and code != alliance.code:
        raise NotFound(what=f"merchant {code!r}", path=("merchant",))
    async with runtime.database.reader() as session:
        party = alliance.id if merchant is None else merchant.id
        return await queries.head(session, runtime.catalogue, cycle, party)


async def _content(runtime: "Runtime", head: "Head", format_: Format) -> AsyncIterator[bytes]:
    from alliance.statements import queries
    from alliance.statements.render import WRITERS

    writer = WRITERS[format_](head)
    async with runtime.database.reader() as session:
        total = await queries.count(session, head)
    progress = Progress()
    async for part in queries.written(runtime.database, head, writer):
        yield part
        progress("lines", writer.totals.count, total)


async def _write(content: AsyncIterator[bytes], file: BinaryIO) -> int:
    size = 0
    async for part in content:
        size += file.write(part)
    file.flush()
    return size
