"""Netting: from what each merchant owes each other in a cycle to the fewest payments that settle it (A6, A8).

Integers only. Obligations are millionths of the settlement currency; nets, positions and payments are its minor units.
Rounding happens once, on each pair's net of a cycle; what it leaves is the pair's next opening balance.
"""

import uuid
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.money import MICRO, exponent, half_even

Pair = tuple[uuid.UUID, uuid.UUID]


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

    @property
    def closing(self) -> int:
        """The whole claim at the end of the cycle, of which `net` is settled and `carried` is left, in millionths."""
        return self.opening + self.lines + self.adjustments


@dataclass(frozen=True, slots=True)
class PlannedPayment:
    """One payment, in minor units; `carried` when it is left for the next cycle because a position is too small."""

    payer: uuid.UUID
    payee: uuid.UUID
    amount: int
    carried: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What would be paid without netting (millionths), with bilateral and with multilateral netting (minor units)."""

    gross: int
    bilateral: int
    multilateral: int


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


def plan_payments(positions: Mapping[uuid.UUID, int], min_payment: int = 0) -> list[PlannedPayment]:
    """Payments that bring `positions` to zero: at most n - 1 for n positions that are not zero.

    The largest debtor pays the largest creditor until one of them is done; each payment finishes at least one, the
    last finishes two. A position under `min_payment` is carried: the payments that touch it are not made but become
    what payer owes payee at the opening of the next cycle, so that what is carried sums to zero as well.
    """
    owing = deque(sorted(((-amount, party) for party, amount in positions.items() if amount < 0), reverse=True))
    claiming = deque(sorted(((amount, party) for party, amount in positions.items() if amount > 0), reverse=True))
    plan = []
    while owing and claiming:
        (debt, payer), (claim, payee) = owing.popleft(), claiming.popleft()
        amount = min(debt, claim)
        small = min(-positions[payer], positions[payee]) < min_payment
        plan.append(PlannedPayment(payer=payer, payee=payee, amount=amount, carried=small))
        if debt > amount:
            owing.appendleft((debt - amount, payer))
        if claim > amount:
            claiming.appendleft((claim - amount, payee))
    if owing or claiming:
        raise ValueError("positions do not sum to zero")
    return plan


def next_openings(pairs: Iterable[PairNet], payments: Iterable[PlannedPayment], unit: int) -> dict[Pair, int]:
    """The opening balances of the cycle after this one: what rounding left, and payments too small to make."""
    result = {(pair.first, pair.second): pair.carried for pair in pairs if pair.carried}
    for payment in payments:
        if payment.carried:
            pair = pair_of(payment.payer, payment.payee)
            owed = payment.amount * unit
            result[pair] = result.get(pair, 0) + (owed if payment.payee == pair[0] else -owed)
    return {pair: amount for pair, amount in result.items() if amount}


def report(pairs: Iterable[PairNet], party: uuid.UUID | None = None) -> Report:
    """Gross, bilateral and multilateral totals of a cycle; for a party, of its own pairs and its own position alone."""
    pairs = [pair for pair in pairs if party in (None, pair.first, pair.second)]
    net = positions(pairs)
    return Report(
        gross=sum(pair.gross for pair in pairs),
        bilateral=sum(abs(pair.net) for pair in pairs),
        multilateral=sum(amount for amount in net.values() if amount > 0) if party is None else abs(net.get(party, 0)),
    )
