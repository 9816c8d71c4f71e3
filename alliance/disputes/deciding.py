"""The steps of a dispute, each in the caller's transaction: what is done about it, and what its end does to the books.

What was accepted is a correction in the open cycle; a line that was objected to opens the account of its pair there,
whoever was right, so that nothing is left in suspense (A10). See docs/decisions/objections.md.
"""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.corrections.commands import Line, book
from alliance.corrections.model import Cause
from alliance.disputes.errors import AnswerTooLate
from alliance.disputes.life import DisputeStatus, Move, Side, State, after
from alliance.disputes.model import Dispute, Door, Objection
from alliance.disputes.threads import Step, add_steps, due_at, require_attachments, require_text
from alliance.exposure.commands import make_room, withhold
from alliance.exposure.model import Exposure
from alliance.settlement.closing import ensure_open_cycle
from alliance.settlement.model import CYCLE_LOCK
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.programs.catalogue import Alliance

NEEDS_TEXT = (Move.REJECT, Move.DECIDE, Move.NOTE)
"""What is not done without saying why."""

_AMOUNTS = (Move.ACCEPT_PARTLY, Move.INSIST, Move.DECIDE)

BATCH = 500
"""Disputes that silence decides at a time."""


async def take_step(
    session: AsyncSession,
    alliance: Alliance,
    dispute_id: uuid.UUID,
    move: Move,
    *,
    party_id: uuid.UUID,
    who: uuid.UUID,
    as_of: datetime,
    text: str = "",
    amount: int | None = None,
    attachments: Collection[uuid.UUID] = (),
) -> Dispute:
    """Take a party's step, or the operator's, whose party is the alliance. `amount` is in millionths.

    Of two at the same time the later finds what the earlier made of it. Raises NotFound also to who is no party of it;
    NotAllowed to the operator who would decide its own, which stands as booked then; WrongClaimStatus, AnswerTooLate
    once silence has decided, InvalidInput.
    """
    query = select(Dispute).where(Dispute.id == dispute_id).with_for_update()
    dispute = await session.scalar(query, execution_options={"populate_existing": True})
    side = None if dispute is None else _side(dispute, move, party_id, alliance)
    if dispute is None or side is None:
        raise NotFound(what="claim", path=("claim",))
    if side is Side.OPERATOR and move is Move.DECIDE and alliance.id in (dispute.raiser_id, dispute.against_id):
        raise NotAllowed(reason="nobody decides a dispute of their own", path=("claim",))
    if dispute.decided_at is None and as_of >= dispute.due_at:
        raise AnswerTooLate(until=dispute.due_at.isoformat(), path=("claim",))
    if amount is not None and move not in _AMOUNTS:
        raise InvalidInput(reason=f"{move.value} takes no amount", path=("amount",))
    state = after(_state(dispute), side, move, amount)
    require_text(text)
    if move in NEEDS_TEXT and not text.strip():
        raise InvalidInput(reason=f"{move.value} needs a text", path=("text",))
    await require_attachments(session, attachments, party_id)
    _enter(dispute, state, alliance, as_of)
    await session.flush()
    step = Step(dispute, side, party_id, who, move, as_of, text, amount, tuple(attachments))
    await add_steps(session, [step])
    await _conclude(session, alliance, [dispute], who=who, why=text or f"claim: {move.value}", as_of=as_of)
    return dispute


def _side(dispute: Dispute, move: Move, party_id: uuid.UUID, alliance: Alliance) -> Side | None:
    """On which side this party acts; None if it has no part in the dispute."""
    if move is Move.DECIDE:
        return Side.OPERATOR if party_id == alliance.id else None
    if party_id == dispute.raiser_id:
        return Side.RAISER
    if party_id == dispute.against_id:
        return Side.OTHER
    return Side.OPERATOR if party_id == alliance.id else None


def _state(dispute: Dispute) -> State:
    status = DisputeStatus(dispute.status)
    return State(status, dispute.round, dispute.claimed, dispute.offered, dispute.accepted)


def _enter(dispute: Dispute, state: State, alliance: Alliance, as_of: datetime) -> None:
    """Keep where it is now; who has to act next has the whole of the deadline."""
    if state.is_open and state.status != dispute.status:
        dispute.due_at = due_at(alliance, state.status, as_of)
    dispute.status, dispute.round = state.status.value, state.round
    dispute.claimed, dispute.offered, dispute.accepted = state.claimed, state.offered, state.accepted
    dispute.decided_at = None if state.is_open else as_of


async def apply_silences(session: AsyncSession, alliance: Alliance, as_of: datetime, most: int = BATCH) -> int:
    """Let silence decide disputes whose deadline has passed, at most so many; how many it did. Again: none."""
    overdue = (
        select(Dispute)
        .where(Dispute.decided_at.is_(None), Dispute.due_at <= as_of)
        .order_by(Dispute.due_at, Dispute.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    found = (await session.scalars(overdue, execution_options={"populate_existing": True})).all()
    for dispute in found:
        _enter(dispute, after(_state(dispute), Side.CALENDAR, Move.SILENCE), alliance, as_of)
    await session.flush()
    steps = [Step(one, Side.CALENDAR, alliance.id, alliance.id, Move.SILENCE, as_of) for one in found]
    await add_steps(session, steps)
    await _conclude(session, alliance, found, who=alliance.id, why="silence", as_of=as_of)
    return len(found)


async def _conclude(
    session: AsyncSession, alliance: Alliance, disputes: Sequence[Dispute], *, who: uuid.UUID, why: str, as_of: datetime
) -> None:
    """Take those that are decided out of suspense, and correct what was accepted, all in the open cycle."""
    decided = [one for one in disputes if one.decided_at is not None]
    if not decided:
        return
    await session.execute(select(func.pg_advisory_xact_lock_shared(*CYCLE_LOCK)))
    parties = {party for one in decided for party in (one.raiser_id, one.against_id)}
    # In the order in which postings lock them.
    positions = select(Exposure.merchant_id).where(Exposure.merchant_id.in_(parties))
    await session.execute(positions.order_by(Exposure.merchant_id).with_for_update())
    await _release(session, [one.id for one in decided if one.door == Door.OBJECTION], as_of)
    for door, cause in ((Door.OBJECTION, Cause.OBJECTION), (Door.CLAIM, Cause.CLAIM)):
        lines = [_correction(one) for one in decided if one.door == door and one.accepted]
        await book(session, alliance, lines, cause=cause, cause_id=None, who=who, why=why, as_of=as_of)


def _correction(dispute: Dispute) -> Line:
    """What was accepted, on the line as it was owed."""
    by_raiser = dispute.debtor_id == dispute.raiser_id
    other = dispute.against_id if by_raiser else dispute.raiser_id
    accepted = dispute.accepted or 0
    place = None
    if dispute.holder_id is not None and dispute.operation_id is not None and dispute.seq is not None:
        place = (dispute.holder_id, dispute.operation_id, dispute.seq)
    amount = -accepted if by_raiser else accepted
    return Line(dispute.debtor_id, other, amount, corrects=place, cause_id=dispute.id)


async def _release(session: AsyncSession, ids: Sequence[uuid.UUID], as_of: datetime) -> None:
    """Let lines that were in suspense open the accounts of their pairs in the open cycle."""
    if not ids:
        return
    cycle = await ensure_open_cycle(session, as_of)
    released = await session.execute(
        update(Objection)
        .where(Objection.id.in_(ids), Objection.released_in.is_(None))
        .values(released_in=cycle.id)
        .returning(Objection.first_id, Objection.second_id, Objection.amount),
        execution_options={"synchronize_session": False},
    )
    await withhold(session, [((first, second), amount) for first, second, amount in released], again=True)
    await make_room(session, as_of)
