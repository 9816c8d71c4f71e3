"""`tessera backup` under load, `tessera restore` into an empty home: the books are whole, the log goes on."""

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from alliance.proofs.commands import SEALER, prepare, seal
from alliance.proofs.notes import PrivateKey
from alliance.runtime import Runtime
from alliance.verify import verify
from domain.database import Database
from server.embedded import start_services
from server.settings import Settings
from tests.alliance.proofs.test_sealing import sealed
from tests.alliance.support import House
from tests.ledger_support import rows
from tests.log_support import others_have_ended


class Told:
    """How a command ended."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code, self.out, self.err = code, out.decode(), err.decode()

    def json(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.out)
        return found


async def tessera(*arguments: str, home: Path, url: str | None = None) -> Told:
    """Run the command while the test goes on."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
    environment |= {"TESSERA_HOME": str(home)} | ({"TESSERA_DATABASE_URL": url} if url else {})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server.cli", *arguments, env=environment, stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    return Told(process.returncode or 0, out, err)


@asynccontextmanager
async def load(house: House) -> AsyncIterator[None]:
    """Members earn and spend for as long as the block."""
    member = await house.member()
    ended = asyncio.Event()

    async def shop() -> None:
        while not ended.is_set():
            await house.earn(member, "fuel", 10, of="GRO")
            await house.spend(member, "fuel", 4)

    shopping = asyncio.create_task(shop())
    yield
    ended.set()
    await shopping


async def test_a_backup_under_load_is_restored_whole_and_the_log_goes_on(
    runtime: Runtime, database_url: str, tmp_path: Path
) -> None:
    house = House(runtime)
    url = make_url(database_url).render_as_string(hide_password=False)
    old, new, folder = tmp_path / "old", tmp_path / "new", tmp_path / "backup"
    settings = Settings(home=old)
    secrets = {name: settings.secret(name) for name in ("token", "fingerprint")}
    [key] = settings.log_keys()
    for _ in range(5):
        await house.earn(await house.member(), "grocer", 100)
    await sealed(house.runtime.database)
    async with load(house):
        made = await tessera("backup", str(folder), "--with-keys", "--json", home=old, url=url)
    assert made.code == 0, made.err
    assert {stat.S_IMODE((folder / "keys" / name).stat().st_mode) for name in ("token", "fingerprint", "log")} == {
        0o600
    }
    again = await tessera("backup", str(folder), home=old, url=url)
    assert (again.code, "is not empty" in again.err) == (1, True)
    over = await tessera("restore", str(folder), home=old, url=url)
    assert (over.code, "--force" in over.err) == (1, True)

    restored = await tessera("restore", str(folder), "--json", home=new)
    assert restored.code == 0, restored.err
    assert restored.json() == made.json()
    there = Settings(home=new)
    assert ({name: there.secret(name) for name in secrets}, there.log_keys()) == (secrets, [key])
    with start_services(new, with_valkey=False) as services:
        database = Database(services.database_url or "")
        async with database.session() as session:
            proof = await verify(session)
        assert proof.differences == []
        assert proof.operations == made.json()["operations"]
        await _seal_all(database, [key])
        assert [row[0] for row in await rows(database, "SELECT count(*) FROM log_leaf")] == [proof.operations]
        async with database.session() as session:
            assert (await verify(session)).differences == []

        # what the old house published after the backup is not in the new one
        for _ in range(20):
            await house.earn(await house.member(), "grocer", 5)
        await _seal_all(house.runtime.database, [key])
        newest = "SELECT note FROM log_checkpoint ORDER BY size DESC LIMIT 1"
        (tmp_path / "newer").write_text((await rows(house.runtime.database, newest))[0][0])
        (tmp_path / "known").write_text((await rows(database, newest))[0][0])
        here = services.database_url
        cut = await tessera("verify", "--checkpoint", str(tmp_path / "newer"), home=new, url=here)
        assert (cut.code, "the log was cut back" in cut.err) == (1, True)
        whole = await tessera(
            "verify", "--checkpoint", str(tmp_path / "known"), "--json", home=new, url=services.database_url
        )
        assert (whole.code, whole.json()["proved"]) == (0, True)
        await database.close()


async def _seal_all(database: Database, keys: list[PrivateKey]) -> None:
    connection = await database.connect(**SEALER)
    await prepare(connection, keys)
    async with asyncio.timeout(60):
        await others_have_ended(connection)
        while (await seal(connection, keys)).added:
            continue
    await connection.close()


@pytest.mark.parametrize("content", [None, "{}", '{"format": "x"}'])
async def test_what_is_no_backup_is_not_restored(tmp_path: Path, database_url: str, content: str | None) -> None:
    url = make_url(database_url).render_as_string(hide_password=False)
    if content is not None:
        (tmp_path / "tessera.json").write_text(content)
    told = await tessera("restore", str(tmp_path), "--json", home=tmp_path, url=url)
    assert (told.code, told.json()["error"]["code"]) == (1, "RESTORE_FAILED")  # type: ignore[index]
