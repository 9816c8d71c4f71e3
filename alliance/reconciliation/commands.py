"""Keeping a reconciliation: asked for, on its way, concluded. In the caller's transaction."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.reconciliation.model import DIFFERENCES_KEPT, Outstanding, Reconciliation
from domain.events.progress import moved
from domain.ledger.verify import Difference, Proof


async def begin(session: AsyncSession, id_: UUID, as_of: datetime) -> None:
    """A reconciliation is to be made."""
    await session.execute(insert(Reconciliation).values(id=id_, as_of=as_of))


async def progressed(session: AsyncSession, id_: UUID, step: str, done: int, total: int) -> None:
    """How far it is."""
    far = {"step": step, "done": done, "total": total}
    await session.execute(update(Reconciliation).where(Reconciliation.id == id_).values(far))
    await moved(session, id_)


async def conclude(session: AsyncSession, id_: UUID, proof: Proof, outstanding: Sequence[Outstanding]) -> None:
    """What came of it."""
    result = {
        "finished_at": func.clock_timestamp(),
        "accounts": proof.accounts,
        "operations": proof.operations,
        "found": proof.found,
        "differences": [_kept(one, "kept", "proved") for one in proof.differences[:DIFFERENCES_KEPT]],
        "outstanding": [_kept(one, "amount") for one in outstanding],
    }
    await session.execute(update(Reconciliation).where(Reconciliation.id == id_).values(result))
    await moved(session, id_)


def _kept(found: Difference | Outstanding, *wide: str) -> dict[str, Any]:
    """As JSON; what may have more digits than its numbers, as text."""
    kept = asdict(found)
    return kept | {name: str(kept[name]) for name in wide}
