"""Mails to staff are added, each with a job that sends it, and kept with what became of them: in the caller's
transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.staff.kinds import mail_of
from alliance.staff.model import MailState, StaffMail
from domain.base import first_id, new_id
from domain.events.commands import add_jobs
from domain.events.model import NewJob
from domain.programs.catalogue import Catalogue
from domain.programs.staffing import Contact

SENDER = "staff_send"
"""The actor whose jobs are mails to be sent."""

ITEMS = 20
"""So many of what it tells of stand in a mail; of the rest, how many."""


@dataclass(frozen=True, slots=True)
class News:
    """Something that a party's staff is to be told; `items` of one kind and source become one mail."""

    party_id: UUID
    kind: str
    source: str
    items: Sequence[Any]


def contacts(catalogue: Catalogue, party_id: UUID) -> tuple[Contact, ...]:
    """Whom a merchant, or the operator, named."""
    merchant = catalogue.merchants_by_id.get(party_id)
    if merchant is not None:
        return merchant.contacts
    return catalogue.alliance.contacts if party_id == catalogue.alliance.id else ()


def anyone(catalogue: Catalogue) -> bool:
    """Whether there is anybody to write to."""
    return bool(catalogue.alliance.contacts) or any(one.contacts for one in catalogue.merchants.values())


async def add_mails(session: AsyncSession, catalogue: Catalogue, news: Sequence[News]) -> int:
    """Add a mail for each contact that wants the topic, and a job for each that was not there; how many there were."""
    rows = [
        {
            "id": new_id(),
            "party_id": one.party_id,
            "contact": contact.key,
            "source": one.source,
            "kind": one.kind,
            "data": list(one.items[:ITEMS]),
            "count": len(one.items),
        }
        for one in news
        for contact in contacts(catalogue, one.party_id)
        if contact.wants(mail_of(one.kind).topic)
    ]
    if not rows:
        return 0
    added = await session.scalars(insert(StaffMail).values(rows).on_conflict_do_nothing().returning(StaffMail.id))
    jobs = [NewJob(SENDER, {"mail": str(id_)}, queue="bulk") for id_ in added]
    await add_jobs(session, jobs)
    return len(jobs)


@dataclass(frozen=True, slots=True)
class Became:
    """What became of a mail in an attempt; WAITING: it is tried again."""

    id: UUID
    state: MailState
    proof: str | None = None
    why: str | None = None


_KEEP = text("""
    UPDATE staff_mail SET state = b.state, why = b.why, proof = coalesce(b.proof, staff_mail.proof),
        attempts = attempts + 1, sent_at = CASE WHEN b.state = 'SENT' THEN CAST(:at AS timestamptz) END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:whys AS text[]), CAST(:proofs AS text[]))
         AS b (id, state, why, proof)
    WHERE staff_mail.id = b.id
""")


async def keep(session: AsyncSession, outcomes: Sequence[Became], at: datetime) -> None:
    """Keep what became of mails."""
    if outcomes:
        values: dict[str, Any] = {
            "at": at,
            "ids": [one.id for one in outcomes],
            "states": [one.state.value for one in outcomes],
            "whys": [one.why for one in outcomes],
            "proofs": [one.proof for one in outcomes],
        }
        await session.execute(_KEEP, values)


_FORGET = text("""
    DELETE FROM staff_mail WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM staff_mail WHERE id < :first AND state <> 'WAITING' ORDER BY id LIMIT :size))""")


async def forget_mails(session: AsyncSession, before: datetime, size: int) -> int:
    """Delete at most `size` mails that were added before, but for those that are still to be sent; how many."""
    deleted = await session.execute(_FORGET, {"first": first_id(before), "size": size})
    count: int = deleted.rowcount  # type: ignore[attr-defined]
    return count
