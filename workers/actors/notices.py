"""Notices before points end (L2): who is to be told, and whose date moves because nobody was. Cut by ranges."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.notices.commands import extend_request, notice_of, window_of
from alliance.notices.queries import Page, cut_holders, to_tell, untold
from alliance.runtime import Runtime
from domain.errors import Refusal
from domain.events.model import HeldJob, NewJob
from domain.events.progress import add_group
from domain.ledger.errors import HolderStopped
from domain.ledger.extensions import NoticeWindow
from domain.notices.commands import add_notices
from domain.programs.catalogue import Currency
from workers.actors.ranges import bounds, ranges

#: Holders a job.
HOLDERS_A_JOB = 2000

#: Holders a page.
HOLDERS_AT_ONCE = 500

Range = tuple[UUID, UUID | None]


async def notices(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Cut the holders of points that end soon into ranges, a job for each range and currency. Args: {as_of}."""
    await runtime.refresh()
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        cut: list[dict[str, Any]] = []
        for code in runtime.catalogue.currencies:
            window = window_of(runtime.catalogue, code, as_of)
            if window is not None:
                firsts = await cut_holders(session, code, window, as_of, HOLDERS_A_JOB)
                cut += ranges(firsts, as_of=job.args["as_of"], currency=code)
        await add_group(session, job, "notices", [NewJob("notices_range", args, queue="bulk") for args in cut])
    return {}


async def notices_range(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Of holders from `first` to before `before`: move the dates of what nobody was told of, then add the notices that
    are due.

    Needs no key: a date that moved, and a notice that is there, are not due again; so a job begun anew goes on where
    the last one was stopped. Holders who are stopped are left out.
    """
    await runtime.refresh()
    failed: dict[UUID, Exception] = {}
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        currency = runtime.catalogue.currencies[job.args["currency"]]
        window = window_of(runtime.catalogue, currency.code, as_of)
        if window is not None:
            within = bounds(job.args)
            if refusal := await _extend(runtime, session, currency, window, as_of, within):
                failed[job.id] = refusal
            await _announce(session, currency, window, as_of, within)
    return failed


async def _extend(
    runtime: Runtime, session: AsyncSession, currency: Currency, window: NoticeWindow, as_of: datetime, within: Range
) -> Refusal | None:
    """Move the dates; the first refusal, if there was one but that a holder is stopped."""
    refusals: list[Refusal] = []
    page = Page(*within, None, HOLDERS_AT_ONCE)
    while late := await untold(session, currency.code, window, as_of, page):
        calls = [extend_request(currency, window, ending, as_of) for ending in late]
        outcomes = await runtime.engine.post_many(calls)
        refusals += [one for one in outcomes if isinstance(one, Refusal) and not isinstance(one, HolderStopped)]
        page = Page(*within, late[-1].holder_id, HOLDERS_AT_ONCE)
    return refusals[0] if refusals else None


async def _announce(
    session: AsyncSession, currency: Currency, window: NoticeWindow, as_of: datetime, within: Range
) -> None:
    page = Page(*within, None, HOLDERS_AT_ONCE)
    while due := await to_tell(session, currency.code, window, as_of, page):
        await add_notices(session, [notice_of(currency, window, ending) for ending in due])
        page = Page(*within, due[-1].holder_id, HOLDERS_AT_ONCE)
