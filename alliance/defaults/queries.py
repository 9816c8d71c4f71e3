"""Reading defaults, and what a merchant's pay-in lacks."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.defaults.model import DefaultShare, MerchantDefault, Recovery
from alliance.defaults.rules import Parts
from alliance.settlement.model import PairNetRow, Payment, PaymentStatus
from alliance.treasury.model import MoneyAccount, MoneyEntry, MoneyTransaction


async def unpaid(session: AsyncSession, cycle_id: uuid.UUID, payer_id: uuid.UUID) -> Sequence[Payment]:
    """What a merchant was to pay in a cycle and has not, not even into the account that all pay into."""
    of_payer = (Payment.cycle_id == cycle_id) & (Payment.payer_id == payer_id)
    query = select(Payment).where(of_payer, Payment.paid_in_on.is_(None))
    return (await session.scalars(query.where(Payment.status == PaymentStatus.PLANNED).order_by(Payment.seq))).all()


async def nets_of(session: AsyncSession, cycle_id: uuid.UUID, merchant_id: uuid.UUID) -> Parts:
    """What a merchant owes each other of a cycle (above zero), in minor units."""
    query = select(PairNetRow).where(PairNetRow.cycle_id == cycle_id, PairNetRow.net != 0)
    rows = await session.scalars(
        query.where(or_(PairNetRow.first_id == merchant_id, PairNetRow.second_id == merchant_id))
    )
    return {
        (row.first_id if row.second_id == merchant_id else row.second_id): (
            row.net if row.second_id == merchant_id else -row.net
        )
        for row in rows
    }


async def by_ids(session: AsyncSession, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, MerchantDefault]:
    """Defaults by id."""
    rows = await session.scalars(select(MerchantDefault).where(MerchantDefault.id.in_(ids)))
    return {row.id: row for row in rows}


async def page(
    session: AsyncSession,
    *,
    of: uuid.UUID | None = None,
    party: uuid.UUID | None = None,
    before: uuid.UUID | None = None,
    first: int = 20,
) -> Sequence[MerchantDefault]:
    """Defaults, newest first: of a merchant, or those that a party has something to do with."""
    query = select(MerchantDefault).where(*_wanted(of, party)).order_by(MerchantDefault.id.desc()).limit(first)
    if before is not None:
        query = query.where(MerchantDefault.id < before)
    return (await session.scalars(query)).all()


async def count(session: AsyncSession, *, of: uuid.UUID | None = None, party: uuid.UUID | None = None) -> int:
    """How many there are in all."""
    query = select(func.count()).select_from(MerchantDefault).where(*_wanted(of, party))
    return (await session.scalars(query)).one()


def _wanted(of: uuid.UUID | None, party: uuid.UUID | None) -> list[ColumnElement[bool]]:
    """Those of a merchant, and those in which a party has a share or that are its own."""
    found = [] if of is None else [MerchantDefault.merchant_id == of]
    if party is not None:
        mine = select(DefaultShare.default_id).where(DefaultShare.merchant_id == party)
        found.append((MerchantDefault.merchant_id == party) | MerchantDefault.id.in_(mine))
    return found


async def open_of(session: AsyncSession, merchant_id: uuid.UUID) -> Sequence[MerchantDefault]:
    """A merchant's defaults that are not over, oldest first."""
    mine = select(MerchantDefault).where(MerchantDefault.merchant_id == merchant_id, MerchantDefault.ended_at.is_(None))
    return (await session.scalars(mine.order_by(MerchantDefault.id))).all()


async def shares(
    session: AsyncSession, default_ids: Collection[uuid.UUID], party: uuid.UUID | None = None
) -> dict[uuid.UUID, list[DefaultShare]]:
    """What each default is to the others; to a party alone, if given (A14)."""
    query = select(DefaultShare).where(DefaultShare.default_id.in_(default_ids)).order_by(DefaultShare.merchant_id)
    if party is not None:
        query = query.where(DefaultShare.merchant_id == party)
    found: dict[uuid.UUID, list[DefaultShare]] = {id_: [] for id_ in default_ids}
    for row in await session.scalars(query):
        found[row.default_id].append(row)
    return found


async def recoveries(session: AsyncSession, default_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Recovery]]:
    """What came back of each default, in order."""
    rows = await session.scalars(select(Recovery).where(Recovery.default_id.in_(default_ids)).order_by(Recovery.id))
    found: dict[uuid.UUID, list[Recovery]] = {id_: [] for id_ in default_ids}
    for row in rows:
        found[row.default_id].append(row)
    return found


@dataclass(frozen=True, slots=True)
class Lacking:
    """What is still to be repaid of a default, by whom it is missing, in the reverse of the waterfall."""

    losses: Parts
    reserve: Parts
    fund: Parts
    own: Parts
    collateral: Parts

    @property
    def pots(self) -> list[Parts]:
        """In the order in which they are repaid."""
        return [self.losses, self.reserve, self.fund, self.own, self.collateral]

    @property
    def to_others(self) -> int:
        """Without what the defaulter itself had deposited."""
        return sum(sum(pot.values()) for pot in (self.losses, self.reserve, self.fund))


async def lacking(session: AsyncSession, default: MerchantDefault) -> Lacking:
    """What survivors lost and were not repaid, and what was drawn for it of money accounts and is not back."""
    found = (await shares(session, [default.id]))[default.id]
    losses = {row.merchant_id: row.loss - row.repaid for row in found if row.loss > row.repaid}
    query = (
        select(MoneyEntry.account, MoneyEntry.party_id, func.sum(MoneyEntry.amount))
        .join(MoneyTransaction, MoneyTransaction.id == MoneyEntry.transaction_id)
        .where(MoneyTransaction.cause_id == default.id)
        .group_by(MoneyEntry.account, MoneyEntry.party_id)
    )
    drawn: dict[str, Parts] = defaultdict(dict)
    for account, party_id, amount in await session.execute(query):
        if amount > 0:
            drawn[account][party_id] = int(amount)
    fund = drawn[MoneyAccount.FUND.value]
    own = {party: amount for party, amount in fund.items() if party == default.merchant_id}
    others = {party: amount for party, amount in fund.items() if party != default.merchant_id}
    reserve, collateral = drawn[MoneyAccount.RESERVE.value], drawn[MoneyAccount.COLLATERAL.value]
    return Lacking(losses, reserve, others, own, collateral)
