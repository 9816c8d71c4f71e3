"""Erasing a person and keeping the books (L7).

What was sealed under their key is noise once it is destroyed, wherever copies of it lie. What lies open (free texts,
rows of feeds that were refused) is deleted. What is left names a holder who is nobody: the ledger, the log and what
merchants owe each other stay as they are, and so do their proofs.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.privacy.errors import AlreadyErased, UnderLegalHold
from domain.contacts.model import ContactPreference
from domain.duplicates.commands import forget_pairs
from domain.duplicates.model import DuplicateCandidate, DuplicateKey
from domain.events.commands import add_event
from domain.events.kinds import EventKind
from domain.guard.commands import forget_reasons
from domain.guard.model import MemberDevice
from domain.ledger.aliases import absorbed
from domain.ledger.model import OperationNote
from domain.members.forgetting import forget_identifiers
from domain.members.leaving import close_now
from domain.members.life import locked
from domain.members.model import Membership, MemberStatus
from domain.members.queries import identifiers
from domain.privacy.commands import destroy_keys
from domain.privacy.holds import holds_in_force
from domain.privacy.model import Erasure
from domain.privacy.reasons import ErasureReason
from domain.profiles.model import MemberAttribute, MemberTag
from domain.sessions.commands import sign_out

ERASED = "ERASED"
"""Why a member is closed who was erased."""

LEAST = 4
"""Characters of a value that is looked for in free text."""

_POOL_NAMES = text("""
    DELETE FROM pool_name p USING pool_member m
    WHERE m.holder_id = p.holder_id AND m.member_id = :member AND m.role = 'OWNER'
""")
# Words that came with a gift lie under who gave it; those about what a member took of a pool, under the pool.
_NOTES_ELSEWHERE = text("""
    DELETE FROM operation_note n
    USING (SELECT counter_holder_id, operation_id FROM entry
           WHERE holder_id = ANY(CAST(:people AS uuid[])) AND counter_account = 'POINTS'
           UNION
           SELECT o.holder_id, o.id
           FROM pool_member m JOIN pool_spend s ON s.holder_id = m.holder_id AND s.member_id = m.member_id
           JOIN operation o ON o.holder_id = s.holder_id AND s.operation_id IN (o.id, o.reverses)
           WHERE m.member_id = ANY(CAST(:people AS uuid[]))) AS about (holder_id, operation_id)
    WHERE n.holder_id = about.holder_id AND n.operation_id = about.operation_id
""")
_FED = text("""
    UPDATE accrual_refusal SET content = '' FROM unnest(CAST(:values AS text[])) AS v (value)
    WHERE position(v.value IN content) > 0
""")
# Jobs in hand are done, and gone, in a moment; those that failed would stay.
_FAILED = text("""
    DELETE FROM job USING unnest(CAST(:values AS text[])) AS v (value)
    WHERE failed_at IS NOT NULL AND position(v.value IN args::text) > 0
""")


async def erase(
    session: AsyncSession,
    member_id: uuid.UUID,
    *,
    reason: ErasureReason,
    as_of: datetime,
    client_id: uuid.UUID | None = None,
) -> None:
    """Forget a person, in the caller's transaction: they are closed, and nothing opens any more that was theirs.

    Merchants they joined are told by an event. What is left of them is settled as of who leaves (alliance.leaving), by
    their own wish where they asked for it.
    Raises NotFound, AlreadyErased, UnderLegalHold.
    """
    member = await locked(session, member_id)
    if await was_erased(session, member_id):
        raise AlreadyErased(path=("member",))
    # Whom they absorbed is the same person: rows that lay under another id lie there still.
    people = [member_id, *(await absorbed(session, [member_id])).get(member_id, ())]
    if holds := [hold for one in people for hold in await holds_in_force(session, one, as_of)]:
        ends = [hold.until for hold in holds]
        until = None if None in ends else max(end for end in ends if end is not None)
        raise UnderLegalHold(until=None if until is None else until.isoformat(), path=("member",))
    known_by = [one.value for one in (await identifiers(session, [member_id]))[member_id]]
    if member.status != MemberStatus.CLOSED:
        await close_now(session, member, status=ERASED, own_wish=reason == ErasureReason.REQUESTED, as_of=as_of)
    for one in people:
        await forget_identifiers(session, one)
        await sign_out(session, one, as_of)
        await session.execute(_POOL_NAMES, {"member": one})
    alike = or_(DuplicateCandidate.one_id.in_(people), DuplicateCandidate.other_id.in_(people))
    await session.execute(delete(DuplicateCandidate).where(alike))
    for table in (ContactPreference, OperationNote, MemberAttribute, MemberTag, MemberDevice, DuplicateKey):
        await session.execute(delete(table).where(table.holder_id.in_(people)))
    await session.execute(_NOTES_ELSEWHERE, {"people": people})
    await _forget_lines(session, known_by)
    await destroy_keys(session, people, as_of)
    kept = {"erased_at": as_of, "reason": reason.value, "client_id": client_id}
    await session.execute(insert(Erasure), [kept | {"holder_id": one} for one in people])
    for one in people:
        await forget_pairs(session, one)
        await forget_reasons(session, one)
    joined = await session.scalars(select(Membership.merchant_id).where(Membership.holder_id == member_id))
    await add_event(session, member_id, EventKind.MEMBER_ERASED, {"reason": reason.value}, *joined)


async def was_erased(session: AsyncSession, member_id: uuid.UUID) -> bool:
    """Whether this member is nobody by now."""
    return await session.get(Erasure, member_id) is not None


async def _forget_lines(session: AsyncSession, values: Sequence[str]) -> None:
    """Lines of feeds that name the member and were not taken. What is too short would be found in any line."""
    values = [value for value in values if len(value) >= LEAST]
    if values:
        await session.execute(_FED, {"values": values})
        await session.execute(_FAILED, {"values": values})
