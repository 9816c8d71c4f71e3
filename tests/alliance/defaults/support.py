"""The worked alliance of A12: positions A +150, B -300, C +400, D -280, E +30."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from alliance.approvals.commands import About
from alliance.defaults import commands, deposits, recovering
from alliance.defaults.deposits import Deposit
from alliance.defaults.model import DefaultShare, MerchantDefault
from alliance.file.commands import publish
from alliance.settlement import queries
from alliance.settlement.model import SettlementCycle
from alliance.treasury.model import MoneyAccount
from alliance.treasury.queries import balances
from alliance.verify import verify
from tests.alliance.settlement.test_cycles import owe
from tests.alliance.support import NOON, House, days

A, B, C, D, E = (uuid.UUID(int=0xA12_0000 + number) for number in range(1, 6))
OTHER = uuid.UUID(int=9)
LATE = NOON + days(20)
ABOUT = About(uuid.UUID(int=8), "nothing came", LATE)

OWED = [(D, A, 10_000), (D, C, 45_000), (D, E, 8_000), (B, D, 35_000), (C, A, 5_000), (E, B, 5_000)]
"""Debtor, creditor, cents: D owes A 100, C 450, E 80 and is owed 350 by B. C owes A 50, E owes B 50."""


async def settling(house: House, owed: list[tuple[uuid.UUID, uuid.UUID, int]] = OWED) -> SettlementCycle:
    """The cycle in which D is to pay 280, with payments due on 8 June 2017."""
    await owe(house, owed)
    async with house.runtime.database.transaction() as session:
        await publish(session)
    await house.runtime.refresh()
    return await house.through(await house.close(), "settle_cycle")


def merchant(house: House, id_: uuid.UUID) -> Any:
    """From the catalogue."""
    return house.runtime.catalogue.merchants_by_id[id_]


async def bring(house: House, party: uuid.UUID, account: Deposit, cents: int) -> None:
    """Deposit money."""
    async with house.runtime.database.transaction() as session:
        alliance = house.runtime.catalogue.alliance
        await deposits.deposit(session, alliance, merchant(house, party), account, cents, ABOUT)


async def declared(house: House, cycle: SettlementCycle, party: uuid.UUID = D, about: About = ABOUT) -> MerchantDefault:
    """Declare a default."""
    async with house.runtime.database.transaction() as session:
        found = await commands.declare(session, house.runtime.catalogue.alliance, party, cycle.id, about)
    await house.runtime.refresh()
    return found


async def recovered(house: House, default: MerchantDefault, cents: int) -> Any:
    """Have money come of it."""
    async with house.runtime.database.transaction() as session:
        return await recovering.recover(session, house.runtime.catalogue.alliance, default.id, cents, ABOUT)


async def shares(house: House, default: MerchantDefault) -> dict[uuid.UUID, tuple[int, int, int]]:
    """Loss, part of the fund, and what was repaid, by party; who has none is left out."""
    async with house.runtime.database.session() as session:
        rows = await session.scalars(select(DefaultShare).where(DefaultShare.default_id == default.id))
        return {row.merchant_id: (row.loss, row.fund, row.repaid) for row in rows if row.loss or row.fund}


async def payments(house: House, cycle: SettlementCycle) -> list[tuple[uuid.UUID, uuid.UUID, int, str]]:
    """Payer, payee, cents and status."""
    async with house.runtime.database.session() as session:
        rows = (await queries.payments(session, [cycle.id]))[cycle.id]
        return [(row.payer_id, row.payee_id, row.amount, row.status) for row in rows]


async def owing(house: House) -> dict[tuple[uuid.UUID, uuid.UUID], int]:
    """What is owed in the open cycle, in cents, by debtor and creditor, openings and all."""
    async with house.runtime.database.session() as session:
        cycle = await queries.open_cycle(session)
        assert cycle is not None
        nets = (await queries.pair_nets(session, [cycle], "USD"))[cycle.id]
    return {
        ((net.second, net.first) if net.closing > 0 else (net.first, net.second)): abs(net.closing) // 10_000
        for net in nets
        if net.closing
    }


async def held(house: House) -> dict[tuple[str, uuid.UUID], int]:
    """What lies where, as it is owed to the party; the bank as it is."""
    async with house.runtime.database.session() as session:
        found = await balances(session)
    return {
        (account.value, party): balance if account == MoneyAccount.BANK else -balance
        for (account, party), balance in found.items()
        if balance
    }


async def proved(house: House) -> None:
    """The books."""
    async with house.runtime.database.session() as session:
        assert (await verify(session)).differences == []


def at(day: int) -> datetime:
    """A day of June 2017, at noon in New York."""
    return datetime(2017, 6, day, 16, tzinfo=UTC)
