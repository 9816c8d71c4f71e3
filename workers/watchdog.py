"""A process whose event loop is blocked does nothing and looks alive. It ends; whoever started it starts another."""

import asyncio
import faulthandler
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger("watchdog")

STALLED = 70
"""Exit code of a process that was ended for this: EX_SOFTWARE of sysexits.h."""

_BEATS = 10
"""Looks at the loop within the time that it may be blocked."""


@contextmanager
def watched(loop: asyncio.AbstractEventLoop, seconds: float) -> Iterator[None]:
    """End the process if the loop runs nothing for so many seconds; standard error gets what every thread was doing."""
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(loop, seconds, over), name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def _watch(loop: asyncio.AbstractEventLoop, seconds: float, over: threading.Event) -> None:
    answered = time.monotonic()

    def answer() -> None:
        nonlocal answered
        answered = time.monotonic()

    asked = answered
    while not over.wait(seconds / _BEATS):
        if answered >= asked:
            asked = time.monotonic()
            try:
                loop.call_soon_threadsafe(answer)
            except RuntimeError:  # it is closed
                return
        elif time.monotonic() - asked >= seconds:
            log.error("the event loop is blocked: this process ends", seconds=seconds)
            faulthandler.dump_traceback(all_threads=True)
            os._exit(STALLED)
