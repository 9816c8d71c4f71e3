"""Clearing by loops: what could be cancelled if everybody went on paying only those to whom they owe something.

Where A owes B, B owes C and C owes A, the least of the three can be struck off each: nobody's position changes, and
nobody pays a stranger. Multilateral netting saves more, but makes new pairs of payer and payee. This is reported beside
it, for comparison.
"""

import uuid
from collections.abc import Mapping

import networkx

Debt = tuple[uuid.UUID, uuid.UUID]
"""Debtor and creditor."""


def cancel_loops(debts: Mapping[Debt, int]) -> dict[Debt, int]:
    """What is left of `debts` when as much as possible is cancelled round loops.

    Positions stay what they are and no debt grows, so what is left is a flow from those who owe on balance to those who
    are owed, each debt a pipe as wide as its amount. What is cancelled is most where that flow is least, that is of
    least cost at 1 a unit and debt (Fleischman and Dini, Mathematical Foundations for Balancing the Payment System in
    the Trade Credit Market, 2021).
    """
    graph = networkx.DiGraph()
    for (debtor, creditor), amount in sorted(debts.items()):
        graph.add_edge(debtor, creditor, capacity=amount, weight=1)
        for party, owing in ((debtor, amount), (creditor, -amount)):
            graph.nodes[party]["demand"] = graph.nodes[party].get("demand", 0) - owing
    if not graph:
        return {}
    _, flow = networkx.network_simplex(graph)
    return {(debtor, creditor): paid for debtor, owed in flow.items() for creditor, paid in owed.items() if paid}
