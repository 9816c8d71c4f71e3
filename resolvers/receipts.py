"""Receipts of banks and payments held back or released: a merchant's own accounts and payments, the operator's all."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

import alliance.acts  # noqa: F401 - what can be asked for
from alliance.approvals.commands import act_or_ask
from alliance.approvals.model import Approval
from alliance.banking import acts, asking, queries
from alliance.banking.accounts import Banking, banking_of
from alliance.banking.queries import Told, Wanted
from alliance.settlement import queries as settlement
from alliance.settlement.model import SettlementCycle
from alliance.treasury.model import MoneyAccount
from alliance.treasury.queries import balances
from domain.errors import InvalidInput, NotFound
from domain.money import to_minor
from resolvers import approvals, ids
from resolvers.context import Context
from resolvers.cycles import loaded
from resolvers.once import once
from resolvers.pages import Page, Window, page
from resolvers.reach import members_of
from resolvers.sent import Sent, key_of

SHAPE = (UUID,)


@dataclass(frozen=True, slots=True)
class Seen:
    """A receipt, and the cycles that it has to do with, by id."""

    told: Told
    cycles: dict[UUID, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an act was about, as it is now, and what of it waits for a second person."""

    receipt: Seen | None = None
    cycle: SettlementCycle | None = None
    approval: Approval | None = None


async def listed(context: Context, asked: Window, wanted: Wanted) -> Page[Seen]:
    """A page of receipts, newest first; a merchant's are those of its own account. Raises InvalidInput."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="receipts are listed forwards: give first and after", path=("last",))
    before = None if asked.after is None else asked.after[0]
    async with context.runtime.database.reader() as session:
        rows = await queries.page(session, wanted, before=before, first=asked.size + 1)
        seen = await _seen(session, await queries.told(session, rows))

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count(session, wanted)

    return page(asked, seen, lambda one: (str(one.told.receipt.id),), total)


def wanted(context: Context, sent: Sent) -> Wanted:
    """Which receipts a filter is of. Raises NotFound for a merchant that is out of reach."""
    owner, code = members_of(context.signed_in), sent.get("merchant")
    if code is not None:
        catalogue = context.runtime.catalogue
        merchant = catalogue.merchants.get(code)
        named = merchant.id if merchant else catalogue.alliance.id if code == catalogue.alliance.code else None
        if named is None or owner not in (None, named):
            raise NotFound(what="merchant", path=("filter", "merchant"))
        owner = named
    return Wanted(owner, sent.get("status"), unapplied=bool(sent.get("unapplied")))


async def by_global_id(context: Context, global_id: str) -> Seen | None:
    """The receipt of a global id; None for another's. Raises NotFound for an id of something else."""
    return await load(context, ids.decode_as("Receipt", global_id, 1)[0])


async def load(context: Context, id_: UUID) -> Seen | None:
    """As it stands now, if it is of an account in reach."""
    async with context.runtime.database.reader() as session:
        row = (await queries.by_ids(session, [id_])).get(id_)
        if row is None or members_of(context.signed_in) not in (None, row.owner_id):
            return None
        (seen,) = await _seen(session, await queries.told(session, [row]))
        return seen


async def _seen(session: AsyncSession, found: list[Told]) -> list[Seen]:
    named = {match.cycle_id for one in found for match in one.matches}
    named |= {UUID(part["cycle"]) for one in found for part in (one.receipt.proposal or {}).get("parts", ())}
    cycles = {id_: cycle.number for id_, cycle in (await settlement.by_ids(session, named)).items()}
    return [Seen(one, cycles) for one in found]


async def unapplied(context: Context) -> list[tuple[UUID, int]]:
    """Cash in the account that all pay into that belongs to no payment yet: whose, and minor units; one's own."""
    own = members_of(context.signed_in)
    async with context.runtime.database.reader() as session:
        accounts, parties = (MoneyAccount.UNAPPLIED,), None if own is None else (own,)
        found = await balances(session, accounts=accounts, parties=parties)
    return [(party, -amount) for (_, party), amount in found.items() if amount]


async def match(context: Context, sent: Sent) -> Outcome:
    """Apply a receipt, or cash that is left of it, to payments. Raises a Refusal."""
    id_, payments = _receipt(sent), sent.get("payments")

    async def args(session: AsyncSession, banking: Banking) -> asking.Asked:
        parts = None if payments is None else [_part(one, banking) for one in payments]
        return await asking.match(session, banking, id_, parts, context.own_merchant_id)

    return await _act(context, "matchReceipt", sent, acts.MATCH, args)


async def apply(context: Context, sent: Sent) -> Outcome:
    """Likewise, for what is left of a receipt of which some is applied. Raises a Refusal."""
    id_ = _receipt(sent)

    async def args(session: AsyncSession, banking: Banking) -> asking.Asked:
        parts = [_part(one, banking) for one in sent["payments"]]
        return await asking.match(session, banking, id_, parts, context.own_merchant_id)

    return await _act(context, "applyCash", sent, acts.MATCH, args)


async def unmatch(context: Context, sent: Sent) -> Outcome:
    """Undo what a receipt is applied to. Raises a Refusal."""
    id_ = _receipt(sent)

    async def args(session: AsyncSession, _: Banking) -> asking.Asked:
        return await asking.unmatch(session, id_, context.own_merchant_id)

    return await _act(context, "unmatchReceipt", sent, acts.UNMATCH, args)


async def split(context: Context, sent: Sent) -> Outcome:
    """Have parts stand in a receipt's place. Raises a Refusal."""
    id_ = _receipt(sent)

    async def args(session: AsyncSession, banking: Banking) -> asking.Asked:
        amounts = [_minor(amount, banking) for amount in sent["amounts"]]
        return await asking.split(session, id_, amounts, context.own_merchant_id)

    return await _act(context, "splitReceipt", sent, acts.SPLIT, args)


async def refund(context: Context, sent: Sent) -> Outcome:
    """Keep that what is left of a receipt is given back. Raises a Refusal."""
    id_, amount = _receipt(sent), sent.get("amount")

    async def args(session: AsyncSession, banking: Banking) -> asking.Asked:
        asked = None if amount is None else _minor(amount, banking)
        return await asking.refund(session, id_, asked, context.own_merchant_id)

    return await _act(context, "refundCash", sent, acts.REFUND, args)


async def release(context: Context, sent: Sent) -> Outcome:
    """Release the files of a cycle that wait: a merchant its own. Raises a Refusal."""
    cycle = await _cycle(context, sent)

    async def args(session: AsyncSession, _: Banking) -> asking.Asked:
        return await asking.release(session, cycle, context.own_merchant_id)

    return await _act(context, "releasePayments", sent, acts.RELEASE, args, cycle)


async def hold(context: Context, sent: Sent) -> Outcome:
    """Hold a payment back. Raises a Refusal."""
    return await _hold(context, "holdPayment", sent, acts.HOLD)


async def lift(context: Context, sent: Sent) -> Outcome:
    """Let a payment that is held back be released again. Raises a Refusal."""
    return await _hold(context, "releaseHeldPayment", sent, acts.LIFT)


async def _hold(context: Context, name: str, sent: Sent, act: str) -> Outcome:
    cycle = await _cycle(context, sent)

    async def args(session: AsyncSession, _: Banking) -> asking.Asked:
        return await asking.payment(session, cycle, sent["payment"], context.own_merchant_id)

    return await _act(context, name, sent, act, args, cycle)


async def _act(
    context: Context,
    name: str,
    sent: Sent,
    act: str,
    args: Callable[[AsyncSession, Banking], Awaitable[asking.Asked]],
    cycle: SettlementCycle | None = None,
) -> Outcome:
    """Do it, or keep it for a second person; what it is about is then read as it is now."""

    async def perform(session: AsyncSession) -> dict[str, Any]:
        banking = await banking_of(session)
        asked, amount = await args(session, banking)
        about = approvals.about(context, sent)
        outcome = await act_or_ask(session, context.runtime, act, asked, amount=amount * banking.unit, about=about)
        return approvals.told(outcome)

    outcome = await once(context, key_of(context, name, sent), perform)
    context.forget()
    waiting = outcome.get("approval")
    return Outcome(
        receipt=await load(context, _receipt(sent)) if cycle is None else None,
        cycle=None if cycle is None else await loaded(context, cycle.id),
        approval=None if waiting is None else await approvals.load(context, UUID(waiting)),
    )


async def _cycle(context: Context, sent: Sent) -> SettlementCycle:
    try:
        cycle_id = ids.decode_as("SettlementCycle", sent["cycle"], 1)[0]
    except NotFound:
        raise NotFound(what="cycle", path=("cycle",)) from None
    return await loaded(context, cycle_id)


def _receipt(sent: Sent) -> UUID:
    try:
        return ids.decode_as("Receipt", sent["receipt"], 1)[0]
    except NotFound:
        raise NotFound(what="receipt", path=("receipt",)) from None


def _part(sent: Sent, banking: Banking) -> tuple[int, int, int | None]:
    amount = sent.get("amount")
    return sent["cycle"], sent["payment"], None if amount is None else _minor(amount, banking)


def _minor(money: Sent, banking: Banking) -> int:
    """Raises InvalidInput for money of another currency."""
    if money["currency"] != banking.currency:
        raise InvalidInput(reason=f"cycles are settled in {banking.currency}", path=("amount", "currency"))
    return to_minor(money["amount"], banking.currency)
