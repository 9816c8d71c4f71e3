"""`tessera bench settle`, cut short: that it measures what it says, not how fast this machine is."""

import json

import pytest

from tests.benchmarks.test_ledger_bench import _bench


def test_a_short_run_nets_few_and_many_pairs() -> None:
    run = _bench("settle", "--only", "netting", "--obligations", "20000", "--rounds", "1", "--wallets", "1000")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)

    sizes = {result["name"]: result["obligations"] for result in told["results"]}
    assert sizes == {
        f"{what}{size}": 2_000 if size == "_tenth" else 20_000
        for what in ("netting", "group_by")
        for size in ("", "_tenth", "_all")
    }
    assert told["ratios"].keys() == {"netting_vs_group_by", "netting_all_vs_group_by_all", "netting_10m_vs_1m"}
    assert all(value > 0 for value in told["ratios"].values())


@pytest.mark.long
def test_a_short_run_exchanges_through_a_cap() -> None:
    run = _bench("settle", "--only", "caps", "--seconds", "0.5", "--rounds", "1", "--wallets", "2000")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)

    names = ["earn", "funded_earn", "quote", "exchange", "quote_and_exchange", "exchange_by_two"]
    assert [one["name"] for one in told["results"]] == names
    assert {"exchange_vs_earn", "quote_and_exchange_vs_earn"} < told["ratios"].keys()
    assert all(one["rate"] > 0 for one in told["results"])


@pytest.mark.long
def test_a_short_run_closes_cycles_under_load() -> None:
    run = _bench("settle", "--only", "closing", "--seconds", "0.6", "--rounds", "1", "--wallets", "1000")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)

    posting, closing = told["results"]
    assert (posting["name"], closing["name"]) == ("posting", "closing")
    assert closing["closings"] >= 1
    assert all(one["rate"] > 0 and one["max_ms"] >= one["p99_ms"] for one in (posting, closing))
    assert closing["overlapping_calls"] + closing["other_calls"] > 0
    assert max(closing["overlapping_max_ms"], closing["other_max_ms"]) == closing["max_ms"]
    assert told["ratios"].keys() == {"closing_vs_posting"}
