"""A year of weekly cycles: every statement of every merchant, as a file, checked offline as a partner does."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from sqlalchemy import text

from alliance.proofs.commands import prepare, seal
from alliance.proofs.notes import PrivateKey
from alliance.statements import files, queries
from alliance.statements.check import check
from alliance.statements.commands import sign_due
from alliance.statements.model import Head
from domain.database import Database
from domain.programs.catalogue import load_catalogue
from server.embedded import start_services

TRIES = 20
KEYS = [PrivateKey.new("log.test")]


async def issued(database: Database) -> list[Head]:
    """Every statement there is, once all is sealed and signed."""
    connection = await database.connect()
    await prepare(connection, KEYS)
    while (await seal(connection, KEYS)).added:
        pass
    await connection.close()
    await sign_due(database, KEYS)
    async with database.reader() as session:
        catalogue = await load_catalogue(session)
        found = await session.execute(
            text(
                "SELECT number, merchant_id FROM statement s JOIN settlement_cycle c ON c.id = s.cycle_id ORDER BY 1, 2"
            )
        )
        return [await queries.head(session, catalogue, number, merchant) for number, merchant in found.all()]


async def bundled(database: Database, head: Head, folder: Path) -> Path:
    """The file of a statement that is checked alone."""
    path = folder / f"{head.file}.zip"
    with path.open("wb") as file:
        async for part in files.content(database, head, "zip"):
            file.write(part)
    return path


def until_done(command: list[str], environment: dict[str, str]) -> Any:
    """What the replay comes to. It goes on where it stopped for want of an answer, as on an overloaded machine."""
    for _ in range(TRIES):
        done = subprocess.run(command, capture_output=True, env=environment)
        if done.returncode == 0:
            return json.loads(done.stdout)
    raise AssertionError(done.stderr.decode())


@pytest.mark.long
async def test_a09_every_statement_of_a_year_of_weekly_cycles_is_verified_offline(tmp_path: Path) -> None:
    """Of the whole year if it is installed, else of the sample."""
    home = tmp_path / "home"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
    command = [sys.executable, "-m", "server.cli", "replay", "--json", "--home", str(home)]
    replayed = until_done(command, environment)
    assert replayed["balanced"]

    counted: dict[str, float] = dict.fromkeys(("statements", "lines", "bytes", "writing", "checking"), 0)
    with start_services(home, with_valkey=False) as services:
        database = Database(services.database_url)
        began = time.monotonic()
        heads = await issued(database)
        sealing = time.monotonic() - began
        assert replayed["cycles"] - 1 <= len({head.cycle for head in heads}), "in the first, nothing may be owed"
        for head in heads:
            began = time.monotonic()
            path = await bundled(database, head, tmp_path)
            counted["writing"] += time.monotonic() - began
            began = time.monotonic()
            with ZipFile(path) as archive:
                statement, signature, proofs = (archive.open(f"{head.file}.{kind}") for kind in files.BUNDLE)
                report = check(statement, signature.read().decode(), iter(proofs), [KEYS[0].public])
            counted["checking"] += time.monotonic() - began
            assert (report.findings, report.unproved) == ([], 0), head.file
            counted["statements"] += 1
            counted["lines"] += report.lines
            counted["bytes"] += path.stat().st_size
        async with database.reader() as session:
            twice = await session.scalar(text("SELECT 2 * count(*) FROM obligation"))
        await database.close()
    assert counted["lines"] == twice, "each line is in the statements of both its parties"
    print(json.dumps(counted | {"sealing and signing": sealing, "cycles": replayed["cycles"]}))
