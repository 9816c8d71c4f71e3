"""Notices come due, and are reported on. Rows are added in the caller's transaction, many at a time."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.base import new_id
from domain.errors import InvalidInput, NotFound
from domain.events.commands import add_events, add_jobs
from domain.events.kinds import EventKind
from domain.events.model import NewEvent, NewJob
from domain.notices.model import Notice, NoticeKind, NoticeReport, Outcome

SENDER = "notify"
"""The actor whose jobs say which notice is to be sent."""

AHEAD = {NoticeKind.EXPIRY: EventKind.EXPIRY_AHEAD, NoticeKind.EXIT: EventKind.EXIT_AHEAD}
"""The event that a notice is, by its kind."""


@dataclass(frozen=True, slots=True)
class NewNotice:
    """A notice to be sent; see `Notice`."""

    holder_id: UUID
    kind: NoticeKind
    currency: str
    issuer_id: UUID
    points: int
    due_at: datetime
    opens_at: datetime
    closes_at: datetime | None


async def add_notices(session: AsyncSession, notices: Sequence[NewNotice]) -> int:
    """Add notices, and a job for each that was not there; how many there were."""
    if not notices:
        return 0
    rows = [asdict(notice) | {"id": new_id(), "kind": notice.kind.value} for notice in notices]
    added = await session.execute(
        insert(Notice).values(rows).on_conflict_do_nothing().returning(Notice.holder_id, Notice.id)
    )
    fresh = {id_: holder_id for holder_id, id_ in added}
    jobs = [
        NewJob(SENDER, {"holder": str(holder_id), "notice": str(id_)}, dedupe=f"{SENDER} {id_}")
        for id_, holder_id in fresh.items()
    ]
    await add_jobs(session, jobs)
    await add_events(session, [_event(row) for row in rows if row["id"] in fresh])
    return len(jobs)


def _event(row: dict[str, Any]) -> NewEvent:
    """That points are lost, or sold, at a time."""
    data = {"notice": str(row["id"]), "merchant": str(row["issuer_id"]), "currency": row["currency"]}
    data |= {"points": row["points"], "dueAt": row["due_at"].isoformat()}
    return NewEvent(row["holder_id"], AHEAD[row["kind"]], data, (row["issuer_id"],))


async def report(
    session: AsyncSession,
    *,
    holder_id: UUID,
    notice_id: UUID,
    outcome: Outcome,
    happened_at: datetime,
    channel: str | None,
    proof: str | None,
    as_of: datetime,
    client_id: UUID | None,
    onwards: bool = True,
) -> Notice:
    """Keep what became of a notice. One that failed goes `onwards`, by another channel if there is one: also where its
    delivery by this one was reported before (it bounced).

    Raises NotFound, and InvalidInput for a delivery without channel or proof.
    """
    notice = await session.get(Notice, (holder_id, notice_id))
    if notice is None:
        raise NotFound(what="notice", path=("notice",))
    if outcome is Outcome.DELIVERED and not (channel and proof):
        path = "proof" if channel else "channel"
        raise InvalidInput(reason="a delivery names its channel and its proof", path=(path,))
    if not notice.opens_at <= happened_at <= as_of:
        raise InvalidInput(reason="must lie between the notice and now", path=("happenedAt",))
    row: dict[str, Any] = {"holder_id": holder_id, "notice_id": notice_id, "id": new_id(), "outcome": outcome.value}
    row |= {"channel": channel, "happened_at": happened_at, "proof": proof, "client_id": client_id}
    await session.execute(insert(NoticeReport).values(row))
    if outcome is Outcome.FAILED and onwards:
        await add_jobs(session, [NewJob(SENDER, {"holder": str(holder_id), "notice": str(notice_id)})])
    return notice
