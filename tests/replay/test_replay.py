"""The replay: what it makes of a basket, and that it ends the same however often it is interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from alliance.file import parse
from alliance.intake import rules
from alliance.intake.model import Purchase
from server.replay.brands import BRANDS, feed_line, local, purchases_of
from server.replay.doings import cents_of, plan
from server.replay.journey import ZONE, Basket, Line, read_sample, write_sample

SAMPLE = list(read_sample())
BASKET = Basket(
    31198570044,
    900,
    330,
    1483271606,
    [
        Line(1, "GROCERY", "MILK", 2, 399, 50),
        Line(2, "FUEL", "FUEL", 9000, 2500, 0),
        Line(3, "PASTRY", "ROLLS", 1, 50, 0),
        Line(4, "GROCERY", "EGGS", 1, 0, 0),
    ],
)


def test_the_sample_is_in_time_order_and_small() -> None:
    assert 4_500 <= len(SAMPLE) <= 5_500
    assert [basket.at for basket in SAMPLE] == sorted(basket.at for basket in SAMPLE)
    assert local(SAMPLE[0].at).year == 2017
    assert 9 < sum(len(basket.lines) for basket in SAMPLE) / len(SAMPLE) < 10


def test_the_sample_can_be_written_and_read_again(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "some.ndjson.gz"
    write_sample([BASKET], path)
    with gzip.open(path) as lines:
        assert [msgspec.json.decode(line, type=Basket) for line in lines] == [BASKET]


def test_times_of_the_data_are_utc() -> None:
    assert local(BASKET.at).isoformat() == "2017-01-01T06:53:26-05:00"


def test_departments_become_brands_and_no_line_is_lost() -> None:
    for brands in range(2, len(BRANDS) + 1):
        found = list(purchases_of(BASKET, brands))
        assert sorted(line.product for purchase in found for line in purchase.lines) == [1, 2, 3, 4]
    assert {p.brand.code: [line.product for line in p.lines] for p in purchases_of(BASKET, 6)} == {
        "fuel": [2],
        "bakery": [3],
        "grocer": [1, 4],
    }


def test_a_purchase_is_a_good_line_of_a_feed() -> None:
    grocer = next(p for p in purchases_of(BASKET, 6) if p.brand.code == "grocer")
    line = rules.parse(msgspec.json.encode(feed_line(grocer, 100, "an operation")))

    assert isinstance(line, Purchase)
    order = rules.order_of(line)
    assert order.lines == [(399, "GROCERY"), (0, "GROCERY")]
    assert list(order.tenders) == [("POINTS", 100), ("COUPON", 50), ("MONEY", 249)]


def test_every_purchase_of_the_sample_is_a_good_line_with_a_key_of_its_own() -> None:
    lines = [feed_line(purchase) for basket in SAMPLE for purchase in purchases_of(basket, 6)]

    assert len({line["key"] for line in lines}) == len(lines)
    for line in lines:
        purchase = rules.parse(msgspec.json.encode(line))
        assert isinstance(purchase, Purchase)
        order = rules.order_of(purchase)
        assert sum(amount for amount, _ in order.lines or ()) == sum(amount for _, amount in order.tenders)


def test_what_members_do_is_the_same_each_time_and_asks_for_whole_blocks() -> None:
    ends = datetime(2018, 1, 1, tzinfo=ZONE)
    one, other = (plan(0, ends, SAMPLE, Counter(), 6) for _ in range(2))

    assert (one.spending, one.exchanging) == (other.spending, other.exchanging)
    assert one.joining
    for purchase, _, points in one.spending:
        assert 0 < points <= purchase.total // 2
    assert {points for *_, points in one.exchanging} <= {100, 150, 200}


def test_money_as_the_api_writes_it() -> None:
    assert [cents_of(text) for text in ("12.34", "0.05", "7")] == [1234, 5, 700]


def test_the_replays_alliance_is_a_good_alliance_file() -> None:
    from importlib.resources import files

    content = (files("server.samples") / "replay.yaml").read_text()
    parse(content, "replay.yaml")
    assert {brand.code for brand in BRANDS} == {
        line.removeprefix("  - code: ") for line in content.splitlines() if line.startswith("  - code: ")
    }


LIMIT = 200
"""Baskets: some two weeks."""


def replay(home: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
    command = [sys.executable, "-m", "server.cli", "replay", "--sample", "--limit", str(LIMIT), "--json"]
    return subprocess.Popen(
        [*command, "--home", str(home)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )


def ended(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    told: dict[str, Any] = json.loads(out)
    return told


def books(told: dict[str, Any]) -> dict[str, Any]:
    """What must be the same however it came about."""
    names = ("points", "cycles", "gross", "bilateral", "multilateral", "members", "operations", "accounts", "balanced")
    return {name: told[name] for name in names}


def test_interrupted_and_run_again_it_goes_on_and_posts_nothing_twice(tmp_path: Path) -> None:
    whole = ended(replay(tmp_path / "whole"))
    assert whole["balanced"]
    assert whole["fed"]["baskets"] == LIMIT
    assert whole["fed"]["refused"].keys() <= {"INSUFFICIENT_POINTS"}
    assert whole["cycles"] > 1

    home = tmp_path / "interrupted"
    killed = replay(home)
    deadline = time.monotonic() + 60
    while not (home / "replay.json").exists():  # a week is done
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    resumed = ended(replay(home))
    assert resumed["fed"]["baskets"] < LIMIT
    assert books(resumed) == books(whole)

    (home / "replay.json").unlink()
    again = ended(replay(home))
    assert again["fed"]["results"] == {"DUPLICATE": whole["fed"]["purchases"]}
    assert books(again) == books(whole)


def test_a_home_with_another_alliance_is_left_alone(tmp_path: Path) -> None:
    sample = Path(__file__).parents[2] / "server/samples/demo.yaml"
    apply = [sys.executable, "-m", "server.cli", "apply", str(sample), "--home", str(tmp_path / "home")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
    subprocess.run(apply, check=True, capture_output=True, env=environment)

    refused = replay(tmp_path / "home")
    out, _ = refused.communicate(timeout=60)
    assert refused.returncode == 1
    assert json.loads(out)["error"]["code"] == "ANOTHER_ALLIANCE"


def test_weeks_turn_on_mondays_of_the_stores(tmp_path: Path) -> None:
    from server.replay.run import Journey

    weeks = list(Journey("sample", SAMPLE, 6, None).weeks())
    assert len(weeks) == 53
    for number, ends, baskets in weeks:
        assert ends.weekday() == 0
        assert all(ends - timedelta(days=8) < local(basket.at) < ends for basket in baskets)
        assert number == weeks[0][0] + weeks.index((number, ends, baskets))
