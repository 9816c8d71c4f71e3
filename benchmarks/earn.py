"""`tessera bench earn`: earning over HTTP, ours against baselines of the same run; and in bulk by the feed."""

import asyncio
from contextlib import AsyncExitStack

import psutil
import uvloop

from benchmarks import bulk, load
from benchmarks.outcome import Outcome, Result
from benchmarks.requests import earn_body
from benchmarks.serving import house, loaded, operator_token, prepare, serving
from server.settings import Settings

MEMBERS = 10_000
CONNECTIONS = (16, 64)
NAMES = ("bare", "noop", "earn", "conventional")


def bench_earn(seconds: float, purchases: int) -> Outcome:
    """Measure on servers of its own, in a folder that is gone afterwards. Raises ServicesError, RuntimeError."""
    with house("tessera bench earn") as settings:
        return uvloop.run(_measure(settings, seconds, purchases))


async def _measure(settings: Settings, seconds: float, purchases: int) -> Outcome:
    await prepare(settings.database_url or "", settings.keys(), MEMBERS)
    token = operator_token(settings)
    results = []
    async with AsyncExitStack() as stack:
        ports = {name: await stack.enter_async_context(serving(name, settings)) for name in NAMES}
        for connections in CONNECTIONS:
            for name in NAMES:
                results.append(await _load(name, ports[name][0], token, connections, seconds))
        results.append(await _bulk(*ports["earn"], token, purchases))
    at_most = {result.name: result.rate for result in results if result.connections in (None, CONNECTIONS[-1])}
    ratios = {
        f"{one}_vs_{other}": at_most[one] / at_most[other]
        for one, other in (("earn", "noop"), ("noop", "bare"), ("earn", "conventional"))
    }
    return Outcome(results, ratios)


async def _load(name: str, port: int, token: str, connections: int, seconds: float) -> Result:
    """Load one server with its request."""
    if name == "bare":
        body, expect = '{"query": "{ hello }"}', '"world"'
    else:
        body, expect = earn_body(f"{name}-{connections}"), '"__typename":"Earned"'
    plan = load.Plan("127.0.0.1", port, "/graphql", body, expect, connections, seconds, token, MEMBERS)
    return await loaded(name, plan)


async def _bulk(port: int, process_id: int, token: str, purchases: int) -> Result:
    """Send the replay's baskets, whole, by the feed, and watch the server's memory meanwhile."""
    process = psutil.Process(process_id)
    plan = bulk.Plan("127.0.0.1", port, token, purchases, MEMBERS)
    before = most = process.memory_info().rss
    measuring = asyncio.create_task(bulk.measure(plan))
    while not measuring.done():
        most = max(most, process.memory_info().rss)
        await asyncio.wait([measuring], timeout=0.1)
    measured = measuring.result()
    if measured.summary["earned"] != purchases:
        raise RuntimeError(f"bulk: not all purchases were earned: {measured.summary}")
    memory = {"memory_before_mb": before / 1e6, "memory_most_mb": most / 1e6}
    sizes = {"purchases": float(purchases), "lines_each": measured.lines, "sent_mb": measured.megabytes}
    return Result("bulk", measured.rate, None, None, None, measured.client_us, sizes | memory)
