"""What `tessera bench` runs, by name."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from benchmarks.duplicates import bench_duplicates
from benchmarks.earn import bench_earn
from benchmarks.ledger.run import PARTS as LEDGER
from benchmarks.ledger.site import Plan
from benchmarks.liability import bench_liability
from benchmarks.members import PARTS as MEMBERS
from benchmarks.outcome import Outcome
from benchmarks.parts import Parts, run_parts
from benchmarks.reconcile import bench_reconcile
from benchmarks.sealing import bench_seal
from benchmarks.settle.run import PARTS as SETTLE
from benchmarks.workers import bench_workers


@dataclass(frozen=True, slots=True)
class Bench:
    """A benchmark, and the names of its parts, if they can be run alone."""

    run: Callable[[Plan, Collection[str]], Outcome]
    parts: Collection[str] = ()


def _in_parts(name: str, parts: Parts) -> Bench:
    return Bench(lambda plan, only: run_parts(name, parts, plan, only), parts.keys())


BENCHES = {
    "duplicates": Bench(lambda plan, _: bench_duplicates(plan)),
    "earn": Bench(lambda plan, _: bench_earn(plan.seconds, plan.purchases)),
    "ledger": _in_parts("ledger", LEDGER),
    "liability": Bench(lambda plan, _: bench_liability(plan)),
    "members": _in_parts("members", MEMBERS),
    "reconcile": Bench(lambda plan, _: bench_reconcile(plan)),
    "seal": Bench(lambda plan, _: bench_seal(plan)),
    "settle": _in_parts("settle", SETTLE),
    "workers": Bench(lambda plan, _: bench_workers(plan)),
}


def run_bench(what: str, plan: Plan, only: Collection[str] = ()) -> Outcome:
    """Run one, or some of its parts. Raises KeyError for a name that is not there."""
    bench = BENCHES[what]
    for name in only:
        if name not in bench.parts:
            raise KeyError(name)
    return bench.run(plan, only)
