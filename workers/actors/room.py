"""Points that wait for room under a merchant's cap (A5) become active once there is some, longest waiting first."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.grants import activate_request
from alliance.exposure.queries import waiting_for_room
from alliance.runtime import Runtime
from domain.events.model import HeldJob
from domain.ledger.request import Posted

#: Grants a posting.
AT_ONCE = 500


async def room(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Activate what has room at `as_of`. Args: {as_of}. Needs no key: what is active does not wait.

    What does not fit goes on waiting; less may pass it.
    """
    await runtime.refresh()
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        activated = True
        while activated and (grants := await waiting_for_room(session, as_of, AT_ONCE)):
            earns = [list(group) for _, group in groupby(grants, key=lambda row: (row.holder_id, row.operation_id))]
            outcomes = await runtime.engine.post_many([activate_request(runtime, due, as_of=as_of) for due in earns])
            activated = any(isinstance(one, Posted) and one.operation_id is not None for one in outcomes)
    return {}
