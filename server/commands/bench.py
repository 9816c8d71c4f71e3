"""`tessera bench`: rates and latencies, against baselines of the same run."""

from typing import Annotated

import typer

from server.commands.common import NO, Failure, Json, Unavailable, answer


def bench(
    what: Annotated[str, typer.Argument(help="earn.")],
    seconds: Annotated[float, typer.Option(min=0.5, max=600, help="Length of one measurement.")] = 4.0,
    purchases: Annotated[int, typer.Option(min=1000, max=10_000_000, help="Purchases sent in bulk.")] = 100_000,
    json: Json = False,
) -> None:
    """Measure, on servers of its own: rates, p50 and p99, and ratios against baselines of the same run."""
    from benchmarks.run import BENCHES, run_bench
    from server.embedded import ServicesError

    if what not in BENCHES:
        raise typer.BadParameter(f"{what!r} is not one of {', '.join(BENCHES)}")
    try:
        outcome = run_bench(what, seconds=seconds, purchases=purchases)
    except ServicesError as error:
        raise Unavailable(str(error)) from error
    except RuntimeError as error:
        raise Failure(str(error), exit_code=NO, code="BENCH_FAILED") from error
    answer(outcome.to_json(), json, outcome.show)
