"""Lines out of a stream, whatever the pieces it comes in."""

from hypothesis import given
from hypothesis import strategies as st

from alliance.intake.errors import LineTooLong
from server.ingest.splitter import MAX_LINE, Splitter


def split(pieces: list[bytes]) -> list[bytes | None]:
    """All lines; None for one that was too long."""
    splitter = Splitter()
    lines = [line for piece in pieces for line in splitter.push(piece)] + splitter.finish()
    return [None if isinstance(line, LineTooLong) else line for line in lines]


@given(st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"x"))), st.integers(1, 50))
def test_the_cuts_between_pieces_do_not_matter(lines: list[bytes], size: int) -> None:
    body = b"\n".join(lines)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]

    assert split(pieces) == [line for line in lines if line.strip()]


def test_a_line_that_is_too_long_is_told_and_the_next_one_is_whole() -> None:
    pieces = [b"a\n", *[b"x" * 65_536] * 160, b"y\nb\nc"]

    assert split(pieces) == [b"a", None, b"b", b"c"]


def test_a_line_that_is_too_long_at_the_end_is_told() -> None:
    assert split([b"x" * (MAX_LINE + 1)]) == [None]
    assert split([b"x" * MAX_LINE]) == [b"x" * MAX_LINE]


def test_a_line_that_is_too_long_is_not_kept() -> None:
    splitter = Splitter()
    for _ in range(100):
        splitter.push(b"x" * 65_536)

    assert len(splitter._rest) <= MAX_LINE
