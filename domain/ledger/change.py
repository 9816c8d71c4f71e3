"""What forced exits sold (R13), and how a later clawback buys it back out of the change first."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from domain.ledger.merging import wallet_of
from domain.ledger.model import AccountKind
from domain.ledger.request import Books, Effect, EntryState
from domain.ledger.rules import spend_order

Wallet = tuple[UUID, str]
"""A holder, and the currency of theirs that was sold."""

_POINTS = AccountKind.POINTS.value


class Sold(NamedTuple):
    """A forced exit that stands: `points` were sold for `change`, which is the lot `lot_id`.

    `waiting` are lots that were held then, or were granted but not active: they follow. `follows` is the exit that this
    one follows.
    """

    operation_id: UUID
    points: int
    into: str
    change: int
    lot_id: UUID
    waiting: tuple[UUID, ...]
    follows: UUID | None


class _SoldOf:
    """The forced exits of a wallet that were not reversed, oldest first."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Wallet]) -> dict[Wallet, list[Sold]]:
        rows = await connection.fetch(
            """SELECT f.holder_id, f.currency, f.operation_id, f.points, f.into_currency, f.change, f.lot_id, f.waiting,
                      f.follows, ARRAY(
                        SELECT l.id FROM pending_grant p
                        JOIN lot l ON l.holder_id = p.holder_id AND l.operation_id = p.activated_by
                        WHERE p.holder_id = f.holder_id AND p.currency = f.currency AND f.follows IS NULL
                          AND p.operation_id < f.operation_id AND p.activated_by > f.operation_id) AS active_since
               FROM unnest($1::uuid[], $2::text[]) AS asked (holder_id, currency)
               JOIN forced_exit f USING (holder_id, currency)
               WHERE NOT EXISTS (SELECT FROM operation r WHERE r.holder_id = f.holder_id
                                 AND r.reverses = f.operation_id)
               ORDER BY f.operation_id""",
            *(list(column) for column in zip(*keys, strict=True)),
        )
        found: dict[Wallet, list[Sold]] = {}
        for holder_id, currency, id_, points, into, change, lot_id, held, follows, active_since in rows:
            waiting = (*map(UUID, held), *active_since)
            sold = Sold(id_, points, into, change, lot_id, waiting, follows)
            found.setdefault((holder_id, currency), []).append(sold)
        return found


SOLD = _SoldOf()


def buy_back(books: Books, effect: Effect, wallet: Wallet, issuer_id: UUID, due: int, as_of: datetime) -> int:
    """How many of `due` points that are to be taken back the change of earlier exits pays for, at their rates.

    Each sale is undone for as many points: they come back to the wallet, out of which the caller takes them. What a
    minor unit does not pay for is left to the wallet; change under a hold is not touched.
    """
    holder_id, currency = wallet
    bought = 0
    exits = {sold.lot_id: sold for sold in books.other(SOLD, wallet) or ()}
    for into in dict.fromkeys(sold.into for sold in exits.values()):
        spent = 0
        wallet_now = wallet_of(books, holder_id, into)
        lots = [lot for lot in wallet_now if lot.root[1] in exits and lot.is_live(as_of)]
        for lot in sorted(lots, key=spend_order):
            sold = exits[lot.root[1]]
            change = min(lot.free, (due - bought) * sold.change // sold.points)
            points = change * sold.points // sold.change
            if points:
                effect.allocations.append((lot, -change))
                spent += change
                bought += points
        if spent:
            effect.entries.append(EntryState(_POINTS, into, -spent, issuer_id, AccountKind.EXIT.value))
    if bought:
        effect.entries.append(EntryState(_POINTS, currency, bought, issuer_id, AccountKind.EXIT.value))
    return bought
