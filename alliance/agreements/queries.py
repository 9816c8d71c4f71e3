"""Reading agreements, their versions and what became of each. A merchant is given those it is a party of (A14)."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select, text, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.model import COUNTING, AgreementRow, AgreementStatus, AgreementStep, AgreementVersionRow
from domain.programs.catalogue import Days, days_of

VersionKey = tuple[uuid.UUID, int]


async def page(
    session: AsyncSession,
    party: uuid.UUID | None,
    size: int,
    *,
    after: uuid.UUID | None = None,
    before: uuid.UUID | None = None,
    backward: bool = False,
) -> Sequence[AgreementRow]:
    """Up to `size` agreements by id: all, or those of one party. `backward` goes from the end."""
    id_ = AgreementRow.id
    query = select(AgreementRow).where(_of(party)).order_by(id_.desc() if backward else id_).limit(size)
    query = query if after is None else query.where(id_ > after)
    return (await session.scalars(query if before is None else query.where(id_ < before))).all()


async def count(session: AsyncSession, party: uuid.UUID | None) -> int:
    """How many there are."""
    return await session.scalar(select(func.count()).select_from(AgreementRow).where(_of(party))) or 0


async def by_ids(
    session: AsyncSession, ids: Collection[uuid.UUID], party: uuid.UUID | None
) -> dict[uuid.UUID, AgreementRow]:
    """Agreements by id; one that is not there, or not a party's, is left out."""
    rows = await session.scalars(select(AgreementRow).where(AgreementRow.id.in_(ids), _of(party)))
    return {row.id: row for row in rows}


async def between(session: AsyncSession, one: uuid.UUID, other: uuid.UUID) -> AgreementRow | None:
    """The agreement of two merchants, in whichever order."""
    a, b = sorted((one, other))
    query = select(AgreementRow).where(AgreementRow.merchant_a == a, AgreementRow.merchant_b == b)
    return (await session.scalars(query)).one_or_none()


def _of(party: uuid.UUID | None) -> ColumnElement[bool]:
    if party is None:
        return true()
    return or_(AgreementRow.merchant_a == party, AgreementRow.merchant_b == party)


async def versions(session: AsyncSession, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[AgreementVersionRow]]:
    """All versions of agreements, by number."""
    found: dict[uuid.UUID, list[AgreementVersionRow]] = {id_: [] for id_ in ids}
    query = select(AgreementVersionRow).where(AgreementVersionRow.agreement_id.in_(ids))
    for row in await session.scalars(query.order_by(AgreementVersionRow.version)):
        found[row.agreement_id].append(row)
    return found


async def steps(session: AsyncSession, keys: Collection[VersionKey]) -> dict[VersionKey, list[AgreementStep]]:
    """What happened to versions, oldest first."""
    found: dict[VersionKey, list[AgreementStep]] = defaultdict(list)
    of = tuple_(AgreementStep.agreement_id, AgreementStep.version).in_(list(keys))
    for row in await session.scalars(select(AgreementStep).where(of).order_by(AgreementStep.seq)):
        found[row.agreement_id, row.version].append(row)
    return found


_OBJECTION = text("""
    SELECT DISTINCT terms -> 'objectionDays' FROM agreement_version
    WHERE status IN ('IN_FORCE', 'ENDED') AND terms ? 'objectionDays'
      AND valid_from < :before AND (valid_to IS NULL OR valid_to > :since)
""")


async def objection_days(session: AsyncSession, since: datetime, before: datetime) -> set[Days]:
    """For how long merchants may object, as agreements say that were in force between two moments."""
    return {days_of(said) for said in await session.scalars(_OBJECTION, {"since": since, "before": before})}


def in_force(rows: Sequence[AgreementVersionRow], moment: datetime) -> AgreementVersionRow | None:
    """The one of these versions that is in force at a moment."""
    for row in rows:
        if row.status in COUNTING and row.valid_from <= moment and (row.valid_to is None or moment < row.valid_to):
            return row
    return None


def is_last(rows: Sequence[AgreementVersionRow], row: AgreementVersionRow) -> bool:
    """Whether a version has an end, and none of these follows: then points run off."""
    if row.status not in COUNTING or row.valid_to is None or row.valid_to == row.valid_from:
        return False
    return not any(other.status in COUNTING and other.valid_from == row.valid_to for other in rows if other is not row)


def waits_for(agreement: AgreementRow, row: AgreementVersionRow, taken: Sequence[AgreementStep]) -> list[uuid.UUID]:
    """The merchants that still have to accept a proposed version."""
    if row.status != AgreementStatus.PROPOSED:
        return []
    said_yes = {step.party for step in taken}
    return [party for party in (agreement.merchant_a, agreement.merchant_b) if party not in said_yes]
