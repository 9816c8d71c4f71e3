"""Whose points are due to be sold, over all holders, and who has been told (R13)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.exits.commands import Programme, worth_at
from domain.ledger.due import going
from domain.ledger.exits import FLOWS
from domain.ledger.extensions import stands
from domain.programs.prepaid import FORCED_EXIT_FORBIDDEN

_OPEN = """NOT l.spent AND l.currency = :currency AND l.issuer_id = :issuer_id AND l.funder_id = :issuer_id
    AND l.remaining > l.held AND (l.expires_at IS NULL OR l.expires_at > :as_of OR l.sliding_id IS NOT NULL)"""

_CUT = text(f"""
    SELECT holder_id FROM (
        SELECT holder_id, row_number() OVER (ORDER BY holder_id) - 1 AS n FROM (
            SELECT DISTINCT l.holder_id FROM lot l WHERE {_OPEN}
        ) open
    ) numbered
    WHERE n % :size = 0 ORDER BY holder_id
""")  # noqa: S608


async def cut_holders(session: AsyncSession, programme: Programme, as_of: datetime, size: int) -> Sequence[uuid.UUID]:
    """The first of every `size` holders, by id, who have points that could be sold: where ranges begin."""
    return (await session.scalars(_CUT, _of(programme, as_of) | {"size": size})).all()


@dataclass(frozen=True, slots=True)
class DueExit:
    """A wallet that earned so much more than it spent, with the points that would be sold.

    `announced`: a notice is in force; its holder was told at `told_at`.
    """

    holder_id: uuid.UUID
    points: int
    announced: bool
    told_at: datetime | None


_LAST = """(SELECT f.operation_id FROM forced_exit f
            WHERE f.holder_id = h.holder_id AND f.currency = :currency AND f.follows IS NULL
              AND NOT EXISTS (SELECT FROM operation r WHERE r.holder_id = f.holder_id AND r.reverses = f.operation_id)
            ORDER BY f.operation_id DESC LIMIT 1)"""
_DUE = text(f"""
    WITH h AS MATERIALIZED (
        SELECT l.holder_id, sum(l.remaining - l.held)::bigint AS points FROM lot l
        WHERE {_OPEN} AND l.holder_id >= :first
          AND (CAST(:before AS uuid) IS NULL OR l.holder_id < CAST(:before AS uuid)) AND {going("l.holder_id")}
          AND NOT EXISTS (SELECT FROM member m WHERE m.id = l.holder_id AND m.jurisdiction = ANY(:protecting))
        GROUP BY 1
    ), flow AS (
        SELECT h.holder_id, f.kind, f.amount * coalesce(w.worth, :worth) AS worth
        FROM h CROSS JOIN LATERAL ({FLOWS.format(holder="h.holder_id", currency=":currency")}) f
        LEFT JOIN unnest(CAST(:versions AS bigint[]), CAST(:worths AS bigint[])) AS w (version, worth)
             ON w.version = f.version
        WHERE f.operation_id > coalesce({_LAST}, '00000000-0000-0000-0000-000000000000')
    ), due AS (
        SELECT holder_id FROM flow GROUP BY 1
        HAVING coalesce(sum(worth) FILTER (WHERE kind = 'EARN'), 0)
             > :times * -coalesce(sum(worth) FILTER (WHERE kind = 'REDEEM'), 0)
    )
    SELECT h.holder_id, h.points, n.id IS NOT NULL, n.told_at
    FROM h JOIN due USING (holder_id)
    LEFT JOIN LATERAL (
        SELECT n.id, (SELECT min(r.happened_at) FROM notice_report r WHERE r.holder_id = n.holder_id
                      AND r.notice_id = n.id AND {stands("r")}) AS told_at
        FROM notice n
        WHERE n.holder_id = h.holder_id AND n.kind = 'EXIT' AND n.currency = :currency AND n.closes_at > :as_of
          AND n.id > coalesce({_LAST}, '00000000-0000-0000-0000-000000000000')
        ORDER BY n.id DESC LIMIT 1
    ) n ON true ORDER BY h.holder_id
""")  # noqa: S608


async def due_exits(
    session: AsyncSession, programme: Programme, as_of: datetime, first: uuid.UUID, before: uuid.UUID | None
) -> Sequence[DueExit]:
    """Of the holders from `first` to before `before` whose points are due to be sold at `as_of`.

    Not of those who are stopped, nor of those who live where the law protects them (R5).
    """
    measure = worth_at(programme.currency, programme.terms)
    policies = programme.currency.policies
    values = _of(programme, as_of) | {"first": first, "before": before, "times": programme.terms.times}
    values |= {"versions": [policy.version for policy in policies], "worth": measure(as_of)}
    values |= {"protecting": list(FORCED_EXIT_FORBIDDEN)}
    values["worths"] = [1 if programme.terms.measure == "quantity" else policy.worth or 0 for policy in policies]
    return [DueExit(*row) for row in await session.execute(_DUE, values)]


_FOLLOWING = text(f"""
    SELECT DISTINCT f.holder_id FROM forced_exit f
    CROSS JOIN LATERAL (
        SELECT CAST(w.lot_id AS uuid) AS lot_id FROM jsonb_array_elements_text(f.waiting) AS w (lot_id)
        UNION ALL
        SELECT l.id FROM pending_grant p JOIN lot l ON l.holder_id = p.holder_id AND l.operation_id = p.activated_by
        WHERE p.holder_id = f.holder_id AND p.currency = f.currency AND f.follows IS NULL
          AND p.operation_id < f.operation_id AND p.activated_by > f.operation_id
    ) w
    JOIN lot l ON l.holder_id = f.holder_id AND l.id = w.lot_id
    WHERE f.currency = :currency AND NOT l.spent AND l.remaining > l.held AND f.holder_id >= :first
      AND (CAST(:before AS uuid) IS NULL OR f.holder_id < CAST(:before AS uuid)) AND {going("f.holder_id")}
      AND NOT EXISTS (SELECT FROM operation r WHERE r.holder_id = f.holder_id AND r.reverses = f.operation_id)
    ORDER BY 1
""")  # noqa: S608


async def following(
    session: AsyncSession, currency: str, first: uuid.UUID, before: uuid.UUID | None
) -> Sequence[uuid.UUID]:
    """As `due_exits`, those whose points were held or pending at an exit, and are free now."""
    return (await session.scalars(_FOLLOWING, {"currency": currency, "first": first, "before": before})).all()


def _of(programme: Programme, as_of: datetime) -> dict[str, Any]:
    currency = programme.currency
    return {"currency": currency.code, "issuer_id": currency.merchant_id, "as_of": as_of}
