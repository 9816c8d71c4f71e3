"""Acts by hand: done at once up to a limit, above it once a second person approved (A16). In the caller's transaction.

An act is a function in ACTS. What it needs is JSON and kept as it was asked for, so that nothing else is done than was
approved; it is checked again, against what is there, when it is done.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.errors import ActRefused, ApprovalClosed, SameHands
from alliance.approvals.model import Approval, ApprovalStatus
from alliance.runtime import Runtime
from alliance.settlement.steps import require_short
from domain.errors import InvalidInput, NotFound, Refusal
from domain.events.commands import add_event
from domain.events.kinds import EventKind
from domain.programs.catalogue import Alliance


@dataclass(frozen=True, slots=True)
class About:
    """Who acts, why, as of when; for which merchant (None: for the operator); and who approved it."""

    who: uuid.UUID
    why: str
    as_of: datetime
    merchant_id: uuid.UUID | None = None
    approved_by: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The act was done; what it answered."""

    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The act waits for somebody's approval."""

    approval_id: uuid.UUID


Perform = Callable[[AsyncSession, Runtime, dict[str, Any], About], Awaitable[dict[str, Any]]]

ACTS: dict[str, Perform] = {}
"""What can be asked for, by name; filled by the rooms that `alliance.acts` imports."""


def may_alone(alliance: Alliance, act: str, amount: int | None) -> bool:
    """Whether one person does an act of so many millionths; without an amount, whether the act is named `alone`."""
    if amount is None:
        return act in alliance.by_hand.alone
    return abs(amount) <= alliance.by_hand.limits.get(act, 0)


async def act_or_ask(
    session: AsyncSession,
    runtime: Runtime,
    act: str,
    args: Mapping[str, Any],
    *,
    amount: int | None,
    about: About,
    always: bool = False,
) -> Done | Waiting:
    """Do an act if one person may, or keep it for a second one; with `always` nobody may alone, whatever the file says.

    Raises InvalidInput, and what the act refuses.
    """
    if not about.why.strip():
        raise InvalidInput(reason="say why", path=("reason",))
    require_short(about.why)
    if not always and may_alone(runtime.catalogue.alliance, act, amount):
        return Done(await ACTS[act](session, runtime, dict(args), about))
    asked = Approval(act=act, args=dict(args), amount=amount, merchant_id=about.merchant_id)
    asked.asked_by, asked.why, asked.asked_at = about.who, about.why, about.as_of
    session.add(asked)
    await session.flush()
    await _tell(session, asked, EventKind.APPROVAL_ASKED, about.as_of)
    return Waiting(asked.id)


async def approve(session: AsyncSession, runtime: Runtime, approval_id: uuid.UUID, about: About) -> Approval:
    """Do what was asked for. Raises NotFound, ApprovalClosed, SameHands, ActRefused."""
    asked = await _waiting(session, approval_id, about)
    if asked.asked_by == about.who:
        raise SameHands(path=("approval",))
    first = replace(about, who=asked.asked_by, why=asked.why, merchant_id=asked.merchant_id, approved_by=about.who)
    try:
        outcome = await ACTS[asked.act](session, runtime, dict(asked.args), first)
    except Refusal as refused:
        said = {"act": asked.act, "refusal": refused.code, "reason": refused.message()}
        raise ActRefused(**said, path=("approval", *refused.path)) from refused
    await _decide(session, asked, ApprovalStatus.APPROVED, about, outcome)
    return asked


async def refuse(session: AsyncSession, approval_id: uuid.UUID, about: About) -> Approval:
    """Say no: it is not done. Raises NotFound, ApprovalClosed, SameHands: who asked withdraws."""
    asked = await _waiting(session, approval_id, about)
    if asked.asked_by == about.who:
        raise SameHands(path=("approval",))
    await _decide(session, asked, ApprovalStatus.REFUSED, about)
    return asked


async def withdraw(session: AsyncSession, approval_id: uuid.UUID, about: About) -> Approval:
    """Take back what one asked for. Raises NotFound (also for another's), ApprovalClosed."""
    asked = await _waiting(session, approval_id, about)
    if asked.asked_by != about.who:
        raise NotFound(what="approval", path=("approval",))
    await _decide(session, asked, ApprovalStatus.WITHDRAWN, about)
    return asked


async def _waiting(session: AsyncSession, approval_id: uuid.UUID, about: About) -> Approval:
    """What waits, locked against a second decision; only for the side whose people may decide."""
    found = await session.scalar(
        select(Approval).where(Approval.id == approval_id).with_for_update(),
        execution_options={"populate_existing": True},
    )
    if found is None or found.merchant_id != about.merchant_id:
        raise NotFound(what="approval", path=("approval",))
    if found.status != ApprovalStatus.WAITING:
        raise ApprovalClosed(status=found.status, path=("approval",))
    require_short(about.why)
    return found


async def _decide(
    session: AsyncSession,
    asked: Approval,
    status: ApprovalStatus,
    about: About,
    outcome: dict[str, Any] | None = None,
) -> None:
    asked.status, asked.decided_by, asked.decided_why = status.value, about.who, about.why
    asked.decided_at, asked.outcome = about.as_of, outcome
    await session.flush()
    await _tell(session, asked, EventKind.APPROVAL_DECIDED, about.as_of)


async def _tell(session: AsyncSession, asked: Approval, kind: EventKind, as_of: datetime) -> None:
    told = {"approval": str(asked.id), "act": asked.act, "asOf": as_of.isoformat()}
    if kind == EventKind.APPROVAL_DECIDED:
        told["status"] = str(asked.status)
    merchants = () if asked.merchant_id is None else (asked.merchant_id,)
    await add_event(session, asked.id, kind, told, *merchants)
