"""What is said and done about disputes, one row a step, and who is told; when whoever it waits for must have acted."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.calendar import Calendar
from alliance.disputes.life import DisputeStatus, Move, Side
from alliance.disputes.model import Attachment, Dispute, DisputeStep, Door, StepAttachment
from domain.errors import InvalidInput, NotFound
from domain.events.commands import add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent
from domain.programs.catalogue import Alliance

LONGEST_TEXT = 1000
MOST_ATTACHMENTS = 10
"""Of a step."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step that was taken about a dispute, as the dispute is after it."""

    dispute: Dispute
    side: Side
    party_id: uuid.UUID
    who: uuid.UUID
    move: Move
    as_of: datetime
    text: str = ""
    amount: int | None = None
    attachments: Sequence[uuid.UUID] = ()


def require_text(text: str) -> None:
    """Raises InvalidInput for a text that is too long to be kept."""
    if len(text) > LONGEST_TEXT:
        raise InvalidInput(reason=f"a text has at most {LONGEST_TEXT} characters", path=("text",))


def due_at(alliance: Alliance, status: str, as_of: datetime) -> datetime:
    """Until when, exclusive, whoever a dispute waits for may act that came into this status then (A10)."""
    terms = alliance.cycle
    days = {DisputeStatus.RAISED: terms.answer, DisputeStatus.ANSWERED: terms.round}.get(
        DisputeStatus(status), terms.decision
    )
    return Calendar.of(alliance.calendar).deadline(as_of, days, alliance.timezone)


async def add_steps(session: AsyncSession, steps: Sequence[Step]) -> None:
    """Record steps, one a dispute, and tell both parties."""
    if not steps:
        return
    named = [step.dispute.id for step in steps]
    taken = await session.execute(
        select(DisputeStep.dispute_id, func.max(DisputeStep.seq))
        .where(DisputeStep.dispute_id.in_(named))
        .group_by(DisputeStep.dispute_id)
    )
    last: dict[uuid.UUID, int] = dict(taken.all())
    rows, files = [], []
    for step in steps:
        place = {"dispute_id": step.dispute.id, "seq": last.get(step.dispute.id, 0) + 1}
        rows.append(
            place
            | {
                "side": step.side.value,
                "party_id": step.party_id,
                "who": step.who,
                "move": step.move.value,
                "status": step.dispute.status,
                "amount": step.amount,
                "text": step.text,
                "as_of": step.as_of,
            }
        )
        files += [place | {"attachment_id": id_} for id_ in dict.fromkeys(step.attachments)]
    await session.execute(insert(DisputeStep), rows)
    if files:
        await session.execute(insert(StepAttachment), files)
    await add_events(session, [event for step in steps for event in _events(step)])


def _events(step: Step) -> list[NewEvent]:
    """What both parties are told; and the alarm, where the operator did not decide in time.

    Of objections that are raised one event tells for all lines of a pair: LINES_OBJECTED.
    """
    dispute = step.dispute
    if step.move is Move.RAISE and dispute.door == Door.OBJECTION:
        return []
    parties = (dispute.raiser_id, dispute.against_id)
    data: dict[str, Any] = {
        "claim": str(dispute.id),
        "door": dispute.door,
        "step": step.move.value,
        "status": dispute.status,
        "merchant": str(dispute.raiser_id),
        "against": str(dispute.against_id),
        "claimed": str(dispute.claimed),
        "accepted": None if dispute.accepted is None else str(dispute.accepted),
        "dueAt": None if dispute.decided_at is not None else dispute.due_at.isoformat(),
        "asOf": step.as_of.isoformat(),
    }
    data = {name: value for name, value in data.items() if value is not None}
    told = [NewEvent(dispute.id, EventKind.CLAIM_STEP, data, parties)]
    if dispute.status == DisputeStatus.LAPSED:
        names = ("claim", "merchant", "against", "asOf")
        told.append(NewEvent(dispute.id, EventKind.CLAIM_UNDECIDED, {name: data[name] for name in names}, parties))
    return told


async def require_attachments(session: AsyncSession, ids: Collection[uuid.UUID], party_id: uuid.UUID) -> None:
    """Raises NotFound for a file that this party did not send, InvalidInput for too many."""
    if len(set(ids)) > MOST_ATTACHMENTS:
        raise InvalidInput(reason=f"a step has at most {MOST_ATTACHMENTS} attachments", path=("attachments",))
    if set(ids) - await known_attachments(session, ids, party_id):
        raise NotFound(what="attachment", path=("attachments",))


async def known_attachments(session: AsyncSession, ids: Collection[uuid.UUID], party_id: uuid.UUID) -> set[uuid.UUID]:
    """Which of these are files that this party sent."""
    if not ids:
        return set()
    known = select(Attachment.id).where(Attachment.id.in_(ids), Attachment.party_id == party_id)
    return set(await session.scalars(known))
