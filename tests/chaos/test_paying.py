"""Dying at every step of paying: nothing of it stays, and done again it comes to the same books.

In this process, before each single statement; and by kill -9 of the command, wherever it wants to write.
"""

import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.banking.acts import match_receipt, refund_cash, split_receipt, unmatch_receipt
from alliance.banking.importing import import_statement
from alliance.banking.receipts import Receipt
from alliance.banking.releasing import release_payments, to_release
from alliance.runtime import Runtime
from alliance.settlement.model import SettlementCycle
from alliance.verify import verify
from tests.alliance.banking.statements import Line, camt
from tests.alliance.banking.support import IBANS, allow_alone, give_accounts
from tests.alliance.banking.test_custody import ABOUT, IN, OUT
from tests.alliance.support import House
from tests.chaos.test_killed_steps import Commands

Doing = Callable[[AsyncSession], Awaitable[Any]]

STATE = (
    "SELECT status FROM settlement_cycle ORDER BY number",
    "SELECT seq, amount, status, split_of, received_on, paid_in_on, released_at FROM payment ORDER BY cycle_id, seq",
    "SELECT number, amount, status, refunded, proposal FROM bank_receipt ORDER BY number",
    "SELECT r.number, m.seq, m.amount, m.undone_by IS NULL FROM receipt_match m JOIN bank_receipt r"
    " ON r.id = m.receipt_id ORDER BY m.id",
    "SELECT account, party_id, balance FROM money_balance ORDER BY 1, 2",
    "SELECT merchant_id, amount, settled FROM net_position ORDER BY 1",
    "SELECT message_id, total FROM released_file ORDER BY 1",
    "SELECT count(*) FROM receipt_step",
)


class Died(Exception):
    """The process is no more."""


async def state(house: House) -> list[object]:
    async with house.runtime.database.session() as session:
        return [[tuple(row) for row in await session.execute(text(question))] for question in STATE]


@contextmanager
def dying(house: House, after: int) -> Iterator[None]:
    """Die before the statement after so many."""
    left = after

    def count(*_: Any) -> None:
        nonlocal left
        if left == 0:
            raise Died
        left -= 1

    engine = house.runtime.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", count)


async def die_everywhere(house: House, do: Doing, every: int = 1) -> int:
    """Die before each `every`-th statement of it, then do it; how many times it died."""
    before, died = await state(house), 0
    for after in range(0, 1_000, every):
        try:
            with dying(house, after):
                async with house.runtime.database.transaction() as session:
                    await do(session)
        except Died:
            died += 1
            assert await state(house) == before, f"something of it stayed, after {after} statements"
        else:
            return died
    raise AssertionError("it never ends")


async def custody(house: House) -> SettlementCycle:
    """Fuel owes the grocer 90.00, and is to pay it through a custodian."""
    await give_accounts(house, "custodian")
    await house.earn(await house.member(), "fuel", 10_000)
    return await house.through(await house.close(), "settle_cycle")


def taking(house: House, *lines: Line, id_: str = "ST1") -> Doing:
    async def take(session: AsyncSession) -> None:
        content = camt(lines, id_, iban=IBANS["operator"])
        await import_statement(session, content, house.id("operator"), ABOUT)

    return take


def acting(house: House, perform: Any, **args: Any) -> Doing:
    async def act(session: AsyncSession) -> None:
        await perform(session, house.runtime, args, ABOUT)

    return act


def releasing(house: House, cycle: SettlementCycle) -> Doing:
    async def release(session: AsyncSession) -> None:
        found = await session.get(SettlementCycle, cycle.id)
        assert found is not None
        messages = [file.message_id for file in await to_release(session, found, None)]
        await release_payments(session, house.runtime, {"cycle": str(cycle.id), "messages": messages}, ABOUT)

    return release


async def receipt(house: House, number: str) -> str:
    async with house.runtime.database.session() as session:
        return str((await session.scalars(select(Receipt.id).where(Receipt.number == number))).one())


@pytest.fixture
def house(runtime: Runtime) -> House:
    """The sample alliance."""
    return House(runtime)


async def test_a16_taking_a_statement_in_dies_anywhere_and_is_taken_again(house: House) -> None:
    await custody(house)
    assert await die_everywhere(house, taking(house, IN), every=3) > 5
    async with house.runtime.database.session() as session:
        assert (await verify(session)).differences == []


@pytest.mark.long
async def test_a16_every_step_of_paying_dies_anywhere_and_is_taken_again(house: House) -> None:
    cycle = await custody(house)
    died = await die_everywhere(house, taking(house, Line("IN", "95.00", reference="DEMO-C1-P1", iban=IBANS["fuel"])))
    known = await receipt(house, "IN")
    died += await die_everywhere(house, acting(house, unmatch_receipt, receipt=known))
    died += await die_everywhere(house, acting(house, split_receipt, receipt=known, amounts=[9_000, 500]))
    part = {"cycle": str(cycle.id), "number": 1, "amount": 9_000}
    one, rest = await receipt(house, "IN#1"), await receipt(house, "IN#2")
    died += await die_everywhere(house, acting(house, match_receipt, receipt=one, parts=[part]))
    died += await die_everywhere(house, acting(house, refund_cash, receipt=rest, amount=500))
    died += await die_everywhere(house, releasing(house, cycle))
    died += await die_everywhere(house, taking(house, OUT, id_="ST2"))
    assert died > 100
    final = await state(house)
    assert final[0] == [("SETTLED",), ("OPEN",)]
    async with house.runtime.database.session() as session:
        assert (await verify(session)).differences == []
        assert (await session.scalars(text("SELECT balance FROM money_balance WHERE balance <> 0"))).all() == []


class Paying(Commands):
    """The commands of paying, each in a process of its own."""

    words: dict[str, list[str]]

    def begin(self, step: str) -> subprocess.Popen[bytes]:
        """Take a step."""
        command = [sys.executable, "-m", "server.cli", *self.words[step]]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    async def state(self) -> list[object]:
        """What there is of payments, receipts and money."""
        return await state(self.house)


KILLED_AT = {
    "in": ("bank_receipt", "money_entry", "receipt_match", "payment"),
    "release": ("released_file", "payment"),
    "out": ("bank_receipt", "receipt_match", "payment", "net_position", "cycle_transition"),
    "unmatch": ("receipt_step", "cycle_transition", "money_entry", "payment"),
}


@pytest.mark.long
async def test_a16_paying_is_killed_wherever_it_writes(house: House, database_url: str, tmp_path: Path) -> None:
    await custody(house)
    await allow_alone(house, "RELEASE_PAYMENTS", "UNMATCH_RECEIPT")
    commands = Paying(house, database_url, tmp_path)
    for name, line in (("in", IN), ("out", OUT)):
        (tmp_path / f"{name}.xml").write_bytes(camt([line], name, iban=IBANS["operator"]))
    commands.words = {name: ["receipts", "import", str(tmp_path / f"{name}.xml")] for name in ("in", "out")}
    commands.words["release"] = ["payments", "release", "1"]
    for step, tables in KILLED_AT.items():
        if step == "unmatch":
            commands.words[step] = ["receipts", "unmatch", await receipt(house, "OUT"), "--reason", "it bounced"]
        for table in tables:
            await commands.die(step, table)
        await commands.take(step)
    assert (await state(house))[0] == [("SETTLING",), ("OPEN",)]
