"""Who bears a pay-in that is missing, and in which order it is repaid (A12). Pure; minor units, sums exact."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.ledger.rules import share

Parts = dict[uuid.UUID, int]


@dataclass(frozen=True, slots=True)
class Held:
    """What lies with the alliance: the defaulter's collateral and its part of the fund, and the others' parts."""

    collateral: int = 0
    own_fund: int = 0
    fund: Mapping[uuid.UUID, int] | None = None


@dataclass(frozen=True, slots=True)
class Waterfall:
    """What a missing pay-in is covered by, in this order.

    `debts` is what the defaulter owes the others of the cycle, pair by pair; `claims` what they owe it, set off first;
    `received` what it has paid or carried on. That leaves `missing`, which `collateral`, `own_fund`, `fund` (by who
    put it in) and `losses` (by who bears them) add up to.
    """

    debts: int
    claims: int
    received: int
    missing: int
    collateral: int
    own_fund: int
    fund: Parts
    losses: Parts

    @property
    def covered(self) -> int:
        """What is paid in the defaulter's place."""
        return self.collateral + self.own_fund + sum(self.fund.values())

    @property
    def loss(self) -> int:
        """What the survivors bear together."""
        return sum(self.losses.values())


def waterfall(missing: int, nets: Mapping[uuid.UUID, int], held: Held) -> Waterfall:
    """The waterfall of what a merchant has not paid in, of its `nets` in the cycle: above zero, it owes that merchant.

    What nothing covers is borne in proportion to those, by largest remainder, so that nobody bears more than its claim.
    Raises ValueError for more than it owes.
    """
    debts = {party: amount for party, amount in sorted(nets.items()) if amount > 0}
    claims = -sum(amount for amount in nets.values() if amount < 0)
    owed = sum(debts.values())
    if not 0 <= missing <= owed - claims:
        raise ValueError(f"{missing} is missing of {owed - claims}")
    left = missing
    collateral = min(left, held.collateral)
    left -= collateral
    own_fund = min(left, held.own_fund)
    left -= own_fund
    fund = drawn(left, held.fund or {})
    left -= sum(fund.values())
    return Waterfall(
        owed, claims, owed - claims - missing, missing, collateral, own_fund, fund, split(left, debts) if left else {}
    )


def drawn(wanted: int, parts: Mapping[uuid.UUID, int]) -> Parts:
    """What each gives of a common sum, in proportion to what it has in it: all that is wanted, or all there is."""
    return split(min(wanted, sum(parts.values())), parts)


def split(total: int, weights: Mapping[uuid.UUID, int]) -> Parts:
    """A sum in proportion to weights, by largest remainder; who gets nothing is left out."""
    parties = sorted(weights)
    amounts = share(total, [weights[party] for party in parties])
    return {party: amount for party, amount in zip(parties, amounts, strict=True) if amount}


@dataclass(frozen=True, slots=True)
class Unpaid:
    """A payment of the defaulter's: what of it is `covered`, paid in its place; the rest is not paid in this cycle."""

    payee: uuid.UUID
    amount: int
    covered: int


def cover(payments: Sequence[tuple[uuid.UUID, int]], covered: int, losses: Mapping[uuid.UUID, int]) -> list[Unpaid]:
    """What is covered of the payments that a defaulter was to make: first what is more than its payee has to bear.

    So that as little as possible has to be evened out between survivors afterwards.
    """
    bearing = dict(losses)
    more = []
    for payee, amount in payments:
        own = min(amount, bearing.get(payee, 0))
        bearing[payee] = bearing.get(payee, 0) - own
        more.append(amount - own)
    result = []
    for (payee, amount), most in zip(payments, more, strict=True):
        part = min(covered, most)
        covered -= part
        result.append(Unpaid(payee, amount, part))
    return result


def evened(unpaid: Mapping[uuid.UUID, int], losses: Mapping[uuid.UUID, int]) -> list[tuple[uuid.UUID, uuid.UUID, int]]:
    """Who owes whom how much, so that each bears its loss though others went unpaid: (debtor, creditor, amount).

    Both sum to the same. The most lacking is made good by who bears most that it has not missed.
    """
    rest = {party: losses.get(party, 0) - unpaid.get(party, 0) for party in {*unpaid, *losses}}
    giving = sorted(((amount, party) for party, amount in rest.items() if amount > 0), reverse=True)
    lacking = sorted(((-amount, party) for party, amount in rest.items() if amount < 0), reverse=True)
    result = []
    while giving and lacking:
        (gives, debtor), (lacks, creditor) = giving.pop(0), lacking.pop(0)
        amount = min(gives, lacks)
        result.append((debtor, creditor, amount))
        if gives > amount:
            giving.insert(0, (gives - amount, debtor))
        if lacks > amount:
            lacking.insert(0, (lacks - amount, creditor))
    return result


def repaid(amount: int, pots: Sequence[Mapping[uuid.UUID, int]]) -> tuple[list[Parts], int]:
    """A recovery over pots, each before the next, in it in proportion; and what is left over.

    The pots are what is still to be repaid, in the reverse of the waterfall: losses, reserve, fund, its own.
    """
    result = []
    for pot in pots:
        parts = drawn(amount, pot)
        amount -= sum(parts.values())
        result.append(parts)
    return result, amount
