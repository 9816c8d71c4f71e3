"""`tessera bench earn`, cut short: that it measures what it says, not how fast this machine is."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks import bulk, load
from benchmarks.outcome import Outcome, Result
from benchmarks.requests import earn_body


def test_percentiles_are_of_the_nearest_rank() -> None:
    times = [float(n) for n in range(100)]
    assert (load.percentile(times, 0.5), load.percentile(times, 0.99), load.percentile([], 0.5)) == (50.0, 99.0, 0.0)


def test_each_request_has_its_own_key_and_a_members_card() -> None:
    sent = [json.loads(earn_body("run") % {"n": n, "m": n % 3}) for n in range(5)]
    inputs = [body["variables"]["input"] for body in sent]

    assert len({one["idempotencyKey"] for one in inputs}) == 5
    assert [one["member"]["identifier"]["value"] for one in inputs] == ["0", "1", "2", "0", "1"]


def test_the_feed_has_whole_baskets_keys_of_its_own_and_all_members() -> None:
    plan = bulk.Plan("", 0, "", purchases=6000, members=100)
    lines = [(json.loads(line), articles) for line, articles in bulk._lines(plan)]

    assert len({line["key"] for line, _ in lines}) == 6000
    assert len({line["member"]["value"] for line, _ in lines}) == 100
    assert all(len(line["lines"]) == articles for line, articles in lines)
    assert 9 < sum(articles for _, articles in lines) / 6000 < 10


def test_an_outcome_is_flat_and_its_ratios_are_named() -> None:
    told = Outcome(
        [Result("earn", 1234.5678, 1.0, 2.0, 64, 9.0, {"lines_each": 9.5})], {"earn_vs_noop": 0.51234}
    ).to_json()

    assert told["results"][0]["rate"] == 1234.568
    assert told["results"][0]["lines_each"] == 9.5
    assert told["ratios"] == {"earn_vs_noop": 0.512}


@pytest.mark.long
def test_a_short_run_measures_everything() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
    command = [sys.executable, "-m", "server.cli", "bench", "earn", "--seconds", "0.5", "--purchases", "2000", "--json"]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=180, check=False)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)

    measured = {(result["name"], result["connections"]) for result in told["results"]}
    assert measured == {(name, n) for name in ("bare", "noop", "earn", "conventional") for n in (16, 64)} | {
        ("bulk", None)
    }
    assert all(result["rate"] > 0 for result in told["results"])
    assert all(0 < r["p50_ms"] <= r["p99_ms"] for r in told["results"] if r["connections"])
    assert told["ratios"].keys() == {"earn_vs_noop", "noop_vs_bare", "earn_vs_conventional"}
