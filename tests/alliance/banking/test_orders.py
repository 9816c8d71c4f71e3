"""The files of payments of a cycle: whose they are, and what is in them."""

import pytest
from lxml import etree

from alliance.banking.errors import AccountMissing
from alliance.banking.orders import FileKind, PaymentFile, drafts
from alliance.settlement.model import SettlementCycle
from tests.alliance.banking.support import IBANS, give_accounts
from tests.alliance.support import House


async def settling(house: House) -> SettlementCycle:
    """Fuel owes the grocer 90.00."""
    await house.earn(await house.member(), "fuel", 10_000)
    return await house.through(await house.close(), "settle_cycle")


async def files_of(house: House, cycle: SettlementCycle, code: str | None = None) -> list[PaymentFile]:
    async with house.runtime.database.session() as session:
        return await drafts(session, cycle, party=None if code is None else house.id(code))


def ibans(file: PaymentFile) -> list[str]:
    return [node.text for node in etree.fromstring(file.content).iter("{*}IBAN")]


async def test_a16_a_payer_s_file_has_the_payments_that_it_makes(house: House) -> None:
    await give_accounts(house)
    cycle = await settling(house)
    (file,) = await files_of(house, cycle)
    assert (file.kind, house.code(file.party_id), file.numbers, file.total) == (FileKind.PAYMENTS, "fuel", (1,), 9_000)
    assert ibans(file) == [IBANS["fuel"], IBANS["grocer"]]
    assert (await files_of(house, cycle)) == [file]
    assert await files_of(house, cycle, "grocer") == []
    text = file.content.decode()
    assert "<EndToEndId>DEMO-C1-P1<" in text
    assert '<InstdAmt Ccy="USD">90.00<' in text
    assert "<Dt>2017-06-08<" in text  # five business days, the last of which is the day to pay


async def test_l6_with_a_custodian_all_is_paid_in_and_then_out(house: House) -> None:
    await give_accounts(house, "custodian")
    cycle = await settling(house)
    inward, out = sorted(await files_of(house, cycle), key=lambda file: file.kind)
    assert (inward.kind, house.code(inward.party_id)) == (FileKind.PAY_INS, "fuel")
    assert ibans(inward) == [IBANS["fuel"], IBANS["operator"]]
    assert (out.kind, house.code(out.party_id)) == (FileKind.PAY_OUTS, "operator")
    assert ibans(out) == [IBANS["operator"], IBANS["grocer"]]
    assert await files_of(house, cycle, "fuel") == [inward]


async def test_a_payee_without_an_account_is_named(house: House) -> None:
    with pytest.raises(AccountMissing) as refused:
        await files_of(house, await settling(house))
    assert "grocer" in refused.value.message()
