"""`tessera agreement`: what is shown of agreements, and the operator's steps."""

import asyncio
import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from typer.testing import CliRunner

from alliance.file import apply, parse
from alliance.runtime import Runtime
from domain.errors import Refusal
from server.cli import app
from server.settings import get_settings
from tests.alliance.support import NOON, House

AS_OF = ("--as-of", NOON.isoformat())
NEXT = """\
  - merchants: [fuel, grocer]
    version: 2
    from: 2017-07-01
    redeem: [{at: fuel, of: GRO, redemptionPrice: {amount: "0.0085", currency: USD}}]
"""


@pytest.fixture
def house(runtime: Runtime, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The sample alliance, in the database that the commands work on."""
    monkeypatch.setenv("TESSERA_DATABASE_URL", database_url)
    get_settings.cache_clear()
    yield House(runtime)
    get_settings.cache_clear()


async def agreement(*arguments: str) -> Any:
    """What a command prints as JSON. Raises the Refusal with which it ends."""
    result = await asyncio.to_thread(CliRunner().invoke, app, ["agreement", *arguments, "--json"])
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout)


async def test_a12_the_operator_ends_an_agreement_that_it_consents_to(house: House) -> None:
    listed = {"merchants": ["fuel", "grocer"], "inForce": 1, "proposed": []}
    assert (await agreement("list", *AS_OF))["agreements"] == [listed]
    assert (await agreement("list", "--merchant", "grocer", *AS_OF))["agreements"] == [listed]
    foreseen = await agreement("end", "grocer", "fuel", "--dry-run", *AS_OF)
    assert [(one["status"], one["endsAt"]) for one in foreseen["versions"]] == [("ENDED", "2017-08-30T04:00:00+00:00")]
    assert (await agreement("show", "fuel", "grocer"))["versions"][0]["status"] == "IN_FORCE"
    with pytest.raises(Refusal) as refused:
        await agreement("end", "grocer", "fuel", "--on", "2017-08-01", *AS_OF)
    assert refused.value.code == "NOTICE_TOO_SHORT"
    (ended,) = (await agreement("end", "grocer", "fuel", "--on", "2017-09-01", "--reason", "over", *AS_OF))["versions"]
    assert (ended["endsAt"], ended["runsOffTo"]) == ("2017-09-01T04:00:00+00:00", "2017-10-01T04:00:00+00:00")
    assert [(step["kind"], step["party"], step["reason"]) for step in ended["steps"]] == [
        ("ACCEPTED", None, "file"),
        ("ENDED", None, "over"),
    ]


async def test_what_merchants_were_asked_is_accepted_once_the_operator_consents(house: House) -> None:
    sample = (resources.files("server.samples") / "demo.yaml").read_text()
    for consent, more in (("merchants", NEXT), ("operator", "")):
        async with house.runtime.database.transaction() as session:
            file = sample.replace("consent: operator", f"consent: {consent}") + more
            assert not (await apply(session, parse(file, "demo.yaml"), NOON)).refused
    assert (await agreement("list", *AS_OF))["agreements"][0]["proposed"] == [2]
    shown = await agreement("accept", "fuel", "grocer", "2", *AS_OF)
    assert [(one["number"], one["status"], one["endsAt"], one["runsOffTo"]) for one in shown["versions"]] == [
        (1, "IN_FORCE", "2017-07-01T04:00:00+00:00", None),
        (2, "IN_FORCE", None, None),
    ]
    with pytest.raises(Refusal) as refused:
        await agreement("accept", "fuel", "grocer", "2", *AS_OF)
    assert refused.value.code == "WRONG_AGREEMENT_STATUS"
