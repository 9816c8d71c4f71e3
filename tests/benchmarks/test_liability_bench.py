"""`tessera bench liability`, cut short."""

import json
import os
import subprocess
import sys

import pytest


@pytest.mark.long
def test_a_short_run_measures_everything() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
    command = [sys.executable, "-m", "server.cli", "bench", "liability", "--lots", "3000", "--json"]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)

    assert {result["name"] for result in told["results"]} == {"first_closing", "month_end", "row_by_row"}
    assert told["ratios"]["first_vs_row_by_row"] > 0
