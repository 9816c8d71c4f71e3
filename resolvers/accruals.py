"""Runs over files of feeds, for the operator and the merchant whose they are; and undoing one."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.accrual import queries
from alliance.accrual.model import AccrualRun, AccrualUndo, RunStatus
from alliance.accrual.undo import Foreseen, begin_undo, foresee_undo
from domain.errors import NotFound
from resolvers import ids
from resolvers.context import Context
from resolvers.once import once
from resolvers.pages import Page, Window, page
from resolvers.sent import Sent, key_of

SHAPE = (UUID,)


@dataclass(frozen=True, slots=True)
class Run:
    """A run, the code of its feed, and how it was undone; while it is at work, how much is done of how much."""

    row: AccrualRun
    feed: str
    undo: AccrualUndo | None
    far: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Undoing:
    """A run that is being undone, or would be, and what that was foreseen to come to."""

    run: Run
    foreseen: Foreseen = field(default_factory=Foreseen)


async def listed(
    context: Context, asked: Window, merchant: str | None, feed: str | None, status: RunStatus | None
) -> Page[Run]:
    """A page of runs in reach, latest first."""
    catalogue = context.runtime.catalogue
    wanted = None if merchant is None else catalogue.merchants.get(merchant)
    own = context.own_merchant_id
    merchant_id = wanted.id if wanted is not None else own
    async with context.runtime.database.reader() as session:
        codes = {row.code: row.id for row in await queries.feeds(session)} if feed is not None else {}
        unknown = (merchant is not None and wanted is None) or (feed is not None and feed not in codes)
        if unknown or (own is not None and merchant_id != own):
            return page(asked, [], _cursor, _none)
        limits: dict[str, Any] = {"merchant_id": merchant_id, "feed_id": codes.get(feed or ""), "status": status}
        after, before = (None if one is None else one[0] for one in (asked.after, asked.before))
        rows = await queries.list_runs(
            session, **limits, first=asked.size + 1, after=after, before=before, oldest=asked.backward
        )
        found = await _with_feeds(session, rows)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count_runs(session, **limits)

    return page(asked, found, _cursor, total)


def _cursor(run: Run) -> tuple[str]:
    return (str(run.row.id),)


async def _none() -> int:
    return 0


async def by_global_id(context: Context, global_id: str) -> Run | None:
    """The run of a global id, if it is in reach. Raises NotFound for an id of something else."""
    return await in_reach(context, ids.decode_as("AccrualRun", global_id, 1)[0])


async def in_reach(context: Context, run_id: UUID) -> Run | None:
    """A run, if the viewer may see it: the operator any, a merchant its own (A14)."""
    async with context.runtime.database.reader() as session:
        row = (await queries.runs_by_id(session, [run_id])).get(run_id)
        if row is None or context.own_merchant_id not in (None, row.merchant_id):
            return None
        return (await _with_feeds(session, [row]))[0]


async def undo(context: Context, sent: Sent) -> Undoing:
    """Undo all that a run booked; jobs do it. A dry run says what that would come to. Raises a Refusal."""
    try:
        run = await by_global_id(context, sent["run"])
    except NotFound as refusal:
        raise refusal.at("run") from None
    if run is None:
        raise NotFound(what="run", path=("run",))
    run_id = run.row.id
    if sent.get("dryRun"):
        return Undoing(run, await foresee_undo(context.runtime, run_id, context.as_of))

    async def act(session: AsyncSession) -> dict[str, Any]:
        who = str(context.signed_in.subject)
        await begin_undo(session, run_id, who=who, why=sent["reason"], as_of=context.as_of)
        return {}

    await once(context, key_of(context, "undoRun", sent), act)
    found = await in_reach(context, run_id)
    assert found is not None
    return Undoing(found)


async def _with_feeds(session: AsyncSession, rows: Any) -> list[Run]:
    known = await queries.feeds_by_id(session, [row.feed_id for row in rows])
    undone = await queries.undos(session, [row.id for row in rows])
    far = await queries.far(session, rows, undone)
    return [Run(row, known[row.feed_id].code, undone.get(row.id), far.get(row.id)) for row in rows]
