"""Results that wait for the client to read them."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from typing import BinaryIO, cast

IN_MEMORY = 1 << 20
PIECE = 1 << 16


class Spool:
    """A queue of bytes, on disk beyond a megabyte: a client may send all it has before it reads anything.

    One task writes, another reads. What has been read gives its room back once the reader has caught up.
    """

    def __init__(self) -> None:
        self._file = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 (see close)
        self._read = self._written = 0
        self._changed = asyncio.Event()
        self._finished = False

    def write(self, data: bytes) -> None:
        """Append."""
        self._file.seek(self._written)
        self._file.write(data)
        self._written += len(data)
        self._changed.set()

    def finish(self) -> None:
        """There will be no more."""
        self._finished = True
        self._changed.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """What was written, in pieces, until it is finished and read."""
        while True:
            while self._read < self._written:
                self._file.seek(self._read)
                piece = self._file.read(PIECE)
                self._read += len(piece)
                yield piece
            self._file.seek(0)
            self._file.truncate()
            self._read = self._written = 0
            if self._finished:
                return
            self._changed.clear()
            await self._changed.wait()

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
