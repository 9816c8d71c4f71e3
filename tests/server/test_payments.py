"""`tessera payments`: what is to be paid, and the files."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alliance.runtime import Runtime
from server.cli import app
from server.settings import get_settings
from tests.alliance.banking.support import give_accounts
from tests.alliance.support import House


@pytest.fixture
def house(runtime: Runtime, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The sample alliance, in the database that the commands work on."""
    monkeypatch.setenv("TESSERA_DATABASE_URL", database_url)
    get_settings.cache_clear()
    yield House(runtime)
    get_settings.cache_clear()


async def run(*arguments: str) -> Any:
    """What a command prints as JSON. Raises the Refusal with which it ends."""
    result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--json"])
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout)


async def test_payments_are_listed_and_written_for_banks(house: House, tmp_path: Path) -> None:
    await give_accounts(house)
    await house.earn(await house.member(), "fuel", 10_000)
    await house.through(await house.close(), "settle_cycle")
    (payment,) = (await run("payments", "list", "1"))["payments"]
    assert (payment["reference"], payment["from"], payment["to"], payment["amount"]) == (
        "DEMO-C1-P1",
        "fuel",
        "grocer",
        "90.00",
    )
    (file,) = (await run("payments", "export", "1", "--out", str(tmp_path)))["files"]
    assert Path(file["file"]).name == "demo-1-fuel-payments.xml"
    assert file["messageId"] in await asyncio.to_thread(Path(file["file"]).read_text)
    assert (await run("payments", "export", "1", "--merchant", "grocer", "--out", str(tmp_path)))["files"] == []
