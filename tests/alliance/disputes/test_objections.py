"""Objections (A10): for reasons that a machine can check, to a tenth of the pair's gross; the rest is settled."""

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from alliance.disputes.commands import net_again, object_to_lines
from alliance.disputes.errors import AlreadyObjected, ObjectionLimitExceeded, ObjectionTooLate, ObjectionUnfounded
from alliance.disputes.model import ObjectionReason
from alliance.disputes.queries import of_cycles
from alliance.disputes.rules import Line, Objected, Place, is_founded, most_in_dispute
from alliance.settlement import queries
from alliance.settlement.errors import ObjectionsOpen, WrongCycleStatus
from alliance.settlement.model import SettlementCycle
from alliance.settlement.rules import PairNet
from domain.base import new_id
from domain.errors import InvalidInput, NotAllowed, NotFound
from tests.alliance.exposure.support import cap, limits, used
from tests.alliance.support import NOON, WHO, House

ME, OTHER, HOLDER, ONE, TWO = (uuid.UUID(int=n) for n in range(1, 6))
LINE = Line(OTHER, ME, OTHER, "SPEND", "GRO", 100, 900_000, 900_000, "f-1", reverses=False, reversed=False)
HERE, THERE = (HOLDER, ONE, 0), (HOLDER, TWO, 0)


@pytest.mark.parametrize(
    ("objected", "line", "other", "founded"),
    [
        (Objected(HERE, ObjectionReason.UNKNOWN_KEY), LINE, None, True),
        (Objected(HERE, ObjectionReason.UNKNOWN_KEY), replace(LINE, merchant_id=ME), None, False),
        (Objected(HERE, ObjectionReason.DUPLICATE, other=THERE), LINE, LINE, True),
        (Objected(HERE, ObjectionReason.DUPLICATE, other=THERE), LINE, replace(LINE, order_ref="f-2"), False),
        (Objected(HERE, ObjectionReason.DUPLICATE, other=THERE), LINE, None, False),
        (Objected(HERE, ObjectionReason.DUPLICATE, other=(HOLDER, ONE, 1)), LINE, LINE, False),
        (
            Objected(HERE, ObjectionReason.DUPLICATE, other=THERE),
            replace(LINE, order_ref=None),
            replace(LINE, order_ref=None),
            False,
        ),
        (Objected(HERE, ObjectionReason.WRONG_PRICE, expected=800_000), LINE, None, True),
        (Objected(HERE, ObjectionReason.WRONG_PRICE, expected=900_000), LINE, None, False),
        (Objected(HERE, ObjectionReason.WRONG_PRICE, expected=1), replace(LINE, price=None), None, False),
        (Objected(HERE, ObjectionReason.WRONG_PRICE), LINE, None, False),
        (Objected(HERE, ObjectionReason.WRONG_AMOUNT, expected=800_000), LINE, None, True),
        (Objected(HERE, ObjectionReason.WRONG_AMOUNT, expected=900_000), LINE, None, False),
        (Objected(HERE, ObjectionReason.ALREADY_REVERSED), replace(LINE, reversed=True), None, True),
        (Objected(HERE, ObjectionReason.ALREADY_REVERSED), LINE, None, False),
        (Objected(HERE, ObjectionReason.ALREADY_REVERSED), replace(LINE, reversed=True, reverses=True), None, False),
    ],
)
def test_a10_an_objection_holds_where_a_machine_sees_it(
    objected: Objected, line: Line, other: Line | None, founded: bool
) -> None:
    assert is_founded(objected, line, other, ME) is founded


def test_a10_a_tenth_of_what_a_pair_owes_each_other_may_be_in_dispute() -> None:
    assert most_in_dispute(PairNet(ME, OTHER, 2_500, 10_000_000, 0, 10_002_500, 3, 1_000, 2_500)) == 1_000_250


async def test_a10_a_pair_is_netted_again_without_the_lines(house: House) -> None:
    cycle_id = new_id()
    connection = await house.runtime.database.connect()
    try:
        await connection.execute(
            "INSERT INTO pair_net"
            " (cycle_id, first_id, second_id, opening, lines, adjustments, gross, count, net, carried)"
            " VALUES ($1, $2, $3, 2500, 10000000, 0, 10002500, 3, 1000, 2500)",
            cycle_id,
            ME,
            OTHER,
        )
        found = []
        for amounts in ([905_000], [-5_000, 100_000]):
            for amount in amounts:
                await connection.execute(
                    "INSERT INTO objection (id, cycle_id, holder_id, operation_id, seq, first_id, second_id, amount,"
                    " reason, merchant_id, who, raised_at)"
                    " VALUES (uuidv7(), $1, $2, uuidv7(), 0, $3, $4, $5, 'UNKNOWN_KEY', $3, $3, now())",
                    cycle_id,
                    HOLDER,
                    ME,
                    OTHER,
                    amount,
                )
            async with house.runtime.database.transaction() as session:
                await net_again(session, cycle_id, 10_000)
            found.append(tuple(await connection.fetchrow("SELECT suspended, net, carried FROM pair_net")))
        assert found == [(905_000, 910, -2_500), (1_000_000, 900, 2_500)]
        await connection.execute("TRUNCATE pair_net, objection")
    finally:
        await connection.close()


class Dispute:
    """Twenty spends of 0.90 that the grocer owes the filling station, stated."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.cycle: SettlementCycle
        self.places: list[Place] = []

    async def begin(self) -> "Dispute":
        """Spend, close, state."""
        member = await self.house.member()
        await self.house.earn(member, "grocer", 2_000)
        for _ in range(20):
            await self.house.spend(member, "fuel", 100)
        self.places = [(row.holder_id, row.operation_id, row.seq) for row in await self.house.obligations()]
        self.cycle = await self.house.step("issue_statements", await self.house.close())
        return self

    async def object(self, *objections: Objected, by: str = "grocer", **named: Any) -> SettlementCycle:
        """As that merchant."""
        about = {"merchant_id": self.house.id(by), "who": WHO, "as_of": NOON} | named
        alliance = self.house.runtime.catalogue.alliance
        async with self.house.runtime.database.transaction() as session:
            return await object_to_lines(session, alliance, self.cycle.id, objections, **about)

    async def pair(self, cycle: SettlementCycle | None = None) -> PairNet:
        """The pair's net, seen so that it is positive."""
        async with self.house.runtime.database.session() as session:
            (net,) = (await queries.pair_nets(session, [cycle or self.cycle], "USD"))[(cycle or self.cycle).id]
        sign = 1 if net.first == self.house.id("fuel") else -1
        return replace(net, net=sign * net.net, carried=sign * net.carried, suspended=sign * net.suspended)


def unknown(place: Place) -> Objected:
    """The grocer knows no such order."""
    return Objected(place, ObjectionReason.UNKNOWN_KEY)


async def test_a10_a_line_leaves_the_net_and_the_rest_is_settled(house: House) -> None:
    dispute = await Dispute(house).begin()
    await dispute.object(unknown(dispute.places[3]), unknown(dispute.places[7]))
    net = await dispute.pair()
    assert (net.net, net.carried, net.suspended) == (1_620, 0, 1_800_000)
    cycle = dispute.cycle
    for step in ("confirm_statement", "net_cycle", "settle_cycle", "record_receipts"):
        cycle = await house.step(step, cycle)
    async with house.runtime.database.session() as session:
        (payment,) = (await queries.payments(session, [cycle.id]))[cycle.id]
        following = await queries.open_cycle(session)
        raised = (await of_cycles(session, [cycle.id]))[cycle.id]
        assert following is not None
        assert (await queries.pair_nets(session, [following], "USD"))[following.id] == []
    assert (cycle.status, payment.amount) == ("SETTLED", 1_620)
    assert [(one.operation_id, one.reason, line.amount) for one, line in raised] == [
        (dispute.places[n][1], "UNKNOWN_KEY", 900_000) for n in (3, 7)
    ]


async def test_a05_a_line_in_dispute_gives_no_headroom(house: House) -> None:
    """The filling station is owed 18.00; of that 1.80 is objected to, which the grocer still owes."""
    dispute = await Dispute(house).begin()
    assert (await used(house, "grocer"), await used(house, "fuel")) == (18, -18)
    await dispute.object(unknown(dispute.places[3]), unknown(dispute.places[7]))
    assert (await used(house, "grocer"), await used(house, "fuel")) == (18, -16.2)
    await limits(house, fuel={})
    await limits(house, fuel=cap("5.00"))
    assert await used(house, "fuel") == -16.2
    for step in ("confirm_statement", "net_cycle", "settle_cycle", "record_receipts"):
        await house.step(step, dispute.cycle)
    assert (await used(house, "grocer"), await used(house, "fuel")) == (1.8, 0)


async def test_a10_at_most_a_tenth_is_in_dispute(house: House) -> None:
    dispute = await Dispute(house).begin()
    await dispute.object(unknown(dispute.places[0]))
    with pytest.raises(ObjectionLimitExceeded) as refused:
        await dispute.object(unknown(dispute.places[1]), unknown(dispute.places[2]))
    assert refused.value.data == {"cap": "1.800000", "used": "0.900000"}
    assert (await dispute.pair()).suspended == 900_000
    await dispute.object(unknown(dispute.places[1]))
    assert (await dispute.pair()).suspended == 1_800_000


async def test_a10_all_lines_of_an_objection_or_none(house: House) -> None:
    dispute = await Dispute(house).begin()
    good, place = unknown(dispute.places[0]), dispute.places[1]
    refusals: list[tuple[Objected, type[Exception]]] = [
        (good, AlreadyObjected),
        (Objected(place, ObjectionReason.WRONG_AMOUNT, expected=900_000), ObjectionUnfounded),
        (unknown((place[0], place[1], 9)), NotFound),
    ]
    for bad, refusal in refusals:
        with pytest.raises(refusal) as refused:
            await dispute.object(good, bad)
        assert refused.value.path[:2] == ("lines", "1")  # type: ignore[attr-defined]
    for lines in ([], [good] * 1001):
        with pytest.raises(InvalidInput):
            await dispute.object(*lines)
    assert (await dispute.pair()).suspended == 0
    await dispute.object(good)
    with pytest.raises(AlreadyObjected):
        await dispute.object(good)


async def test_a10_objections_are_heard_until_the_deadline_or_ones_own_confirmation(house: House) -> None:
    dispute = await Dispute(house).begin()
    until = dispute.cycle.objections_until
    assert until is not None
    line = unknown(dispute.places[0])
    with pytest.raises(ObjectionTooLate):
        await dispute.object(line, as_of=until)
    with pytest.raises(NotFound):
        await dispute.object(line, merchant_id=uuid.uuid4())
    await dispute.object(line, as_of=until - timedelta(seconds=1))
    await house.step("confirm_statement", dispute.cycle, merchant_id=house.id("grocer"))
    with pytest.raises(NotAllowed):
        await dispute.object(unknown(dispute.places[1]))
    await house.step("confirm_statement", dispute.cycle)
    with pytest.raises(WrongCycleStatus):
        await dispute.object(unknown(dispute.places[1]), by="fuel")


async def test_a10_nobody_confirms_for_a_merchant_while_it_may_object_unless_for_a_reason(house: House) -> None:
    dispute = await Dispute(house).begin()
    until = dispute.cycle.objections_until
    assert until is not None

    async def confirm(**named: Any) -> str:
        return (await house.step("confirm_statement", dispute.cycle, **{"early": False, **named})).status

    fuel, grocer = house.id("fuel"), house.id("grocer")
    for merchant_id in (None, fuel):
        with pytest.raises(ObjectionsOpen) as refused:
            await confirm(merchant_id=merchant_id, as_of=until - timedelta(seconds=1))
        assert refused.value.data == {"until": until.isoformat()}
    assert await confirm(merchant_id=grocer, own=True) == "STATED"
    assert await confirm(merchant_id=grocer) == "STATED"
    with pytest.raises(ObjectionsOpen):
        await confirm()
    with pytest.raises(InvalidInput):
        await confirm(merchant_id=fuel, early=True, why="x" * 501)
    assert await confirm(early=True, why="fuel wrote that all is well") == "CONFIRMED"
    async with house.runtime.database.reader() as session:
        rows = await session.execute(text("SELECT merchant_id, confirmed_early FROM statement"))
        assert set(rows) == {(grocer, None), (fuel, "fuel wrote that all is well")}


async def test_a10_silence_until_the_deadline_confirms(house: House) -> None:
    dispute = await Dispute(house).begin()
    confirmed = await house.step("confirm_statement", dispute.cycle, early=False, as_of=dispute.cycle.objections_until)
    assert confirmed.status == "CONFIRMED"
    async with house.runtime.database.reader() as session:
        assert set(await session.scalars(text("SELECT confirmed_early FROM statement"))) == {None}


async def test_a10_what_is_in_dispute_stays_so_when_the_cycle_is_given_up(house: House) -> None:
    dispute = await Dispute(house).begin()
    await dispute.object(unknown(dispute.places[0]))
    aborted = await house.step("abort_cycle", dispute.cycle)
    net = await dispute.pair(aborted)
    assert (net.net, net.carried, net.suspended) == (0, 17_100_000, 900_000)
    following = await house.step("issue_statements", await house.close())
    net = await dispute.pair(following)
    assert (net.net, net.carried, net.suspended) == (1_710, 0, 0)
