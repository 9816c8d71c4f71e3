"""Reading obligations: a page at a time, in the order of their operations."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

Cursor = tuple[uuid.UUID, int]
_START: Cursor = (uuid.UUID(int=0), -1)


@dataclass(frozen=True, slots=True)
class ObligationLine:
    """A line of a statement. `holder_id`, `order_ref` and `store` are None for whoever was not at the till (A14)."""

    operation_id: uuid.UUID
    seq: int
    cycle_id: uuid.UUID
    kind: str
    debtor_id: uuid.UUID
    creditor_id: uuid.UUID
    currency: str
    points: int
    price: int | None
    amount: int
    agreement_id: uuid.UUID
    agreement_version: int
    merchant_id: uuid.UUID
    occurred_at: datetime
    booked_at: datetime
    reverses: uuid.UUID | None
    late: bool
    holder_id: uuid.UUID | None
    order_ref: str | None
    store: str | None

    @property
    def cursor(self) -> Cursor:
        """Where a page that ends with this line ends."""
        return (self.operation_id, self.seq)


_COLUMNS = """operation_id, seq, cycle_id, kind, debtor_id, creditor_id, currency, points, price, amount, agreement_id,
    agreement_version, merchant_id, occurred_at, booked_at, reverses, late, holder_id, order_ref, store"""

_AFTER = """cycle_id = :cycle AND (operation_id, seq) > (:operation, :seq)
    AND (CAST(:other AS uuid) IS NULL OR debtor_id = :other OR creditor_id = :other)
    ORDER BY operation_id, seq LIMIT :first"""

_OF_PARTY = text(f"""
SELECT * FROM (
  (SELECT {_COLUMNS} FROM obligation WHERE debtor_id = :party AND {_AFTER})
  UNION ALL
  (SELECT {_COLUMNS} FROM obligation WHERE creditor_id = :party AND {_AFTER})) AS line
ORDER BY operation_id, seq LIMIT :first
""")  # noqa: S608

_OF_ALL = text(f"""
SELECT line.* FROM (SELECT id FROM merchant UNION ALL SELECT id FROM alliance) AS debtor
CROSS JOIN LATERAL (SELECT {_COLUMNS} FROM obligation WHERE debtor_id = debtor.id AND {_AFTER}) AS line
ORDER BY operation_id, seq LIMIT :first
""")  # noqa: S608


async def obligations_page(
    session: AsyncSession,
    cycle_id: uuid.UUID,
    *,
    viewer_id: uuid.UUID | None,
    party_id: uuid.UUID | None = None,
    after: Cursor | None = None,
    first: int = 20,
) -> Sequence[ObligationLine]:
    """Lines of a cycle after a cursor. A merchant (`viewer_id`) sees those it is a party to; None sees all (A14).

    `party_id` narrows them to one merchant's. Each page reads as many rows as it has, from an index, a party.
    """
    party, other = (viewer_id, party_id) if viewer_id is not None else (party_id, None)
    operation, seq = after or _START
    bounds = {"cycle": cycle_id, "other": other, "operation": operation, "seq": seq, "first": first}
    if party is None:
        rows = await session.execute(_OF_ALL, bounds)
    else:
        rows = await session.execute(_OF_PARTY, {**bounds, "party": party})
    lines = [ObligationLine(**row) for row in rows.mappings()]
    return [line if viewer_id in (None, line.merchant_id) else _elsewhere(line) for line in lines]


def _elsewhere(line: ObligationLine) -> ObligationLine:
    """What a merchant may see of an event that was not at its till."""
    return replace(line, holder_id=None, order_ref=None, store=None)
