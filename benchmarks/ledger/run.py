"""The parts of `tessera bench ledger`, in one run."""

from collections.abc import Awaitable, Callable, Collection, Mapping

import uvloop

from benchmarks.ledger import batches, calls, cards, night, weight
from benchmarks.ledger.site import Plan, Site
from benchmarks.outcome import Outcome, Result
from benchmarks.serving import house, prepare
from server.settings import Settings

PARTS: Mapping[str, Callable[[Site], Awaitable[Outcome]]] = {
    "calls": calls.measure,
    "engine": batches.against_copy,
    "wallets": batches.against_many,
    "bytes": weight.measure,
    "expiry": night.measure,
    "cards": cards.measure,
}


def bench_ledger(plan: Plan, only: Collection[str] = ()) -> Outcome:
    """Measure all parts, or those named, on servers of its own. Raises ServicesError, RuntimeError."""
    with house("tessera bench ledger") as settings:
        return uvloop.run(_measure(settings, plan, only or PARTS))


async def _measure(settings: Settings, plan: Plan, names: Collection[str]) -> Outcome:
    await prepare(settings.database_url or "", plan.few)
    site = Site(settings, plan)
    results: list[Result] = []
    ratios: dict[str, float] = {}
    for name, part in PARTS.items():
        if name in names:
            outcome = await part(site)
            results += outcome.results
            ratios |= outcome.ratios
    return Outcome(results, ratios)
