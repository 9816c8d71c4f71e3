"""How what is owed for points that are out is estimated (A13)."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from domain.money import PRICE, scaled


@dataclass(frozen=True, slots=True)
class LiabilityTerms:
    """`breakage` is the share of points that will never be used, as `by` said and `why`; None: as history has it, by
    ages that at least `min_cohorts` months of issue reached. An agent (not `principal`) keeps what is above `payable`
    (10^-8 a point), which it owes to who serves the member."""

    breakage: Fraction | None = None
    by: str | None = None
    why: str | None = None
    min_cohorts: int = 3
    payable: int | None = None

    @property
    def principal(self) -> bool:
        """Whether what is deferred becomes revenue of its own as points are used."""
        return self.payable is None


BY_HISTORY = LiabilityTerms()


def liability_terms(stored: dict[str, Any] | None) -> LiabilityTerms:
    """As the alliance file has them."""
    if stored is None:
        return BY_HISTORY
    breakage, payable = stored.get("breakage", "history"), stored.get("payable")
    return LiabilityTerms(
        breakage=None if breakage == "history" else Fraction(breakage),
        by=stored.get("by"),
        why=stored.get("why"),
        min_cohorts=stored.get("minCohorts", 3),
        payable=None if payable is None else scaled(payable["amount"], len(str(PRICE)) - 1),
    )
