"""Adjusting what two parties owe each other by hand (A16): a line in the open cycle, with a reason."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import ACTS, About, Done, Waiting, act_or_ask
from alliance.clearing.model import Obligation
from alliance.corrections.commands import Line, Place, book
from alliance.corrections.model import Cause
from alliance.runtime import Runtime
from domain.errors import InvalidInput, NotFound

ACT = "ADJUST_LINE"

LARGEST = 10**15
"""Millionths: a milliard."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """`debtor_id` is to owe `creditor_id` `amount` millionths more. Of a line its own two, and less below zero."""

    amount: int
    debtor_id: uuid.UUID | None = None
    creditor_id: uuid.UUID | None = None
    place: Place | None = None


async def adjust_line(session: AsyncSession, runtime: Runtime, asked: Adjustment, about: About) -> Done | Waiting:
    """Book it, or ask for it above the limit; answers {operation}. Raises InvalidInput, NotFound."""
    line = await _line(session, runtime, asked)
    parties = {"debtor": str(line.debtor_id), "creditor": str(line.creditor_id)}
    place = None if asked.place is None else [str(asked.place[0]), str(asked.place[1]), asked.place[2]]
    args: dict[str, Any] = {**parties, "amount": asked.amount, "line": place}
    return await act_or_ask(session, runtime, ACT, args, amount=asked.amount, about=about)


async def _perform(session: AsyncSession, runtime: Runtime, args: dict[str, Any], about: About) -> dict[str, Any]:
    place = None if args["line"] is None else (uuid.UUID(args["line"][0]), uuid.UUID(args["line"][1]), args["line"][2])
    asked = Adjustment(args["amount"], uuid.UUID(args["debtor"]), uuid.UUID(args["creditor"]), place)
    ids = await book(
        session,
        runtime.catalogue.alliance,
        [await _line(session, runtime, asked)],
        cause=Cause.ADJUSTMENT,
        cause_id=None,
        who=about.who,
        why=about.why,
        as_of=about.as_of,
        approved_by=about.approved_by,
    )
    return {"operation": str(ids[0])}


ACTS[ACT] = _perform


async def _line(session: AsyncSession, runtime: Runtime, asked: Adjustment) -> Line:
    """The line to book. Raises InvalidInput, NotFound."""
    if not 0 < abs(asked.amount) <= LARGEST:
        raise InvalidInput(reason="an adjustment is of an amount", path=("amount",))
    if asked.place is not None:
        key = tuple_(Obligation.holder_id, Obligation.operation_id, Obligation.seq)
        row = (await session.scalars(select(Obligation).where(key == asked.place))).one_or_none()
        if row is None:
            raise NotFound(what="line", path=("line",))
        if asked.debtor_id not in (None, row.debtor_id) or asked.creditor_id not in (None, row.creditor_id):
            raise InvalidInput(reason="a line names its parties itself", path=("debtor",))
        return Line(row.debtor_id, row.creditor_id, asked.amount, corrects=asked.place)
    if asked.debtor_id is None or asked.creditor_id is None or asked.debtor_id == asked.creditor_id:
        raise InvalidInput(reason="name a line, or debtor and creditor", path=("debtor",))
    if asked.amount < 0:
        raise InvalidInput(reason="must be above zero: turn the two round", path=("amount",))
    known = {*runtime.catalogue.merchants_by_id, runtime.catalogue.alliance.id}
    for name, party in (("debtor", asked.debtor_id), ("creditor", asked.creditor_id)):
        if party not in known:
            raise NotFound(what="merchant", path=(name,))
    return Line(asked.debtor_id, asked.creditor_id, asked.amount)
