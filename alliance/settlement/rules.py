"""Netting: from what each merchant owes each other in a cycle to the fewest payments that settle it (A6, A8).

Integers only. Obligations are millionths of the settlement currency; nets, positions and payments are its minor units.
Rounding happens once, on each pair's net of a cycle; what it leaves is the pair's next opening balance.
"""

import uuid
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, combinations

from domain.money import MICRO, exponent, half_even

Pair = tuple[uuid.UUID, uuid.UUID]

MOST_FOR_THREES = 2_000
"""Among more positions than these nobody looks for three that sum to zero: that is work by the square."""


@dataclass(frozen=True, slots=True)
class PairTotal:
    """What `debtor` came to owe `creditor` in a cycle, in millionths: new lines, and lines that reverse older ones."""

    debtor: uuid.UUID
    creditor: uuid.UUID
    lines: int
    adjustments: int = 0
    count: int = 1


@dataclass(frozen=True, slots=True)
class PairNet:
    """A cycle between two merchants (`first` < `second`). A positive amount is what `second` owes `first`.

    `opening`, `lines`, `adjustments`, `gross` and `carried` are millionths; `net` is minor units.
    `gross` is without sign: what the two owed each other before anything was set off.
    """

    first: uuid.UUID
    second: uuid.UUID
    opening: int
    lines: int
    adjustments: int
    gross: int
    count: int
    net: int
    carried: int
    suspended: int = 0

    @property
    def closing(self) -> int:
        """The whole claim at the end of the cycle, in millionths.

        Of it `net` is settled, `carried` opens the next cycle, and `suspended` waits until a dispute is decided.
        """
        return self.opening + self.lines + self.adjustments

    @property
    def debts(self) -> int:
        """In how many directions money would move between the two if nothing were set off: none, one or two."""
        moved = self.lines + self.adjustments
        if self.gross - abs(self.opening) > abs(moved):
            return 2
        return 1 if moved or self.net else 0


@dataclass(frozen=True, slots=True)
class PlannedPayment:
    """One payment, in minor units; `carried` when it is left for the next cycle because a position is too small."""

    payer: uuid.UUID
    payee: uuid.UUID
    amount: int
    carried: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What would be paid without netting (millionths), with bilateral and with multilateral netting (minor units).

    That takes so many payments: `debts`, one from each debtor to each creditor; `nets`, one a pair; `payments`, those
    that are planned and made. `carried` (minor units) are those too small to be made. The last two are None until the
    cycle is netted.
    """

    gross: int
    bilateral: int
    multilateral: int
    obligations: int
    debts: int
    nets: int
    payments: int | None
    carried: int | None


def minor_unit(currency: str) -> int:
    """The minor unit of a settlement currency, in millionths. Raises InvalidInput for an unknown currency."""
    return MICRO // int(10 ** exponent(currency))


def net_pairs(totals: Iterable[PairTotal], openings: Mapping[Pair, int], unit: int) -> list[PairNet]:
    """Net each pair of merchants. `unit` is the minor unit in millionths; `openings` are signed as in PairNet.

    A pair without lines but with an opening balance is netted too, so that nothing is lost between cycles.
    """
    owed: dict[Pair, list[PairTotal]] = {pair: [] for pair in openings}
    for total in totals:
        owed.setdefault(pair_of(total.debtor, total.creditor), []).append(total)
    return [_net(pair, owed[pair], openings.get(pair, 0), unit) for pair in sorted(owed)]


def _net(pair: Pair, totals: Sequence[PairTotal], opening: int, unit: int) -> PairNet:
    first, second = pair
    lines = sum(total.lines if total.creditor == first else -total.lines for total in totals)
    adjustments = sum(total.adjustments if total.creditor == first else -total.adjustments for total in totals)
    to_first = sum(total.lines + total.adjustments for total in totals if total.creditor == first)
    to_second = sum(total.lines + total.adjustments for total in totals if total.creditor == second)
    closing = opening + lines + adjustments
    net = half_even(closing, unit)
    return PairNet(
        first=first,
        second=second,
        opening=opening,
        lines=lines,
        adjustments=adjustments,
        gross=abs(opening) + abs(to_first) + abs(to_second),
        count=sum(total.count for total in totals),
        net=net,
        carried=closing - net * unit,
    )


def pair_of(one: uuid.UUID, other: uuid.UUID) -> Pair:
    """The two in the order in which a pair is kept."""
    return (one, other) if one < other else (other, one)


def positions(pairs: Iterable[PairNet]) -> dict[uuid.UUID, int]:
    """What each merchant is to receive (positive) or to pay, in minor units. They sum to zero."""
    result: dict[uuid.UUID, int] = {}
    for pair in pairs:
        result[pair.first] = result.get(pair.first, 0) + pair.net
        result[pair.second] = result.get(pair.second, 0) - pair.net
    return result


def owed(pairs: Iterable[PairNet]) -> dict[tuple[uuid.UUID, uuid.UUID], int]:
    """What is left of bilateral netting, in minor units, by debtor and creditor."""
    return {
        (pair.second, pair.first) if pair.net > 0 else (pair.first, pair.second): abs(pair.net)
        for pair in pairs
        if pair.net
    }


def plan_payments(positions: Mapping[uuid.UUID, int], min_payment: int = 0) -> list[PlannedPayment]:
    """Payments that bring `positions` to zero: at most n - 1 for n positions that are not zero.

    Each group of positions that sums to zero by itself saves a payment. To find the most such groups is too hard, so
    some of two and three are. In each, and in what is left, the largest debtor pays the largest creditor until one of
    them is done. A position under `min_payment` is carried: the payments that touch it are not made but become what
    payer owes payee at the opening of the next cycle, so that what is carried sums to zero as well, and is as little as
    it can be.
    """
    if sum(positions.values()):
        raise ValueError("positions do not sum to zero")
    groups = _zero_sums({party: amount for party, amount in positions.items() if amount and abs(amount) >= min_payment})
    grouped = set(chain.from_iterable(groups))
    groups.append([party for party in positions if party not in grouped])
    legs = [leg for group in groups for leg in _largest_first(positions, group)]
    return [
        PlannedPayment(payer, payee, amount, carried=min(-positions[payer], positions[payee]) < min_payment)
        for payer, payee, amount in min(_largest_first(positions, positions), legs, key=len)
    ]


def _zero_sums(positions: Mapping[uuid.UUID, int]) -> list[list[uuid.UUID]]:
    """Groups of two, then of three, that sum to zero, without anybody in common. No position is zero."""
    owing = sorted(party for party, amount in positions.items() if amount < 0)
    claiming = sorted(party for party, amount in positions.items() if amount > 0)
    candidates: Iterable[tuple[uuid.UUID, ...]] = ((party,) for party in claiming)
    if len(positions) <= MOST_FOR_THREES:
        candidates = chain(candidates, combinations(claiming, 2), combinations(owing, 2))
    by_amount: dict[int, list[uuid.UUID]] = {}
    for party in chain(owing, claiming):
        by_amount.setdefault(positions[party], []).append(party)
    groups: list[list[uuid.UUID]] = []
    taken: set[uuid.UUID] = set()
    for some in candidates:
        others = by_amount.get(-sum(map(positions.__getitem__, some)))
        if not others or not taken.isdisjoint(some):
            continue
        while others and others[-1] in taken:
            others.pop()
        if others:
            groups.append([*some, others.pop()])
            taken.update(groups[-1])
    return groups


def _largest_first(
    positions: Mapping[uuid.UUID, int], group: Iterable[uuid.UUID]
) -> list[tuple[uuid.UUID, uuid.UUID, int]]:
    """Payer, payee and amount: each payment squares at least one of the two, the last both."""
    owing = deque(sorted(((-positions[party], party) for party in group if positions[party] < 0), reverse=True))
    claiming = deque(sorted(((positions[party], party) for party in group if positions[party] > 0), reverse=True))
    legs = []
    while owing and claiming:
        (debt, payer), (claim, payee) = owing.popleft(), claiming.popleft()
        amount = min(debt, claim)
        legs.append((payer, payee, amount))
        if debt > amount:
            owing.appendleft((debt - amount, payer))
        if claim > amount:
            claiming.appendleft((claim - amount, payee))
    return legs


def next_openings(pairs: Iterable[PairNet], payments: Iterable[PlannedPayment], unit: int) -> dict[Pair, int]:
    """The opening balances of the cycle after this one: what rounding left, and payments too small to make."""
    result = {(pair.first, pair.second): pair.carried for pair in pairs if pair.carried}
    for payment in payments:
        if payment.carried:
            pair = pair_of(payment.payer, payment.payee)
            owed = payment.amount * unit
            result[pair] = result.get(pair, 0) + (owed if payment.payee == pair[0] else -owed)
    return {pair: amount for pair, amount in result.items() if amount}


def report(
    pairs: Iterable[PairNet], plan: Iterable[PlannedPayment] | None = None, party: uuid.UUID | None = None
) -> Report:
    """What netting saves in a cycle; for a party, of its own pairs, its own position and its own payments alone.

    `plan` is what was planned for the cycle; None before it is netted.
    """
    pairs = [pair for pair in pairs if party in (None, pair.first, pair.second)]
    paid, carried = counted(plan, party)
    return Report(
        gross=sum(pair.gross for pair in pairs),
        bilateral=sum(abs(pair.net) for pair in pairs),
        multilateral=owed_in_all(positions(pairs), party),
        obligations=sum(pair.count for pair in pairs),
        debts=sum(pair.debts for pair in pairs),
        nets=sum(1 for pair in pairs if pair.net),
        payments=paid,
        carried=carried,
    )


def owed_in_all(positions: Mapping[uuid.UUID, int], party: uuid.UUID | None = None) -> int:
    """What is paid when all is netted against all; for a party, what it pays or receives."""
    return sum(amount for amount in positions.values() if amount > 0) if party is None else abs(positions.get(party, 0))


def counted(
    plan: Iterable[PlannedPayment] | None, party: uuid.UUID | None = None
) -> tuple[int, int] | tuple[None, None]:
    """How many payments of a plan are made, and how much of it is carried; a party's own. None without a plan."""
    if plan is None:
        return None, None
    own = [payment for payment in plan if party in (None, payment.payer, payment.payee)]
    return sum(not payment.carried for payment in own), sum(payment.amount for payment in own if payment.carried)


def saving(gross: int, left: int) -> Decimal:
    """How much less `left` is than `gross` (of the same unit), in per cent with two places; 0 of nothing."""
    return Decimal(half_even((gross - left) * 10_000, gross) if gross else 0).scaleb(-2)
