"""Windows on keyset-ordered lists: `first`/`after` forwards, `last`/`before` backwards; 20 by default, 100 at most."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from domain.errors import InvalidInput

DEFAULT, MOST = 20, 100

Row = TypeVar("Row")
Cursor = tuple[Any, ...]
Shape = tuple[Callable[[str], Any], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """`size` rows after one cursor and before another; `backward` takes them from the end."""

    size: int = DEFAULT
    after: Cursor | None = None
    before: Cursor | None = None
    backward: bool = False


@dataclass(slots=True)
class Page(Generic[Row]):
    """The rows of a window, each with its cursor. `total` counts the whole list, when it is asked for."""

    rows: list[tuple[Cursor, Row]]
    has_next: bool
    has_previous: bool
    total: Callable[[], Awaitable[int]]


def small_number(text: str) -> int:
    """A number in a cursor. Raises ValueError for one that no row of ours has."""
    number = int(text)
    if not 0 <= number < 2**31:
        raise ValueError("out of range")
    return number


def encode_cursor(cursor: Cursor) -> str:
    """An opaque text for the sort values of a row."""
    return urlsafe_b64encode(orjson.dumps(cursor, default=str)).rstrip(b"=").decode()


def decode_cursor(text: str, name: str, shape: Shape) -> Cursor:
    """The sort values in a cursor, each read by its part of `shape`. Raises InvalidInput for what is no such cursor."""
    try:
        values = orjson.loads(urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
        if isinstance(values, list) and all(isinstance(value, str) for value in values):
            return tuple(read(value) for read, value in zip(shape, values, strict=True))
    except (ValueError, binascii.Error):
        pass
    raise InvalidInput(reason=f"{name} is not a cursor of this list", path=(name,))


def window(
    shape: Shape,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> Window:
    """The window that a connection's arguments name; `shape` reads its cursors. Raises InvalidInput."""
    if first is not None and last is not None:
        raise InvalidInput(reason="give first or last, not both", path=("last",))
    size = first if first is not None else last if last is not None else DEFAULT
    if not 1 <= size <= MOST:
        name = "first" if first is not None else "last"
        raise InvalidInput(reason=f"{name} must lie within 1 and {MOST}", path=(name,))
    return Window(
        size=size,
        after=None if after is None else decode_cursor(after, "after", shape),
        before=None if before is None else decode_cursor(before, "before", shape),
        backward=last is not None,
    )


def page(
    asked: Window, found: list[Row], cursor: Callable[[Row], Cursor], total: Callable[[], Awaitable[int]]
) -> Page[Row]:
    """The page of `found`: up to size + 1 rows in the direction asked for; one too many is only a sign of more."""
    more = len(found) > asked.size
    rows = found[: asked.size]
    if asked.backward:
        rows.reverse()
    return Page(
        rows=[(cursor(row), row) for row in rows],
        has_next=asked.before is not None if asked.backward else more,
        has_previous=more if asked.backward else asked.after is not None,
        total=total,
    )


def cut(asked: Window, rows: list[Row], cursor: Callable[[Row], Cursor]) -> Page[Row]:
    """The page of a whole list that is in memory, ordered by `cursor`."""

    async def total() -> int:
        return len(rows)

    kept = [
        row
        for row in rows
        if (asked.after is None or cursor(row) > asked.after) and (asked.before is None or cursor(row) < asked.before)
    ]
    if asked.backward:
        kept.reverse()
    return page(asked, kept[: asked.size + 1], cursor, total)
