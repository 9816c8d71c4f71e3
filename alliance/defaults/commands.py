"""Declaring a merchant in default (A12), in one transaction of the caller's: all of it or nothing.

The merchant is frozen, what others were to pay it is withheld, what it did not pay is covered in the order of the
waterfall; what nothing covers is owed again, in the open cycle, to those who bear it. See docs/decisions/default.md.
"""

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import About
from alliance.calendar import Calendar
from alliance.clearing.model import ObligationKind
from alliance.corrections.commands import Line, book
from alliance.corrections.model import Cause
from alliance.defaults import netting_again, payments, queries
from alliance.defaults.errors import GraceNotOver, PayInNotMissing
from alliance.defaults.model import DefaultShare, MerchantDefault
from alliance.defaults.rules import Held, Parts, Waterfall, cover, evened, waterfall
from alliance.exposure.commands import paid, withhold_again
from alliance.exposure.freezing import follow, freeze, stand_still
from alliance.settlement.model import CycleStatus, Payment, PaymentStatus, SettlementCycle
from alliance.settlement.paying import finish
from alliance.settlement.rules import minor_unit
from alliance.settlement.steps import locked, require
from alliance.treasury.commands import post
from alliance.treasury.model import MoneyAccount
from alliance.treasury.queries import balances
from domain.events.commands import add_event
from domain.events.kinds import EventKind
from domain.programs.catalogue import Alliance
from domain.programs.model import MerchantRow


@dataclass(frozen=True, slots=True)
class Assessed:
    """What a default would be: its waterfall, the payments that are missing, and from when it can be declared."""

    cycle: SettlementCycle
    waterfall: Waterfall
    nets: Parts
    missing: tuple[Payment, ...]
    grace_until: datetime


def grace_until(alliance: Alliance, due: datetime) -> datetime:
    """Until when what was due by `due` (exclusive) may still be paid without anybody being in default."""
    return Calendar.of(alliance.calendar).deadline(
        due - timedelta(microseconds=1), alliance.cycle.grace, alliance.timezone
    )


async def assess(
    session: AsyncSession, alliance: Alliance, merchant: MerchantRow, cycle: SettlementCycle, again: bool = False
) -> Assessed:
    """What a default of a merchant in a cycle would be now; `again`: if the cycle were netted without it.

    Raises WrongCycleStatus, PayInNotMissing, NotAllowed, LaterCycleStated.
    """
    require(cycle, CycleStatus.SETTLING)
    missing = await queries.unpaid(session, cycle.id, merchant.id)
    if not missing or cycle.payments_due is None:
        raise PayInNotMissing(merchant=merchant.code, number=cycle.number, path=("cycle",))
    nets = await queries.nets_of(session, cycle.id, merchant.id)
    held = await _held(session, merchant.id)
    if again:
        await netting_again.require_unpaid(session, alliance, cycle)
        found = netting_again.without_claims(nets, held)
    else:
        found = waterfall(sum(payment.amount for payment in missing), nets, held)
    return Assessed(cycle, found, nets, tuple(missing), grace_until(alliance, cycle.payments_due))


async def _held(session: AsyncSession, merchant_id: uuid.UUID) -> Held:
    """What lies with the alliance for a default of a merchant."""
    found = await balances(session, accounts=(MoneyAccount.COLLATERAL, MoneyAccount.FUND))
    fund = {party: -balance for (account, party), balance in found.items() if account == MoneyAccount.FUND}
    own = fund.pop(merchant_id, 0)
    return Held(-found.get((MoneyAccount.COLLATERAL, merchant_id), 0), own, fund)


async def declare(
    session: AsyncSession,
    alliance: Alliance,
    merchant_id: uuid.UUID,
    cycle_id: uuid.UUID,
    about: About,
    again: bool = False,
) -> MerchantDefault:
    """Declare that a merchant's pay-in of a cycle stays away, and book what follows; `again`: the cycle is netted
    without it.

    Raises NotFound, WrongCycleStatus, PayInNotMissing, GraceNotOver, NotAllowed, LaterCycleStated.
    """
    merchant = await stand_still(session, merchant_id)
    cycle = await locked(session, cycle_id, about.as_of)
    assessed = await assess(session, alliance, merchant, cycle, again)
    if about.as_of < assessed.grace_until:
        raise GraceNotOver(until=assessed.grace_until.isoformat(), path=("cycle",))
    if merchant.frozen_since is None:
        await freeze(session, merchant_id, who=about.who, why=about.why, as_of=about.as_of)
    merchant.defaulted_since = merchant.defaulted_since or about.as_of
    await session.flush()
    await follow(session, about.as_of)
    default = await _keep(session, alliance, merchant, assessed, about)
    default.netted_again = again
    await payments.withhold(session, merchant_id)
    found = assessed.waterfall
    await _draw(session, alliance, default, found, about)
    if again:
        await netting_again.net_again(session, alliance, cycle)
        unit, covered = minor_unit(alliance.settlement_currency), netting_again.paid_off(assessed.nets, found.losses)
        await lose(session, alliance, default, [(merchant_id, party, -part * unit) for party, part in covered], about)
    else:
        await _owe_again(session, alliance, default, assessed, about)
    await finish(session, cycle, about.who, about.why, about.as_of)
    await withhold_again(session, about.as_of)
    await _tell(session, alliance, default, cycle, found)
    return default


async def _keep(
    session: AsyncSession, alliance: Alliance, merchant: MerchantRow, assessed: Assessed, about: About
) -> MerchantDefault:
    found, calendar = assessed.waterfall, Calendar.of(alliance.calendar)
    earlier = select(func.min(MerchantDefault.honoured_until)).where(
        MerchantDefault.merchant_id == merchant.id, MerchantDefault.ended_at.is_(None)
    )
    honoured = await session.scalar(earlier) or calendar.deadline(
        about.as_of, alliance.defaults.honour, alliance.timezone
    )
    default = MerchantDefault(merchant_id=merchant.id, cycle_id=assessed.cycle.id)
    default.debts, default.claims, default.received = found.debts, found.claims, found.received
    default.missing, default.collateral, default.own_fund = found.missing, found.collateral, found.own_fund
    default.fund, default.loss = sum(found.fund.values()), found.loss
    default.who, default.approved_by, default.why = about.who, about.approved_by, about.why
    default.declared_at, default.honoured_until = about.as_of, honoured
    session.add(default)
    await session.flush()
    claims = {party: amount for party, amount in assessed.nets.items() if amount > 0}
    for party in sorted({*claims, *found.fund}):
        share = DefaultShare(default_id=default.id, merchant_id=party, claim=claims.get(party, 0))
        share.fund, share.loss = found.fund.get(party, 0), found.losses.get(party, 0)
        session.add(share)
    await session.flush()
    return default


async def _draw(
    session: AsyncSession, alliance: Alliance, default: MerchantDefault, found: Waterfall, about: About
) -> None:
    """What covers it leaves the accounts of who deposited it, and the bank."""
    entries = [
        (MoneyAccount.COLLATERAL, default.merchant_id, found.collateral),
        (MoneyAccount.FUND, default.merchant_id, found.own_fund),
        *((MoneyAccount.FUND, party, amount) for party, amount in found.fund.items()),
        (MoneyAccount.BANK, alliance.id, -found.covered),
    ]
    if found.covered:
        await post(
            session,
            kind="DEFAULT_COVERED",
            entries=[entry for entry in entries if entry[2]],
            who=about.who,
            why=about.why,
            as_of=about.as_of,
            cause_id=default.id,
            approved_by=about.approved_by,
        )


async def _owe_again(
    session: AsyncSession, alliance: Alliance, default: MerchantDefault, assessed: Assessed, about: About
) -> None:
    """Of its payments, what is covered is paid; the rest it owes in the open cycle to those who bear it, and these make
    good to each other who went unpaid."""
    losses = assessed.waterfall.losses
    unpaid = cover(
        [(payment.payee_id, payment.amount) for payment in assessed.missing], assessed.waterfall.covered, losses
    )
    lacks: Counter[uuid.UUID] = Counter()
    for one in unpaid:
        lacks[one.payee] += one.amount - one.covered
    parts = list(zip(assessed.missing, (one.covered for one in unpaid), strict=True))
    changed = await payments.cover(session, parts, PaymentStatus.MOVED, about.as_of)
    await paid(session, changed, about.as_of)
    unit = minor_unit(alliance.settlement_currency)
    owed = [(default.merchant_id, party, amount) for party, amount in losses.items()] + evened(lacks, losses)
    await lose(
        session, alliance, default, [(debtor, creditor, amount * unit) for debtor, creditor, amount in owed], about
    )


async def lose(
    session: AsyncSession,
    alliance: Alliance,
    default: MerchantDefault,
    owed: list[tuple[uuid.UUID, uuid.UUID, int]],
    about: About,
) -> None:
    """Book what follows from a default in the open cycle: debtors, creditors and millionths."""
    lines = [Line(debtor, creditor, amount, kind=ObligationKind.LOSS) for debtor, creditor, amount in owed if amount]
    await book(
        session,
        alliance,
        lines,
        cause=Cause.DEFAULT,
        cause_id=default.id,
        who=about.who,
        why=about.why,
        as_of=about.as_of,
        approved_by=about.approved_by,
    )


async def _tell(
    session: AsyncSession, alliance: Alliance, default: MerchantDefault, cycle: SettlementCycle, found: Waterfall
) -> None:
    """Everybody hears that it is in default, and each what it bears; no more (A14)."""
    unit = minor_unit(alliance.settlement_currency)
    everybody = (await session.scalars(select(MerchantRow.id).order_by(MerchantRow.id))).all()
    told = {
        "default": str(default.id),
        "merchant": str(default.merchant_id),
        "cycle": str(cycle.id),
        "number": cycle.number,
        "asOf": default.declared_at.isoformat(),
    }
    await add_event(session, default.id, EventKind.DEFAULT_DECLARED, told, *everybody)
    for party in sorted({*found.losses, *found.fund} & {*everybody}):
        mine = {"loss": str(found.losses.get(party, 0) * unit), "fund": str(found.fund.get(party, 0) * unit)}
        await add_event(session, default.id, EventKind.DEFAULT_BORNE, told | mine, party)
