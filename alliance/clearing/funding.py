"""What funders pay when points are spent, and what moves when points end (A1).

A lot keeps the version of the agreement by which its funder settles later. A point is used when it is spent or
exchanged, wherever that is, and when it is taken for the return of a sale. The funder of the sale that came back is
credited for as many: so points of another sale that stand in for it are paid for by their own funder, and what was
never spent costs nobody anything. See docs/decisions/funding-at-redemption.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

import asyncpg

from alliance.agreements.book import AgreementBook, AgreementVersion, EarnTerms, earn_terms
from alliance.clearing.model import ObligationKind
from alliance.clearing.riders import any_cycle, hold_cycle_open, write
from alliance.clearing.rules import PRICE_OF_MILLIONTHS, Owed
from domain.ledger.funding import Funding, funding_of
from domain.ledger.model import AccountKind, OperationKind
from domain.ledger.past import turned
from domain.ledger.request import Books, Effect, PastOperation
from domain.ledger.rules import LotState, PendingState

_USES = {OperationKind.REDEEM.value, OperationKind.EXCHANGE.value}
_GRANTS = {OperationKind.EARN.value, OperationKind.ADJUST.value, OperationKind.OPENING.value}

Parts = Sequence[tuple[LotState, int]]
Points = dict[tuple[Funding, str], int]
"""How many points of a currency, by how they are funded."""


class _Version(NamedTuple):
    agreement_id: UUID
    earn: Mapping[tuple[UUID, str], EarnTerms]


@dataclass(slots=True)
class Funders:
    """Hears of points that are spent, put back, taken back or expire, and writes what their funders then owe.

    A dry run of a hold is told what capturing all of it would make owed.

    `book` are the agreements in force. A version never changes, so that one which is not among them (any more, or yet)
    is read once.
    """

    book: Callable[[], AgreementBook]
    _old: dict[Funding, _Version] = field(default_factory=dict)

    async def load(self, connection: asyncpg.Connection, books: Books) -> None:
        """The versions, and the open cycle."""
        missing = [funding for funding in books.funded if not self._knows(funding)]
        if missing:
            self._old |= await _versions(connection, missing)
        await hold_cycle_open(connection, books)

    def ride(self, books: Books, effect: Effect) -> None:
        """One line for all points of one agreement, where anything moves."""
        kind, past = effect.operation["kind"], effect.reverses
        if kind == "HOLD" and books.simulated:
            self._write(books, effect, _points(effect.held))
        elif kind in _USES:
            self._write(books, effect, _points(_used(effect)))
        elif kind == OperationKind.EXPIRE:
            self._write(books, effect, _points(_used(effect)), ended=True)
        elif past is not None and past.kind in _USES:
            anew = [(lot, -lot.granted) for lot in effect.lots if lot.source_lot_id is not None]
            self._write(books, effect, _points([*_used(effect), *anew]))
        elif past is not None and past.kind in _GRANTS:
            self._take_back(books, effect, past, [part for part in _used(effect) if part[1] > 0])

    def recover(
        self,
        books: Books,
        effect: Effect,
        earn_id: UUID | None,
        funded: tuple[Funding, str] | None,
        taken: Parts,
    ) -> None:
        """Parts of lots go to the return of a sale, whose points of a currency are `funded` so: their funders pay, and
        its own is credited.

        Not again where it was credited for all that was due, because the issuer bears the shortfall.
        """
        points = _points(taken)
        if funded is not None and not self._issuer_bears(*funded):
            points[funded] = points.get(funded, 0) - sum(part for lot, part in taken if lot.currency == funded[1])
        self._write(books, effect, points, reverses=earn_id)

    def _take_back(self, books: Books, effect: Effect, past: PastOperation, taken: Parts) -> None:
        """What the reversal of an earn takes."""
        granted: list[LotState | PendingState] = [*past.lots, *past.pending]
        funded = next(((funding_of(one), one.currency) for one in granted if one.agreement_version is not None), None)
        if funded is None or effect.returned is None or not self._issuer_bears(*funded):
            self.recover(books, effect, past.id, funded, taken)
            return
        due = effect.returned.figures(funded[1])[1] - effect.moved(funded[1], AccountKind.PENDING)
        points = _points(taken)
        points[funded] = points.get(funded, 0) - due
        self._write(books, effect, points, reverses=past.id)

    def _write(
        self,
        books: Books,
        effect: Effect,
        points: Points,
        *,
        ended: bool = False,
        reverses: UUID | None = None,
    ) -> None:
        """One row for each agreement and currency; what is below zero is owed back."""
        lines = []
        for (funding, currency), used in points.items():
            issuer_id, funder_id, version = funding
            known = self._version(funding)
            terms = known.earn[funder_id, currency]
            price = terms.at_end if ended else terms.at_use
            if not used or not price:
                continue
            parties = (funder_id, issuer_id) if price > 0 else (issuer_id, funder_id)
            lines.append(
                Owed(
                    ObligationKind.BREAKAGE if ended else ObligationKind.FUNDING,
                    *parties,
                    currency,
                    used,
                    abs(price) * PRICE_OF_MILLIONTHS,
                    used * abs(price),
                    known.agreement_id,
                    version,
                )
            )
        reverses = reverses or effect.operation["reverses"]
        for line in lines:
            write(effect, [line], any_cycle(books), {"reverses": reverses if line.amount < 0 else None})

    def _issuer_bears(self, funding: Funding, currency: str) -> bool:
        return self._version(funding).earn[funding[1], currency].shortfall_to == "issuer"

    def _version(self, funding: Funding) -> _Version | AgreementVersion:
        """Raises KeyError where it was not loaded."""
        issuer_id, funder_id, number = funding
        pair = self.book().pairs.get(frozenset((issuer_id, funder_id)), ())
        in_force = next((version for version in pair if version.version == number), None)
        return in_force or self._old[funding]

    def _knows(self, funding: Funding) -> bool:
        try:
            return bool(self._version(funding))
        except KeyError:
            return False


def _used(effect: Effect) -> list[tuple[LotState, int]]:
    """What the effect takes of lots; below zero it puts back."""
    return [(lot, -amount) for lot, amount in effect.allocations]


def _points(parts: Parts) -> Points:
    """Of those lots for which something moves later."""
    found: Points = {}
    for lot, points in parts:
        if lot.agreement_version is not None:
            funded = (funding_of(lot), lot.currency)
            found[funded] = found.get(funded, 0) + points
    return found


async def _versions(connection: asyncpg.Connection, asked: Sequence[Funding]) -> dict[Funding, _Version]:
    codes = {row["code"]: row["id"] for row in await connection.fetch("SELECT code, id FROM merchant")}
    rows = await connection.fetch(
        """SELECT asked.*, v.agreement_id, v.terms -> 'earn' AS earn
           FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS asked (issuer_id, funder_id, version)
           JOIN agreement a ON a.merchant_a = least(issuer_id, funder_id)
                           AND a.merchant_b = greatest(issuer_id, funder_id)
           JOIN agreement_version v ON v.agreement_id = a.id AND v.version = asked.version""",
        *turned(asked),
    )
    found = {}
    for issuer_id, funder_id, version, agreement_id, items in rows:
        earn = {(terms.at, terms.currency): terms for terms in (earn_terms(item, codes) for item in items)}
        found[issuer_id, funder_id, version] = _Version(agreement_id, earn)
    return found
