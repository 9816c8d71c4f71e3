"""Money that is deposited against a default: collateral, the guarantee fund, the honouring reserve (A12, A16).

What the alliance file says of a merchant is what it has promised; what lies here is what it has brought. Each step is
by hand, in the caller's transaction.
"""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import About
from alliance.defaults import payments, queries
from alliance.defaults.errors import DepositNeeded, PayInNotMissing
from alliance.defaults.rules import cover
from alliance.departing.queries import is_gone
from alliance.disputes.queries import secured
from alliance.exposure.commands import hold_still, paid, withhold_again
from alliance.exposure.model import Exposure
from alliance.settlement.model import CycleStatus, PaymentStatus
from alliance.settlement.paying import finish
from alliance.settlement.rules import minor_unit
from alliance.settlement.steps import locked, require
from alliance.treasury.commands import post
from alliance.treasury.model import MoneyAccount
from alliance.treasury.queries import balances
from domain.errors import InvalidInput
from domain.events.commands import add_event
from domain.events.kinds import EventKind
from domain.money import from_minor
from domain.programs.catalogue import Alliance, Merchant
from domain.programs.model import MerchantRow


class Deposit(StrEnum):
    """What a merchant brings money for."""

    COLLATERAL = "COLLATERAL"
    FUND = "FUND"
    RESERVE = "RESERVE"


async def deposit(
    session: AsyncSession, alliance: Alliance, merchant: Merchant, account: Deposit, amount: int, about: About
) -> uuid.UUID:
    """Record that a merchant brought money (minor units): the transaction. Raises InvalidInput."""
    _require_some(amount)
    return await _move(session, alliance, merchant, account, amount, about)


async def release(
    session: AsyncSession, alliance: Alliance, merchant: Merchant, account: Deposit, amount: int, about: About
) -> uuid.UUID:
    """Give money back to a merchant that is not needed any more. Raises InvalidInput, DepositNeeded."""
    _require_some(amount)
    most = await releasable(session, alliance, merchant, account, about.as_of)
    if amount > most:
        raise DepositNeeded(releasable=from_minor(most, alliance.settlement_currency), path=("amount",))
    return await _move(session, alliance, merchant, account, -amount, about)


async def releasable(
    session: AsyncSession, alliance: Alliance, merchant: Merchant, account: Deposit, as_of: datetime
) -> int:
    """How much of a deposit is not needed, in minor units.

    Nothing while the merchant is in default. Of collateral and the fund what is more than was promised, of collateral
    also what its position goes beyond its credit limit, and what stands for its undecided objections; of the reserve
    all while nobody is in default. All of it once the merchant has left and claims are over.
    """
    await session.execute(select(MerchantRow.id).where(MerchantRow.id == merchant.id).with_for_update())
    held = await balances(session, accounts=(MoneyAccount(account.value),), parties=(merchant.id,))
    has = -sum(held.values())
    bad = set(await session.scalars(select(MerchantRow.id).where(MerchantRow.defaulted_since.is_not(None))))
    if merchant.id in bad or (bad and account == Deposit.RESERVE):
        return 0
    unit = minor_unit(alliance.settlement_currency)
    needed = 0
    if await is_gone(session, merchant.id, as_of):
        return has
    if account == Deposit.FUND:
        needed = merchant.fund
    elif account == Deposit.COLLATERAL:
        position = select(Exposure.used).where(Exposure.merchant_id == merchant.id).with_for_update()
        beyond = int(await session.scalar(position) or 0) - (merchant.credit_limit or 0)
        objected = await secured(session, merchant.id)
        needed = max(merchant.collateral, objected, 0 if merchant.credit_limit is None else beyond)
    return max(0, has + -needed // unit)


async def draw(
    session: AsyncSession,
    alliance: Alliance,
    merchant: Merchant,
    cycle_id: uuid.UUID,
    amount: int | None,
    about: About,
) -> int:
    """Pay what a merchant is late with in a cycle from its collateral, without declaring a default: how much that was.

    Raises NotFound, WrongCycleStatus, PayInNotMissing, NotEnoughMoney.
    """
    frozen = await hold_still(session)
    cycle = await locked(session, cycle_id, about.as_of)
    require(cycle, CycleStatus.SETTLING)
    missing = await queries.unpaid(session, cycle_id, merchant.id)
    if not missing or cycle.payments_due is None or about.as_of < cycle.payments_due:
        raise PayInNotMissing(merchant=merchant.code, number=cycle.number, path=("cycle",))
    whole = sum(payment.amount for payment in missing)
    wanted = whole if amount is None else amount
    if not 0 < wanted <= whole:
        most = from_minor(whole, alliance.settlement_currency)
        raise InvalidInput(reason=f"no more than {most} is missing", path=("amount",))
    parts = cover([(payment.payee_id, payment.amount) for payment in missing], wanted, {})
    pairs = list(zip(missing, (one.covered for one in parts), strict=True))
    changed = await payments.cover(session, pairs, PaymentStatus.PLANNED, about.as_of)
    await paid(session, changed, about.as_of)
    await _move(
        session, alliance, merchant, Deposit.COLLATERAL, -wanted, about, kind="COLLATERAL_DRAWN", cause=cycle_id
    )
    await finish(session, cycle, about.who, about.why, about.as_of)
    if frozen:
        await withhold_again(session, about.as_of)
    return wanted


def _require_some(amount: int) -> None:
    if amount <= 0:
        raise InvalidInput(reason="must be more than zero", path=("amount",))


async def _move(
    session: AsyncSession,
    alliance: Alliance,
    merchant: Merchant,
    account: Deposit,
    amount: int,
    about: About,
    kind: str | None = None,
    cause: uuid.UUID | None = None,
) -> uuid.UUID:
    kind = kind or f"{account}_{'IN' if amount > 0 else 'OUT'}"
    id_ = await post(
        session,
        kind=kind,
        entries=[(MoneyAccount.BANK, alliance.id, amount), (MoneyAccount(account.value), merchant.id, -amount)],
        who=about.who,
        why=about.why,
        as_of=about.as_of,
        cause_id=cause,
        approved_by=about.approved_by,
    )
    told = {"merchant": str(merchant.id), "account": account.value, "kind": kind}
    micro = str(amount * minor_unit(alliance.settlement_currency))
    await add_event(
        session, id_, EventKind.DEPOSIT_MOVED, told | {"amount": micro, "asOf": about.as_of.isoformat()}, merchant.id
    )
    return id_
