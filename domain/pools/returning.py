"""Points that leave a pool which is dissolved, as requests to the posting engine: to its members, lot by lot (R6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ledger.commands import effect_of, require_room
from domain.ledger.gifts import given_lot, move
from domain.ledger.model import OperationKind
from domain.ledger.request import Books, Effect, Needs, Request

# A lot that was put back anew (R20) stands for one of the same pool: it is its source's contributor's.
_ORIGINS = text("""
    WITH RECURSIVE walk AS (
        SELECT l.id AS lot_id, l.currency, l.source_holder_id, l.source_lot_id
        FROM lot l WHERE l.holder_id = :pool AND NOT l.spent
        UNION ALL
        SELECT w.lot_id, w.currency, l.source_holder_id, l.source_lot_id
        FROM walk w JOIN lot l ON l.holder_id = w.source_holder_id AND l.id = w.source_lot_id
        WHERE w.source_holder_id = :pool
    )
    SELECT lot_id, currency, source_holder_id FROM walk WHERE source_holder_id IS DISTINCT FROM :pool ORDER BY lot_id
""")


async def origins(session: AsyncSession, pool_id: UUID) -> list[tuple[UUID, str, UUID | None]]:
    """The open lots of a pool, each with its currency and the member who put it in; None where nobody did."""
    return [
        (row.lot_id, row.currency, row.source_holder_id) for row in await session.execute(_ORIGINS, {"pool": pool_id})
    ]


@dataclass(slots=True, kw_only=True)
class ReturnPoints(Request):
    """Move what is free and alive of these lots of a pool to one of its members.

    They keep issuer, price and date. What goes back to who put it in was given to nobody; to others it is one gift
    more. The day's caps do not count: points do not stay in a pool that ends.
    """

    to_holder_id: UUID
    currency: str
    issuer_id: UUID
    lot_ids: Sequence[UUID]

    def needs(self, needs: Needs) -> None:
        """Both holders, the pool's wallet, and what the riders ask for."""
        needs.holders.add(self.to_holder_id)
        needs.members.update((self.holder_id, self.to_holder_id))
        needs.wallets.add((self.holder_id, self.currency))
        for rider in self.riders:
            rider.needs(needs)

    def decide(self, books: Books) -> Effect | None:
        """Two entries; None where nothing is left. Raises MemberNotActive, BalanceLimitExceeded."""
        books.require_active(self.to_holder_id)
        wanted = set(self.lot_ids)
        lots = [lot for lot in books.open_lots(self.holder_id, self.currency) if lot.id in wanted]
        given = [lot for lot in lots if lot.free and lot.is_live(self.as_of)]
        points = sum(lot.free for lot in given)
        if not points:
            return None
        require_room(books, self.to_holder_id, self.currency, points)
        effect = effect_of(self, OperationKind.POOL_OUT, self.issuer_id, points)
        move(effect, self.holder_id, self.to_holder_id, self.currency, points)
        effect.allocations.extend((lot, -lot.free) for lot in given)
        for lot in given:
            deeper = lot.source_holder_id != self.to_holder_id
            effect.lots.append(given_lot(effect, lot, self.to_holder_id, lot.free, depth=lot.depth + deeper))
        for rider in self.riders:
            rider.ride(books, effect)
        return effect
