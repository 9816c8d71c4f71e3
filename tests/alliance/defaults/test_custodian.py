"""A default where all pay into one account (A12, L6): what was paid in stays on its way, and the books balance."""

from dataclasses import replace

from alliance.defaults.deposits import Deposit
from tests.alliance.banking.support import give_accounts
from tests.alliance.banking.test_custody import IN, OUT, money, release, statuses, take
from tests.alliance.defaults.support import bring, declared, owing, proved, recovered
from tests.alliance.support import House


async def test_a12_l6_a_default_with_a_custodian(house: House) -> None:
    """Fuel owes the grocer 90.00 and pays 50.00 in; its collateral covers 10.00, so the grocer bears 30.00."""
    await give_accounts(house, "custodian")
    await house.earn(await house.member(), "fuel", 10_000)
    cycle = await house.through(await house.close(), "settle_cycle")
    fuel, grocer = house.id("fuel"), house.id("grocer")
    await bring(house, fuel, Deposit.COLLATERAL, 1_000)
    await take(house, replace(IN, amount="50.00"))
    default = await declared(house, cycle, fuel)
    assert (default.missing, default.collateral, default.loss) == (4_000, 1_000, 3_000)
    assert await statuses(house) == [(1, 5_000, "PLANNED", True), (2, 1_000, "PAID", False), (3, 3_000, "MOVED", False)]
    assert await money(house) == {("BANK", "operator"): 5_000, ("CLEARING", "operator"): -5_000}
    assert (await owing(house))[fuel, grocer] == 3_000
    await proved(house)
    await release(house, cycle)
    await take(house, replace(OUT, amount="-50.00"), id_="ST2")
    assert await money(house) == {}
    await recovered(house, default, 3_000)
    assert await owing(house) == {}
    assert await money(house) == {}
    await proved(house)
