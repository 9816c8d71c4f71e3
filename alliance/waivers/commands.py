"""Giving up what is owed, as a line of the open cycle; up to a limit by one person, above it by two (A16)."""

import uuid
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import ACTS, About, Done, Waiting, act_or_ask
from alliance.clearing.model import Obligation, ObligationKind
from alliance.corrections.commands import Line, Place, book
from alliance.corrections.model import Cause, Correction
from alliance.runtime import Runtime
from alliance.settlement.queries import open_cycle, pair_nets
from domain.errors import InvalidInput, NotFound

WAIVE, WRITE_OFF = "WAIVE_FEE", "WRITE_OFF_BALANCE"

WAIVED = (ObligationKind.FEE, ObligationKind.INTEREST)
"""Lines that can be waived. What is owed for points is put right by objections, claims and re-rating."""


async def waive_or_ask(
    session: AsyncSession, runtime: Runtime, place: Place, amount: int | None, about: About
) -> Done | Waiting:
    """Give up a fee or interest, or `amount` millionths of it: its creditor does.

    Raises NotFound for a line that is none of the caller's; InvalidInput for one of another kind, or more than is left.
    """
    _, left = await _waivable(session, place, about)
    given_up = left if amount is None else amount
    _require(given_up, left)
    holder_id, operation_id, seq = place
    args = {"holder": str(holder_id), "operation": str(operation_id), "seq": seq, "amount": str(given_up)}
    return await act_or_ask(session, runtime, WAIVE, args, amount=given_up, about=about)


async def write_off_or_ask(
    session: AsyncSession, runtime: Runtime, creditor_id: uuid.UUID, debtor_id: uuid.UUID, amount: int, about: About
) -> Done | Waiting:
    """Give up `amount` millionths of what one party owes another in the open cycle: the creditor does.

    Raises InvalidInput for more than is owed now.
    """
    _require(amount, await _owed(session, runtime, creditor_id, debtor_id))
    args = {"creditor": str(creditor_id), "debtor": str(debtor_id), "amount": str(amount)}
    return await act_or_ask(session, runtime, WRITE_OFF, args, amount=amount, about=about)


async def _waive(session: AsyncSession, runtime: Runtime, args: dict[str, Any], about: About) -> dict[str, Any]:
    place = (uuid.UUID(args["holder"]), uuid.UUID(args["operation"]), int(args["seq"]))
    amount = int(args["amount"])
    row, left = await _waivable(session, place, about)
    _require(amount, left)
    line = Line(row.debtor_id, row.creditor_id, -amount, corrects=place)
    return await _book(session, runtime, line, Cause.WAIVER, about)


async def _write_off(session: AsyncSession, runtime: Runtime, args: dict[str, Any], about: About) -> dict[str, Any]:
    creditor_id, debtor_id, amount = uuid.UUID(args["creditor"]), uuid.UUID(args["debtor"]), int(args["amount"])
    _require(amount, await _owed(session, runtime, creditor_id, debtor_id))
    return await _book(session, runtime, Line(debtor_id, creditor_id, -amount), Cause.WRITE_OFF, about)


ACTS[WAIVE] = _waive
ACTS[WRITE_OFF] = _write_off


async def _book(session: AsyncSession, runtime: Runtime, line: Line, cause: Cause, about: About) -> dict[str, Any]:
    told: dict[str, Any] = {"who": about.who, "why": about.why, "as_of": about.as_of, "approved_by": about.approved_by}
    [id_] = await book(session, runtime.catalogue.alliance, [line], cause=cause, cause_id=None, **told)
    return {"operation": str(id_), "amount": str(-line.amount)}


async def _waivable(session: AsyncSession, place: Place, about: About) -> tuple[Obligation, int]:
    """A line of which the caller is the creditor, locked, and what is left of it after its corrections."""
    row = await session.get(Obligation, place, with_for_update=True)
    if row is None or about.merchant_id not in (None, row.debtor_id, row.creditor_id):
        raise NotFound(what="line", path=("line",))
    if row.kind not in WAIVED:
        raise InvalidInput(reason="only fees and interest are waived", path=("line",))
    if about.merchant_id not in (None, row.creditor_id):
        raise InvalidInput(reason="its creditor waives a line", path=("line",))
    # A line by hand may be in the other direction.
    signed = func.sum(Obligation.amount).filter(Obligation.debtor_id == row.debtor_id) - func.coalesce(
        func.sum(Obligation.amount).filter(Obligation.debtor_id == row.creditor_id), 0
    )
    corrected = select(func.coalesce(signed, 0)).join(Correction, Correction.operation_id == Obligation.operation_id)
    _, operation_id, seq = place
    query = corrected.where(Correction.corrects_operation_id == operation_id, Correction.corrects_seq == seq)
    return row, row.amount + int(await session.scalar(query) or 0)


async def _owed(session: AsyncSession, runtime: Runtime, creditor_id: uuid.UUID, debtor_id: uuid.UUID) -> int:
    """What one party owes another in the open cycle, with what it opened with, as far as that is known."""
    cycle = await open_cycle(session)
    if cycle is None:
        return 0
    currency = runtime.catalogue.alliance.settlement_currency
    nets = (await pair_nets(session, [cycle], currency, party=creditor_id))[cycle.id]
    for net in nets:
        if {net.first, net.second} == {creditor_id, debtor_id}:
            return net.closing if net.first == creditor_id else -net.closing
    return 0


def _require(amount: int, left: int) -> None:
    if not 0 < amount <= left:
        raise InvalidInput(reason="give up more than nothing, and no more than is owed", path=("amount",))
