"""`tessera bench reconcile`, cut short: that all that is wrong is found, and what it measures."""

import json

import pytest

from tests.benchmarks.test_ledger_bench import _bench


@pytest.mark.long
def test_a_short_run_finds_all_that_is_wrong_and_nothing_else() -> None:
    run = _bench("reconcile", "--lines", "2000")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert [one["name"] for one in told["results"]] == ["orders", "references", "row_by_row"]
    assert told["results"][0]["obligations"] == 20_000
    assert told["ratios"].keys() == {"orders_vs_row_by_row", "references_vs_row_by_row"}
