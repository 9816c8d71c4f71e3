"""`tessera cycle`: each step by hand, what a dry run leaves, and how a command ends."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from alliance.runtime import Runtime
from domain.errors import Refusal
from server.cli import app
from server.settings import get_settings
from tests.alliance.support import House

AS_OF = ("--as-of", "2017-06-05T04:00:00Z")


@pytest.fixture
def house(runtime: Runtime, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The sample alliance, in the database that the commands work on."""
    monkeypatch.setenv("TESSERA_DATABASE_URL", database_url)
    get_settings.cache_clear()
    yield House(runtime)
    get_settings.cache_clear()


async def cycle(*arguments: str) -> Any:
    """What a command prints as JSON. Raises the Refusal with which it ends."""
    result = await asyncio.to_thread(CliRunner().invoke, app, ["cycle", *arguments, "--json"])
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout)


async def test_a_cycle_by_hand_from_open_to_settled(house: House) -> None:
    await house.earn(await house.member(), "fuel", 10_000)
    foreseen = await cycle("close", "--dry-run", *AS_OF)
    assert (foreseen["number"], foreseen["status"], foreseen["dryRun"]) == (1, "CLOSED", True)
    (listed,) = (await cycle("list"))["cycles"]
    assert (listed["status"], listed["closesAt"]) == ("OPEN", None)
    closed = await cycle("close", "--reason", "end of the week", *AS_OF)
    assert (closed["status"], closed["closesAt"], closed["dryRun"]) == ("CLOSED", "2017-06-05T04:00:00+00:00", False)
    steps = (("state", "STATED"), ("confirm", "CONFIRMED"), ("net", "NETTED"), ("settle", "SETTLING"))
    for step, status in (*steps, ("receive", "SETTLED")):
        assert (await cycle(step, "--dry-run", *AS_OF))["status"] == status
        assert (await cycle(step, "1", *AS_OF))["status"] == status
    shown = await cycle("show", "1")
    assert (shown["gross"], shown["multilateral"]) == ("90.000000", "90.00")
    assert shown["positions"] == {"fuel": "-90.00", "grocer": "90.00"}
    assert [(step["status"], step["by"], step["why"]) for step in shown["transitions"]][:2] == [
        ("CLOSED", "command line", "end of the week"),
        ("STATED", "command line", "command line"),
    ]
    assert [(one["from"], one["to"], one["amount"]) for one in shown["payments"]] == [("fuel", "grocer", "90.00")]
    with pytest.raises(Refusal) as refused:
        await cycle("net", "1")
    assert refused.value.code == "WRONG_CYCLE_STATUS"
    with pytest.raises(Refusal) as refused:
        await cycle("state", "7")
    assert refused.value.code == "NOT_FOUND"


async def test_an_open_cycle_is_closed_before_it_is_given_up(house: House) -> None:
    await house.earn(await house.member(), "fuel", 10_000)
    assert (await cycle("abort", "1", "--dry-run", *AS_OF))["status"] == "ABORTED"
    assert [row["status"] for row in (await cycle("list"))["cycles"]] == ["OPEN"]
    assert (await cycle("abort", "1", *AS_OF))["status"] == "ABORTED"
    (second, first) = (await cycle("list"))["cycles"]
    assert (first["positions"], second["positions"]) == ({}, {"fuel": "-90.00", "grocer": "90.00"})


async def test_all_that_is_due_is_done_at_once(house: House) -> None:
    await house.earn(await house.member(), "fuel", 10_000)
    steps = [{"number": 1, "status": status} for status in ("CLOSED", "STATED")]
    assert await cycle("run", "--dry-run", *AS_OF) == {"steps": steps, "dryRun": True}
    assert await cycle("run", *AS_OF) == {"steps": steps, "dryRun": False}
    assert (await cycle("run", *AS_OF))["steps"] == []
    later = (await cycle("run", "--as-of", "2017-06-09T04:00:00Z"))["steps"]
    assert [step["status"] for step in later] == ["CONFIRMED", "NETTED", "SETTLING"]


async def test_a16_a_deadline_is_extended_at_the_command_line_once_somebody_else_approves(house: House) -> None:
    await house.earn(await house.member(), "fuel", 10_000)
    await cycle("close", *AS_OF)
    await cycle("state", "1", *AS_OF)
    until = ("--until", "2099-01-01T00:00:00Z", "--reason", "flooded")
    foreseen = await cycle("extend", "1", "--deadline", "objections", *until, "--dry-run")
    assert (foreseen["dryRun"], await house.count("approval")) == (True, 0)
    asked = await cycle("extend", "1", "--deadline", "objections", *until)
    assert (asked["approval"] is not None, await house.count("approval")) == (True, 1)
    with pytest.raises(Refusal, match="cycle 1 is STATED"):
        await cycle("extend", "1", "--deadline", "payments", *until)
    shown = await asyncio.to_thread(
        CliRunner().invoke, app, ["calendar", "--from", "2017-06-05", "--to", "2017-06-08", "--json"]
    )
    days = json.loads(shown.stdout)["days"]
    assert [(day["weekday"], day["business"], len(day["marks"])) for day in days] == [
        ("Mon", True, 0),
        ("Tue", True, 0),
        ("Wed", True, 0),
        ("Thu", True, 1),
    ]
