"""A backup of the whole database, and its restoration: PostgreSQL's own dump of one instant, whatever runs meanwhile.

A folder holds `database/` (what pg_dump writes), `keys/` if they were asked for, and `tessera.json`, written last: a
folder without it is no backup.
"""

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import orjson
from sqlalchemy import make_url

from server.embedded import postgres

FORMAT = "tessera-backup-1"
JOBS = "2"
_TABLE_DONE = re.compile(r"dumping contents of table|finished item \d+ TABLE DATA")
_KEPT_LINES = 5

Progress = Callable[[str, int, int], None]


class BackupError(Exception):
    """It cannot be done; the message says why."""


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """What is in a backup, as of the instant it was taken: so many rows, the newest checkpoint, the keys of the log."""

    format: str
    made_at: datetime
    revision: str
    tables: int
    accounts: int
    operations: int
    checkpoint: str | None
    public_keys: list[str]
    keys: bool
    keys_at: str

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        return told


async def back_up(
    database_url: str, home: Path, folder: Path, *, as_of: datetime, with_keys: bool, progress: Progress
) -> Manifest:
    """Write a backup into a folder that is not there or empty. Raises BackupError."""
    _make_empty(folder)
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
            row = await connection.fetchrow(_FACTS)
            keys = [line for [line] in await connection.fetch("SELECT key FROM log_key ORDER BY added_at, key")]
            told = {"format": FORMAT, "madeAt": as_of, "publicKeys": keys, "keys": with_keys}
            manifest = msgspec.convert(told | dict(row) | {"keysAt": str(home / "keys")}, Manifest)
            dump = ["--format=directory", f"--jobs={JOBS}", f"--snapshot={snapshot}", f"--file={folder / 'database'}"]
            _run("pg_dump", database_url, dump, manifest.tables, progress)
    finally:
        await connection.close()
    if with_keys:
        _copy_keys(home / "keys", folder / "keys")
    (folder / "tessera.json").write_bytes(orjson.dumps(manifest.to_json(), option=orjson.OPT_INDENT_2) + b"\n")
    return manifest


_FACTS = """
    SELECT (SELECT version_num FROM alembic_version) AS revision,
           (SELECT count(*) FROM pg_tables WHERE schemaname = 'public') AS tables,
           (SELECT count(*) FROM account) AS accounts,
           (SELECT count(*) FROM operation) AS operations,
           (SELECT note FROM log_checkpoint ORDER BY size DESC LIMIT 1) AS checkpoint"""


def _make_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(f"{folder} is not empty")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def read_manifest(folder: Path) -> Manifest:
    """What a backup says of itself. Raises BackupError for a folder that holds none."""
    try:
        manifest = msgspec.json.decode((folder / "tessera.json").read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise BackupError(f"{folder} holds no backup: {error}") from None
    if manifest.format != FORMAT:
        raise BackupError(f"{folder} holds no {FORMAT}")
    return manifest


async def restore(database_url: str, home: Path, folder: Path, *, force: bool, progress: Progress) -> Manifest:
    """Bring a backup into a database that has no tables, or with `force` in place of those it has.

    Keys that are in the backup go where there are none. Raises BackupError, having changed nothing if the reason is
    what is there already.
    """
    manifest = read_manifest(folder)
    if manifest.keys and not force:
        _require_no_others(folder / "keys", home / "keys")
    connection = await asyncpg.connect(database_url, server_settings={"lock_timeout": "5s"})
    try:
        if await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"):
            if not force:
                raise BackupError("the database is not empty; --force replaces all that is in it")
            await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        options = [f"--jobs={JOBS}", "--exit-on-error", str(folder / "database")]
        _run("pg_restore", database_url, options, manifest.tables, progress)
        await connection.execute("ANALYZE")
        there = await connection.fetchrow(_FACTS)
    finally:
        await connection.close()
    if (there["operations"], there["checkpoint"]) != (manifest.operations, manifest.checkpoint):
        raise BackupError(f"{there['operations']} operations are there, {manifest.operations} were backed up")
    if manifest.keys:
        _copy_keys(folder / "keys", home / "keys")
    return manifest


def _run(program: str, database_url: str, options: list[str], tables: int, progress: Progress) -> None:
    """Run one of PostgreSQL's programs on a database, counting the tables that are done. Raises BackupError."""
    url = make_url(database_url).set(drivername="postgresql")
    environment: Mapping[str, str] = os.environ | ({"PGPASSWORD": str(url.password)} if url.password else {})
    where = url.set(password=None).render_as_string(hide_password=False)
    command = [str(postgres.installation() / "bin" / program), "--verbose", "--no-owner", "--no-privileges"]
    process = subprocess.Popen(
        [*command, f"--dbname={where}", *options],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said: list[str] = []
    done = 0
    for line in process.stderr:
        said = [*said[1 - _KEPT_LINES :], line.strip()]
        if _TABLE_DONE.search(line):
            done += 1
            progress("tables", done, tables)
    if process.wait():
        raise BackupError(f"{program} failed: {'; '.join(said)}")


def _copy_keys(source: Path, target: Path) -> None:
    """Copy secrets, readable to us alone."""
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in sorted(source.iterdir()):
        copy = target / file.name
        copy.unlink(missing_ok=True)
        with os.fdopen(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(file.read_bytes())


def _require_no_others(source: Path, target: Path) -> None:
    """Raises BackupError where a key would be replaced by another."""
    for file in source.iterdir():
        kept = target / file.name
        if kept.exists() and kept.read_bytes() != file.read_bytes():
            raise BackupError(f"{kept} is another key than the backup's; --force replaces it")
