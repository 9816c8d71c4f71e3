"""What waits for a second person: a merchant's for its own people, the operator's for the operator's (A16)."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

import alliance.acts  # noqa: F401 - what can be approved
from alliance.approvals import commands, queries
from alliance.approvals.commands import About, Done, Waiting
from alliance.approvals.model import Approval, ApprovalStatus
from alliance.approvals.queries import Wanted
from domain.errors import InvalidInput, NotFound
from resolvers import ids
from resolvers.context import Context
from resolvers.once import once
from resolvers.pages import Page, Window, page
from resolvers.sent import Sent, key_of

SHAPE = (UUID,)


def about(context: Context, sent: Sent) -> About:
    """Who acts, for whom, why (`reason`), as of when."""
    viewer = context.signed_in
    return About(viewer.subject, sent.get("reason") or "", context.as_of, context.own_merchant_id)


def told(outcome: Done | Waiting) -> dict[str, Any]:
    """An outcome as it is kept under the key of a mutation: what the act answered, or `approval`."""
    return outcome.result if isinstance(outcome, Done) else {"approval": str(outcome.approval_id)}


async def listed(context: Context, asked: Window, status: ApprovalStatus | None) -> Page[Approval]:
    """What was asked for on the caller's side, newest first. Raises InvalidInput for last or before."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="approvals are listed forwards: give first and after", path=("last",))
    everybodys = context.signed_in.kind == "auditor"
    wanted = Wanted(context.own_merchant_id, everybodys, status)
    before = None if asked.after is None else asked.after[0]
    async with context.runtime.database.reader() as session:
        found = await queries.page(session, wanted, before=before, first=asked.size + 1)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count(session, wanted)

    return page(asked, list(found), lambda row: (str(row.id),), total)


async def by_global_id(context: Context, global_id: str) -> Approval | None:
    """The approval of a global id; None for another side's. Raises NotFound for an id of something else."""
    return await load(context, ids.decode_as("Approval", global_id, 1)[0])


async def load(context: Context, id_: UUID) -> Approval | None:
    """As it stands now, if it is of the caller's side."""
    async with context.runtime.database.reader() as session:
        found = await queries.by_id(session, id_)
    own = found is not None and found.merchant_id == context.own_merchant_id
    return found if own or context.signed_in.kind == "auditor" else None


async def approve(context: Context, sent: Sent) -> Approval:
    """Have done what a colleague asked for. Raises a Refusal."""

    async def act(session: AsyncSession, id_: UUID) -> None:
        await commands.approve(session, context.runtime, id_, about(context, sent))

    found = await _decide(context, "approve", sent, act)
    await context.runtime.refresh()
    return found


async def refuse(context: Context, sent: Sent) -> Approval:
    """Have it not done. Raises a Refusal."""

    async def act(session: AsyncSession, id_: UUID) -> None:
        await commands.refuse(session, id_, about(context, sent))

    return await _decide(context, "refuseApproval", sent, act)


async def withdraw(context: Context, sent: Sent) -> Approval:
    """Take back what one asked for. Raises a Refusal."""

    async def act(session: AsyncSession, id_: UUID) -> None:
        await commands.withdraw(session, id_, about(context, sent))

    return await _decide(context, "withdrawApproval", sent, act)


async def _decide(
    context: Context, name: str, sent: Sent, decide: Callable[[AsyncSession, UUID], Awaitable[None]]
) -> Approval:
    try:
        id_ = ids.decode_as("Approval", sent["approval"], 1)[0]
    except NotFound:
        raise NotFound(what="approval", path=("approval",)) from None

    async def act(session: AsyncSession) -> dict[str, Any]:
        await decide(session, id_)
        return {}

    await once(context, key_of(context, name, sent), act)
    found = await load(context, id_)
    if found is None:
        raise NotFound(what="approval", path=("approval",))
    return found
