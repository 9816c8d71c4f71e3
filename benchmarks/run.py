"""What `tessera bench` runs, by name."""

from collections.abc import Callable

from benchmarks.earn import Outcome, bench_earn

BENCHES: dict[str, Callable[[float, int], Outcome]] = {"earn": bench_earn}


def run_bench(what: str, *, seconds: float, purchases: int) -> Outcome:
    """Run one: `seconds` a measurement, so many `purchases` in bulk. Raises KeyError for a name that is not there."""
    return BENCHES[what](seconds, purchases)
