"""`tessera bench workers`, cut short: that it measures what it says, not how fast this machine is."""

import json
import os
import subprocess
import sys

import pytest


@pytest.mark.long
def test_a_short_run_measures_everything() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
    command = [sys.executable, "-m", "server.cli", "bench", "workers", "--seconds", "0.2", "--rounds", "1", "--json"]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)

    results = {result["name"]: result for result in told["results"]}
    assert results.keys() == {"workers", "dramatiq_noop", "quiet", "accrual", "accrual_two", "accrual_orm"}
    assert results["workers"]["jobs"] == 600
    assert 0 < results["quiet"]["p50_ms"] <= results["quiet"]["p99_ms"]
    assert results["quiet"]["idle_percent_of_a_core"] >= 0
    assert results["accrual"]["purchases"] == results["accrual_two"]["purchases"] >= 2000
    assert told["ratios"].keys() == {"workers_vs_dramatiq_noop", "accrual_vs_orm", "accrual_two_vs_one"}
