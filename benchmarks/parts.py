"""A benchmark in parts, each of which can be run alone."""

from collections.abc import Awaitable, Callable, Collection, Mapping

import uvloop

from benchmarks.ledger.site import Plan, Site
from benchmarks.outcome import Outcome, Result
from benchmarks.serving import house, prepare
from server.settings import Settings

Parts = Mapping[str, Callable[[Site], Awaitable[Outcome]]]


def run_parts(name: str, parts: Parts, plan: Plan, only: Collection[str] = ()) -> Outcome:
    """Measure all parts, or those named, on servers of its own. Raises ServicesError, RuntimeError."""
    with house(f"tessera bench {name}") as settings:
        return uvloop.run(_measure(settings, parts, plan, only or parts))


async def _measure(settings: Settings, parts: Parts, plan: Plan, names: Collection[str]) -> Outcome:
    await prepare(settings.database_url or "", settings.keys(), plan.few)
    site = Site(settings, plan)
    results: list[Result] = []
    ratios: dict[str, float] = {}
    for name, part in parts.items():
        if name in names:
            outcome = await part(site)
            results += outcome.results
            ratios |= outcome.ratios
    return Outcome(results, ratios)
