"""The shape of an agreement in the alliance file: every key it may have. docs/alliance-file.md says what each means."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from alliance.file.values import (
    Code,
    Count,
    Day,
    Days,
    Document,
    Money,
    Points,
    Positive,
    Share,
    Version,
    WaitDays,
    distinct,
    each,
    refusal,
)


class MemberFee(Document):
    """What an exchange costs a member, in the points that are given."""

    share: Share = "0"
    points: Annotated[int, Field(ge=0, le=10**6)] = 0


class Exchange(Document):
    """Points that may become another's."""

    from_: Points = Field(alias="from")
    to: Points
    rate: Positive
    clearing_value: Money
    block: Count = 1
    step: Count = 1
    fee: MemberFee | None = None
    daily_cap: Count | None = None
    daily_cap_per_member: Count | None = None
    per_day: Annotated[int, Field(ge=1, le=10_000)] | None = None
    wait_days: WaitDays = 0


class Earn(Document):
    """Points that a party may grant though they are the other's."""

    at: Code
    of: Points
    issue_price: Money
    share: Share = "1"
    funding: Literal["at_issue", "at_redemption", "split"] = "at_issue"
    at_issue: Share | None = None
    breakage_to: Annotated[Literal["issuer", "funder"] | None, Field(validate_default=True)] = None
    shortfall_to: Literal["earner", "issuer"] = "earner"

    @field_validator("breakage_to")
    @classmethod
    def _kept(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Who has the money keeps it: where it is paid in two parts, each keeps its own."""
        keeper = {"at_issue": "issuer", "at_redemption": "funder"}
        return value or keeper.get(info.data.get("funding", ""))

    @model_validator(mode="after")
    def _fits(self) -> "Earn":
        if (self.funding == "split") != (self.at_issue is not None):
            raise refusal("a split says what part is paid atIssue, and nothing else does")
        if self.at_issue is not None and not 0 < Decimal(self.at_issue) < 1:
            raise refusal("of a split, atIssue is more than 0 and less than 1")
        return self

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the price that are paid at one time each, as shares of it."""
        if self.at_issue is None:
            return (self.share,)
        first = Decimal(self.share) * Decimal(self.at_issue)
        return str(first), str(Decimal(self.share) - first)


class Redeem(Document):
    """Points that may be spent at a party though they are the other's."""

    at: Code
    of: Points
    redemption_price: Money
    past_reserve: Literal["accept", "refuse"] = "accept"


class Right(Document):
    """What a party is owed for a right of the other's members."""

    grantor: Code
    at: Code
    kind: Code
    price: Money
    no_show: Money | None = None


class Fee(Document):
    """What the operator takes."""

    for_: Annotated[
        list[Literal["earn", "redeem", "exchange", "right"]], Field(min_length=1), AfterValidator(distinct)
    ] = Field(alias="for")
    share: Share | None = None
    amount: Money | None = None
    payer: Literal["issuer", "partner"]

    @model_validator(mode="after")
    def _fits(self) -> "Fee":
        if (self.share is None) == (self.amount is None):
            raise refusal("a fee is either a share or an amount")
        return self


class Notice(Document):
    """How long beforehand a change is said, where it is not as the alliance has it; for how long points run off."""

    start: Days | None = None
    end: Days | None = None
    run_off: Days | None = None


class Subsidy(Document):
    """That the issuer of points accepts to issue them for less than it pays for them, up to a budget (A3)."""

    of: Points
    budget: Money
    per_round_trip: Money | None = None


class Agreement(Document):
    """A version of what two merchants agreed on."""

    merchants: Annotated[list[Code], Field(min_length=2, max_length=2), AfterValidator(distinct)]
    version: Version
    from_: Day = Field(alias="from")
    to: Day | None = None
    exchange: Annotated[list[Exchange], each] = []
    earn: Annotated[list[Earn], each] = []
    redeem: Annotated[list[Redeem], each] = []
    rights: Annotated[list[Right], each] = []
    fees: Annotated[list[Fee], each] = []
    subsidies: Annotated[list[Subsidy], each] = []
    notice: Notice | None = None
    objection_days: Days | None = None
    claim_days: Days | None = None
