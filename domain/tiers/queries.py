"""Reads of tiers: many keys in, many rows out; and whose have ended."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain.programs.tiering import TierProgramme
from domain.tiers.model import MemberTier
from domain.tiers.rules import INSTANT, TierState, settled

Place = tuple[UUID, UUID]
"""A holder and a merchant."""


async def tiers(session: AsyncSession, places: Sequence[Place]) -> dict[Place, list[TierState]]:
    """The tiers of holders at merchants, oldest first."""
    found: dict[Place, list[TierState]] = {place: [] for place in places}
    rows = await session.scalars(
        select(MemberTier)
        .where(tuple_(MemberTier.holder_id, MemberTier.merchant_id).in_(places))
        .order_by(MemberTier.seq)
    )
    for row in rows:
        state = TierState(
            row.level, row.valid_from, row.until, row.reason, row.operation_id, row.credits, row.threshold
        )
        found[row.holder_id, row.merchant_id].append(state)
    return found


class TierStanding(NamedTuple):
    """The tiers that a member has had, up to now, and what the credits come to."""

    tiers: list[TierState]
    credits: int


async def standings(
    session: AsyncSession, places: Sequence[tuple[UUID, TierProgramme]], as_of: datetime
) -> list[TierStanding]:
    """Where members stand in programmes, as of now: whether or not the night's work has been done."""
    known = await tiers(session, [(holder_id, programme.merchant_id) for holder_id, programme in places])
    wanted: set[Wanted] = set()
    now = as_of + INSTANT
    for holder_id, programme in places:
        ends = [now, *_ends(programme, known[holder_id, programme.merchant_id], as_of)]
        wanted.update(Wanted(holder_id, programme.credits, end) for end in ends)
    credits = await credits_before(session, list(wanted))
    found = []
    for holder_id, programme in places:
        had = known[holder_id, programme.merchant_id]
        at = partial(_looked_up, credits, holder_id, programme.credits)
        found.append(TierStanding([*had, *settled(programme, had, at, at(now), as_of)], at(now)))
    return found


def _ends(programme: TierProgramme, had: Sequence[TierState], as_of: datetime) -> list[datetime]:
    """When tiers end until now, if one follows the other."""
    ends: list[datetime] = []
    end = had[-1].until if had else None
    while end is not None and end <= as_of:
        ends.append(end)
        end = programme.until(end - INSTANT)
    return ends


def _looked_up(credits: Mapping["Wanted", int], holder_id: UUID, currency: str, end: datetime) -> int:
    return credits[Wanted(holder_id, currency, end)]


class Wanted(NamedTuple):
    """The credits of a holder, as they stood just before an instant."""

    holder_id: UUID
    currency: str
    end: datetime


_CREDITS = text("""
    SELECT w.n, (coalesce(l.points, 0) - coalesce(a.debt, 0))::bigint AS credits
    FROM unnest(CAST(:holders AS uuid[]), CAST(:currencies AS text[]), CAST(:ends AS timestamptz[]))
         WITH ORDINALITY AS w (holder_id, currency, before, n)
    LEFT JOIN account a ON a.holder_id = w.holder_id AND a.kind = 'POINTS' AND a.currency = w.currency
    LEFT JOIN LATERAL (SELECT sum(remaining) AS points FROM lot
                       WHERE lot.holder_id = w.holder_id AND lot.currency = w.currency AND NOT spent
                         AND granted_at < w.before AND (expires_at IS NULL OR expires_at >= w.before)) l ON true
""")


async def credits_before(session: AsyncSession, wanted: Sequence[Wanted]) -> dict[Wanted, int]:
    """What the credits came to."""
    holders, currencies, ends = (list(column) for column in zip(*wanted, strict=True))
    rows = await session.execute(_CREDITS, {"holders": holders, "currencies": currencies, "ends": ends})
    return {wanted[row.n - 1]: row.credits for row in rows}


_ENDED = """
    SELECT DISTINCT t.holder_id, t.merchant_id FROM member_tier t
    WHERE t.until <= :as_of AND NOT EXISTS (
        SELECT FROM member_tier later
        WHERE later.holder_id = t.holder_id AND later.merchant_id = t.merchant_id AND later.seq > t.seq)
"""

_CUT = text(f"""
    SELECT holder_id FROM (
        SELECT holder_id, row_number() OVER (ORDER BY holder_id) - 1 AS n
        FROM (SELECT DISTINCT holder_id FROM ({_ENDED}) ended) due
    ) numbered
    WHERE n % :size = 0 ORDER BY holder_id
""")  # noqa: S608


async def cut_ended(session: AsyncSession, as_of: datetime, size: int) -> Sequence[UUID]:
    """The first of every `size` holders, by id, who have a tier that has ended: where ranges of equal work begin."""
    return (await session.scalars(_CUT, {"as_of": as_of, "size": size})).all()


_PAGE = text(f"""
    SELECT holder_id, merchant_id FROM ({_ENDED}) ended
    WHERE holder_id >= :first AND (CAST(:before AS uuid) IS NULL OR holder_id < CAST(:before AS uuid))
      AND (CAST(:after_holder AS uuid) IS NULL
           OR (holder_id, merchant_id) > (CAST(:after_holder AS uuid), CAST(:after_merchant AS uuid)))
    ORDER BY holder_id, merchant_id LIMIT :size
""")  # noqa: S608


async def ended(
    session: AsyncSession, as_of: datetime, first: UUID, before: UUID | None, after: Place | None, size: int
) -> Sequence[Place]:
    """At most `size` places, in order, whose tier has ended, of holders from `first` to before `before`.

    `after` is the last one of the page before.
    """
    values = {"as_of": as_of, "first": first, "before": before, "size": size}
    values |= {"after_holder": after and after[0], "after_merchant": after and after[1]}
    return [(row.holder_id, row.merchant_id) for row in await session.execute(_PAGE, values)]
