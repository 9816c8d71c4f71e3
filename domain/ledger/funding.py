"""Lots for which something is still to move between funder and issuer, and how another room hears of it (A1)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import asyncpg

from domain.ledger.rules import LotState, PendingState

if TYPE_CHECKING:
    from domain.ledger.request import Books, Effect

Funding = tuple[UUID, UUID, int]
"""By which version of whose agreement lots are funded: issuer, funder, version."""


class Funder(Protocol):
    """How another room hears that points were spent, or ended, whose funder pays or is paid back then."""

    async def load(self, connection: asyncpg.Connection, books: "Books") -> None:
        """Make ready for all of `books.funded`."""
        ...

    def ride(self, books: "Books", effect: "Effect") -> None:
        """`effect` may spend, put back, or end what is of `books.funded`. Appends to `effect.rows`."""
        ...

    def recover(
        self,
        books: "Books",
        effect: "Effect",
        earn_id: UUID | None,
        funded: tuple[Funding, str] | None,
        taken: Sequence[tuple[LotState, int]],
    ) -> None:
        """`effect` recovers these parts of lots of a reversed earn, whose points of a currency are `funded` so.

        Appends to `effect.rows`.
        """
        ...


def funding_of(points: LotState | PendingState) -> Funding:
    """By what a lot, or what waits to be one, is funded; it keeps a version."""
    assert points.agreement_version is not None
    return (points.issuer_id, points.funder_id, points.agreement_version)
