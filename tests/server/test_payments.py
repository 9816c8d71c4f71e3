"""`tessera payments` and `tessera receipts`: what is to be paid, files for banks, and what they say came."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alliance.runtime import Runtime
from domain.errors import Refusal
from server.cli import app
from server.settings import get_settings
from tests.alliance.banking.statements import Line, camt
from tests.alliance.banking.support import allow_alone, give_accounts
from tests.alliance.support import House


@pytest.fixture
def house(runtime: Runtime, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The sample alliance, in the database that the commands work on."""
    monkeypatch.setenv("TESSERA_DATABASE_URL", database_url)
    get_settings.cache_clear()
    yield House(runtime)
    get_settings.cache_clear()


async def run(*arguments: str, exit_code: int = 0) -> Any:
    """What a command prints as JSON. Raises the Refusal with which it ends."""
    result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_code
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
    assert Path(file["file"]).name == f"demo-1-fuel-{file['messageId']}.xml"
    assert file["messageId"] in await asyncio.to_thread(Path(file["file"]).read_text)
    assert (await run("payments", "export", "1", "--merchant", "grocer", "--out", str(tmp_path)))["files"] == []


PAYING = ("HOLD_PAYMENT", "RELEASE_HELD_PAYMENT", "RELEASE_PAYMENTS")


async def test_receipts_are_taken_in_matched_and_unmatched(house: House, tmp_path: Path) -> None:
    await give_accounts(house)
    await house.earn(await house.member(), "fuel", 10_000)
    await house.through(await house.close(), "settle_cycle")
    file = tmp_path / "statement.xml"
    await asyncio.to_thread(file.write_bytes, camt([Line("A", "90.00", reference="DEM0-C1-P1", name="Fuel")]))
    taking = ("receipts", "import", str(file), "--merchant", "grocer")
    dry = await run(*taking, "--dry-run", exit_code=1)
    assert (dry["proposed"], dry["dryRun"]) == (1, True)
    assert (await run(*taking, exit_code=1))["again"] is False
    assert (await run(*taking))["again"] is True
    (receipt,) = (await run("receipts", "list", "--status", "proposed"))["receipts"]
    assert (receipt["name"], receipt["left"], receipt["proposal"]["score"]) == ("Fuel", "90.00", 80)
    assert receipt["proposal"]["payments"] == [{"payment": "1/1", "amount": "90.00"}]
    asked = await run("receipts", "match", receipt["id"], "--payment", "1/1=90.00", "--reason", "by phone")
    assert asked["done"] is False, "nobody does it alone unless the alliance says so"
    with pytest.raises(Refusal) as refused:
        await run("approvals", "approve", asked["approval"])
    assert refused.value.code == "SAME_HANDS"
    await allow_alone(
        house, "MATCH_RECEIPT", "UNMATCH_RECEIPT", "HOLD_PAYMENT", "RELEASE_HELD_PAYMENT", "RELEASE_PAYMENTS"
    )
    assert (await run("receipts", "match", receipt["id"], "--dry-run"))["done"] is True
    assert (await run("receipts", "match", receipt["id"]))["done"] is True
    (paid,) = (await run("payments", "list", "1"))["payments"]
    assert paid["status"] == "PAID"
    assert (await run("receipts", "unmatch", receipt["id"], "--reason", "it bounced"))["done"] is True
    assert (await run("payments", "hold", "1", "1"))["done"] is True
    with pytest.raises(Refusal) as refused:
        await run("payments", "release", "1")
    assert refused.value.code == "NOT_MATCHING"
    assert (await run("payments", "unhold", "1", "1"))["done"] is True
    assert (await run("payments", "release", "1"))["done"] is True
    (file_,) = (await run("payments", "export", "1", "--out", str(tmp_path)))["files"]
    assert file_["released"] is not None
