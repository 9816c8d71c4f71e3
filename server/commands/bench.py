"""`tessera bench`: rates and latencies, against baselines of the same run."""

from typing import Annotated

import typer

from server.commands.common import NO, Failure, Json, Unavailable, answer


def bench(
    what: Annotated[
        str, typer.Argument(help="duplicates, earn, ledger, liability, members, reconcile, seal, settle or workers.")
    ],
    seconds: Annotated[float, typer.Option(min=0.2, max=600, help="Length of one measurement.")] = 4.0,
    purchases: Annotated[int, typer.Option(min=1000, max=10_000_000, help="Purchases posted in bulk.")] = 100_000,
    only: Annotated[list[str] | None, typer.Option(help="A part of it, such as calls; may be repeated.")] = None,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="How often what is compared takes turns.")] = 3,
    wallets: Annotated[int, typer.Option(min=1000, max=10_000_000, help="Wallets, where there are many.")] = 1_000_000,
    obligations: Annotated[
        int, typer.Option(min=10_000, max=100_000_000, help="What merchants owe each other in a cycle.")
    ] = 10_000_000,
    lines: Annotated[
        int, typer.Option(min=1000, max=10_000_000, help="Lines of a file; what is owed is ten times as many.")
    ] = 100_000,
    lots: Annotated[int, typer.Option(min=1000, max=100_000_000, help="Lots, at a month's end.")] = 200_000,
    json: Json = False,
) -> None:
    """Measure, on servers of its own: rates, p50 and p99, and ratios against baselines of the same run."""
    from benchmarks.ledger.site import Plan
    from benchmarks.run import BENCHES, run_bench
    from server.embedded import ServicesError

    if what not in BENCHES:
        raise typer.BadParameter(f"{what!r} is not one of {', '.join(BENCHES)}")
    for part in only or ():
        if part not in BENCHES[what].parts:
            raise typer.BadParameter(
                f"{part!r} is no part of {what}: {', '.join(BENCHES[what].parts) or 'it has none'}"
            )
    try:
        plan = Plan(seconds, rounds, purchases, wallets, obligations, lines, lots)
        outcome = run_bench(what, plan, only or ())
    except ServicesError as error:
        raise Unavailable(str(error)) from error
    except RuntimeError as error:
        raise Failure(str(error), exit_code=NO, code="BENCH_FAILED") from error
    answer(outcome.to_json(), json, outcome.show)
