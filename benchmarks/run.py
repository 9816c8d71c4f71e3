"""What `tessera bench` runs, by name."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from benchmarks.earn import bench_earn
from benchmarks.ledger.run import PARTS, bench_ledger
from benchmarks.ledger.site import Plan
from benchmarks.outcome import Outcome
from benchmarks.sealing import bench_seal
from benchmarks.workers import bench_workers


@dataclass(frozen=True, slots=True)
class Bench:
    """A benchmark, and the names of its parts, if they can be run alone."""

    run: Callable[[Plan, Collection[str]], Outcome]
    parts: Collection[str] = ()


BENCHES = {
    "earn": Bench(lambda plan, _: bench_earn(plan.seconds, plan.purchases)),
    "ledger": Bench(bench_ledger, PARTS.keys()),
    "seal": Bench(lambda plan, _: bench_seal(plan)),
    "workers": Bench(lambda plan, _: bench_workers(plan)),
}


def run_bench(what: str, plan: Plan, only: Collection[str] = ()) -> Outcome:
    """Run one, or some of its parts. Raises KeyError for a name that is not there."""
    bench = BENCHES[what]
    for name in only:
        if name not in bench.parts:
            raise KeyError(name)
    return bench.run(plan, only)
