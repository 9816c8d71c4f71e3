"""`tessera bench`: rates and latencies, against baselines of the same run."""

from typing import Annotated

import typer

from server.commands.common import Home, Json, answer, servers


def bench(what: Annotated[str, typer.Argument(help="earn.")], home: Home = None, json: Json = False) -> None:
    """Measure, in one run: rates, p50 and p99, and ratios against baselines."""
    with servers(f"tessera bench {what}") as settings:
        from benchmarks.run import BENCHES, run_bench

        if what not in BENCHES:
            raise typer.BadParameter(f"{what!r} is not one of {', '.join(BENCHES)}")
        outcome = run_bench(what, settings)
    answer(outcome.to_json(), json, outcome.show)
