"""Where no provider was set up: a line in the log, with the message's id and nothing else of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import orjson
import structlog

from domain.messages.port import Outgoing, Sent, Unsent

log = structlog.get_logger("messages")


class LogNotifier:
    """Delivers nothing: a notice that the law asks for stays undelivered. With a file, whole messages go there, one
    JSON object a line, personal data and all. One that `shows` writes what they say to the log: for development."""

    def __init__(self, file: Path | None = None, *, shows: bool = False) -> None:
        self._file = file
        self._shows = shows

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent | Unsent]:
        """All of them."""
        for message in messages:
            more = {"text": message.text} if self._shows else {}
            log.info("message not sent: no provider", message=str(message.id), channel=message.channel.value, **more)
        if self._file is not None:
            await asyncio.to_thread(self._write, self._file, messages)
        return [Sent("log", delivered=False) for _ in messages]

    def _write(self, file: Path, messages: Sequence[Outgoing]) -> None:
        with file.open("ab") as lines:
            lines.write(b"".join(orjson.dumps(message, default=str) + b"\n" for message in messages))
