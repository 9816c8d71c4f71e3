"""What the database nets is what the rules say, over cycles with remainders, ties, reversals and carried payments."""

import random
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.model import Obligation
from alliance.settlement import queries
from alliance.settlement.closing import ensure_open_cycle
from alliance.settlement.model import SettlementCycle
from alliance.settlement.rules import PairNet, PairTotal, net_pairs, plan_payments, positions, report
from domain.base import new_id
from domain.ledger.model import Operation
from tests.alliance.settlement.test_cycles import CENT
from tests.alliance.support import NOON, House, agreed

HALF_CENT = 5_000


@dataclass
class Owed:
    """An obligation, in millionths; one that takes an earlier one back names its operation."""

    debtor: uuid.UUID
    creditor: uuid.UUID
    amount: int
    reverses: uuid.UUID | None = None
    id: uuid.UUID = field(default_factory=new_id)


async def owe(house: House, lines: list[Owed]) -> None:
    """Write them to the open cycle."""
    async with house.runtime.database.transaction() as session:
        cycle = await ensure_open_cycle(session, NOON)
        pacts = await agreed(session, [(line.debtor, line.creditor) for line in lines])
        place = {"holder_id": uuid.UUID(int=1), "occurred_at": NOON}
        operation = place | {"kind": "ADJUST", "merchant_id": uuid.UUID(int=3), "as_of": NOON}
        row = place | {"seq": 0, "cycle_id": cycle.id, "kind": "FEE", "currency": "GRO"}
        row |= {"agreement_version": 1}
        await session.execute(insert(Operation), [operation | {"id": line.id} for line in lines])
        await session.execute(
            insert(Obligation),
            [
                row
                | {"operation_id": line.id, "debtor_id": line.debtor, "creditor_id": line.creditor}
                | {"merchant_id": line.creditor, "points": line.amount, "amount": line.amount}
                | {"reverses": line.reverses, "agreement_id": pacts[line.debtor, line.creditor]}
                for line in lines
            ],
        )


def drawn(chance: random.Random, parties: list[uuid.UUID], booked: list[Owed]) -> list[Owed]:
    """Sixty obligations, most of them a multiple of half a cent; some take back part of what is in `booked`."""
    lines = []
    for _ in range(60):
        if booked and chance.random() < 0.3:
            back = booked.pop(chance.randrange(len(booked)))
            part = back.amount if chance.random() < 0.8 else chance.randint(1, back.amount)
            lines.append(Owed(back.debtor, back.creditor, -part, back.id))
        else:
            amount = chance.randint(1, 30_000_000) if chance.random() < 0.1 else HALF_CENT * chance.randint(1, 6_000)
            lines.append(Owed(*chance.sample(parties, 2), amount))
    booked += [line for line in lines if line.amount > 0]
    return lines


def balances(owing: Iterable[tuple[uuid.UUID, uuid.UUID, int]]) -> Counter[uuid.UUID]:
    """What each is owed on balance, by debtor, creditor and amount."""
    found = Counter()
    for debtor, creditor, amount in owing:
        found[creditor] += amount
        found[debtor] -= amount
    return found


async def told_live(
    session: AsyncSession, cycle: SettlementCycle, pairs: list[PairNet], parties: list[uuid.UUID | None]
) -> None:
    """What is told of a cycle that is not stated yet, to everybody, is what the rules make of its nets."""
    for party in parties:
        assert (await queries.reports(session, [cycle], "USD", party=party))[cycle.id] == report(pairs, None, party)
        found = (await queries.net_positions(session, [cycle], "USD", party=party))[cycle.id]
        assert {position.merchant_id: position.open for position in found} == {
            id_: amount for id_, amount in positions(pairs).items() if party in (None, id_)
        }


async def test_a06_a08_the_database_nets_as_the_rules_say(house: House) -> None:
    chance = random.Random(3)
    parties, booked, ties = [uuid.UUID(int=n) for n in range(11, 18)], [], set()
    due, settled = Counter(), Counter()
    for _ in range(4):
        lines = drawn(chance, parties, booked)
        due.update(balances((line.debtor, line.creditor, line.amount) for line in lines))
        await owe(house, lines)
        cycle = await house.close()
        async with house.runtime.database.session() as session:
            totals = (await queries.pair_totals(session, [cycle.id]))[cycle.id]
            opening = (await queries.openings(session, [cycle], CENT))[cycle.id]
            expected = net_pairs(totals, opening, CENT)
            await told_live(session, cycle, expected, [None, *parties, new_id()])
        cycle = await house.through(cycle, "net_cycle")
        async with house.runtime.database.session() as session:
            assert (await queries.pair_nets(session, [cycle], "USD"))[cycle.id] == expected
            found = (await queries.net_positions(session, [cycle], "USD"))[cycle.id]
            plan = (await queries.plans_of(session, [cycle]))[cycle.id]
            for party in (None, *parties, new_id()):
                told = (await queries.reports(session, [cycle], "USD", party=party))[cycle.id]
                assert told == report(expected, plan, party)
        assert {position.merchant_id: position.amount for position in found} == positions(expected)
        assert plan == plan_payments(positions(expected), house.runtime.catalogue.alliance.cycle.min_payment)
        ties |= {(pair.carried, pair.closing > 0) for pair in expected if 2 * abs(pair.carried) == CENT}
        settled.update(balances((p.payer, p.payee, p.amount * CENT) for p in plan if not p.carried))
    assert len(ties) == 4, "up and down, on both sides of zero"
    async with house.runtime.database.session() as session:
        following = await queries.open_cycle(session)
        left = (await queries.openings(session, [following], CENT))[following.id]
    settled.update(balances((second, first, amount) for (first, second), amount in left.items()))
    assert {party: settled[party] for party in parties} == {party: due[party] for party in parties}


async def test_a06_sums_beyond_64_bits_are_exact(house: House) -> None:
    one, other = sorted(new_id() for _ in range(2))
    most = 2**63 - 1
    await owe(house, [Owed(one, other, most), Owed(one, other, most), Owed(other, one, HALF_CENT)])
    cycle = await house.through(await house.close(), "issue_statements")
    async with house.runtime.database.session() as session:
        [pair] = (await queries.pair_nets(session, [cycle], "USD"))[cycle.id]
    [expected] = net_pairs([PairTotal(one, other, 2 * most, count=2), PairTotal(other, one, HALF_CENT)], {}, CENT)
    assert pair == expected
    assert pair.lines < -(2**63)


async def test_a07_a_cycle_given_up_leaves_all_it_held_to_the_one_after_it(house: House) -> None:
    """Also what comes to it later from the one before, in pairs that it has and in such that it has not."""
    a, b, c = sorted(new_id() for _ in range(3))
    much = 2_000 * CENT + HALF_CENT
    await owe(house, [Owed(a, b, much), Owed(b, c, much)])
    first = await house.through(await house.close(), "issue_statements")
    back = Owed(a, c, 4 * HALF_CENT)
    await owe(house, [back, Owed(a, b, CENT), Owed(a, c, -CENT, back.id)])
    second = await house.step("abort_cycle", await house.close())
    assert await kept(house, second) == [
        (a, b, 0, -CENT, 0, CENT, 0, -CENT),
        (a, c, 0, -2 * CENT, CENT, CENT, 0, -CENT),
    ]
    for step in ("confirm_statement", "net_cycle"):
        first = await house.step(step, first)
    assert await kept(house, second) == [
        (a, b, -HALF_CENT, -CENT, 0, CENT + HALF_CENT, 0, -CENT - HALF_CENT),
        (a, c, 0, -2 * CENT, CENT, CENT, 0, -CENT),
        (b, c, -HALF_CENT, 0, 0, HALF_CENT, 0, -HALF_CENT),
    ]
    third = await house.through(await house.close(), "net_cycle")
    assert [(pair[2], pair[6]) for pair in await kept(house, third)] == [
        (-CENT - HALF_CENT, -2),
        (-CENT, -1),
        (-HALF_CENT, 0),
    ]


async def kept(house: House, cycle: SettlementCycle) -> list[tuple[uuid.UUID | int, ...]]:
    """First, second, opening, lines, adjustments, gross, net and remainder of each stored pair."""
    async with house.runtime.database.session() as session:
        pairs = (await queries.pair_nets(session, [cycle], "USD"))[cycle.id]
    figures = attrgetter("first", "second", "opening", "lines", "adjustments", "gross", "net", "carried")
    return list(map(figures, pairs))
