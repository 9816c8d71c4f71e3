"""Settlement of a period plus its later corrections = settlement of the corrected period (A11), to the millionth."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from alliance.agreements.book import AgreementVersion, EarnTerms, ExchangeTerms, Fee, RedeemTerms
from alliance.clearing.rules import Owed, obligations, reversed_obligations
from alliance.rerating.rules import Billed, Terms, Unit, reprice
from alliance.settlement.rules import (
    Pair,
    PairTotal,
    PlannedPayment,
    net_pairs,
    next_openings,
    pair_of,
    plan_payments,
    positions,
)

ISSUER, PARTNER, OPERATOR, AGREEMENT, HOLDER = (uuid.UUID(int=n) for n in range(1, 6))
UNIT = 10_000
CYCLES = 4
EVENTS = ("earn", "redeem", "exchange")


@dataclass(frozen=True)
class Event:
    """So many points in a cycle; of them some come back in later ones (or the same); some are paid for later."""

    kind: str
    cycle: int
    points: int
    back: tuple[tuple[int, int], ...]


@st.composite
def events(draw: st.DrawFn) -> Event:
    cycle, points = draw(st.integers(0, CYCLES - 1)), draw(st.integers(1, 5_000))
    left, back = points, []
    for later in range(cycle, CYCLES):
        part = draw(st.integers(0, left))
        if part:
            back.append((later, part))
            left -= part
    return Event(draw(st.sampled_from(EVENTS)), cycle, points, tuple(back))


def version(number: int, owed: int, at_use: int, fees: Sequence[Fee]) -> AgreementVersion:
    place = (PARTNER, "GRO")
    return AgreementVersion(
        agreement_id=AGREEMENT,
        version=number,
        merchants=(ISSUER, PARTNER),
        valid_from=datetime(2017, 1, 1, tzinfo=UTC),
        valid_to=None,
        exchange={("GRO", "FUE"): ExchangeTerms("GRO", "FUE", Fraction(1), owed * 100, owed, 1, 1, None)},
        earn={place: EarnTerms(*place, owed * 100, Fraction(1), owed, None, funding="split", at_use=at_use)},
        redeem={place: RedeemTerms(*place, owed * 100, owed)},
        rights=(),
        fees=tuple(fees),
    )


@dataclass(frozen=True)
class Booked:
    """What an event made owed by a version, with the cycles in which it was booked."""

    own: tuple[Owed, ...]
    backs: tuple[tuple[int, Owed], ...]


def booked(event: Event, by: AgreementVersion) -> Booked:
    """As the posting books it, at the version of the event (R19)."""
    parties = (PARTNER, ISSUER) if event.kind == "earn" else (ISSUER, PARTNER)
    owed = by.redeem[PARTNER, "GRO"].owed
    own = obligations(
        event.kind,  # type: ignore[arg-type]
        by,
        debtor_id=parties[0],
        creditor_id=parties[1],
        issuer_id=ISSUER,
        operator_id=OPERATOR,
        currency="GRO",
        points=event.points,
        owed=owed,
        at_use=by.earn[PARTNER, "GRO"].at_use if event.kind == "earn" else 0,
    )
    before, backs = 0, []
    for cycle, part in event.back:
        backs += [(cycle, line) for line in reversed_obligations(own, before, before + part, event.points)]
        before += part
    return Booked(own, tuple(backs))


def unit_of(event: Event, made: Booked) -> tuple[Unit, dict[tuple[uuid.UUID, uuid.UUID, int], int]]:
    """The lines as a re-rating finds them, and the cycle of each."""
    cycles: dict[tuple[uuid.UUID, uuid.UUID, int], int] = {}

    def billed(line: Owed, cycle: int) -> Billed:
        place = (HOLDER, uuid.uuid4(), 0)
        cycles[place] = cycle
        return Billed(
            place=place,
            cycle_id=uuid.UUID(int=cycle),
            kind=line.kind,
            debtor_id=line.debtor_id,
            creditor_id=line.creditor_id,
            currency=line.currency,
            points=line.points,
            price=line.price,
            amount=line.amount,
            version=line.agreement_version,
            booked_price=line.price,
            booked=line.amount,
        )

    own = [billed(line, event.cycle) for line in made.own]
    return Unit(own=own, backs=[billed(line, cycle) for cycle, line in made.backs]), cycles


Lines = dict[int, Counter[tuple[uuid.UUID, uuid.UUID]]]


def settle(lines: Lines, cycles: int) -> Counter[Pair]:
    """What each pair paid over all cycles, small positions carried, with what is left to open the next: millionths."""
    openings: dict[Pair, int] = {}
    result: Counter[Pair] = Counter()
    for cycle in range(cycles):
        totals = [PairTotal(*parties, amount) for parties, amount in lines[cycle].items()]
        nets = net_pairs(totals, openings, UNIT)
        plan = plan_payments(positions(nets), min_payment=500)
        carried = [payment for payment in plan if payment.carried]
        for net in nets:
            result[net.first, net.second] += net.net * UNIT
        for payment in carried:
            result[pair_of(payment.payer, payment.payee)] -= _signed(payment)
        openings = next_openings(nets, carried, UNIT)
    result.update(openings)
    return result


def _signed(payment: PlannedPayment) -> int:
    amount = payment.amount * UNIT
    return amount if payment.payee == pair_of(payment.payer, payment.payee)[0] else -amount


prices = st.integers(1_000, 20_000)
shares = st.integers(1, 200).map(lambda per_mille: Fraction(per_mille, 1000))
fees = st.lists(
    st.builds(
        Fee,
        events=st.sets(st.sampled_from(EVENTS), min_size=1).map(frozenset),
        share=shares,
        amount=st.sampled_from((0, 0, 50_000)),
        payer=st.sampled_from(("issuer", "partner")),
    ),
    max_size=2,
    unique_by=lambda fee: fee.payer,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(events(), min_size=1, max_size=6), prices, prices, prices, fees, st.integers(0, CYCLES - 1))
def test_a11_settlement_plus_its_corrections_is_settlement_of_the_corrected_period(
    history: list[Event], wrong: int, right: int, again: int, taken: list[Fee], when: int
) -> None:
    """The price is put right twice: at first to a wrong one, then to the right one, also for what came back since."""
    versions = {
        number: version(number, owed, owed // 3, taken) for number, owed in enumerate((wrong, again, right), start=1)
    }
    as_booked: Lines = defaultdict(Counter)
    corrections: Lines = defaultdict(Counter)
    corrected: Lines = defaultdict(Counter)
    of_period: dict[int, Counter[tuple[uuid.UUID, uuid.UUID]]] = defaultdict(Counter)
    for event in history:
        made, should = booked(event, versions[1]), booked(event, versions[3])
        unit, cycles = unit_of(event, made)
        for line in [*unit.own, *unit.backs]:
            as_booked[cycles[line.place]][line.debtor_id, line.creditor_id] += line.amount
        for cycle, line in [*((event.cycle, line) for line in should.own), *should.backs]:
            corrected[cycle][line.debtor_id, line.creditor_id] += line.amount
        for number, cycle in ((2, when), (3, CYCLES)):
            terms = Terms(versions, {"GRO": ISSUER, "FUE": PARTNER}, versions[number])
            for one in reprice(unit, terms):
                assert one.left is None
                if cycles[one.line.place] <= cycle:
                    parties = (one.line.debtor_id, one.line.creditor_id)
                    corrections[cycle][parties] += one.amount - one.line.amount
                    of_period[cycles[one.line.place]][parties] += one.amount - one.line.amount
                    unit = _with(unit, replace(one.line, price=one.price, amount=one.amount))
        for line in [*unit.own, *unit.backs]:
            assert line.price is None or line.amount * 100 == line.points * line.price
    for cycle in range(CYCLES):
        assert _owed(as_booked[cycle]) + _owed(of_period[cycle]) == _owed(corrected[cycle])
    both: Lines = defaultdict(Counter)
    for lines in (as_booked, corrections):
        for cycle, owed in lines.items():
            both[cycle].update(owed)
    assert _bare(settle(both, CYCLES + 1)) == _bare(settle(corrected, CYCLES + 1))


def _with(unit: Unit, now: Billed) -> Unit:
    """A unit with one of its lines as it is now."""
    own, backs = ([now if line.place == now.place else line for line in lines] for lines in (unit.own, unit.backs))
    return Unit(own=own, backs=backs)


class _Signed(dict[tuple[uuid.UUID, uuid.UUID], int]):
    """Amounts by pair that add up, also below zero."""

    def __add__(self, other: "_Signed") -> "_Signed":
        return _Signed(_bare({key: self.get(key, 0) + other.get(key, 0) for key in self.keys() | other.keys()}))


def _owed(lines: Counter[tuple[uuid.UUID, uuid.UUID]]) -> _Signed:
    return _Signed(_bare(lines))


def _bare(amounts: dict[Pair, int]) -> dict[Pair, int]:
    return {pair: amount for pair, amount in amounts.items() if amount}
