"""`tessera archive`: finished operations leave the database for a folder."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from server.commands.common import NO, Failure, Home, Json, WrongUse, answer, aware, now, servers, with_database

if TYPE_CHECKING:
    from alliance.archive.commands import Archived
    from domain.database import Database


def archive(
    before: Annotated[
        datetime, typer.Option(parser=aware, metavar="TIME", help="Only what was booked before this time, RFC 3339.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.", file_okay=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many operations it would be.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write finished operations into files and delete them here; balances, totals and proofs stay as they are."""
    from domain.ledger.retention import KEYS_KEPT

    if before > now() - KEYS_KEPT:
        raise WrongUse(f"--before must be at least {KEYS_KEPT.days} days ago: calls may be repeated until then")
    if not dry_run:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with servers("tessera archive") as settings:
        from alliance.archive.commands import ArchiveError
        from alliance.archive.commands import archive as write

        keys = settings.log_keys()

        async def run(database: "Database") -> "list[Archived]":
            connection = await database.connect()
            try:
                return await write(connection, folder, before, keys, dry_run=dry_run)
            finally:
                await connection.close()

        try:
            made = with_database(settings, run)
        except (ArchiveError, OSError) as error:
            raise Failure(str(error), exit_code=NO, code="ARCHIVE_FAILED") from None
    total = sum(block.operations for block in made)
    files = [] if dry_run else [block.to_json() for block in made]
    answer(
        {"operations": total, "dryRun": dry_run, "files": files}, json, lambda console: _show(console, made, dry_run)
    )


def _show(console: Console, made: "list[Archived]", dry_run: bool) -> None:
    total = sum(block.operations for block in made)
    if dry_run:
        console.print(f"{total:,} operations could be archived.")
        return
    for block in made:
        console.print(f"{block.file}: {block.operations:,} operations")
    console.print(f"{total:,} operations are archived. Keep the files: they are in no other place.")
