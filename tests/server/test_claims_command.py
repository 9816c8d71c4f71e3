"""`tessera claims`: what waits for the operator, decided by hand, and what a dry run leaves."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from alliance.disputes.claims import ClaimAsked, raise_claims
from alliance.disputes.deciding import take_step
from alliance.disputes.life import Move
from alliance.disputes.model import ClaimCode, Dispute
from alliance.runtime import Runtime
from domain.errors import Refusal
from server.cli import app
from server.settings import get_settings
from tests.alliance.support import NOON, WHO, House

AS_OF = ("--as-of", "2017-06-05T04:00:00Z")


@pytest.fixture
def house(runtime: Runtime, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The sample alliance, in the database that the commands work on."""
    monkeypatch.setenv("TESSERA_DATABASE_URL", database_url)
    get_settings.cache_clear()
    yield House(runtime)
    get_settings.cache_clear()


async def claims(*arguments: str) -> Any:
    """What a command prints as JSON. Raises the Refusal with which it ends."""
    result = await asyncio.to_thread(CliRunner().invoke, app, ["claims", *arguments, "--json"])
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout)


async def test_a10_the_operator_decides_at_the_command_line(house: House) -> None:
    alliance = house.runtime.catalogue.alliance
    asked = ClaimAsked(None, house.id("fuel"), 5_000_000, ClaimCode.OTHER, "as agreed on the phone")
    async with house.runtime.database.transaction() as session:
        about = {"merchant_id": house.id("grocer"), "who": WHO}
        (claim,) = await raise_claims(session, alliance, [asked], **about, as_of=NOON)
        assert isinstance(claim, Dispute)
        for code, move in (("fuel", Move.REJECT), ("grocer", Move.ESCALATE)):
            party = house.id(code)
            await take_step(session, alliance, claim.id, move, party_id=party, who=WHO, as_of=NOON, text="no")
    (waiting,) = (await claims("list"))["claims"]
    assert (waiting["by"], waiting["against"], waiting["claimed"]) == ("grocer", "fuel", "5.000000")
    decide = ("decide", waiting["id"], "--amount", "3.00", "--text", "half the truth", *AS_OF)
    assert (await claims(*decide, "--dry-run"))["status"] == "DECIDED"
    assert (await claims("list", "--all", "--merchant", "fuel"))["claims"] == [waiting]
    await claims("answer", waiting["id"], "note", "--text", "who was on the phone?", *AS_OF)
    assert (await claims(*decide))["accepted"] == "3.000000"
    with pytest.raises(Refusal):
        await claims(*decide)
    assert (await claims("list"))["claims"] == []
    shown = await claims("show", waiting["id"])
    assert [(one["party"], one["move"]) for one in shown["steps"]] == [
        ("grocer", "RAISE"),
        ("fuel", "REJECT"),
        ("grocer", "ESCALATE"),
        (alliance.code, "NOTE"),
        (alliance.code, "DECIDE"),
    ]
    assert [one["id"] for one in (await claims("list", "--decided"))["claims"]] == [waiting["id"]]
