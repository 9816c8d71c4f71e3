"""`tessera bench ledger`, cut short: that it measures what it says, not how fast this machine is."""

import json
import os
import subprocess
import sys
from uuid import UUID

import asyncpg
import pytest

from benchmarks.ledger.filling import add_members, fill
from benchmarks.outcome import Result, middle, ratio
from domain.database import Database
from domain.ledger.queries import WalletKey, wallets
from domain.ledger.verify import verify
from domain.programs.model import CurrencyRow
from tests.ledger_support import rows
from tests.workers.support import merchant


def test_ratios_are_each_rounds_own_and_their_middle_counts() -> None:
    rounds = {
        "one": [Result("one", rate) for rate in (50.0, 90.0, 10.0)],
        "other": [Result("other", rate) for rate in (100.0, 100.0, 100.0)],
    }

    assert ratio(rounds, "one", "other") == 0.5
    assert middle(rounds["one"]).rate == 50.0


def test_the_middle_of_rounds_is_figure_by_figure() -> None:
    rounds = [Result("x", rate, rate * 2, None, 64, 1.0, {"lots": rate}) for rate in (3.0, 1.0, 2.0)]

    assert middle(rounds) == Result("x", 2.0, 4.0, None, 64, 1.0, {"lots": 2.0})


async def test_filled_wallets_are_as_the_engine_would_have_left_them(database: Database, database_url: str) -> None:
    async with database.transaction() as session:
        grocer = merchant("grocer", "America/New_York")
        session.add(grocer)
        await session.flush()
        session.add(CurrencyRow(code="GRO", merchant_id=grocer.id, kind="points", name="GRO", scale=0, is_default=True))
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        await add_members(connection, 5)
        await fill(connection, "GRO", lots=3, points=7, members=4, overdue=2)
    finally:
        await connection.close()

    members = [row["id"] for row in await rows(database, "SELECT id FROM member ORDER BY id")]
    async with database.session() as session:
        assert (await verify(session)).differences == []
    assert await _available(database, members) == [7, 7, 7, 7, 0]


async def _available(database: Database, members: list[UUID]) -> list[int]:
    [now] = (await rows(database, "SELECT now()"))[0]
    async with database.session() as session:
        found = await wallets(session, [WalletKey(member, "GRO", now) for member in members])
    return [sum(figures.available for figures in row) for row in found.values()]


def _bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
    command = [sys.executable, "-m", "server.cli", "bench", *arguments, "--json"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)


@pytest.mark.long
def test_a_short_run_measures_everything() -> None:
    tiny = ("--seconds", "1", "--rounds", "1", "--purchases", "2000", "--wallets", "30000")
    run = _bench("ledger", *tiny)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)

    assert {result["name"] for result in told["results"]} == {
        *("noop", "earn", "redeem", "hot", "engine", "copy", "wallets_few", "wallets_many", "weight"),
        *("update", "expiry_1", "expiry_2", "constants", "card"),
    }
    assert told["ratios"].keys() == {
        *("earn_vs_noop", "earn_p99_vs_noop_p99", "redeem_vs_earn", "hot_vs_earn", "engine_vs_copy"),
        *("wallets_1m_vs_10k", "expiry_vs_update", "expiry_2_vs_1", "card_vs_constants"),
    }
    assert all(value > 0 for value in told["ratios"].values())
    weight = next(result for result in told["results"] if result["name"] == "weight")
    assert 0 < weight["bytes_a_further_line"] < weight["bytes_an_earn"]


def test_only_parts_that_are_there_can_be_run_alone() -> None:
    assert _bench("earn", "--only", "calls").returncode == 2
