"""What a merchant in default pays later, and its return (A12): each in a transaction of the caller's."""

import uuid
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import About
from alliance.defaults import payments, queries
from alliance.defaults.commands import lose
from alliance.defaults.errors import DefaultNotRepaid
from alliance.defaults.model import DefaultShare, MerchantDefault, Recovery
from alliance.defaults.rules import Parts, repaid
from alliance.exposure import freezing
from alliance.exposure.errors import MerchantNotFrozen
from alliance.settlement.rules import minor_unit
from alliance.treasury.commands import Entry, post
from alliance.treasury.model import MoneyAccount
from domain.errors import InvalidInput, NotFound
from domain.events.commands import add_event
from domain.events.kinds import EventKind
from domain.money import from_minor
from domain.programs.catalogue import Alliance
from domain.programs.model import MerchantRow


async def recover(
    session: AsyncSession, alliance: Alliance, default_id: uuid.UUID, amount: int, about: About
) -> Recovery:
    """Share out money that came of a merchant in default (minor units), in the reverse of the waterfall.

    Survivors are paid on, in proportion to what each is still to get; then the reserve, the fund and the collateral are
    filled up again; what is more is the merchant's own. Raises NotFound, InvalidInput.
    """
    if amount <= 0:
        raise InvalidInput(reason="must be more than zero", path=("amount",))
    default = await session.get(MerchantDefault, default_id, with_for_update=True, populate_existing=True)
    if default is None:
        raise NotFound(what="default", path=("default",))
    missing = await queries.lacking(session, default)
    parts, kept = repaid(amount, missing.pots)
    losses, reserve, fund, own, collateral = parts
    recovery = Recovery(default_id=default.id, amount=amount, kept=kept, losses=sum(losses.values()))
    recovery.reserve, recovery.collateral = sum(reserve.values()), sum(collateral.values())
    recovery.fund = sum(fund.values()) + sum(own.values())
    recovery.who, recovery.approved_by, recovery.why, recovery.as_of = (
        about.who,
        about.approved_by,
        about.why,
        about.as_of,
    )
    session.add(recovery)
    await session.flush()
    await _pay_in(
        session,
        alliance,
        default,
        recovery,
        [
            (MoneyAccount.RESERVE, reserve),
            (MoneyAccount.FUND, fund),
            (MoneyAccount.FUND, own),
            (MoneyAccount.COLLATERAL, collateral),
        ],
        about,
    )
    await _repay(session, alliance, default, losses, about)
    await _tell(session, alliance, default, recovery, losses)
    return recovery


async def _pay_in(
    session: AsyncSession,
    alliance: Alliance,
    default: MerchantDefault,
    recovery: Recovery,
    back: list[tuple[MoneyAccount, Parts]],
    about: About,
) -> None:
    """It comes to the bank, and what is the survivors' leaves it again."""
    entries: list[Entry] = [(MoneyAccount.BANK, alliance.id, recovery.amount)]
    entries += [(account, party, -part) for account, parts in back for party, part in parts.items()]
    entries += [(MoneyAccount.BANK, alliance.id, -recovery.losses)] if recovery.losses else []
    entries += [(MoneyAccount.UNAPPLIED, default.merchant_id, -recovery.kept)] if recovery.kept else []
    await post(
        session,
        kind="DEFAULT_RECOVERED",
        entries=entries,
        who=about.who,
        why=about.why,
        as_of=about.as_of,
        cause_id=default.id,
        approved_by=about.approved_by,
    )


async def _repay(
    session: AsyncSession, alliance: Alliance, default: MerchantDefault, losses: Parts, about: About
) -> None:
    """What survivors got back is not owed to them any more."""
    for party, amount in losses.items():
        share = (DefaultShare.default_id == default.id) & (DefaultShare.merchant_id == party)
        await session.execute(
            update(DefaultShare).where(share).values(repaid=DefaultShare.repaid + amount),
            execution_options={"synchronize_session": "fetch"},
        )
    unit = minor_unit(alliance.settlement_currency)
    owed = [(default.merchant_id, party, -amount * unit) for party, amount in losses.items()]
    await lose(session, alliance, default, owed, about)


async def _tell(
    session: AsyncSession, alliance: Alliance, default: MerchantDefault, recovery: Recovery, losses: Parts
) -> None:
    """The defaulter hears of all of it, each survivor of its part (A14)."""
    unit = minor_unit(alliance.settlement_currency)
    told = {"default": str(default.id), "merchant": str(default.merchant_id), "asOf": recovery.as_of.isoformat()}
    for party, amount in [(default.merchant_id, recovery.amount), *losses.items()]:
        more = {"amount": str(amount * unit)}
        if party != alliance.id:
            await add_event(session, default.id, EventKind.DEFAULT_RECOVERED, told | more, party)


async def restore(
    session: AsyncSession, alliance: Alliance, merchant_id: uuid.UUID, *, who: uuid.UUID, why: str, as_of: datetime
) -> None:
    """Let a merchant take part again: one in default once it has repaid what others lost.

    What was withheld from it is to be paid again, and its accounts are netted again from the next cycle on. Raises
    InvalidInput, MerchantNotFrozen, DefaultNotRepaid.
    """
    merchant = await freezing.stand_still(session, merchant_id)
    if merchant.defaulted_since is not None:
        await _end(session, alliance, merchant, as_of)
    await freezing.restore(session, merchant_id, who=who, why=why, as_of=as_of)


async def require_restorable(session: AsyncSession, alliance: Alliance, merchant_id: uuid.UUID) -> None:
    """Raises MerchantNotFrozen, DefaultNotRepaid."""
    merchant = await session.get_one(MerchantRow, merchant_id)
    if merchant.frozen_since is None:
        raise MerchantNotFrozen(merchant=merchant.code, path=("merchant",))
    defaults = await queries.open_of(session, merchant_id)
    if left := sum([(await queries.lacking(session, default)).to_others for default in defaults]):
        raise DefaultNotRepaid(missing=from_minor(left, alliance.settlement_currency), path=("merchant",))


async def _end(session: AsyncSession, alliance: Alliance, merchant: MerchantRow, as_of: datetime) -> None:
    """Its defaults are over."""
    await require_restorable(session, alliance, merchant.id)
    for default in await queries.open_of(session, merchant.id):
        default.ended_at = as_of
    merchant.defaulted_since = merchant.unhonoured_since = None
    await session.flush()
    await payments.release(session, merchant.id)
