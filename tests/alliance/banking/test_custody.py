"""Where all pay into one account (A12, L6): nobody is paid before all is in, and its books are zero at the end."""

import uuid
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text

from alliance.approvals.commands import ACTS, About, Done, Waiting, act_or_ask, approve
from alliance.approvals.errors import ActRefused, SameHands
from alliance.banking.acts import HOLD, RELEASE, match_receipt, refund_cash, unmatch_receipt
from alliance.banking.errors import NotMatching, PaymentsChanged
from alliance.banking.importing import Imported, import_statement
from alliance.banking.orders import PaymentFile
from alliance.banking.receipts import Receipt, ReleasedFile
from alliance.banking.releasing import files_of, hold_payment, lift_hold, release_payments, to_release
from alliance.exposure.positions import add
from alliance.settlement.errors import PayInsMissing
from alliance.settlement.model import Payment, SettlementCycle
from alliance.treasury.model import MoneyAccount
from alliance.treasury.queries import balances
from tests.alliance.banking.statements import Line, camt
from tests.alliance.banking.support import IBANS, give_accounts
from tests.alliance.support import NOON, WHO, House

ABOUT = About(WHO, "as agreed", NOON)
OTHER = uuid.UUID(int=99)


@pytest.fixture
async def cycle(house: House) -> SettlementCycle:
    """Fuel owes the grocer 90.00, and is to pay it through a custodian."""
    await give_accounts(house, "custodian")
    await house.earn(await house.member(), "fuel", 10_000)
    return await house.through(await house.close(), "settle_cycle")


async def take(house: House, *lines: Line, id_: str = "ST1") -> Imported:
    async with house.runtime.database.transaction() as session:
        content = camt(lines, id_, iban=IBANS["operator"])
        return await import_statement(session, content, house.id("operator"), ABOUT)


async def act(house: House, perform: Any, about: About = ABOUT, **args: Any) -> Any:
    async with house.runtime.database.transaction() as session:
        return await perform(session, house.runtime, args, about)


async def messages(house: House, cycle: SettlementCycle) -> list[str]:
    async with house.runtime.database.session() as session:
        found = await session.get(SettlementCycle, cycle.id)
        assert found is not None
        return [file.message_id for file in await to_release(session, found, None)]


async def release(house: House, cycle: SettlementCycle) -> Any:
    return await act(house, release_payments, cycle=str(cycle.id), messages=await messages(house, cycle))


async def money(house: House) -> dict[tuple[str, str], int]:
    async with house.runtime.database.session() as session:
        found = await balances(session)
    return {(account.value, house.code(party)): amount for (account, party), amount in found.items() if amount}


async def statuses(house: House) -> list[tuple[int, int, str, bool]]:
    async with house.runtime.database.session() as session:
        rows = await session.scalars(select(Payment).order_by(Payment.seq))
        return [(row.seq, row.amount, row.status, row.paid_in_on is not None) for row in rows]


async def receipt(house: House, number: str) -> Receipt:
    async with house.runtime.database.session() as session:
        return (await session.scalars(select(Receipt).where(Receipt.number == number))).one()


IN = Line("IN", "90.00", reference="DEMO-C1-P1", iban=IBANS["fuel"])
OUT = Line("OUT", "-90.00", reference="DEMO-C1-P1", iban=IBANS["grocer"])


async def test_a12_nobody_is_paid_before_all_is_in(house: House, cycle: SettlementCycle) -> None:
    with pytest.raises(PayInsMissing) as refused:
        await messages(house, cycle)
    assert "90.00 USD is missing" in refused.value.message()
    await take(house, replace(IN, amount="50.00"))
    assert await statuses(house) == [(1, 5_000, "PLANNED", True), (2, 4_000, "PLANNED", False)]
    with pytest.raises(PayInsMissing, match=r"40\.00"):
        await messages(house, cycle)
    assert await money(house) == {("BANK", "operator"): 5_000, ("CLEARING", "operator"): -5_000}
    await take(house, replace(IN, number="IN2", amount="45.00"), id_="ST2")
    assert await money(house) == {
        ("BANK", "operator"): 9_500,
        ("CLEARING", "operator"): -9_000,
        ("UNAPPLIED", "fuel"): -500,
    }
    assert len((await release(house, cycle))["messages"]) == 1
    outs = [replace(OUT, amount="-50.00"), replace(OUT, number="OUT2", amount="-40.00", reference="DEMO-C1-P2")]
    taken = await take(house, *outs, id_="ST3")
    assert taken.applied == 2
    assert await money(house) == {("BANK", "operator"): 500, ("UNAPPLIED", "fuel"): -500}
    async with house.runtime.database.session() as session:
        found = await session.get(SettlementCycle, cycle.id)
        assert found is not None
        assert found.status == "SETTLED"
    await act(house, refund_cash, receipt=str((await receipt(house, "IN2")).id), amount=500)
    assert await money(house) == {}


async def test_a12_what_is_recorded_by_hand_keeps_the_same_order(house: House, cycle: SettlementCycle) -> None:
    await house.step("record_receipts", cycle, payee_id=house.id("grocer"))
    assert await statuses(house) == [(1, 9_000, "PLANNED", False)]
    await house.step("record_receipts", cycle)
    await house.step("record_receipts", cycle)
    assert await statuses(house) == [(1, 9_000, "PLANNED", True)], "it was not released"
    await take(house, IN)
    assert await money(house) == {("BANK", "operator"): 9_000, ("CLEARING", "operator"): -9_000}
    await release(house, cycle)
    settled = await house.step("record_receipts", cycle, payee_id=house.id("grocer"))
    assert settled.status == "SETTLED"
    await take(house, OUT, id_="ST2")
    assert await money(house) == {}


async def test_a16_a_pay_in_is_unmatched_until_it_is_paid_out(house: House, cycle: SettlementCycle) -> None:
    await take(house, IN)
    known = str((await receipt(house, "IN")).id)
    await act(house, unmatch_receipt, receipt=known)
    assert await statuses(house) == [(1, 9_000, "PLANNED", False)]
    assert await money(house) == {("BANK", "operator"): 9_000, ("UNAPPLIED", "fuel"): -9_000}
    part = {"cycle": str(cycle.id), "number": 1, "amount": 9_000}
    await act(house, match_receipt, receipt=known, parts=[part])
    await release(house, cycle)
    with pytest.raises(NotMatching):
        await act(house, unmatch_receipt, receipt=known)
    await take(house, OUT, id_="ST2")
    await act(house, unmatch_receipt, receipt=str((await receipt(house, "OUT")).id))
    assert await statuses(house) == [(1, 9_000, "PLANNED", True)]
    assert await money(house) == {("BANK", "operator"): 9_000, ("CLEARING", "operator"): -9_000}


async def test_l6_what_the_operator_is_paid_stays_where_it_is(house: House) -> None:
    await give_accounts(house, "operator")
    await house.earn(await house.member(), "fuel", 10_000)
    cycle = await house.close()
    for step in ("issue_statements", "confirm_statement", "net_cycle", "settle_cycle"):
        await house.step(step, cycle)
    async with house.runtime.database.transaction() as session:  # as a fee would have it: the payee is the operator
        operator, grocer = house.id("operator"), house.id("grocer")
        named = {"operator": operator, "grocer": grocer}
        await session.execute(text("UPDATE payment SET payee_id = :operator"), named)
        await session.execute(
            text("UPDATE net_position SET merchant_id = :operator WHERE merchant_id = :grocer"), named
        )
    await take(house, IN)
    await release(house, cycle)
    assert await statuses(house) == [(1, 9_000, "PAID", True)]
    assert await money(house) == {("BANK", "operator"): 9_000, (MoneyAccount.OPERATOR.value, "operator"): -9_000}
    async with house.runtime.database.transaction() as session:
        await session.execute(text("UPDATE payment SET payee_id = :grocer"), named)
        await session.execute(
            text("UPDATE net_position SET merchant_id = :grocer WHERE merchant_id = :operator"), named
        )
        await add(session, {grocer: 90_000_000})


async def test_a16_a_payment_that_is_held_is_in_no_file(house: House, cycle: SettlementCycle) -> None:
    await take(house, IN)
    before = await messages(house, cycle)
    await act(house, hold_payment, cycle=str(cycle.id), number=1)
    with pytest.raises(NotMatching):
        await messages(house, cycle)
    with pytest.raises(NotMatching):
        await act(house, hold_payment, cycle=str(cycle.id), number=1)
    await act(house, lift_hold, cycle=str(cycle.id), number=1)
    with pytest.raises(NotMatching):
        await act(house, lift_hold, cycle=str(cycle.id), number=1)
    assert await messages(house, cycle) == before
    await release(house, cycle)
    with pytest.raises(NotMatching):
        await act(house, hold_payment, cycle=str(cycle.id), number=1)
    (file,) = await files_of_cycle(house, cycle)
    assert (file.message_id, file.numbers, file.total, file.released_at) == (before[0], (1,), 9_000, NOON)
    assert b"DEMO-C1-P1" in file.content
    async with house.runtime.database.session() as session:
        (kept,) = await session.scalars(select(ReleasedFile))
        assert b"DEMO-C1-P1" not in kept.content


async def files_of_cycle(house: House, cycle: SettlementCycle) -> list[PaymentFile]:
    async with house.runtime.database.session() as session:
        return await files_of(session, cycle)


async def ask(house: House, cycle: SettlementCycle, about: About = ABOUT) -> Done | Waiting:
    asked = await messages(house, cycle)
    async with house.runtime.database.transaction() as session:
        args = {"cycle": str(cycle.id), "messages": asked}
        return await act_or_ask(session, house.runtime, RELEASE, args, amount=90_000_000, about=about)


async def decide(house: House, waiting: Done | Waiting, who: uuid.UUID) -> None:
    assert isinstance(waiting, Waiting)
    async with house.runtime.database.transaction() as session:
        await approve(session, house.runtime, waiting.approval_id, About(who, "seen", NOON))


async def test_a16_releasing_takes_four_eyes_and_exactly_what_was_approved(
    house: House, cycle: SettlementCycle
) -> None:
    assert {RELEASE, HOLD} <= ACTS.keys()
    await take(house, IN)
    waiting = await ask(house, cycle)
    with pytest.raises(SameHands):
        await decide(house, waiting, WHO)
    await act(house, hold_payment, cycle=str(cycle.id), number=1)
    with pytest.raises(ActRefused):
        await decide(house, waiting, OTHER)
    await act(house, lift_hold, cycle=str(cycle.id), number=1)
    with pytest.raises(PaymentsChanged):
        await act(house, release_payments, cycle=str(cycle.id), messages=["T0"])
    await decide(house, waiting, OTHER)
    async with house.runtime.database.session() as session:
        (file,) = await session.scalars(select(ReleasedFile))
        assert (file.who, file.approved_by) == (WHO, OTHER)
    second = await ask_again(house, cycle)
    with pytest.raises(ActRefused):
        await decide(house, second, OTHER)


async def ask_again(house: House, cycle: SettlementCycle) -> Waiting:
    """The same again, as somebody would who had it approved twice."""
    async with house.runtime.database.transaction() as session:
        args = {"cycle": str(cycle.id), "messages": []}
        found = await act_or_ask(session, house.runtime, RELEASE, args, amount=90_000_000, about=ABOUT)
    assert isinstance(found, Waiting)
    return found
