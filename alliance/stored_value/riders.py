"""How much a wallet of stored value may hold, as a rider of what is topped up (L4)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg

from alliance.stored_value.errors import StoredValueLimitExceeded
from domain.ledger.request import Books, Effect, Needs


class KnownBy(NamedTuple):
    """Whether a member is recognised by an identifier of one of these types."""

    holder_id: uuid.UUID
    types: tuple[str, ...]


class _Registered:
    """The `KnownBy` that hold."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[KnownBy]) -> dict[KnownBy, bool]:
        rows = await connection.fetch(
            """SELECT holder_id, type FROM member_identifier
               WHERE holder_id = ANY($1) AND type = ANY($2) AND verified_at IS NOT NULL""",
            [key.holder_id for key in keys],
            sorted({name for key in keys for name in key.types}),
        )
        found = {(row["holder_id"], row["type"]) for row in rows}
        return {key: True for key in keys if any((key.holder_id, name) in found for name in key.types)}


REGISTERED = _Registered()


@dataclass(frozen=True, slots=True)
class WithinCardLimit:
    """Refuses what takes a wallet past `registered` minor units, or past `bearer` where nobody knows whose it is."""

    known_by: KnownBy
    currency: str
    registered: int
    bearer: int
    as_of: datetime
    path: str = "paid"

    def needs(self, needs: Needs) -> None:
        """What is in the wallet, and by what its member is recognised."""
        needs.wallets.add((self.known_by.holder_id, self.currency))
        needs.other(REGISTERED, self.known_by)

    def ride(self, books: Books, effect: Effect) -> None:
        """Raises StoredValueLimitExceeded."""
        cap = self.registered if books.other(REGISTERED, self.known_by) else self.bearer
        lots = books.open_lots(self.known_by.holder_id, self.currency)
        used = sum(lot.remaining if lot.is_live(self.as_of) else lot.held for lot in lots)
        if used + effect.points > cap:
            raise StoredValueLimitExceeded(cap=cap, used=used, path=(self.path,))
