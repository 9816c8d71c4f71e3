"""Legal holds: what is known of somebody must be kept for now, whoever asks. In the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.base import new_id
from domain.errors import InvalidInput, NotFound
from domain.privacy.model import LegalHold

MOST_REASON = 200


async def place_hold(
    session: AsyncSession, holder_id: UUID, *, reason: str, as_of: datetime, until: datetime | None = None
) -> LegalHold:
    """Keep what is known of a holder, until then or until it is released. Raises InvalidInput."""
    if until is not None and until <= as_of:
        raise InvalidInput(reason="must be in the future", path=("until",))
    if not 0 < len(reason.strip()) <= MOST_REASON:
        raise InvalidInput(reason=f"must have 1 to {MOST_REASON} characters", path=("reason",))
    placed = LegalHold(holder_id=holder_id, id=new_id(), reason=reason.strip(), placed_at=as_of, until=until)
    session.add(placed)
    await session.flush()
    return placed


async def release_holds(session: AsyncSession, holder_id: UUID, as_of: datetime) -> int:
    """End all legal holds on a holder; how many there were. Raises NotFound if there is none."""
    open_ones = update(LegalHold).where(LegalHold.holder_id == holder_id, *_in_force(as_of))
    ended = (await session.scalars(open_ones.values(released_at=as_of).returning(LegalHold.id))).all()
    if not ended:
        raise NotFound(what="legal hold", path=("member",))
    return len(ended)


async def holds_in_force(session: AsyncSession, holder_id: UUID, as_of: datetime) -> Sequence[LegalHold]:
    """What keeps this holder's data now, the one that lasts longest first."""
    wanted = select(LegalHold).where(LegalHold.holder_id == holder_id, *_in_force(as_of))
    return (await session.scalars(wanted.order_by(LegalHold.until.desc().nulls_first()))).all()


def _in_force(as_of: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return LegalHold.released_at.is_(None), or_(LegalHold.until.is_(None), LegalHold.until > as_of)
