"""How other rooms take part in a posting: rows that may refuse it, gates before it, and sums that it adds to."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

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
