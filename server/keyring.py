"""The keys that are kept with the settings: wrapping keys, one a line of a file that may grow, and a look-up secret."""

import base64
import binascii
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from domain.privacy.keys import KEY_BYTES, WrappingKey


class BadKeys(ValueError):
    """What should hold wrapping keys holds something else; the message never says what."""


def new_line() -> str:
    """A new wrapping key, as it is written."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def parse(lines: str) -> tuple[WrappingKey, ...]:
    """Wrapping keys, one a line or separated by commas, oldest first. Raises BadKeys."""
    found = []
    for line in filter(None, (line.strip() for line in lines.replace(",", "\n").splitlines())):
        try:
            found.append(WrappingKey.of(base64.b64decode(line, validate=True)))
        except (ValueError, binascii.Error):
            raise BadKeys("wrapping keys are 32 bytes each, in base64") from None
    if not found:
        raise BadKeys("there is no wrapping key")
    return tuple(found)


class FileKeys:
    """Wrapping keys in a file, read again when it has changed, so that a new one needs no restart."""

    def __init__(self, path: Path, lookup: Callable[[], bytes]) -> None:
        self._path = path
        self._read_at: tuple[int, int] | None = None
        self._found: tuple[WrappingKey, ...] = ()
        self._lookup = lookup
        self._secret: bytes | None = None

    def wrapping(self) -> Sequence[WrappingKey]:
        """The keys in the file. Raises BadKeys or OSError."""
        known = self._path.stat()
        if self._read_at != (known.st_mtime_ns, known.st_ino):
            self._found, self._read_at = parse(self._path.read_text()), (known.st_mtime_ns, known.st_ino)
        return self._found

    def lookup(self) -> bytes:
        """As in the settings."""
        if self._secret is None:
            self._secret = self._lookup()
        return self._secret
