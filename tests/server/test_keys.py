"""`tessera keys`, and the file that wrapping keys are in."""

import asyncio
import stat
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from domain.base import new_id
from domain.database import Database
from domain.privacy.vault import open_many, seal_many
from server.cli import app
from server.keyring import BadKeys, parse
from server.settings import Settings, get_settings


async def told(*arguments: str) -> dict[str, object]:
    """What `tessera keys` answers; commands run in a thread, because they have a loop of their own."""
    result = await asyncio.to_thread(CliRunner().invoke, app, ["keys", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    answered: dict[str, object] = orjson.loads(result.stdout)
    return answered


async def test_wrapping_keys_are_rotated_and_retired_while_processes_run(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"DATABASE_URL": database_url, "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(f"TESSERA_{name}", value)
    monkeypatch.delenv("TESSERA_WRAPPING_KEYS")
    get_settings.cache_clear()
    running = Database(database_url, pool_size=1, keys=Settings().keys())
    file, holder = tmp_path / "keys" / "wrapping", new_id()
    try:
        async with running.transaction() as session:
            sealed = await seal_many(session, [(holder, "x", "kept")])
        first = (await told("list"))["keys"]
        assert first == [{"id": parse(file.read_text())[0].id, "inUse": True}]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

        rotated = await told("rotate")
        old, new = parse(file.read_text())
        assert rotated == {"rewrapped": 1, "keys": [{"id": old.id, "inUse": False}, {"id": new.id, "inUse": True}]}
        async with running.transaction() as session:
            assert await open_many(session, [(holder, "x", sealed[0])]) == ["kept"]
            await seal_many(session, [(new_id(), "x", "wrapped by the new one")])
        assert await told("retire") == {"retired": 1, "keys": [{"id": new.id, "inUse": True}]}
        assert parse(file.read_text()) == (new,)
        assert await told("retire") == {"retired": 0, "keys": [{"id": new.id, "inUse": True}]}
    finally:
        await running.close()
        get_settings.cache_clear()


@pytest.mark.parametrize("lines", ["", "\n", "short", "c2hvcnQ=", "not base64!"])
def test_what_holds_no_wrapping_keys_is_refused(lines: str) -> None:
    with pytest.raises(BadKeys) as refused:
        parse(lines)
    assert lines.strip() == "" or lines not in str(refused.value)
