"""How long a test waits for what other processes do: for as long as anything moves, on a machine however busy."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

STILL = 600
"""Seconds in which nothing moved: then nothing will."""


@asynccontextmanager
async def while_it_moves() -> AsyncIterator[Callable[[], None]]:
    """A bound on standing still, not on how long the work takes; to be told whenever something moved.

    Raises TimeoutError.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(STILL) as limit:
        yield lambda: limit.reschedule(loop.time() + STILL)
