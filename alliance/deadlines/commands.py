"""Declaring business days, and extending deadlines of cycles (A16); in the caller's transaction."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import ACTS, About
from alliance.deadlines.model import DeadlineExtension, DeadlineKind
from alliance.file.commands import lock, publish
from alliance.runtime import Runtime
from alliance.settlement.model import CycleStatus, SettlementCycle
from alliance.settlement.queries import open_cycle
from alliance.settlement.steps import locked, require, require_short
from domain.errors import InvalidInput
from domain.events.commands import add_event
from domain.events.kinds import EventKind
from domain.programs.model import AllianceRow

MOST_DECLARED = 1000
"""Days of a kind that the alliance file may have."""

EXTEND = "EXTEND_DEADLINE"


@dataclass(frozen=True, slots=True)
class Declaration:
    """Days that are holidays from now on, that are worked, and of which nothing is said any more."""

    holidays: Collection[date] = ()
    working_days: Collection[date] = ()
    undeclared: Collection[date] = ()


async def declare(session: AsyncSession, declaration: Declaration, *, why: str, as_of: datetime) -> None:
    """Say of days that they are holidays or worked: what the alliance file says under `holidays` and `workingDays`.

    Deadlines that are set stay. Raises InvalidInput for a day that is named twice, for none, and for too many.
    """
    named = [*declaration.holidays, *declaration.working_days, *declaration.undeclared]
    if not named or len(named) != len(set(named)):
        raise InvalidInput(reason="name days, each once", path=("holidays",))
    if not why.strip():
        raise InvalidInput(reason="say why", path=("reason",))
    require_short(why)
    await lock(session)
    row = (await session.scalars(select(AllianceRow).execution_options(populate_existing=True))).one()
    kept = {key: set(row.terms.get(key, ())) - {day.isoformat() for day in named} for key in _KEYS}
    kept["holidays"] |= {day.isoformat() for day in declaration.holidays}
    kept["workingDays"] |= {day.isoformat() for day in declaration.working_days}
    if any(len(days) > MOST_DECLARED for days in kept.values()):
        raise InvalidInput(reason=f"at most {MOST_DECLARED} days are declared", path=("holidays",))
    row.terms = row.terms | {key: sorted(days) for key, days in kept.items()}
    await session.flush()
    await publish(session)
    told: dict[str, Any] = {"asOf": as_of.isoformat(), "reason": why}
    for name, days in zip(("holidays", "workingDays", "undeclared"), _days(declaration), strict=True):
        if days:
            told[name] = ", ".join(sorted(day.isoformat() for day in days))
    await add_event(session, row.id, EventKind.CALENDAR_CHANGED, told)


_KEYS = ("holidays", "workingDays")


def _days(declaration: Declaration) -> tuple[Collection[date], Collection[date], Collection[date]]:
    return declaration.holidays, declaration.working_days, declaration.undeclared


async def extendable(
    session: AsyncSession, cycle_id: uuid.UUID, kind: DeadlineKind, until: datetime, as_of: datetime
) -> tuple[SettlementCycle, datetime]:
    """The cycle, locked, and its deadline, if that can pass later: of objections while the cycle is stated, of payments
    until it is settled.

    Raises NotFound, WrongCycleStatus; InvalidInput for a moment that is not later than the deadline and than now.
    """
    cycle = await locked(session, cycle_id, as_of)
    if kind is DeadlineKind.OBJECTIONS:
        require(cycle, CycleStatus.STATED)
        before = cycle.objections_until
    else:
        require(cycle, CycleStatus.NETTED, CycleStatus.SETTLING)
        before = cycle.payments_due
    if before is None or until <= max(before, as_of):
        raise InvalidInput(reason="a deadline is extended: name a later moment, still to come", path=("until",))
    return cycle, before


async def extend(
    session: AsyncSession, cycle_id: uuid.UUID, kind: DeadlineKind, until: datetime, about: About
) -> SettlementCycle:
    """Let a deadline of a cycle pass later. Raises as `extendable`."""
    cycle, before = await extendable(session, cycle_id, kind, until, about.as_of)
    if kind is DeadlineKind.OBJECTIONS:
        cycle.objections_until = until
    else:
        cycle.payments_due = until
    taken = await session.scalar(select(func.count()).where(DeadlineExtension.cycle_id == cycle_id))
    current = await open_cycle(session)
    session.add(
        DeadlineExtension(
            cycle_id=cycle_id,
            seq=int(taken or 0) + 1,
            kind=kind.value,
            before=before,
            until=until,
            who=about.who,
            approved_by=about.approved_by,
            why=about.why,
            as_of=about.as_of,
            open_cycle_id=None if current is None else current.id,
        )
    )
    await session.flush()
    told: dict[str, Any] = {"cycle": str(cycle_id), "number": cycle.number, "deadline": kind.value}
    told |= {"from": before.isoformat(), "until": until.isoformat(), "asOf": about.as_of.isoformat()}
    await add_event(session, cycle_id, EventKind.DEADLINE_EXTENDED, told)
    return cycle


async def _perform(session: AsyncSession, runtime: Runtime, args: dict[str, Any], about: About) -> dict[str, Any]:
    until = datetime.fromisoformat(args["until"])
    cycle = await extend(session, uuid.UUID(args["cycle"]), DeadlineKind(args["deadline"]), until, about)
    return {"cycle": str(cycle.id)}


ACTS[EXTEND] = _perform
