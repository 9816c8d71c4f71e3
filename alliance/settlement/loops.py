"""Clearing by loops: what could be cancelled if everybody went on paying only those to whom they owe something.

Where A owes B, B owes C and C owes A, the least of the three can be struck off each: nobody's position changes, and
nobody pays a stranger. Multilateral netting saves more, but makes new pairs of payer and payee. This is reported beside
it, for comparison.
"""

import uuid
from collections.abc import Mapping
from heapq import heappop, heappush

Debt = tuple[uuid.UUID, uuid.UUID]
"""Debtor and creditor."""


def cancel_loops(debts: Mapping[Debt, int]) -> dict[Debt, int]:
    """What is left of `debts` when as much as possible is cancelled round loops.

    Positions stay what they are and no debt grows, so what is left is a flow from those who owe on balance to those who
    are owed, each debt a pipe as wide as its amount; what is cancelled is most where that flow is shortest, that is of
    least cost at 1 a unit and debt (Fleischman and Dini, Mathematical Foundations for Balancing the Payment System in
    the Trade Credit Market, 2021). The algorithm is that of successive shortest paths.
    """
    owed = {debt: amount for debt, amount in sorted(debts.items()) if amount > 0}
    places = {party: place for place, party in enumerate(sorted({party for debt in owed for party in debt}))}
    network = _Network(len(places))
    for (debtor, creditor), amount in owed.items():
        network.join(places[debtor], places[creditor], amount)
    while network.measure():
        network.push()
    return {debt: paid for place, debt in enumerate(owed) if (paid := network.room[2 * place + 1])}


class _Network:
    """Nodes, and arcs in pairs: an even one along a debt, and after it the one that takes its flow back."""

    def __init__(self, nodes: int) -> None:
        self.out: list[list[int]] = [[] for _ in range(nodes)]
        self.head: list[int] = []
        self.room: list[int] = []
        self.surplus = [0] * nodes
        """What a node has still to send (positive) or to get."""
        self.height = [0] * nodes
        """Its distance from those that send; an arc with room never leads up by more than what it costs."""

    def join(self, debtor: int, creditor: int, amount: int) -> None:
        """A debt; nothing flows along it yet."""
        self.out[debtor].append(len(self.head))
        self.out[creditor].append(len(self.head) + 1)
        self.head += (creditor, debtor)
        self.room += (amount, 0)
        self.surplus[debtor] += amount
        self.surplus[creditor] -= amount

    def measure(self) -> bool:
        """Heights anew, as far as the nearest node that is to get something; False if nobody has anything to send."""
        far = len(self.head)
        distance = [0 if surplus > 0 else far for surplus in self.surplus]
        queue = [(0, node) for node, surplus in enumerate(self.surplus) if surplus > 0]
        nearest = far
        while queue:
            nearest, node = heappop(queue)
            if self.surplus[node] < 0:
                break
            if nearest > distance[node]:
                continue
            for arc in self.out[node]:
                target = self.head[arc]
                if self.room[arc] and nearest + self._slope(arc) < distance[target]:
                    distance[target] = nearest + self._slope(arc)
                    heappush(queue, (distance[target], target))
        else:
            return False
        self.height = [height + min(own, nearest) for height, own in zip(self.height, distance, strict=True)]
        return True

    def push(self) -> None:
        """Send what can be sent on shortest ways; a node that none is found from is not tried again."""
        tried = [0] * len(self.out)
        for source in range(len(self.out)):
            while self.surplus[source] > 0 and (way := self._way(source, tried)):
                target = self.head[way[-1]]
                amount = min(self.surplus[source], -self.surplus[target], *(self.room[arc] for arc in way))
                self.surplus[source] -= amount
                self.surplus[target] += amount
                for arc in way:
                    self.room[arc] -= amount
                    self.room[arc ^ 1] += amount

    def _way(self, source: int, tried: list[int]) -> list[int]:
        """Arcs that lead down from here to a node that is to get something; empty if none was found.

        `tried` counts the arcs of each node that need not be looked at again.
        """
        node, way, passed = source, [], {source}
        while self.surplus[node] >= 0:
            arcs = self.out[node]
            while tried[node] < len(arcs):
                arc = arcs[tried[node]]
                target = self.head[arc]
                if (
                    self.room[arc]
                    and target not in passed
                    and tried[target] < len(self.out[target])
                    and not self._slope(arc)
                ):
                    way.append(arc)
                    passed.add(target)
                    node = target
                    break
                tried[node] += 1
            else:
                if not way:
                    return []
                passed.remove(node)
                node = self.head[way.pop() ^ 1]
                tried[node] += 1
        return way

    def _slope(self, arc: int) -> int:
        """What an arc costs less what it leads up: never under 0 where it has room, and 0 on a shortest way."""
        return (-1 if arc & 1 else 1) + self.height[self.head[arc ^ 1]] - self.height[self.head[arc]]
