"""Run by a test as a process of its own: an event loop that nothing gets through any more."""

import asyncio
import threading

from workers.process import run_until_stopped


async def wait_for_ever(stop: asyncio.Event) -> None:
    """Block the loop, as no actor should."""
    threading.Event().wait()


if __name__ == "__main__":
    run_until_stopped(wait_for_ever, stall_seconds=0.3)
