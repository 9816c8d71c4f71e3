"""Closing cycles while two processes post as much as they can: what calls wait, with closings and without.

Nobody waits for a lock of it, but the machine does more. What a closing costs a call is the difference between calls
that were under way while a cycle was being closed and those beside them, of the same seconds.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from time import perf_counter

from alliance.settlement import closing
from benchmarks import load
from benchmarks.ledger.site import Site
from benchmarks.outcome import Outcome, Result, middle, ratio
from benchmarks.requests import granted_body
from benchmarks.serving import WHO, operator_token, serving
from domain.database import Database

Span = tuple[float, float]
"""Two times, or a time and how long it lasted, in seconds of the machine's monotonic clock."""

PROCESSES = 2
CONNECTIONS = 32
"""Of each process."""
PAUSE = 0.2
"""Seconds between two closings."""


async def measure(site: Site) -> Outcome:
    """In turn, so that what disturbs the machine disturbs both. Every call makes one merchant owe another."""
    database_url = await site.database()
    database = Database(database_url, pool_size=2)
    rounds: dict[str, list[Result]] = {"posting": [], "closing": []}
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        ports = [
            (await stack.enter_async_context(serving("earn", site.settings, database_url)))[0] for _ in range(PROCESSES)
        ]
        for turn in range(site.plan.rounds):
            for name, found in rounds.items():
                found.append(await _round(site, database, ports, name, turn))
    return Outcome(
        [middle(found) for found in rounds.values()],
        {"closing_vs_posting": ratio(rounds, "closing", "posting")},
    )


async def _round(site: Site, database: Database, ports: list[int], name: str, turn: int) -> Result:
    """One measurement: the rates of all processes together, and the worst of their latencies."""
    token = operator_token(site.settings)
    plans = [
        load.Plan(
            host="127.0.0.1",
            port=port,
            path="/graphql",
            body=granted_body(f"{name}-{port}"),
            expect='"__typename":"Earned"',
            connections=CONNECTIONS,
            seconds=site.plan.seconds,
            token=token,
            members=site.plan.few,
            first=turn * 1_000_000,
            keep=True,
        )
        for port in ports
    ]
    closed: list[Span] = []
    closer = asyncio.create_task(_keep_closing(database, closed)) if name == "closing" else None
    try:
        loads = await asyncio.gather(*(load.measure(plan) for plan in plans))
    finally:
        if closer is not None:
            closer.cancel()
            with suppress(asyncio.CancelledError):
                await closer
    if failed := [one for one in loads if one.failed]:
        raise RuntimeError(f"{name}: {failed[0].failed} requests failed, the first with {failed[0].failure}")
    more = {"max_ms": max(one.max_ms for one in loads)}
    if closed:
        more |= {"closings": float(len(closed)), "longest_closing_ms": max(end - start for start, end in closed) * 1000}
        more |= _beside([call for one in loads for call in one.calls], closed)
    return Result(
        name,
        sum(one.rate for one in loads),
        max(one.p50_ms for one in loads),
        max(one.p99_ms for one in loads),
        CONNECTIONS * len(ports),
        max(one.client_us for one in loads),
        more,
    )


def _beside(calls: Sequence[Span], closed: Sequence[Span]) -> dict[str, float]:
    """The latencies of calls (sent, seconds) that were under way during a closing (start, end), and of the others."""
    parts: dict[str, list[float]] = {"overlapping": [], "other": []}
    for sent, seconds in calls:
        overlaps = any(start < sent + seconds and sent < end for start, end in closed)
        parts["overlapping" if overlaps else "other"].append(seconds * 1000)
    told: dict[str, float] = {}
    for name, latencies in parts.items():
        latencies.sort()
        told |= {f"{name}_calls": float(len(latencies)), f"{name}_p99_ms": load.percentile(latencies, 0.99)}
        told[f"{name}_max_ms"] = latencies[-1] if latencies else 0.0
    return told


async def _keep_closing(database: Database, closed: list[Span]) -> None:
    """Close cycle after cycle; `closed` gets when each began and ended."""
    while True:
        started, now = perf_counter(), datetime.now(UTC)
        async with database.transaction() as session:
            cycle = await closing.open_next(session, as_of=now)
        async with database.transaction() as session:
            await closing.drained(session)
            await closing.close_cycle(session, cycle.id, who=WHO, why="benchmark", as_of=now)
        closed.append((started, perf_counter()))
        await asyncio.sleep(PAUSE)
