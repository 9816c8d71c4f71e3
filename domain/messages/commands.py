"""Messages are added, each with a job that sends it, and what became of them is kept; in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.base import new_id
from domain.events.commands import add_jobs
from domain.events.model import NewJob
from domain.messages.model import Message, MessageState, MessageText
from domain.messages.texts import Chosen

SENDER = "send"
"""The actor whose jobs are messages to be sent."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be sent; see `Message`."""

    holder_id: UUID
    source: str
    channel: str
    kind: str
    merchant_id: UUID
    purpose: str
    data: dict[str, Any]
    notice_id: UUID | None
    due_at: datetime


async def add_messages(session: AsyncSession, messages: Sequence[NewMessage]) -> int:
    """Add messages, and a job for each that was not there; how many there were."""
    if not messages:
        return 0
    rows = [asdict(message) | {"id": new_id()} for message in messages]
    added = await session.execute(
        insert(Message).values(rows).on_conflict_do_nothing().returning(Message.holder_id, Message.id, Message.due_at)
    )
    return await send_at(session, [(holder_id, id_, due_at) for holder_id, id_, due_at in added])


async def send_at(session: AsyncSession, due: Sequence[tuple[UUID, UUID, datetime]]) -> int:
    """Add the jobs that send messages (holder, id) at a time; how many."""
    await add_jobs(
        session,
        [
            NewJob(SENDER, {"holder": str(holder_id), "message": str(id_)}, queue="bulk", available_at=due_at)
            for holder_id, id_, due_at in due
        ],
    )
    return len(due)


@dataclass(frozen=True, slots=True)
class Became:
    """What became of a message in an attempt; WAITING: it is tried again, at `due_at`. It was made of `text`."""

    message: Message
    state: MessageState
    at: datetime
    due_at: datetime | None = None
    proof: str | None = None
    why: str | None = None
    text: Chosen | None = None


_KEEP = text("""
    UPDATE message SET
        state = b.state, why = b.why, provider_id = coalesce(b.proof, provider_id),
        due_at = coalesce(b.due_at, message.due_at), attempts = attempts + CASE WHEN b.due_at IS NULL THEN 1 ELSE 0 END,
        language = coalesce(b.language, message.language), template = coalesce(b.template, message.template),
        delivered_at = CASE WHEN b.state = 'DELIVERED' THEN b.at END
    FROM unnest(CAST(:holders AS uuid[]), CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:whys AS text[]),
                CAST(:proofs AS text[]), CAST(:due AS timestamptz[]), CAST(:at AS timestamptz[]),
                CAST(:languages AS text[]), CAST(:templates AS text[]))
         AS b (holder_id, id, state, why, proof, due_at, at, language, template)
    WHERE message.holder_id = b.holder_id AND message.id = b.id
""")


async def keep(session: AsyncSession, outcomes: Sequence[Became]) -> None:
    """Keep what became of messages, and the texts that were used for the first time."""
    if not outcomes:
        return
    used = {
        one.text.digest: {
            "digest": one.text.digest,
            "kind": one.message.kind,
            "language": one.text.language,
            "parts": dict(one.text.parts),
            "first_used_at": one.at,
        }
        for one in outcomes
        if one.text is not None
    }
    if used:
        # Sorted, so that two batches that use the same texts never wait for each other.
        rows = [used[digest] for digest in sorted(used)]
        await session.execute(insert(MessageText).values(rows).on_conflict_do_nothing())
    values: dict[str, Any] = {
        "holders": [one.message.holder_id for one in outcomes],
        "ids": [one.message.id for one in outcomes],
        "states": [one.state.value for one in outcomes],
        "whys": [one.why for one in outcomes],
        "proofs": [one.proof for one in outcomes],
        "due": [one.due_at for one in outcomes],
        "at": [one.at for one in outcomes],
        "languages": [one.text and one.text.language for one in outcomes],
        "templates": [one.text and one.text.digest for one in outcomes],
    }
    await session.execute(_KEEP, values)
