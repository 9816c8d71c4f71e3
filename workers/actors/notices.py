"""Notices before points end (L2): who is to be told, and whose date moves because nobody was."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.notices.commands import extend_request, notice_of, window_of
from alliance.notices.queries import to_tell, untold
from alliance.runtime import Runtime
from domain.events.model import HeldJob
from domain.notices.commands import add_notices

#: Holders a page.
HOLDERS_AT_ONCE = 500


async def notices(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Move the dates of what nobody was told of, then add the notices that are due. Args: {as_of}.

    Needs no key: a date that moved, and a notice that is there, are not due again.
    """
    await runtime.refresh()
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        for currency in runtime.catalogue.currencies.values():
            window = window_of(runtime.catalogue, currency.code, as_of)
            if window is None:
                continue
            after: UUID | None = None
            while late := await untold(session, currency.code, window, as_of, after, HOLDERS_AT_ONCE):
                calls = [extend_request(currency, window, ending, as_of) for ending in late]
                await runtime.engine.post_many(calls)
                after = late[-1].holder_id
            after = None
            while due := await to_tell(session, currency.code, window, as_of, after, HOLDERS_AT_ONCE):
                await add_notices(session, [notice_of(currency, window, ending) for ending in due])
                after = due[-1].holder_id
    return {}
