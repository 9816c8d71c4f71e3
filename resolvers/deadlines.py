"""The business calendar: for all who settle; the operator keeps it, and extends deadlines (A16)."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import act_or_ask
from alliance.approvals.model import Approval
from alliance.deadlines import commands, queries
from alliance.deadlines.commands import EXTEND, Declaration
from alliance.deadlines.model import DeadlineExtension, DeadlineKind
from alliance.deadlines.queries import Day
from alliance.settlement.model import SettlementCycle
from domain.errors import NotFound
from resolvers import approvals, ids
from resolvers.context import Context
from resolvers.cycles import loaded
from resolvers.once import once
from resolvers.sent import Sent, key_of


async def days(context: Context, first: date, last: date) -> list[Day]:
    """The days of a span. Raises InvalidInput for one that is too long."""
    async with context.runtime.database.reader() as session:
        alliance = context.runtime.catalogue.alliance
        return await queries.days(session, alliance, first, last, context.as_of, context.language)


async def declare(context: Context, sent: Sent) -> list[Day]:
    """Say of days that they are holidays or worked; the days that were named. Raises a Refusal."""
    declaration = Declaration(sent.get("holidays") or (), sent.get("workingDays") or (), sent.get("undeclared") or ())

    async def act(session: AsyncSession) -> dict[str, Any]:
        await commands.declare(session, declaration, why=sent["reason"], as_of=context.as_of)
        return {}

    await once(context, key_of(context, "declareBusinessDays", sent), act)
    await context.runtime.refresh()
    named = sorted({*declaration.holidays, *declaration.working_days, *declaration.undeclared})
    async with context.runtime.database.reader() as session:
        alliance = context.runtime.catalogue.alliance
        return [
            day
            for one in named
            for day in await queries.days(session, alliance, one, one, context.as_of, context.language)
        ]


async def extend(context: Context, sent: Sent) -> tuple[SettlementCycle, Approval | None]:
    """Let a deadline of a cycle pass later, or ask for it; the cycle as it is now. Raises a Refusal."""
    try:
        cycle_id = ids.decode_as("SettlementCycle", sent["cycle"], 1)[0]
    except NotFound:
        raise NotFound(what="cycle", path=("cycle",)) from None
    await loaded(context, cycle_id)
    args = {"cycle": str(cycle_id), "deadline": sent["deadline"], "until": sent["until"].isoformat()}

    async def act(session: AsyncSession) -> dict[str, Any]:
        about = approvals.about(context, sent)
        await commands.extendable(session, cycle_id, DeadlineKind(sent["deadline"]), sent["until"], context.as_of)
        return approvals.told(await act_or_ask(session, context.runtime, EXTEND, args, amount=None, about=about))

    outcome = await once(context, key_of(context, "extendDeadline", sent), act)
    waiting = outcome.get("approval")
    context.forget()
    return await loaded(context, cycle_id), await approvals.load(context, UUID(waiting)) if waiting else None


async def extensions(context: Context, cycle: SettlementCycle) -> Sequence[DeadlineExtension]:
    """How a cycle's deadlines were extended, in order."""

    async def load(session: AsyncSession, asked: list[UUID]) -> list[list[DeadlineExtension]]:
        found = await queries.extensions(session, asked)
        return [found[id_] for id_ in asked]

    return await context.loaders.one_of("extensions", load).load(cycle.id)
