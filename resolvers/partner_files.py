"""Partners' own files: a merchant sees and submits its own, the operator any; the counterparty nothing (A14)."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.partnerfiles import commands, queries
from alliance.partnerfiles.check import Checked, check
from alliance.partnerfiles.model import FileStatus, PartnerFile
from alliance.partnerfiles.periods import submission
from alliance.partnerfiles.queries import Wanted
from alliance.partnerfiles.shape import OWN
from alliance.partnerfiles.work import house_of, shape_of
from alliance.settlement import queries as settlement
from domain.errors import InvalidInput, NotFound
from domain.programs.catalogue import Merchant
from resolvers import ids
from resolvers.context import Context
from resolvers.once import once
from resolvers.pages import Page, Window, page
from resolvers.progress import followed
from resolvers.sent import Sent, key_of

SHAPE = (UUID,)

LARGEST_SAMPLE = 16 * 1024**2
"""Bytes of a file that is checked while the caller waits."""

GOES_ON = (FileStatus.SUBMITTED, FileStatus.RUNNING)


async def listed(
    context: Context, asked: Window, merchant: str | None, cycle: int | None, status: FileStatus | None
) -> Page[PartnerFile]:
    """A page of files, newest first; a merchant's own. Raises InvalidInput for last or before."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="files are listed forwards: give first and after", path=("last",))
    own = context.own_merchant_id
    known = None if merchant is None else context.runtime.catalogue.merchants.get(merchant)
    async with context.runtime.database.reader() as session:
        cycles = {} if cycle is None else await settlement.by_numbers(session, [cycle])
        unknown = (merchant is not None and known is None) or (cycle is not None and cycle not in cycles)
        if unknown or (known is not None and own not in (None, known.id)):
            return page(asked, [], _cursor, _none)
        wanted = Wanted(own if known is None else known.id, None if cycle is None else cycles[cycle].id, status)
        before = None if asked.after is None else asked.after[0]
        found = await queries.page(session, wanted, before=before, first=asked.size + 1)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count(session, wanted)

    return page(asked, list(found), _cursor, total)


def _cursor(file: PartnerFile) -> tuple[str]:
    return (str(file.id),)


async def _none() -> int:
    return 0


async def by_global_id(context: Context, global_id: str) -> PartnerFile | None:
    """The file of a global id, if it is in reach. Raises NotFound for an id of something else."""
    return await load(context, ids.decode_as("PartnerFile", global_id, 1)[0])


async def load(context: Context, id_: UUID) -> PartnerFile | None:
    """As it stands now, if the caller may see it."""
    async with context.runtime.database.reader() as session:
        found = await queries.by_id(session, id_)
    if found is None or context.own_merchant_id not in (None, found.merchant_id):
        return None
    return found


async def _named(context: Context, global_id: str) -> PartnerFile:
    try:
        found = await by_global_id(context, global_id)
    except NotFound:
        found = None
    if found is None:
        raise NotFound(what="file", path=("file",))
    return found


def _merchant(context: Context, file: PartnerFile) -> Merchant:
    return context.runtime.catalogue.merchants_by_id[file.merchant_id]


async def submit(context: Context, sent: Sent) -> PartnerFile:
    """Have a file reconciled, by a job. Raises a Refusal."""
    file = await _named(context, sent["file"])
    dry_run = bool(sent.get("dryRun"))

    async def act(session: AsyncSession) -> dict[str, Any]:
        wanted = await submission(
            session,
            context.runtime.catalogue,
            _merchant(context, file),
            cycle=sent.get("cycle"),
            day=sent.get("day"),
            mapping=sent.get("mapping"),
            partner=sent.get("partner"),
            dry_run=dry_run,
            as_of=context.as_of,
        )
        await commands.submit(session, file.id, wanted, who=str(context.signed_in.subject), as_of=context.as_of)
        return {}

    key = key_of(context, "submitPartnerFile", sent)
    if dry_run:  # the same key is for the file that is meant
        async with context.runtime.database.transaction() as session:
            await act(session)
    else:
        await once(context, key, act)
    found = await load(context, file.id)
    assert found is not None
    return found


async def checked(context: Context, global_id: str, mapping: str | None) -> Checked:
    """What a file would be taken for. Raises NotFound, InvalidInput for one that is too large to wait for."""
    file = await _named(context, global_id)
    if file.size > LARGEST_SAMPLE:
        reason = f"a sample has at most {LARGEST_SAMPLE} bytes; a larger file is submitted as a dry run"
        raise InvalidInput(reason=reason, path=("file",))
    merchant = _merchant(context, file)
    with tempfile.TemporaryDirectory(prefix="tessera-") as folder:
        path = Path(folder) / "file"
        async with context.runtime.database.reader() as session:
            with path.open("wb") as copy:
                async for part in commands.content(session, file.id):
                    copy.write(part)
        shape = shape_of(merchant, mapping or OWN, path)
        return await asyncio.to_thread(check, path, shape, house_of(context.runtime.catalogue, merchant))


async def progress(context: Context, global_id: str) -> AsyncIterator[PartnerFile]:
    """A file as it is, and whenever it is further, until it is reconciled or refused. Raises a Refusal."""
    id_ = ids.decode_as("PartnerFile", global_id, 1)[0]

    async def look() -> PartnerFile | None:
        return await load(context, id_)

    async for file in followed(context, "file", id_, look, lambda file: file.status in GOES_ON):
        yield file
