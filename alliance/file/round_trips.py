"""What 1,000 points that are sent round a loop of exchanges move between merchants (A3 d): told with every plan."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice

from alliance.file.agreement import Agreement
from alliance.file.money_machine import Edge, Step, by_date, edges_of, rotated
from alliance.file.subsidies import SENT

LONGEST = 4
"""Exchanges in the longest loop that is told; doors that refuse look at all loops."""

MOST = 200
"""How many loops are looked at, for the plan to tell those that move most."""

Owners = Mapping[str, str]
"""The merchant of each currency."""


@dataclass(frozen=True, slots=True)
class Move:
    """What one merchant comes to owe another, exactly, in the settlement currency."""

    payer: str
    payee: str
    amount: Fraction


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A loop of exchanges, what it moves for `SENT` points of its first currency, and how many of these come back."""

    steps: tuple[Step, ...]
    moves: tuple[Move, ...]
    back: Fraction

    @property
    def currencies(self) -> tuple[str, ...]:
        """In the order of the loop."""
        return tuple(step.exchange.from_ for step in self.steps)

    def nets(self) -> dict[str, Fraction]:
        """What each merchant has got in the end, less what it paid. They sum to zero."""
        nets = dict.fromkeys(sorted({party for move in self.moves for party in (move.payer, move.payee)}), Fraction(0))
        for move in self.moves:
            nets[move.payee] += move.amount
            nets[move.payer] -= move.amount
        return nets

    def all_of(self, merchant: str | None) -> bool:
        """Whether every exchange is a merchant's own: only then is it shown the loop (A14). None is the operator."""
        return all(merchant in (None, *step.agreement.merchants) for step in self.steps)

    def __str__(self) -> str:
        loop = " -> ".join((*self.currencies, self.currencies[0]))
        moved = ", ".join(f"{move.payer} owes {move.payee} {_plain(move.amount, 2)}" for move in self.moves)
        nets = ", ".join(f"{merchant} {_plain(net, 2)}" for merchant, net in self.nets().items())
        return f"{SENT:,} points round {loop}: {moved}; {_plain(self.back)} come back; net {nets}"


def round_trips(agreements: Collection[Agreement], changed: Iterable[Agreement], owners: Owners) -> list[RoundTrip]:
    """The loops through exchanges of versions that `changed`; those that cost somebody most come first."""
    touched = {id(agreement) for agreement in changed}
    found: dict[tuple[object, ...], RoundTrip] = {}
    for _, terms in by_date(agreements) if touched else ():
        edges = edges_of(terms)
        fresh = [edge for edge, step in edges.items() if id(step.agreement) in touched]
        for loop in islice(_loops(edges, fresh), MOST):
            steps = [edges[edge] for edge in zip(loop, [*loop[1:], loop[0]], strict=True)]
            parts = (*loop, *(id(step.agreement) for step in steps))
            if parts not in found and len(found) < MOST:
                found[parts] = _sent_round(steps, owners)
    return sorted(found.values(), key=lambda trip: (min(trip.nets().values()), trip.currencies))


def _sent_round(steps: Sequence[Step], owners: Owners) -> RoundTrip:
    points, moves = Fraction(SENT), []
    for step in steps:
        item = step.exchange
        moves.append(Move(owners[item.from_], owners[item.to], points * Fraction(item.clearing_value.amount)))
        points *= Fraction(item.rate)
    return RoundTrip(tuple(steps), tuple(moves), points)


def _loops(edges: Mapping[Edge, Step], through: Iterable[Edge]) -> Iterator[list[str]]:
    """Loops of at most `LONGEST` exchanges, each once, through any of these."""
    out: dict[str, list[str]] = {}
    for source, target in edges:
        out.setdefault(source, []).append(target)
    seen: set[tuple[str, ...]] = set()
    for source, target in through:
        for path in _ways(out, (source, target)):
            loop = rotated(path)
            if tuple(loop) not in seen:
                seen.add(tuple(loop))
                yield loop


def _ways(out: Mapping[str, list[str]], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for target in out.get(path[-1], ()):
        if target == path[0]:
            yield path
        elif target not in path and len(path) < LONGEST:
            yield from _ways(out, (*path, target))


def _plain(number: Fraction, places: int = 0) -> str:
    """With up to six places, and at least so many."""
    exact = round(Decimal(number.numerator) / number.denominator, 6).normalize()
    return f"{exact:.{max(places, -int(exact.as_tuple().exponent))}f}"
