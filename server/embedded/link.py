"""Our end of the keeper: orders go to its standard input, events come from its standard output."""

import dataclasses
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from server.embedded import keeper
from server.embedded.keeper import Program

STOP_SECONDS = 10  # more than all stages' patience together


class KeeperLink:
    """A running keeper. It holds `lock` for as long as it lives, and removes `folder` at its end."""

    def __init__(self, lock: int, folder: Path) -> None:
        held = os.open(folder, os.O_RDONLY)
        self._process = subprocess.Popen(
            [sys.executable, "-I", keeper.__file__, str(folder), str(held)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(lock, held),
            bufsize=0,
        )
        os.close(held)
        self._unread = b""

    def start(self, program: Program) -> None:
        """Have a program started; an event says when it was, or that it could not."""
        self._order(do="start", **dataclasses.asdict(program))

    def publish(self, path: Path, content: Mapping[str, Any]) -> None:
        """Have a file written that is there only as long as the keeper is."""
        self._order(do="publish", path=str(path), content=content)

    def events(self, timeout: float) -> list[dict[str, Any]]:
        """What has happened, waiting at most `timeout` seconds. The keeper's own end is an event, `gone`."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], timeout)[0]:
            return []
        chunk = os.read(self._process.stdout.fileno(), 65536)
        if not chunk:
            return [{"event": "gone"}]
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        return [orjson.loads(line) for line in lines]

    def stop(self) -> None:
        """Have everything stopped, and wait until it is."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _order(self, **order: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(order) + b"\n")
