"""How other rooms take part in a posting: rows that may refuse it, gates before it, sums that it adds to, and what
hears of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import asyncpg

from domain.errors import Refusal

if TYPE_CHECKING:
    from domain.ledger.request import Books, Effect, Needs


class Loader(Protocol):
    """Rows of another room that may refuse a posting. One object a kind of row; it is its own dictionary key.

    `shared_lock`, two 32-bit integers, is an advisory lock that the batch takes shared before anything is read.
    """

    @property
    def shared_lock(self) -> tuple[int, int] | None:
        """The lock, if there is one."""
        ...

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Any]) -> dict[Any, Any]:
        """The rows of these keys; a key without a row is left out."""
        ...


class Gate(Protocol):
    """What a request has to pass before anything else is looked at, so that what is refused there tells nothing."""

    def needs(self, needs: "Needs") -> None:
        """Say what `require` will look at."""
        ...

    def require(self, books: "Books") -> None:
        """Raises a Refusal."""
        ...

    def passed(self, books: "Books", effect: "Effect") -> None:
        """Nothing has refused: append to `effect.rows`, and change what `books.other` returned for who comes next."""
        ...


class Guard(Protocol):
    """What stands between a member's points and whoever would take them."""

    def bars(self, currency: str, as_of: datetime) -> Refusal | None:
        """Why they may not be spent now, if they may not."""
        ...


class Part(Protocol):
    """Part of the statement that writes a batch; `columns` are its arguments, arrays, of which the first is `$first`.

    `then` are statements that read what it returns, as `{w}`.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its arguments."""
        ...

    @property
    def then(self) -> tuple[str, ...]:
        """What follows from what it returns."""
        ...

    def __call__(self, first: int) -> str:
        """Its text."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A statement with `{0}`, `{1}` ... where its arguments go; `then`: see Part."""

    text: str
    columns: tuple[str, ...]
    then: tuple[str, ...] = ()

    def __call__(self, first: int) -> str:
        return self.text.format(*(f"${first + i}" for i in range(len(self.columns))))


class Sums(Loader, Protocol):
    """Sums that another room keeps by key, and that postings add to without asking what they are.

    `part` is how a batch adds to them, all keys at once: its arguments are the keys, a column for each part of one,
    then each amount's column. Different sums are added to in the order of their columns' names. A row that was loaded
    takes part in deciding: `add` is called on it with the amounts of each effect.
    """

    @property
    def part(self) -> Part:
        """The statement."""
        ...


class Rider(Protocol):
    """How another room adds its rows to a posting, in the same transaction."""

    def needs(self, needs: "Needs") -> None:
        """Say what `ride` will look at."""
        ...

    def ride(self, books: "Books", effect: "Effect") -> None:
        """Append to `effect.rows`; may raise a Refusal; may change what `books.other` returned, for who comes next."""
        ...


class Recovery(Protocol):
    """How another room hears that points of a reversed earn were recovered, long after they were due."""

    async def load(self, connection: asyncpg.Connection, books: "Books", earns: Collection[tuple[UUID, UUID]]) -> None:
        """Make ready for `ride`, whichever of these earns (holder, id) it will be about."""
        ...

    def ride(self, books: "Books", effect: "Effect", earn: tuple[UUID, UUID], currency: str, points: int) -> None:
        """`effect` recovers so many points of an earn (holder, id). Appends to `effect.rows`; refuses nothing."""
        ...


class Law(Protocol):
    """How the law that protects a holder changes what is granted to them: `Books.jurisdictions` says whose."""

    def ride(self, books: "Books", effect: "Effect") -> None:
        """Change when new lots of the effect end, if the law does; refuses nothing."""
        ...
