"""Money accounts: entries sum to zero, what is owed to a party is never overdrawn, balances follow."""

import asyncio
import uuid

import pytest

from alliance.treasury.commands import Entry, post
from alliance.treasury.errors import NotEnoughMoney
from alliance.treasury.model import MoneyAccount
from alliance.treasury.queries import balances
from alliance.verify import verify
from tests.alliance.support import NOON, WHO, House


async def move(house: House, *entries: Entry) -> uuid.UUID:
    async with house.runtime.database.transaction() as session:
        return await post(session, kind="TEST", entries=entries, who=WHO, why="test", as_of=NOON)


async def test_a12_money_is_kept_by_double_entry(house: House) -> None:
    bank, fuel = house.id("operator"), house.id("fuel")
    await move(house, (MoneyAccount.BANK, bank, 10_000), (MoneyAccount.COLLATERAL, fuel, -10_000))
    await move(house, (MoneyAccount.BANK, bank, -2_500), (MoneyAccount.COLLATERAL, fuel, 2_500))
    with pytest.raises(ValueError, match="zero"):
        await move(house, (MoneyAccount.BANK, bank, 1))
    with pytest.raises(NotEnoughMoney) as refused:
        await move(house, (MoneyAccount.BANK, bank, -7_501), (MoneyAccount.COLLATERAL, fuel, 7_501))
    assert refused.value.data == {"account": "COLLATERAL", "available": "75.00", "requested": "75.01"}
    async with house.runtime.database.session() as session:
        assert await balances(session) == {(MoneyAccount.BANK, bank): 7_500, (MoneyAccount.COLLATERAL, fuel): -7_500}
        assert await balances(session, parties=[house.id("grocer")]) == {}
        assert (await verify(session)).differences == []


async def test_a12_two_who_take_the_last_money_at_once(house: House) -> None:
    bank, fuel = house.id("operator"), house.id("fuel")
    await move(house, (MoneyAccount.BANK, bank, 100), (MoneyAccount.FUND, fuel, -100))
    taking = [move(house, (MoneyAccount.FUND, fuel, 60), (MoneyAccount.BANK, bank, -60)) for _ in range(2)]
    answers = await asyncio.gather(*taking, return_exceptions=True)
    assert sum(isinstance(one, NotEnoughMoney) for one in answers) == 1
    assert sum(isinstance(one, uuid.UUID) for one in answers) == 1


async def test_the_proof_sees_a_balance_that_is_not_its_entries(house: House) -> None:
    bank, fuel = house.id("operator"), house.id("fuel")
    await move(house, (MoneyAccount.BANK, bank, 100), (MoneyAccount.RESERVE, fuel, -100))
    connection = await house.runtime.database.connect()
    try:
        await connection.execute("UPDATE money_balance SET balance = 90 WHERE account = 'BANK'")
    finally:
        await connection.close()
    async with house.runtime.database.session() as session:
        found = {difference.check for difference in (await verify(session)).differences}
    assert found == {"money balance is the sum of its entries"}
