"""`tessera backup` and `tessera restore`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from server.commands.common import NO, Failure, Home, Json, answer, migrate, now, say, servers
from server.commands.proving import Progress

if TYPE_CHECKING:
    from server.backup import Manifest

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the backup.", file_okay=False)]


def backup(
    folder: Folder,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Also the secrets of the home, readable to you alone.")
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write the whole database, as of one instant, into a new folder; what runs goes on."""
    with servers("tessera backup") as settings:
        from server.backup import BackupError, back_up

        url = settings.database_url or ""
        try:
            made = asyncio.run(
                back_up(url, settings.home, folder, as_of=now(), with_keys=with_keys, progress=Progress())
            )
        except BackupError as error:
            raise Failure(str(error), exit_code=NO, code="BACKUP_FAILED") from None
    if not with_keys:
        say(f"The keys are not in it. Keep {made.keys_at} yourself, or use --with-keys: without them nothing personal")
        say("opens and nobody is recognised after a restore, and tokens, repeated idempotency keys and the log's")
        say("signatures would be others.")
    answer(made.to_json(), json, lambda console: _show(console, made, f"Backed up into {folder}"))


def restore(
    folder: Folder,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Bring a backup into a home, or a database of your own, that is empty."""
    with servers("tessera restore", migrated=False) as settings:
        from server import backup as backups

        url = settings.database_url or ""
        try:
            made = asyncio.run(backups.restore(url, settings.home, folder, force=force, progress=Progress()))
        except backups.BackupError as error:
            raise Failure(str(error), exit_code=NO, code="RESTORE_FAILED") from None
        migrate(settings)
    for secret in ("log", "token", "fingerprint", "wrapping", "lookup"):
        if not (settings.home / "keys" / secret).exists():
            say(f"{settings.home}/keys/{secret} is not there: unless the settings name one, a new one will be made.")
            say(f"The backup was made where {made.keys_at} was: copy it from there before anything starts.")
            break
    answer(made.to_json(), json, lambda console: _show(console, made, f"Restored from {folder}"))


def _show(console: Console, made: "Manifest", what: str) -> None:
    console.print(
        f"{what}: {made.operations} operations, {made.accounts} accounts, as of {made.made_at:%Y-%m-%d %H:%M:%S %Z}.",
        markup=False,
        soft_wrap=True,
    )
