"""What a merchant grants besides points: kinds of rights, as its alliance file declares them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.money import MICRO, scaled
from domain.programs.terms import ExpiryPolicy, expiry_terms

_PLACES = len(str(MICRO)) - 1


@dataclass(frozen=True, slots=True)
class Benefit:
    """A kind of right. `uses` is how often one is used, unless its grant says otherwise.

    `at` names the merchants where it may be used; None: its own, and wherever an agreement has a price for it. `stock`
    is how many uses may be out or used, `per_member` how many of them by one member. `budget` is what they may cost in
    all, in millionths of the settlement currency: a use its price at a partner, and `cost` at the merchant's own. None
    is without end.
    """

    merchant_id: UUID
    code: str
    name: str
    uses: int
    expiry: ExpiryPolicy
    at: frozenset[str] | None = None
    stock: int | None = None
    budget: int | None = None
    cost: int = 0
    per_member: int | None = None

    def reaches(self, merchant: str) -> bool:
        """Whether it may be used at the merchant of that code."""
        return self.at is None or merchant in self.at


def benefit(stored: Mapping[str, Any], merchant_id: UUID) -> Benefit:
    """From the alliance file's `benefits`."""
    return Benefit(
        merchant_id=merchant_id,
        code=stored["code"],
        name=stored["name"],
        uses=stored["uses"],
        expiry=expiry_terms(stored["expiry"]),
        at=frozenset(stored["at"]) if "at" in stored else None,
        stock=stored.get("stock"),
        budget=_millionths(stored["budget"]) if "budget" in stored else None,
        cost=_millionths(stored["cost"]) if "cost" in stored else 0,
        per_member=stored.get("perMember"),
    )


def _millionths(money: Mapping[str, str]) -> int:
    return scaled(money["amount"], _PLACES)


def currency_of(merchant: str, code: str) -> str:
    """What the uses of a merchant's kind of right are counted in: no points currency has such a code."""
    return f"{merchant}/{code}"


def budget_of(currency: str) -> str:
    """What its budget is counted in: millionths of the settlement currency."""
    return f"{currency}:budget"
