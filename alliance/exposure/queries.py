"""What capped merchants have used, as it is kept, and as it follows from what is booked."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.exposure.model import Exposure, ExposureAlert, FreezeStep
from domain.ledger.due import DuePending
from domain.ledger.model import PendingGrant

# Of cycles that are over, what was owed is in their pair nets, and what was paid in their payments: so that what is
# carried on counts, and no obligation of old is read.
OWED = """
    SELECT merchant_id, sum(amount) AS owed FROM (
        SELECT debtor_id AS merchant_id, amount FROM obligation WHERE cycle_id IN (SELECT id FROM unsettled)
        UNION ALL SELECT creditor_id, -amount FROM obligation WHERE cycle_id IN (SELECT id FROM unsettled)
        UNION ALL SELECT second_id, lines + adjustments FROM pair_net WHERE cycle_id NOT IN (SELECT id FROM unsettled)
        UNION ALL SELECT first_id, -(lines + adjustments) FROM pair_net
                  WHERE cycle_id NOT IN (SELECT id FROM unsettled)
        UNION ALL SELECT payer_id, -amount * {unit}::numeric FROM payment WHERE status IN ('PAID', 'MOVED')
        UNION ALL SELECT payee_id, amount * {unit}::numeric FROM payment WHERE status IN ('PAID', 'MOVED')) AS moved
    GROUP BY 1"""

# Points that wait, holds at partners, quotes that were asked to reserve, rights that are booked. A share of a line is
# rounded half-even, as it is where it is reserved. Past its time it reserves until it is given back.
RESERVED = """
    SELECT merchant_id, sum(amount) AS reserved FROM (
        SELECT merchant_id, part + ((rest * 2 > whole OR (rest * 2 = whole AND part % 2 = 1))::int) AS amount
        FROM (SELECT (line ->> 'debtor_id')::uuid AS merchant_id, p.granted::numeric AS whole,
                     div((line ->> 'amount')::numeric * p.remaining, p.granted) AS part,
                     mod((line ->> 'amount')::numeric * p.remaining, p.granted) AS rest
              FROM pending_grant p CROSS JOIN LATERAL jsonb_array_elements(p.owed) AS line
              WHERE NOT p.done AND p.room_of IS NULL AND jsonb_typeof(p.owed) = 'array') AS lines
        UNION ALL SELECT part.key::uuid, part.value::numeric
        FROM hold h CROSS JOIN LATERAL jsonb_each_text(h.reserves) AS part
        WHERE h.status = 'OPEN'
        UNION ALL SELECT part.key::uuid, part.value::numeric
        FROM quote_reservation q CROSS JOIN LATERAL jsonb_each_text(q.reserves) AS part
        WHERE NOT EXISTS (SELECT FROM quote_use u WHERE u.holder_id = q.holder_id AND u.quote_id = q.quote_id)
        UNION ALL SELECT (line ->> 'debtor_id')::uuid, (line ->> 'amount')::numeric
        FROM right_booking b CROSS JOIN LATERAL jsonb_array_elements(b.owed) AS line
        WHERE b.open AND jsonb_typeof(b.owed) = 'array'
    ) AS promised GROUP BY 1"""

# Cycles that are not over, those that leave something to one of them, and who is frozen.
WHICH = """
    unsettled AS (SELECT id, number FROM settlement_cycle WHERE status NOT IN ('SETTLED', 'ABORTED')),
    leaving AS (SELECT id FROM settlement_cycle WHERE status IN ('SETTLED', 'ABORTED')
                                                  AND number + 1 IN (SELECT number FROM unsettled)),
    frozen AS (SELECT id FROM merchant WHERE frozen_since IS NOT NULL)"""

# What is claimed on who is frozen, and what others object to, but once where it is both; once that is decided, it is a
# claim like others, in the cycle that it opens. What is objected to or carried on is signed as in a pair net: above
# zero, the second owes it the first.
WITHHELD = """
    SELECT merchant_id, sum(amount) AS withheld FROM (
        SELECT creditor_id AS merchant_id, amount FROM obligation
        WHERE cycle_id IN (SELECT id FROM unsettled) AND debtor_id IN (SELECT id FROM frozen)
        UNION ALL
        SELECT CASE WHEN carried > 0 THEN first_id ELSE second_id END, abs(carried) FROM pair_net
        WHERE cycle_id IN (SELECT id FROM leaving)
          AND CASE WHEN carried > 0 THEN second_id ELSE first_id END IN (SELECT id FROM frozen)
        UNION ALL
        SELECT payee_id, amount * {unit}::numeric FROM payment
        WHERE status = 'CARRIED' AND cycle_id IN (SELECT id FROM leaving) AND payer_id IN (SELECT id FROM frozen)
        UNION ALL
        SELECT CASE WHEN amount > 0 THEN first_id ELSE second_id END, abs(amount) FROM objection
        WHERE CASE WHEN released_in IS NULL THEN cycle_id NOT IN (SELECT id FROM unsettled)
                        OR CASE WHEN amount > 0 THEN second_id ELSE first_id END NOT IN (SELECT id FROM frozen)
                   ELSE released_in IN (SELECT id FROM unsettled) AND cycle_id NOT IN (SELECT id FROM unsettled)
                        AND CASE WHEN amount > 0 THEN second_id ELSE first_id END IN (SELECT id FROM frozen) END
    ) AS claims GROUP BY 1"""

POSITIONS = f"""
    WITH {WHICH},
         owed AS ({OWED}), reserved AS ({RESERVED}), withheld AS ({WITHHELD})
    SELECT merchant_id, coalesce(owed, 0) AS owed, coalesce(reserved, 0) AS reserved, coalesce(withheld, 0) AS withheld
    FROM owed FULL JOIN reserved USING (merchant_id) FULL JOIN withheld USING (merchant_id)"""  # noqa: S608


# The same for merchants `ids`, in two parts: what cycles hold that are closed, and whatever else there is.
OWED_IN_CLOSED = """
    SELECT merchant_id, sum(amount) AS owed FROM (
        SELECT debtor_id AS merchant_id, amount FROM obligation
        WHERE cycle_id = ANY(:closed) AND debtor_id = ANY(:ids)
        UNION ALL SELECT creditor_id, -amount FROM obligation
        WHERE cycle_id = ANY(:closed) AND creditor_id = ANY(:ids)
        UNION ALL SELECT second_id, lines + adjustments FROM pair_net
        WHERE cycle_id = ANY(:over) AND second_id = ANY(:ids)
        UNION ALL SELECT first_id, -(lines + adjustments) FROM pair_net
        WHERE cycle_id = ANY(:over) AND first_id = ANY(:ids)) AS moved GROUP BY 1"""
OWED_SINCE = """
    SELECT merchant_id, sum(amount) AS owed FROM (
        SELECT debtor_id AS merchant_id, amount FROM obligation
        WHERE cycle_id IN (SELECT id FROM settlement_cycle WHERE id <> ALL(:known)) AND debtor_id = ANY(:ids)
        UNION ALL SELECT creditor_id, -amount FROM obligation
        WHERE cycle_id IN (SELECT id FROM settlement_cycle WHERE id <> ALL(:known)) AND creditor_id = ANY(:ids)
        UNION ALL SELECT payer_id, -amount * {unit}::numeric FROM payment
        WHERE status IN ('PAID', 'MOVED') AND payer_id = ANY(:ids)
        UNION ALL SELECT payee_id, amount * {unit}::numeric FROM payment
        WHERE status IN ('PAID', 'MOVED') AND payee_id = ANY(:ids)) AS moved GROUP BY 1"""
PROMISED_AND_WITHHELD = f"""
    WITH {WHICH}, reserved AS ({RESERVED}), withheld AS ({WITHHELD})
    SELECT merchant_id, coalesce(reserved, 0) AS reserved, coalesce(withheld, 0) AS withheld
    FROM reserved FULL JOIN withheld USING (merchant_id)"""  # noqa: S608


async def by_merchants(session: AsyncSession, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Exposure]:
    """What these merchants have used; one without a cap is left out."""
    rows = await session.scalars(select(Exposure).where(Exposure.merchant_id.in_(ids)))
    return {row.merchant_id: row for row in rows}


async def alerts(
    session: AsyncSession, merchant_id: uuid.UUID, size: int, after: uuid.UUID | None = None
) -> Sequence[ExposureAlert]:
    """Up to `size` alerts of a merchant, newest first, of before the alert `after`."""
    query = select(ExposureAlert).where(ExposureAlert.merchant_id == merchant_id)
    if after is not None:
        query = query.where(ExposureAlert.id < after)
    return (await session.scalars(query.order_by(ExposureAlert.id.desc()).limit(size))).all()


async def count_alerts(session: AsyncSession, merchant_id: uuid.UUID) -> int:
    """How many alerts a merchant has had."""
    return await session.scalar(select(func.count()).where(ExposureAlert.merchant_id == merchant_id)) or 0


async def last_alerts(session: AsyncSession, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, ExposureAlert]:
    """The newest alert of each of these merchants; one without any is left out."""
    query = select(ExposureAlert).where(ExposureAlert.merchant_id.in_(ids)).distinct(ExposureAlert.merchant_id)
    rows = await session.scalars(query.order_by(ExposureAlert.merchant_id, ExposureAlert.id.desc()))
    return {row.merchant_id: row for row in rows}


async def waiting(session: AsyncSession, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """How many points wait for room of each of these merchants."""
    query = select(PendingGrant.room_of, func.sum(PendingGrant.remaining)).where(
        PendingGrant.room_of.in_(ids), ~PendingGrant.done
    )
    return {id_: int(points) for id_, points in await session.execute(query.group_by(PendingGrant.room_of)) if id_}


async def freezes(session: AsyncSession, merchant_id: uuid.UUID, most: int = 100) -> Sequence[FreezeStep]:
    """When a merchant was frozen and restored, newest first."""
    mine = select(FreezeStep).where(FreezeStep.merchant_id == merchant_id)
    return (await session.scalars(mine.order_by(FreezeStep.seq.desc()).limit(most))).all()


_WAITING = text("""
    SELECT holder_id, operation_id, seq, currency, issuer_id, policy, done, room_of
    FROM pending_grant p LEFT JOIN exposure e ON e.merchant_id = p.room_of
    WHERE NOT done AND room_of IS NOT NULL AND matures_at <= :as_of AND (e.used < e.cap OR e.merchant_id IS NULL)
      AND room_of NOT IN (SELECT id FROM merchant WHERE frozen_since IS NOT NULL)
      AND NOT EXISTS (SELECT FROM account a WHERE a.holder_id = p.holder_id AND a.stopped)
    ORDER BY granted_at, holder_id, operation_id, seq LIMIT :size
""")


async def waiting_for_room(session: AsyncSession, as_of: datetime, size: int) -> Sequence[DuePending]:
    """At most `size` pending grants that wait for room, longest first, of merchants who have some."""
    return [DuePending(*row) for row in await session.execute(_WAITING, {"as_of": as_of, "size": size})]
