"""Cutting a stream of bytes into lines."""

from alliance.intake.errors import LineTooLong

MAX_LINE = 256 * 1024
"""Bytes of a line. A longer one is refused on its own, and never held."""

RawLine = bytes | LineTooLong


class Splitter:
    """Takes the pieces of a body as they come, gives whole lines; keeps at most MAX_LINE bytes."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def push(self, piece: bytes) -> list[RawLine]:
        """The lines that end in `piece`. Blank ones are left out."""
        first, *others = piece.split(b"\n")
        if not others:
            self._keep(first)
            return []
        lines: list[RawLine] = []
        self._end(self._rest + first, lines)
        for line in others[:-1]:
            self._end(line, lines)
        self._rest = b""
        self._keep(others[-1])
        return lines

    def finish(self) -> list[RawLine]:
        """The last line, where the body does not end with a newline."""
        lines: list[RawLine] = []
        self._end(self._rest, lines)
        self._rest = b""
        return lines

    def _end(self, line: bytes, lines: list[RawLine]) -> None:
        if self._skipping or len(line) > MAX_LINE:
            self._skipping = False
            lines.append(LineTooLong(limit=MAX_LINE))
        elif line and not line.isspace():
            lines.append(line)

    def _keep(self, start: bytes) -> None:
        """The start of a line that goes on in the next piece."""
        if self._skipping:
            return
        self._rest += start
        if len(self._rest) > MAX_LINE:
            self._rest = b""
            self._skipping = True
