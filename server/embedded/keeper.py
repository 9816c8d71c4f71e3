"""The keeper: a small process between us and the servers, so that nothing is left running when we die.

It starts the programs it is told to start and reads its standard input. The end of that input means that whoever
started it is gone, by whatever death, `kill -9` included: it then stops everything and ends. It is in a session of its
own, so Ctrl-C in the terminal reaches only the one who started it, who decides the order of things.

Orders come as JSON lines: `{"do": "start", ...}` with the fields of `Program`, and `{"do": "publish", "path",
"content"}`, which writes a file that is removed when the keeper stops. Events leave as JSON lines: `{"event":
"started", "name", "pid"}` and `{"event": "exited", "name", "code"}`. Only the standard library is imported: it is run
as a script and must start at once.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


@dataclass
class Program:
    """What to run, and how to stop it: `stop` is a list of (signal, seconds to wait for it), then comes SIGKILL.

    Stages are stopped from the highest to the lowest. `orphaned` is the signal that the program gets, on Linux, should
    the keeper itself be killed.
    """

    name: str
    argv: list[str]
    stop: list[tuple[str, float]]
    orphaned: str = "SIGTERM"
    stage: int = 0
    cwd: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    user: tuple[int, int] | None = None
    log: str | None = None


class Keeper:
    """The programs that run, and what to remove at the end: files, and the folder of the sockets."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.running: dict[str, tuple[Program, asyncio.subprocess.Process]] = {}
        self.published: set[str] = set()
        self.watchers: set[asyncio.Task[None]] = set()

    async def start(self, program: Program) -> None:
        """Start a program and say so; that it could not be started is said as an exit."""
        try:
            process = await self._spawn(program)
        except OSError as error:
            say(event="exited", name=program.name, code=127, reason=str(error))
            return
        self.running[program.name] = (program, process)
        say(event="started", name=program.name, pid=process.pid)
        watcher = asyncio.create_task(self._watch(program, process))
        self.watchers.add(watcher)
        watcher.add_done_callback(self.watchers.discard)

    async def _spawn(self, program: Program) -> asyncio.subprocess.Process:
        options: dict[str, Any] = {}
        if program.user is not None:
            uid, gid = program.user
            options = {"user": uid, "group": gid, "extra_groups": []}
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(open(program.log, "ab")) if program.log else None  # noqa: ASYNC230
            return await asyncio.create_subprocess_exec(
                *program.argv,
                stdin=subprocess.DEVNULL,
                stdout=output or sys.stderr,
                stderr=output or sys.stderr,
                cwd=program.cwd,
                env=os.environ | program.env,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(signal.Signals[program.orphaned]),
                **options,
            )

    async def _watch(self, program: Program, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        self.running.pop(program.name, None)
        say(event="exited", name=program.name, code=code)

    def publish(self, path: str, content: dict[str, Any]) -> None:
        """Write a file that is there only as long as we are."""
        with open(f"{path}.new", "w", opener=private) as file:
            json.dump(content, file)
        os.replace(f"{path}.new", path)
        self.published.add(path)

    async def stop(self) -> None:
        """Stop all, stage by stage."""
        for path in self.published:
            with contextlib.suppress(OSError):
                os.unlink(path)
        for stage in sorted({program.stage for program, _ in self.running.values()}, reverse=True):
            programs = [pair for pair in self.running.values() if pair[0].stage == stage]
            await asyncio.gather(*(end(program, process) for program, process in programs))
        shutil.rmtree(self.folder, ignore_errors=True)


async def end(program: Program, process: asyncio.subprocess.Process) -> None:
    """Stop one program, more and more firmly."""
    for name, seconds in program.stop:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.Signals[name])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), seconds)
            return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def die_with_parent(signal_: signal.Signals) -> None:
    """In the child, before it becomes the program (and after it took its user, which would clear this)."""
    if _prctl is not None:
        _prctl(PR_SET_PDEATHSIG, int(signal_))


def private(path: str, flags: int) -> int:
    """An opener for files that only we may read."""
    return os.open(path, flags, 0o600)


def say(**event: Any) -> None:
    """Tell whoever started us; if they are gone there is nobody to tell."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(event).encode() + b"\n")


async def obey(keeper: Keeper) -> None:
    """Do what the lines of standard input say, until it ends."""
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        order = json.loads(line)
        match order.pop("do"):
            case "start":
                await keeper.start(Program(**order))
            case "publish":
                keeper.publish(**order)


async def main(folder: str, held: int) -> None:
    """Keep, until standard input ends or somebody ends us.

    `folder` is for sockets, and open as `held`: its lock keeps systemd from clearing it away for its age.
    """
    fcntl.flock(held, fcntl.LOCK_SH)
    keeper = Keeper(folder)
    obeying = asyncio.create_task(obey(keeper))
    loop = asyncio.get_running_loop()
    for signal_ in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(signal_, obeying.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await obeying
    finally:
        await keeper.stop()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
