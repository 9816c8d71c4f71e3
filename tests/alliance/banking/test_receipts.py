"""Receipts of banks against payments, where merchants pay each other (A16): every way money comes, and back again."""

import uuid
from typing import Any

import pytest
from sqlalchemy import select, text

from alliance.approvals.commands import About
from alliance.banking.acts import match_receipt, refund_cash, split_receipt, unmatch_receipt
from alliance.banking.errors import NotMatching, StatementRefused
from alliance.banking.importing import Imported, import_statement
from alliance.banking.receipts import Receipt, ReceiptStep
from alliance.settlement.model import Payment, SettlementCycle
from tests.alliance.banking.statements import Line, camt
from tests.alliance.banking.support import IBANS, give_accounts
from tests.alliance.support import NOON, WHO, House

ABOUT = About(WHO, "as the bank says", NOON)


@pytest.fixture
async def cycle(house: House) -> SettlementCycle:
    """Fuel owes the grocer 90.00, and is to pay it."""
    await give_accounts(house)
    await house.earn(await house.member(), "fuel", 10_000)
    return await house.through(await house.close(), "settle_cycle")


async def take(house: House, *lines: Line, id_: str = "ST1", **more: str) -> Imported:
    async with house.runtime.database.transaction() as session:
        return await import_statement(session, camt(lines, id_, **more), house.id("grocer"), ABOUT)


async def act(house: House, perform: Any, **args: Any) -> Any:
    async with house.runtime.database.transaction() as session:
        return await perform(session, house.runtime, args, ABOUT)


async def payments(house: House) -> list[tuple[int, int, str]]:
    async with house.runtime.database.session() as session:
        rows = await session.scalars(select(Payment).order_by(Payment.seq))
        return [(row.seq, row.amount, row.status) for row in rows]


async def receipts(house: House) -> dict[str, Receipt]:
    async with house.runtime.database.session() as session:
        return {row.number: row for row in await session.scalars(select(Receipt).order_by(Receipt.number))}


async def status(house: House, cycle: SettlementCycle) -> str:
    async with house.runtime.database.session() as session:
        found = await session.get(SettlementCycle, cycle.id)
        assert found is not None
        return found.status


def part(cycle: SettlementCycle, number: int, amount: int) -> dict[str, Any]:
    return {"cycle": str(cycle.id), "number": number, "amount": amount}


async def test_a16_a_receipt_that_names_its_payment_settles_it_once(house: House, cycle: SettlementCycle) -> None:
    taken = await take(house, Line("A", "90.00", reference="DEMO-C1-P1", name="Fuel"), Line("B", "-5.00"))
    assert (taken.again, taken.entries, taken.applied, taken.open) == (False, 2, 1, 0)
    assert await payments(house) == [(1, 9_000, "PAID")]
    assert await status(house, cycle) == "SETTLED"
    again = await take(house, Line("A", "90.00", reference="DEMO-C1-P1", name="Fuel"), Line("B", "-5.00"))
    assert (again.id, again.again) == (taken.id, True)
    longer = await take(house, Line("A", "90.00", reference="DEMO-C1-P1"), Line("C", "90.00", reference="DEMO-C1-P1"))
    assert (longer.known, longer.applied, longer.open) == (1, 0, 1), "paid twice: the second is unapplied"
    other = await take(house, Line("A", "90.00", reference="DEMO-C1-P1"), id_="ST2")
    assert other.open == 1


async def test_a16_short_then_the_rest_then_over(house: House, cycle: SettlementCycle) -> None:
    await take(house, Line("A", "50.00", reference="demo c1 p1"))
    assert await payments(house) == [(1, 5_000, "PAID"), (2, 4_000, "PLANNED")]
    assert await status(house, cycle) == "SETTLING"
    await take(house, Line("B", "45.00", text="the rest of DEMO-C1-P1"), id_="ST2")
    assert await payments(house) == [(1, 5_000, "PAID"), (2, 4_000, "PAID")]
    assert await status(house, cycle) == "SETTLED"
    assert {number: row.status for number, row in (await receipts(house)).items()} == {"A": "APPLIED", "B": "PARTLY"}


async def test_a16_by_the_payer_s_account(house: House, cycle: SettlementCycle) -> None:
    await take(house, Line("A", "90.00", iban=IBANS["fuel"]))
    assert await status(house, cycle) == "SETTLED"


async def test_a16_what_only_fits_is_proposed_and_a_person_says_so(house: House, cycle: SettlementCycle) -> None:
    taken = await take(house, Line("A", "90.00", reference="DEM0-C1-P1"))
    assert (taken.proposed, await status(house, cycle)) == (1, "SETTLING")
    (receipt,) = (await receipts(house)).values()
    assert receipt.proposal is not None
    assert (receipt.proposal["how"], receipt.proposal["score"]) == ("MISTYPED", 80)
    await act(house, match_receipt, receipt=str(receipt.id), parts=receipt.proposal["parts"])
    assert await status(house, cycle) == "SETTLED"


async def test_a16_unmatching_puts_everything_back(house: House, cycle: SettlementCycle) -> None:
    await take(house, Line("A", "50.00", reference="DEMO-C1-P1"), Line("B", "40.00", reference="DEMO-C1-P1"))
    assert await status(house, cycle) == "SETTLED"
    known = await receipts(house)
    await act(house, unmatch_receipt, receipt=str(known["A"].id))
    assert await status(house, cycle) == "SETTLING"
    assert await payments(house) == [(1, 5_000, "PLANNED"), (2, 4_000, "PAID")]
    await act(house, unmatch_receipt, receipt=str(known["B"].id))
    assert await payments(house) == [(1, 9_000, "PLANNED")]
    assert {row.status for row in (await receipts(house)).values()} == {"OPEN"}
    with pytest.raises(NotMatching):
        await act(house, unmatch_receipt, receipt=str(known["B"].id))
    await act(house, match_receipt, receipt=str(known["B"].id), parts=[part(cycle, 1, 4_000)])
    await act(house, match_receipt, receipt=str(known["A"].id), parts=[part(cycle, 2, 5_000)])
    assert await status(house, cycle) == "SETTLED"
    async with house.runtime.database.session() as session:
        steps = [(step.kind, step.who, step.why) for step in await session.scalars(select(ReceiptStep))]
    assert (
        steps
        == [(kind, WHO, "as the bank says") for kind in ("MATCHED", "MATCHED", "UNMATCHED", "UNMATCHED")]
        + [("MATCHED", WHO, "as the bank says")] * 2
    )


async def test_a16_one_receipt_is_split_and_what_is_left_is_given_back(house: House, cycle: SettlementCycle) -> None:
    await take(house, Line("A", "100.00", name="?", day="2017-05-01"))
    (receipt,) = (await receipts(house)).values()
    split = await act(house, split_receipt, receipt=str(receipt.id), amounts=[9_000, 1_000])
    await act(house, match_receipt, receipt=split["parts"][0], parts=[part(cycle, 1, 9_000)])
    with pytest.raises(NotMatching):
        await act(house, refund_cash, receipt=split["parts"][1], amount=1_001)
    await act(house, refund_cash, receipt=split["parts"][1], amount=1_000)
    found = await receipts(house)
    assert {number: row.status for number, row in found.items()} == {"A": "SPLIT", "A#1": "APPLIED", "A#2": "REFUNDED"}
    with pytest.raises(NotMatching):
        await act(house, match_receipt, receipt=str(receipt.id), parts=[part(cycle, 1, 1)])


async def test_a16_what_was_recorded_by_hand_is_confirmed_by_its_receipt(house: House, cycle: SettlementCycle) -> None:
    await house.step("record_receipts", cycle)
    await take(house, Line("A", "90.00", reference="DEMO-C1-P1"), Line("B", "90.00", iban=IBANS["fuel"]))
    found = await receipts(house)
    assert (found["A"].status, found["B"].status) == ("APPLIED", "OPEN")
    await act(house, unmatch_receipt, receipt=str(found["A"].id))
    assert await status(house, cycle) == "SETTLED"


async def test_a16_money_of_others_is_not_applied(house: House, cycle: SettlementCycle) -> None:
    await take(house, Line("A", "90.00", day="2017-05-01"), Line("R", "90.00", reference="DEMO-C1-P1", reversal=True))
    known = await receipts(house)
    assert {row.status for row in known.values()} == {"OPEN"}
    for receipt, parts in (
        (known["R"], [part(cycle, 1, 9_000)]),
        (known["A"], [part(cycle, 1, 9_001)]),
        (known["A"], [part(cycle, 1, 0)]),
        (known["A"], []),
        (known["A"], [part(cycle, 1, 5_000), part(cycle, 1, 5_000)]),
    ):
        with pytest.raises(NotMatching):
            await act(house, match_receipt, receipt=str(receipt.id), parts=parts)
    with pytest.raises(StatementRefused):
        await take(house, Line("Z", "1.00"), iban=IBANS["fuel"])
    assert await payments(house) == [(1, 9_000, "PLANNED")]


async def test_a16_who_paid_is_sealed(house: House, cycle: SettlementCycle) -> None:
    await take(house, Line("A", "1.00", name="Ada Lovelace", iban=IBANS["operator"], text="for tea"))
    (receipt,) = (await receipts(house)).values()
    for sealed, plain in ((receipt.name, b"Ada"), (receipt.account, b"FR14"), (receipt.told, b"tea")):
        assert sealed is not None
        assert plain not in sealed
    assert receipt.payer_id == house.id("operator")
    assert receipt.id != uuid.UUID(int=0)


async def test_a16_one_receipt_pays_two_cycles_and_both_are_told(house: House, cycle: SettlementCycle) -> None:
    await house.earn(await house.member(), "fuel", 2_000)
    second = await house.through(await house.close(), "settle_cycle")
    before = await house.count("event")
    await take(house, Line("A", "108.00", text="DEMO-C1-P1 + DEMO-C2-P1"))
    assert [await status(house, one) for one in (cycle, second)] == ["SETTLED", "SETTLED"]
    async with house.runtime.database.session() as session:
        told = (await session.scalars(text("SELECT seen_by FROM event WHERE kind = 'RECEIPT_MATCHED'"))).all()
    assert [sorted(parties) for parties in told] == [sorted((str(house.id("fuel")), str(house.id("grocer"))))] * 2
    assert await house.count("event") == before + 4, "two payments, two cycles that are settled"
    (receipt,) = (await receipts(house)).values()
    await act(house, unmatch_receipt, receipt=str(receipt.id))
    assert [await status(house, one) for one in (cycle, second)] == ["SETTLING", "SETTLING"]
