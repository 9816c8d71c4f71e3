"""`tessera cycle rerate`: previewed, asked for, carried out (A11)."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from alliance.approvals.commands import About, approve
from alliance.runtime import Runtime
from server.cli import app
from server.settings import get_settings
from tests.alliance.rerating.test_rerating import TWO, asked
from tests.alliance.support import NOON, House

AS_OF = ("--as-of", NOON.isoformat())
JUNE = ("--from", "2017-06-01", "--to", "2017-07-01")


@pytest.fixture
def house(runtime: Runtime, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The sample alliance, in the database that the commands work on."""
    monkeypatch.setenv("TESSERA_DATABASE_URL", database_url)
    get_settings.cache_clear()
    yield House(runtime)
    get_settings.cache_clear()


async def cycle(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["cycle", *arguments, "--json"])


async def test_a11_re_rated_from_the_command_line(house: House) -> None:
    price = ("--price", "SPEND:GRO=0.0085")
    assert (await cycle("rerate", "grocer/fuel", *JUNE, *price, *AS_OF)).exit_code == 1
    member = await house.member()
    await house.earn(member, "grocer", 1000)
    await house.spend(member, "fuel", 600)
    seen: Any = json.loads((await cycle("rerate", "grocer/fuel", *JUNE, *price, *AS_OF, "--dry-run")).stdout)
    assert (seen["lines"], seen["totals"][0]["after"], seen["approval"]) == (1, "5.100000", None)
    waiting = json.loads((await cycle("rerate", "fuel/grocer", *JUNE, *price, *AS_OF)).stdout)
    assert waiting["approval"] is not None
    async with house.runtime.database.transaction() as session:
        done = await approve(session, house.runtime, UUID(waiting["approval"]), About(TWO, "seen", NOON))
        assert done.outcome is not None
    ran = await cycle("rerates", "--run", done.outcome["rerate"], *AS_OF)
    (row,) = json.loads(ran.stdout)["rerates"]
    assert (row["lines"], row["prices"]) == (1, {"SPEND:GRO": 850_000})
    assert asked(house).first.isoformat() == row["from"]
    for wrong in (("grocer", *JUNE, *price), ("grocer/fuel", *JUNE, "--price", "SPENT:GRO=1")):
        assert (await cycle("rerate", *wrong)).exception is not None
