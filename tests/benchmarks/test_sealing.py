"""`tessera bench seal`, cut short: that it measures what it says, not how fast this machine is."""

import json
import os
import subprocess
import sys

import pytest


@pytest.mark.long
def test_a_short_run_measures_everything() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
    tiny = ["--seconds", "0.2", "--rounds", "1", "--purchases", "2000", "--wallets", "3000", "--json"]
    command = [sys.executable, "-m", "server.cli", "bench", "seal", *tiny]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)

    assert {result["name"] for result in told["results"]} == {"post", "seal", "earn", "earn_sealed"}
    assert told["ratios"].keys() == {"sealing_share", "seal_vs_post", "earn_sealed_vs_earn"}
    assert all(value > 0 for value in told["ratios"].values())
