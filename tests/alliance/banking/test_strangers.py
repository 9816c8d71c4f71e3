"""What a merchant may learn of others' payments by its own receipts: nothing (A14); and files that are broken."""

import gzip
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from alliance.approvals.commands import About
from alliance.banking import asking
from alliance.banking.accounts import banking_of
from alliance.banking.acts import match_receipt
from alliance.banking.errors import StatementRefused
from alliance.banking.importing import Imported, import_statement
from alliance.banking.receipts import Receipt
from alliance.partnerfiles.reading import Broken, records
from alliance.partnerfiles.shape import Shape
from alliance.settlement.model import SettlementCycle
from domain.errors import NotFound
from tests.alliance.banking.statements import Line, camt
from tests.alliance.banking.support import IBANS, give_accounts
from tests.alliance.support import NOON, WHO, House

BARE: dict[str, Any] = {"code": "bare", "format": "csv", "columns": {"key": "a", "amount": "b"}}


async def _settling(house: House, mode: str) -> SettlementCycle:
    """Fuel owes the grocer 90.00."""
    await give_accounts(house, mode)
    await house.earn(await house.member(), "fuel", 10_000)
    return await house.through(await house.close(), "settle_cycle")


async def _take(house: House, owner: str, content: bytes) -> Imported:
    about = About(WHO, "the bank's statement", NOON, house.id(owner))
    async with house.runtime.database.transaction() as session:
        return await import_statement(session, content, house.id(owner), about)


async def _receipt(house: House) -> Receipt:
    async with house.runtime.database.session() as session:
        return (await session.scalars(select(Receipt))).one()


@pytest.mark.parametrize("number", [1, 77], ids=["anothers", "none"])
async def test_a14_a_receipt_is_not_asked_to_be_of_others_payments(house: House, number: int) -> None:
    cycle = await _settling(house, "direct")
    await _take(house, "fuel", camt([Line("A", "500.00")], iban=IBANS["fuel"]))
    receipt, fuel = await _receipt(house), house.id("fuel")
    async with house.runtime.database.session() as session:
        banking = await banking_of(session)
        with pytest.raises(NotFound):
            await asking.match(session, banking, receipt.id, [(cycle.number, number, None)], fuel)
    args = {"receipt": str(receipt.id), "parts": [{"cycle": str(cycle.id), "number": number, "amount": 40_000}]}
    with pytest.raises(NotFound):
        async with house.runtime.database.transaction() as session:
            await match_receipt(session, house.runtime, args, About(WHO, "try", NOON, fuel))


async def test_a14_no_payment_of_others_is_proposed_for_a_merchant_s_receipt(house: House) -> None:
    await _settling(house, "custodian")
    content = camt([Line("A", "500.00", reference="DEMO-C1-P1")], iban=IBANS["fuel"])
    assert (await _take(house, "fuel", content)).proposed == 0
    assert (await _receipt(house)).proposal is None


@pytest.mark.parametrize("day", ["12017-06-09", "-2017-06-09"])
async def test_a_day_out_of_range_refuses_the_statement(house: House, day: str) -> None:
    await give_accounts(house)
    with pytest.raises(StatementRefused):
        await _take(house, "grocer", camt([Line("A", "1.00", day=day)]))


async def test_a_character_that_cannot_be_kept_refuses_the_statement(house: House) -> None:
    await give_accounts(house)
    with pytest.raises(StatementRefused):
        await _take(house, "grocer", b"date,amount,text,name,account\n2017-06-09,1.00,a\0b,,\n")


def test_a_packed_file_that_is_broken_inside_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"a,b\n" * 10_000))
    packed[10:14] = b"\xff\xff\xff\xff"
    path = tmp_path / "file"
    path.write_bytes(bytes(packed))
    with pytest.raises(Broken):
        list(records(path, Shape.of("bare", BARE, ZoneInfo("UTC"))))
