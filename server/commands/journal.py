"""`tessera report journal`: all books as one double-entry journal, for outside tools."""

import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from server.commands.common import Home, Json, WrongUse, answer, servers, with_runtime

if TYPE_CHECKING:
    from alliance.runtime import Runtime


class Format(StrEnum):
    """What reads it."""

    BEANCOUNT = "beancount"
    CSV = "csv"


def journal(
    format_: Annotated[Format, typer.Option("--format", help="For beancount 3, or plain rows.")] = Format.BEANCOUNT,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day [default: of all].")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day [default: of all].")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The file (else standard output).", dir_okay=False)] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """All books as a double-entry journal: points, what merchants owe each other, payments; nobody's name is in it.

    It ends with what every account must come to, read from other rows than what moved: `bean-check` adds it all up
    again, and fails if our books are wrong. Days are of the alliance's zone; what moved before --from is brought
    forward.
    """
    if json and out is None:
        raise WrongUse("with --json name a file: --out")
    days = tuple(None if day is None else day.date() for day in (first, last))
    with servers("tessera report journal") as settings:
        from alliance.journal import export

        export.require_days(*days)

        async def run(runtime: "Runtime") -> int:
            async def write(file: BinaryIO) -> int:
                parts = export.journal(runtime.database, runtime.catalogue, format_.value, *days)
                return sum([file.write(part) async for part in parts])

            if out is None:
                return await write(sys.stdout.buffer)
            with out.open("wb") as file:
                return await write(file)

        size = with_runtime(settings, run)
    if out is not None:
        told = {"format": format_.value, "file": str(out), "bytes": size}
        answer(told, json, lambda console: console.print(f"{out}: {size:,} bytes", markup=False))
