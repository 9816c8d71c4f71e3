"""How a cap takes part in a posting: what may still be refused is decided under the lock of the merchant (A5).

The merchant lies among the holders of what it may refuse, so that such requests are decided one after the other,
whichever process has them.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from alliance.agreements.book import AgreementVersion, Event
from alliance.clearing.model import Obligation
from alliance.clearing.rules import Owed
from alliance.exposure.errors import MerchantAtCap
from alliance.exposure.positions import EXPOSURES, Standing, change, matured
from domain.ledger.request import Books, Effect, Needs
from domain.programs.catalogue import Catalogue

_OBLIGATION: Any = Obligation.__table__


Capped = tuple[tuple[uuid.UUID, str], ...]
"""Merchants with a cap: their ids and codes."""


@dataclass(frozen=True, slots=True)
class _Capped:
    """Whose caps a posting may run into."""

    merchants: Capped

    def needs(self, needs: Needs) -> None:
        """Their positions, under their locks."""
        for merchant_id, _ in self.merchants:
            needs.holders.add(merchant_id)
            needs.other(EXPOSURES, merchant_id)

    def past_cap(self, books: Books, lines: Iterable[Owed]) -> list[tuple[uuid.UUID, str, int]]:
        """How far past its cap each merchant would be taken; those who stay within are left out."""
        moved = change(lines)
        beyond = []
        for merchant_id, code in self.merchants:
            standing: Standing | None = books.other(EXPOSURES, merchant_id)
            if standing is not None and (past := standing.past_cap(moved.get(merchant_id, 0))):
                beyond.append((merchant_id, code, past))
        return beyond

    def require_room(self, books: Books, lines: Iterable[Owed]) -> None:
        """Raises MerchantAtCap."""
        for _, code, _ in self.past_cap(books, lines):
            raise MerchantAtCap(merchant=code)


@dataclass(frozen=True, slots=True)
class Room(_Capped):
    """Rides on a funded earn, whose points wait where there is no room: the earn asks `lacking`, before it grants."""

    owed: Callable[..., Sequence[Owed]]

    def lacking(self, books: Books, points: int) -> uuid.UUID | None:
        """The merchant who has no room for so many points; None where there is."""
        return next((merchant_id for merchant_id, *_ in self.past_cap(books, self.owed(points=points))), None)

    def ride(self, books: Books, effect: Effect) -> None:
        """It was decided before."""


@dataclass(frozen=True, slots=True)
class Within(_Capped):
    """Rides on what is refused where there is no room: an exchange, points by hand."""

    lines: Sequence[Owed]

    def ride(self, books: Books, effect: Effect) -> None:
        """Raises MerchantAtCap."""
        self.require_room(books, self.lines)


@dataclass(frozen=True, slots=True)
class WithinNow(_Capped):
    """Rides on the activation of points that waited for room: they go on waiting where there still is none."""

    def ride(self, books: Books, effect: Effect) -> None:
        """Raises MerchantAtCap."""
        self.require_room(books, matured(effect))


@dataclass(frozen=True, slots=True)
class Promised(_Capped):
    """Rides on points that are spent: their issuer has promised it, and goes past its cap, flagged.

    Past its reserve too, unless the agreement says `refuse`.
    """

    owed: Callable[..., Sequence[Owed]]
    past_reserve: Literal["accept", "refuse"]

    def ride(self, books: Books, effect: Effect) -> None:
        """Flags the lines of who is past its cap. Raises MerchantAtCap past the reserve."""
        for merchant_id, code, beyond in self.past_cap(books, self.owed(points=effect.points)):
            standing: Standing = books.other(EXPOSURES, merchant_id)
            if self.past_reserve == "refuse" and standing.reserve is not None and beyond > standing.reserve:
                raise MerchantAtCap(merchant=code)
            flag(effect, merchant_id)


def flag(effect: Effect, merchant_id: uuid.UUID) -> None:
    """Say of what an effect makes a merchant owe that it went past its cap."""
    for table, row in effect.rows:
        if table is _OBLIGATION and row["debtor_id"] == merchant_id:
            row["past_cap"] = True


def capped(
    catalogue: Catalogue, event: Event, version: AgreementVersion, debtor_id: uuid.UUID, issuer_id: uuid.UUID
) -> Capped:
    """Merchants with a cap whose position an event may raise: its debtor, and who pays a fee beyond what it gets."""
    partner_id = next(merchant for merchant in version.merchants if merchant != issuer_id)
    fees = [fee for fee in version.fee_on(event) if fee.amount or fee.share > 1]
    payers = {issuer_id if fee.payer == "issuer" else partner_id for fee in fees}
    return with_caps(catalogue, {debtor_id, *payers})


def with_caps(catalogue: Catalogue, ids: Iterable[uuid.UUID]) -> Capped:
    """Those of these merchants who have a cap."""
    merchants = [catalogue.merchants_by_id[id_] for id_ in sorted(ids)]
    return tuple((merchant.id, merchant.code) for merchant in merchants if merchant.cap is not None)
