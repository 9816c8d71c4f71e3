"""What is due over all holders: points past their date, holds past their time, pending points that become active."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


class DueWallet(NamedTuple):
    """A wallet with lots to expire, how many, and who issued its currency."""

    holder_id: UUID
    currency: str
    issuer_id: UUID
    lots: int


# A lot that slides never ends before its own date: so the index finds it, and the wallet's clock decides.
_PAST = """NOT l.spent AND l.remaining > l.held AND l.expires_at <= :as_of
    AND (l.sliding_id IS NULL OR EXISTS (SELECT FROM sliding_expiry s WHERE s.holder_id = l.holder_id
                                         AND s.id = l.sliding_id AND s.expires_at <= :as_of))"""


def going(holder: str) -> str:
    """The condition that the holder of this column is not stopped."""
    return f"NOT EXISTS (SELECT FROM account going WHERE going.holder_id = {holder} AND going.stopped)"


_CUT = text(f"""
    SELECT holder_id FROM (
        SELECT holder_id, row_number() OVER (ORDER BY holder_id) - 1 AS n FROM (
            SELECT l.holder_id FROM lot l WHERE {_PAST}
            UNION SELECT holder_id FROM pending_grant WHERE NOT done AND room_of IS NULL AND matures_at <= :as_of
        ) due
    ) numbered
    WHERE n % :size = 0 ORDER BY holder_id
""")  # noqa: S608


async def cut_due_holders(session: AsyncSession, as_of: datetime, size: int) -> Sequence[UUID]:
    """The first of every `size` holders, by id, who have points to expire or to activate: where ranges begin."""
    return (await session.scalars(_CUT, {"as_of": as_of, "size": size})).all()


_WALLETS = text(f"""
    SELECT holder_id, currency, any_value(issuer_id), count(*) FROM lot l
    WHERE {_PAST} AND holder_id >= :first
      AND (CAST(:before AS uuid) IS NULL OR holder_id < CAST(:before AS uuid))
      AND (CAST(:after_holder AS uuid) IS NULL
           OR (holder_id, currency) > (CAST(:after_holder AS uuid), CAST(:after_currency AS text)))
    GROUP BY holder_id, currency ORDER BY holder_id, currency LIMIT :size
""")  # noqa: S608


async def due_wallets(
    session: AsyncSession,
    as_of: datetime,
    first: UUID,
    before: UUID | None,
    after: DueWallet | None,
    size: int,
) -> Sequence[DueWallet]:
    """At most `size` wallets, in order, that have points to expire and whose holder is `first` to before `before`.

    `after` is the last wallet of the page before.
    """
    values = {"as_of": as_of, "first": first, "before": before, "size": size}
    values |= {"after_holder": after and after.holder_id, "after_currency": after and after.currency}
    return [DueWallet(*row) for row in await session.execute(_WALLETS, values)]


class DueHold(NamedTuple):
    """A hold past its time whose points are to be given back, and whether it reserves anything."""

    holder_id: UUID
    id: UUID
    reserves: bool = False


_CUT_HOLDS = text("""
    SELECT holder_id FROM (
        SELECT holder_id, row_number() OVER (ORDER BY holder_id) - 1 AS n FROM (
            SELECT DISTINCT holder_id FROM hold WHERE status = 'OPEN' AND expires_at <= :as_of
        ) due
    ) numbered
    WHERE n % :size = 0 ORDER BY holder_id
""")


async def cut_lapsing_holders(session: AsyncSession, as_of: datetime, size: int) -> Sequence[UUID]:
    """As `cut_due_holders`, of holders who have holds to lapse."""
    return (await session.scalars(_CUT_HOLDS, {"as_of": as_of, "size": size})).all()


_HOLDS = text("""
    SELECT holder_id, id, reserves IS NOT NULL FROM hold
    WHERE status = 'OPEN' AND expires_at <= :as_of AND holder_id >= :first
      AND (CAST(:before AS uuid) IS NULL OR holder_id < CAST(:before AS uuid))
      AND (CAST(:after_holder AS uuid) IS NULL
           OR (holder_id, id) > (CAST(:after_holder AS uuid), CAST(:after_id AS uuid)))
    ORDER BY holder_id, id LIMIT :size
""")


async def due_holds(
    session: AsyncSession, as_of: datetime, first: UUID, before: UUID | None, after: DueHold | None, size: int
) -> Sequence[DueHold]:
    """As `due_wallets`, of holds past their time, in the order in which each holder made them."""
    values = {"as_of": as_of, "first": first, "before": before, "size": size}
    values |= {"after_holder": after and after.holder_id, "after_id": after and after.id}
    return [DueHold(*row) for row in await session.execute(_HOLDS, values)]


class DuePending(NamedTuple):
    """A pending grant that becomes active, or did: whose, of which earn, and under which expiry policy.

    `room_of` is the merchant without whose room it goes on waiting.
    """

    holder_id: UUID
    operation_id: UUID
    seq: int
    currency: str
    issuer_id: UUID
    policy: dict[str, Any]
    done: bool
    room_of: UUID | None = None


_PENDING = text(f"""
    SELECT holder_id, operation_id, seq, currency, issuer_id, policy, done FROM pending_grant p
    WHERE NOT done AND room_of IS NULL AND matures_at <= :as_of AND holder_id >= :first
      AND (CAST(:before AS uuid) IS NULL OR holder_id < CAST(:before AS uuid))
      AND {going("p.holder_id")}
    ORDER BY holder_id, operation_id, seq LIMIT :size
""")  # noqa: S608


async def due_pending(
    session: AsyncSession, as_of: datetime, first: UUID, before: UUID | None, size: int
) -> Sequence[DuePending]:
    """At most `size` pending grants that are due, of holders from `first` to before `before` who are not stopped.

    Those that wait for room are left out.
    """
    values = {"as_of": as_of, "first": first, "before": before, "size": size}
    return [DuePending(*row) for row in await session.execute(_PENDING, values)]


_OF_OPERATION = text("""
    SELECT holder_id, operation_id, seq, currency, issuer_id, policy, done, room_of FROM pending_grant
    JOIN unnest(CAST(:holders AS uuid[]), CAST(:operations AS uuid[])) AS asked (holder_id, operation_id)
         USING (holder_id, operation_id)
    ORDER BY holder_id, operation_id, seq
""")


async def pending_of(session: AsyncSession, earns: Sequence[tuple[UUID, UUID]]) -> Sequence[DuePending]:
    """What waits of these earns (holder, id), or waited: whoever asks again is answered the same."""
    values = {"holders": [holder_id for holder_id, _ in earns], "operations": [id_ for _, id_ in earns]}
    return [DuePending(*row) for row in await session.execute(_OF_OPERATION, values)]
