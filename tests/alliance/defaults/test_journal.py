"""A default in the journal (A12, A13): an outside tool adds it up to what is kept."""

from alliance.defaults.deposits import Deposit
from tests.alliance.defaults.support import LATE, A, D, bring, declared, recovered, settling
from tests.alliance.journal.test_journal import checked, written
from tests.alliance.settlement.test_cycles import owe
from tests.alliance.support import House


async def test_a12_a_default_adds_up_outside(house: House) -> None:
    """What was not paid, what was owed again, what was left out of netting and what came back."""
    cycle = await settling(house)
    await bring(house, D, Deposit.COLLATERAL, 10_000)
    default = await declared(house, cycle)
    await house.step("record_receipts", cycle, as_of=LATE)
    await owe(house, [(D, A, 5_000)])
    await house.through(await house.close(LATE), "record_receipts")
    await recovered(house, default, 9_000)
    _, balances = checked(await written(house))
    assert {amount for account, amount in balances.items() if account.endswith(":Netted")} == {0}
