"""How a currency's liability is estimated (A13), as the file says it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from alliance.file.source import Path
from alliance.file.values import Document, Money, Name, Share, refusal

if TYPE_CHECKING:
    from alliance.file.model import AllianceDocument


class Liability(Document):
    """Where an estimate of breakage comes from, and whether the issuer is principal or agent."""

    breakage: Literal["history"] | Share = "history"
    by: Name | None = None
    why: Name | None = None
    min_cohorts: Annotated[int, Field(ge=1, le=120)] = 3
    principal: bool = True
    payable: Money | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Liability":
        set_by_hand = self.breakage != "history"
        if set_by_hand != (self.by is not None) or set_by_hand != (self.why is not None):
            raise refusal("a breakage that is set says by whom and why: by and why; one from history has neither")
        if self.principal != (self.payable is None):
            raise refusal("an agent (principal: false) says what a point is paid for with: payable; nobody else does")
        return self


def unfit_liability(document: "AllianceDocument", places: Mapping[int, Path]) -> Iterator[tuple[Path, str]]:
    """Where it says something that means nothing, and why. `places` are the paths of the list items, by identity."""
    money = document.alliance.settlement_currency
    for merchant in document.merchants:
        for currency in merchant.currencies:
            for terms in (currency, *currency.policies):
                if terms.liability is None:
                    continue
                path = (*places[id(terms)], "liability")
                if currency.kind not in ("points", "stamps"):
                    yield path, "only points and stamps are deferred revenue"
                payable = terms.liability.payable
                if payable is not None and payable.currency != money:
                    yield (*path, "payable", "currency"), f"must be {money}, in which merchants settle"
