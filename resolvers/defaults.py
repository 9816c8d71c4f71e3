"""Defaults and deposits: the operator sees and does all, a merchant sees its own side (A12, A14, A16)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

import alliance.acts  # noqa: F401 - what may be asked for
from alliance.approvals.commands import About, act_or_ask
from alliance.approvals.model import Approval
from alliance.defaults import commands, queries, recovering
from alliance.defaults.commands import Assessed
from alliance.defaults.deposits import Deposit
from alliance.defaults.model import DefaultShare, MerchantDefault, Recovery
from alliance.settlement.rules import minor_unit
from alliance.settlement.steps import locked
from alliance.treasury.model import MoneyAccount
from alliance.treasury.queries import balances
from domain.errors import InvalidInput, NotFound
from domain.money import to_minor
from domain.programs.catalogue import Merchant
from domain.programs.model import MerchantRow
from resolvers import approvals, ids
from resolvers.context import Context
from resolvers.once import once
from resolvers.pages import Page, Window, cut, page
from resolvers.sent import Sent, key_of

SHAPE = (UUID,)
ACCOUNTS_SHAPE = (str, str)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an act: a default, or who it was about; or the approval that it waits for."""

    merchant: Merchant | None = None
    default: MerchantDefault | None = None
    preview: Assessed | None = None
    approval: Approval | None = None


def merchant_of(context: Context, code: str) -> Merchant:
    """Raises NotFound."""
    found = context.runtime.catalogue.merchants.get(code)
    if found is None:
        raise NotFound(what=f"merchant {code[:40]!r}", path=("merchant",))
    return found


async def declare(context: Context, sent: Sent) -> Outcome:
    """Declare a default, ask for it, or see what it would be. Raises a Refusal."""
    merchant = merchant_of(context, sent["merchant"])
    cycle_id = _id("SettlementCycle", sent["cycle"], "cycle")
    about, again = approvals.about(context, sent), bool(sent.get("netAgain"))
    if sent.get("dryRun"):
        key_of(context, "declareDefault", sent)
        async with context.runtime.database.session() as session:
            return Outcome(merchant, preview=await _assess(session, context, merchant, cycle_id, about, again))
    args = {"merchant": str(merchant.id), "cycle": str(cycle_id)} | ({"netAgain": True} if again else {})

    async def check(session: AsyncSession) -> None:
        await _assess(session, context, merchant, cycle_id, about, again)

    return await _ask(context, "declareDefault", sent, "DECLARE_DEFAULT", args, None, check)


async def _assess(
    session: AsyncSession, context: Context, merchant: Merchant, cycle_id: UUID, about: About, again: bool
) -> Assessed:
    """Raises what declaring it would, before anybody is asked."""
    row = await session.get_one(MerchantRow, merchant.id)
    cycle = await locked(session, cycle_id, about.as_of)
    return await commands.assess(session, context.runtime.catalogue.alliance, row, cycle, again)


async def recover(context: Context, sent: Sent) -> Outcome:
    """Record money that came of a default. Raises a Refusal."""
    default_id = _id("MerchantDefault", sent["default"], "default")
    args = {"default": str(default_id), "amount": str(amount := _minor(context, sent))}
    return await _ask(context, "recordRecovery", sent, "RECOVER", args, amount)


async def post(context: Context, sent: Sent) -> Outcome:
    """Record that a merchant brought money. Raises a Refusal."""
    return await _deposit(context, "postCollateral", sent, "POST")


async def release(context: Context, sent: Sent) -> Outcome:
    """Give a merchant money back. Raises a Refusal."""
    return await _deposit(context, "releaseCollateral", sent, "RELEASE")


async def _deposit(context: Context, name: str, sent: Sent, verb: str) -> Outcome:
    merchant, account = merchant_of(context, sent["merchant"]), Deposit(sent.get("account") or Deposit.COLLATERAL)
    args = {"merchant": str(merchant.id), "account": account.value, "amount": str(amount := _minor(context, sent))}
    return await _ask(context, name, sent, f"{account}_{verb}", args, amount)


async def draw(context: Context, sent: Sent) -> Outcome:
    """Pay what a merchant is late with from its collateral. Raises a Refusal."""
    merchant, cycle_id = merchant_of(context, sent["merchant"]), _id("SettlementCycle", sent["cycle"], "cycle")
    args = {"merchant": str(merchant.id), "cycle": str(cycle_id), "amount": str(amount := _minor(context, sent))}
    return await _ask(context, "drawCollateral", sent, "COLLATERAL_DRAW", args, amount)


async def freeze(context: Context, sent: Sent) -> Outcome:
    """Have a merchant issue and exchange nothing new. Raises a Refusal."""
    merchant = merchant_of(context, sent["merchant"])
    return await _ask(context, "freezeMerchant", sent, "FREEZE", {"merchant": str(merchant.id)}, None)


async def restore(context: Context, sent: Sent) -> Outcome:
    """Let a merchant take part again. Raises a Refusal."""
    merchant = merchant_of(context, sent["merchant"])

    async def check(session: AsyncSession) -> None:
        await recovering.require_restorable(session, context.runtime.catalogue.alliance, merchant.id)

    return await _ask(context, "restoreMerchant", sent, "RESTORE", {"merchant": str(merchant.id)}, None, check)


async def _ask(
    context: Context,
    name: str,
    sent: Sent,
    act: str,
    args: dict[str, Any],
    amount: int | None,
    check: Callable[[AsyncSession], Any] | None = None,
) -> Outcome:
    """Do it, or keep it for a second person; `amount` in minor units."""
    unit = minor_unit(context.runtime.catalogue.alliance.settlement_currency)

    async def ask(session: AsyncSession) -> dict[str, Any]:
        if check is not None:
            await check(session)
        micro = None if amount is None else amount * unit
        about = approvals.about(context, sent)
        return approvals.told(await act_or_ask(session, context.runtime, act, args, amount=micro, about=about))

    found = await once(context, key_of(context, name, sent), ask)
    await context.runtime.refresh()
    waits, default_id = found.get("approval"), found.get("default")
    async with context.runtime.database.reader() as session:
        default = await session.get(MerchantDefault, UUID(default_id)) if default_id else None
    return Outcome(
        merchant=merchant_of(context, sent["merchant"]) if "merchant" in sent else None,
        default=default,
        approval=await approvals.load(context, UUID(waits)) if waits else None,
    )


def _id(kind: str, global_id: str, place: str) -> UUID:
    try:
        found: UUID = ids.decode_as(kind, global_id, 1)[0]
    except NotFound:
        raise NotFound(what=place, path=(place,)) from None
    return found


def _minor(context: Context, sent: Sent) -> int:
    """Raises InvalidInput for another currency, and for nothing."""
    currency, money = context.runtime.catalogue.alliance.settlement_currency, sent["amount"]
    if money["currency"] != currency:
        raise InvalidInput(reason=f"must be in {currency}", path=("amount", "currency"))
    if (minor := to_minor(money["amount"], currency)) <= 0:
        raise InvalidInput(reason="must be more than zero", path=("amount",))
    return minor


async def listed(context: Context, asked: Window, code: str | None) -> Page[MerchantDefault]:
    """Defaults, newest first: a merchant's are its own, and those in which it has a share. Raises InvalidInput."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="defaults are listed forwards: give first and after", path=("last",))
    of = None if code is None else merchant_of(context, code).id
    party, before = context.own_merchant_id, None if asked.after is None else asked.after[0]
    async with context.runtime.database.reader() as session:
        found = await queries.page(session, of=of, party=party, before=before, first=asked.size + 1)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count(session, of=of, party=party)

    return page(asked, list(found), lambda row: (str(row.id),), total)


async def load(context: Context, id_: UUID) -> MerchantDefault | None:
    """One, if the viewer has to do with it."""
    async with context.runtime.database.reader() as session:
        found = (await queries.by_ids(session, [id_])).get(id_)
        if found is None or context.own_merchant_id in (None, found.merchant_id):
            return found
        return found if (await queries.shares(session, [id_], context.own_merchant_id))[id_] else None


def all_of(context: Context, row: MerchantDefault) -> bool:
    """Whether the viewer sees all of a default: who did not pay, the operator, and auditors."""
    return context.own_merchant_id in (None, row.merchant_id)


async def shares(context: Context, row: MerchantDefault) -> list[DefaultShare]:
    """What it is to others; to another merchant its own share alone."""
    party = None if all_of(context, row) else context.own_merchant_id
    async with context.runtime.database.reader() as session:
        return (await queries.shares(session, [row.id], party))[row.id]


async def recoveries(context: Context, row: MerchantDefault) -> list[Recovery]:
    """What came back of it, for who sees all of it."""
    if not all_of(context, row):
        return []
    async with context.runtime.database.reader() as session:
        return (await queries.recoveries(session, [row.id]))[row.id]


@dataclass(frozen=True, slots=True)
class Lies:
    """What lies with the alliance of a party, in minor units, and what it has promised (millionths; None: nothing)."""

    account: MoneyAccount
    party: UUID
    amount: int
    promised: int | None


async def accounts(context: Context, asked: Window, code: str | None) -> Page[Lies]:
    """What lies where, by merchant and account; a merchant's own alone. Who has promised and not brought is there."""
    merchants, own = context.runtime.catalogue.merchants_by_id, context.own_merchant_id
    wanted = own if code is None else merchant_of(context, code).id
    if own not in (None, wanted):
        return cut(asked, [], lambda row: ("", ""))
    parties = [wanted] if wanted is not None else [*merchants, context.runtime.catalogue.alliance.id]
    async with context.runtime.database.reader() as session:
        found = await balances(session, parties=parties)
    promised = {
        (account, party): amount
        for party in parties
        if (one := merchants.get(party)) is not None
        for account, amount in ((MoneyAccount.COLLATERAL, one.collateral), (MoneyAccount.FUND, one.fund))
        if amount
    }

    def place(row: Lies) -> tuple[str, str]:
        known = merchants.get(row.party)
        return ("" if known is None else known.code, row.account.value)

    rows = [
        Lies(account, party, found.get((account, party), 0), promised.get((account, party)))
        for account, party in {*found, *promised}
    ]
    return cut(asked, sorted(rows, key=place), place)
