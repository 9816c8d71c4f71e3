"""Files come, are submitted for a period, and end as refused; in the caller's transaction."""

import hashlib
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.partnerfiles.errors import PartnerFileBusy, PartnerFileTooLarge
from alliance.partnerfiles.model import FileStatus, PartnerFile, PartnerFilePart
from domain.base import new_id
from domain.errors import NotFound, Refusal
from domain.events.commands import add_job
from domain.events.progress import moved

PART = 1 << 20
"""Bytes of a file that are kept in one row."""

CONTENT_KEPT = timedelta(days=30)
"""How long the content of a file is kept; what came of its lines is kept as long as the file."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as it is announced: whose it is, its name, and the sender's own key for it."""

    merchant_id: UUID
    name: str
    key: str
    who: str
    as_of: datetime


@dataclass(slots=True)
class Receiving:
    """A file on its way: parts are kept as they come. `limit` is how many bytes it may have."""

    session: AsyncSession
    sent: Sent
    limit: int
    id: UUID = field(default_factory=new_id)
    size: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)
    _waiting: bytearray = field(default_factory=bytearray)
    _parts: int = 0

    async def write(self, content: bytes) -> None:
        """Some more of it. Raises PartnerFileTooLarge."""
        self.size += len(content)
        if self.size > self.limit:
            raise PartnerFileTooLarge(limit=self.limit)
        self._digest.update(content)
        self._waiting += content
        while len(self._waiting) >= PART:
            await self._keep(bytes(self._waiting[:PART]))
            del self._waiting[:PART]

    async def end(self) -> PartnerFile:
        """That was all: the file; the one that is there already, if the sender sent this content under this key."""
        if self._waiting:
            await self._keep(bytes(self._waiting))
        sent, digest = self.sent, self._digest.hexdigest()
        row = {
            "id": self.id,
            "merchant_id": sent.merchant_id,
            "name": sent.name,
            "key": sent.key,
            "digest": digest,
            "size": self.size,
            "status": FileStatus.RECEIVED,
            "received_at": sent.as_of,
            "received_by": sent.who,
        }
        added = insert(PartnerFile).values(row).on_conflict_do_nothing().returning(PartnerFile.id)
        known = await self.session.scalar(added) is None
        same = (PartnerFile.merchant_id == sent.merchant_id) & (PartnerFile.key == sent.key)
        found = (await self.session.scalars(select(PartnerFile).where(same, PartnerFile.digest == digest))).one()
        if known:
            await _same_content(self.session, self.id, found.id)
        return found

    async def _keep(self, part: bytes) -> None:
        row = {"file_id": self.id, "seq": self._parts, "content": zlib.compress(part, 1)}
        await self.session.execute(insert(PartnerFilePart).values(row))
        self._parts += 1


@dataclass(frozen=True, slots=True)
class Submission:
    """For which period a file is: a cycle, or a day that falls into it; of which mapping, and whose lines alone."""

    cycle_id: UUID
    day: date | None
    mapping: str
    other_id: UUID | None
    dry_run: bool = False


async def submit(
    session: AsyncSession, id_: UUID, wanted: Submission, *, who: str, as_of: datetime, job: bool = True
) -> PartnerFile:
    """Have a file reconciled, by a `job` unless the caller does it. Done again for the same, it changes nothing.

    Raises NotFound, PartnerFileBusy for a file that is in use for another period.
    """
    file = await session.scalar(select(PartnerFile).where(PartnerFile.id == id_).with_for_update())
    if file is None:
        raise NotFound(what="file", path=("file",))
    before = Submission(file.cycle_id or wanted.cycle_id, file.day, file.mapping or "", file.other_id, file.dry_run)
    going = file.status in (FileStatus.SUBMITTED, FileStatus.RUNNING)
    done = file.status == FileStatus.DONE and not file.dry_run
    if done and wanted.dry_run:
        raise PartnerFileBusy(status=file.status, path=("file",))
    if going or done:
        if before != wanted:
            raise PartnerFileBusy(status=file.status, path=("file",))
        if job:
            return file
    file.cycle_id, file.day, file.mapping = wanted.cycle_id, wanted.day, wanted.mapping
    file.other_id, file.dry_run, file.status = wanted.other_id, wanted.dry_run, FileStatus.SUBMITTED
    file.submitted_at, file.submitted_by, file.finished_at = as_of, who, None
    file.step, file.done, file.total, file.problems, file.refusal, file.outcomes = "", 0, 0, [], None, {}
    file.superseded_by = None
    await session.flush()
    if job:
        await add_job(session, "partner_file", {"file": str(id_)}, queue="bulk", dedupe=f"partner_file {id_}")
    await moved(session, id_)
    return file


async def start(session: AsyncSession, id_: UUID) -> bool:
    """The file is being worked on; False if there is nothing to do for it."""
    going = PartnerFile.status.in_((FileStatus.SUBMITTED, FileStatus.RUNNING))
    running = update(PartnerFile).where(PartnerFile.id == id_, going).values(status=FileStatus.RUNNING)
    if await session.scalar(running.returning(PartnerFile.id)) is None:
        return False
    await moved(session, id_)
    return True


async def refuse(
    session: AsyncSession, file_id: UUID, refusal: Refusal, problems: list[dict[str, Any]], as_of: datetime
) -> None:
    """The file is refused whole, and why; nothing of it was matched."""
    values = {"status": FileStatus.REFUSED, "finished_at": as_of, "refusal": refusal.to_json(), "problems": problems}
    await session.execute(update(PartnerFile).where(PartnerFile.id == file_id).values(values))
    await moved(session, file_id)


async def forget_content(session: AsyncSession, as_of: datetime) -> None:
    """Forget what files said that came too long before `as_of`; who sent them may have named members in them."""
    old = select(PartnerFile.id).where(PartnerFile.received_at < as_of - CONTENT_KEPT)
    await session.execute(delete(PartnerFilePart).where(PartnerFilePart.file_id.in_(old)))


async def _same_content(session: AsyncSession, came: UUID, file_id: UUID) -> None:
    """Content that `came` again is that of a file which is here, where it was forgotten since."""
    here = select(PartnerFilePart.seq).where(PartnerFilePart.file_id == file_id).limit(1)
    same = PartnerFilePart.file_id == came
    if await session.scalar(here) is None:
        await session.execute(update(PartnerFilePart).where(same).values(file_id=file_id))
    else:
        await session.execute(delete(PartnerFilePart).where(same))


async def content(session: AsyncSession, file_id: UUID) -> AsyncIterator[bytes]:
    """A file's content, a part at a time; nothing where it is forgotten."""
    seq = 0
    while True:
        place = (PartnerFilePart.file_id == file_id) & (PartnerFilePart.seq == seq)
        part = await session.scalar(select(PartnerFilePart.content).where(place))
        if part is None:
            return
        yield zlib.decompress(part)
        seq += 1
