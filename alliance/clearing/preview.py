"""What an operation makes owed, and who pays for the points that it grants: told before it is done, or after (A1)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.book import EarnTerms
from alliance.clearing.model import Obligation, ObligationKind
from alliance.clearing.rules import Owed, owed_later
from domain.ledger.request import Books, Effect, Needs

_OBLIGATION: Any = Obligation.__table__


@dataclass(frozen=True, slots=True)
class Line:
    """What one party owes another; what `waits` is owed when points that wait become active."""

    owed: Owed
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """What a merchant pays of the price of points, all in all and at issue, in millionths; None where it is their
    issuer, and owes itself nothing. The shares of a lot sum to 1.
    """

    merchant_id: uuid.UUID
    share: Fraction
    amount: int | None = None
    at_issue: int | None = None


@dataclass(frozen=True, slots=True)
class Funding:
    """Rides on the dry run of an earn, and says by which terms its points are paid for."""

    terms: EarnTerms

    def needs(self, needs: Needs) -> None:
        """Nothing."""

    def ride(self, books: Books, effect: Effect) -> None:
        """Tells it."""
        effect.told = self.terms


def lines_of(effect: Effect) -> list[Line]:
    """What a dry run would write; and what of it would wait."""
    lines = [Line(_owed(row)) for table, row in effect.rows if table is _OBLIGATION]
    for state in effect.pending:
        lines += [Line(owed, waits=True) for owed in owed_later(state.owed or [], state.granted, state.granted)]
    return lines


def _owed(row: dict[str, Any]) -> Owed:
    return Owed(**{name: row[name] for name in Owed.__dataclass_fields__} | {"kind": ObligationKind(row["kind"])})


def shares_of(effect: Effect, issuer_id: uuid.UUID) -> list[Share]:
    """Who would pay for the points that a dry run grants."""
    terms: EarnTerms | None = effect.told
    if terms is None:
        return [Share(issuer_id, Fraction(1))]
    paid = Share(terms.at, terms.share, effect.points * terms.owed, effect.points * terms.at_issue)
    return [one for one in (paid, Share(issuer_id, 1 - terms.share)) if one.share]


_LINES = text("""
    SELECT o.holder_id, o.operation_id, o.kind, o.debtor_id, o.creditor_id, o.currency, o.points, o.price, o.amount,
           o.agreement_id, o.agreement_version, o.late
    FROM unnest(CAST(:holders AS uuid[]), CAST(:ids AS uuid[])) AS w (holder_id, operation_id)
    JOIN obligation o USING (holder_id, operation_id) ORDER BY o.operation_id, o.seq
""")


async def lines(
    session: AsyncSession, keys: Sequence[tuple[uuid.UUID, uuid.UUID]]
) -> dict[tuple[uuid.UUID, uuid.UUID], list[Line]]:
    """What the operations with these (holder, id) made owed."""
    found: dict[tuple[uuid.UUID, uuid.UUID], list[Line]] = {key: [] for key in keys}
    pairs = {"holders": [key[0] for key in keys], "ids": [key[1] for key in keys]}
    for holder_id, operation_id, kind, *rest in await session.execute(_LINES, pairs):
        found[holder_id, operation_id].append(Line(Owed(ObligationKind(kind), *rest)))
    return found
