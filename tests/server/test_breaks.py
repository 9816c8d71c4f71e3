"""`tessera breaks`: listed and worked from the command line (A11)."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from alliance.partnerfiles.model import Outcome
from alliance.runtime import Runtime
from server.cli import app
from server.settings import get_settings
from tests.alliance.breaks.support import ONE, broken, spent
from tests.alliance.support import NOON, House


@pytest.fixture
def house(runtime: Runtime, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The sample alliance, in the database that the commands work on."""
    monkeypatch.setenv("TESSERA_DATABASE_URL", database_url)
    get_settings.cache_clear()
    yield House(runtime)
    get_settings.cache_clear()


async def breaks(*arguments: str) -> tuple[int, Any]:
    """The exit code of a command, and what it prints."""
    result = await asyncio.to_thread(CliRunner().invoke, app, ["breaks", *arguments, "--json"])
    return result.exit_code, json.loads(result.stdout)


async def test_a11_breaks_from_the_command_line(house: House) -> None:
    await spent(house)
    id_ = str(await broken(house, theirs=2_000_000, outcome=Outcome.MISSING_HERE))
    _, found = await breaks("list", "--merchant", "fuel", "--as-of", NOON.isoformat())
    assert [(one["id"], one["difference"], one["ageDays"]) for one in found["breaks"]] == [(id_, "2.000000", 0)]
    assert [one["count"] for one in found["ages"]] == [1, 0, 0, 0]
    code, assigned = await breaks("assign", id_, str(ONE), "--owner", str(ONE))
    assert (code, assigned["items"][0]["break"]["owner"]) == (0, str(ONE))
    assert assigned["items"][1]["refusal"] is not None
    assert (await breaks("note", id_, "--text", "asked"))[0] == 0
    code, waiting = await breaks("write-off", id_, "--reason", "small")
    assert (code, waiting["items"][0]["waits"], waiting["approval"] is None) == (0, True, False)
    code, _ = await breaks("adjust", str(ONE), "--reason", "nothing there", "--dry-run")
    assert code == 1
