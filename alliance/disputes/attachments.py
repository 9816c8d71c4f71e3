"""Small files that come with steps of disputes: kept in the database, for the two parties and the operator (A14)."""

import hashlib
import uuid
from datetime import datetime

from sqlalchemy import delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from alliance.disputes.errors import TooManyAttachments
from alliance.disputes.model import Attachment, Dispute, StepAttachment
from domain.errors import InvalidInput

LARGEST = 5 * 1024 * 1024
"""Bytes of a file."""
LONGEST_NAME = 200
MOST_UNUSED = 100
"""Files of a party that belong to no step yet; what is over a week old of them is deleted."""

_BEGINS = {"application/pdf": b"%PDF-", "image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
_TEXTS = ("text/csv", "text/plain")
MEDIA_TYPES = (*_BEGINS, *_TEXTS)


def require_file(name: str, media_type: str, content: bytes) -> None:
    """Raises InvalidInput for a file that is too large, of another type than it says, or of none that is kept."""
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or "/" in name or "\\" in name:
        raise InvalidInput(reason=f"a name has at most {LONGEST_NAME} characters and no folder", path=("name",))
    if media_type not in MEDIA_TYPES:
        raise InvalidInput(reason=f"a file is one of {', '.join(MEDIA_TYPES)}", path=("type",))
    if not 0 < len(content) <= LARGEST:
        raise InvalidInput(reason=f"a file has 1 to {LARGEST} bytes", path=("content",))
    if not (content.startswith(_BEGINS[media_type]) if media_type in _BEGINS else _is_text(content)):
        raise InvalidInput(reason=f"this is no {media_type}", path=("content",))


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode("utf-8")
    except UnicodeDecodeError:
        return False


async def keep(
    session: AsyncSession, name: str, media_type: str, content: bytes, *, party_id: uuid.UUID, who: uuid.UUID
) -> Attachment:
    """Keep a file that a party sends for a step to come. Raises InvalidInput, TooManyAttachments."""
    require_file(name, media_type, content)
    used = select(StepAttachment.attachment_id).where(StepAttachment.attachment_id == Attachment.id).exists()
    mine = select(func.count()).select_from(Attachment).where(Attachment.party_id == party_id, ~used)
    if (await session.scalar(mine) or 0) >= MOST_UNUSED:
        raise TooManyAttachments(most=MOST_UNUSED)
    row = Attachment(
        party_id=party_id,
        name=name,
        media_type=media_type,
        size=len(content),
        sha256=hashlib.sha256(content).digest(),
        content=content,
        who=who,
    )
    session.add(row)
    await session.flush()
    return row


async def by_id(session: AsyncSession, id_: uuid.UUID, party: uuid.UUID | None) -> Attachment | None:
    """A file with its content, if that party sent it or is one of a dispute it came with; None is whoever sees all."""
    query = select(Attachment).where(Attachment.id == id_).options(undefer(Attachment.content))
    if party is not None:
        seen = (
            select(StepAttachment.attachment_id)
            .join(Dispute, Dispute.id == StepAttachment.dispute_id)
            .where(StepAttachment.attachment_id == Attachment.id)
            .where(or_(Dispute.raiser_id == party, Dispute.against_id == party))
        )
        query = query.where(or_(Attachment.party_id == party, seen.exists()))
    return await session.scalar(query)


async def forget_unused(session: AsyncSession, before: datetime) -> None:
    """Delete files that were sent before then and belong to no step."""
    used = select(StepAttachment.attachment_id).where(StepAttachment.attachment_id == Attachment.id).exists()
    await session.execute(
        delete(Attachment).where(Attachment.at < before, ~used), execution_options={"synchronize_session": False}
    )
