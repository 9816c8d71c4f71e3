"""Run by tests as a process of its own, that is killed -9 by itself when an effect is there and nobody was told:
`python dying.py part|courier DATABASE_URL NOTED [JOB]...`. Before it dies it lives through `NOTED` of these.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from alliance.accrual import commands as accrual
from alliance.runtime import Runtime
from alliance.webhooks import commands as webhooks
from server.events import cloud_event
from tests.keys import KEYS
from tests.workers.desk import SECRET
from tests.workers.hooks import MASTER, QUICK
from workers.actor import work_off
from workers.actors import all_actors, feeds
from workers.courier import keep_delivering
from workers.feeds.files import Sources
from workers.outgoing import Outgoing
from workers.sending import How

EVERYWHERE = Sources(("file:///",), timedelta(0))


def die_instead(module: Any, name: str, noted: int) -> None:
    """Let a function work so many times; then it is not come to."""
    real, calls = getattr(module, name), 0

    async def dying(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > noted:
            os.kill(os.getpid(), signal.SIGKILL)
        return await real(*args, **named)

    setattr(module, name, dying)


async def part(runtime: Runtime, jobs: Sequence[UUID]) -> None:
    """Post parts of a file, four rows at a time."""
    feeds.BATCH = 4
    for job in jobs:
        await work_off(runtime, all_actors(SECRET, sources=EVERYWHERE)["feed_part"], [job])


async def courier(runtime: Runtime) -> None:
    """Deliver."""
    outgoing = Outgoing(private=True, seconds=QUICK.answer)
    await keep_delivering(runtime, How(outgoing, cloud_event, MASTER, QUICK), asyncio.Event())


async def main(what: str, database_url: str, noted: int, jobs: Sequence[UUID]) -> None:
    """Until it dies."""
    async with Runtime.open(database_url, keys=KEYS) as runtime:
        if what == "part":
            die_instead(accrual, "note_progress", noted)
            await part(runtime, jobs)
        else:
            die_instead(webhooks, "record", noted)
            await courier(runtime)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), [UUID(job) for job in sys.argv[4:]]))
