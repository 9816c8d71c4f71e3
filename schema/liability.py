"""What an issuer still owes for points that are out, at a month's end (A13)."""

from datetime import datetime
from typing import Self

import strawberry

from alliance.liability import queries
from alliance.liability.model import LiabilityEstimate as EstimateRow
from alliance.liability.rules import WHOLE
from domain.money import unscaled
from domain.programs.catalogue import PRICE_PLACES
from resolvers import liability
from resolvers.liability import COHORT_SHAPE
from resolvers.pages import window
from schema.merchants import Merchant, PointsCurrency
from schema.money import Money
from schema.node import Connection, Info
from schema.scalars import CurrencyCode, Decimal, Points

PLACES = len(str(WHOLE)) - 1


@strawberry.type(description="How many points were out when a month began, what became of them, how many were then.")
class LiabilityPoints:
    """opening + granted + exchangedIn + transferred - all others = closing."""

    opening: Points
    granted: Points
    exchanged_in: Points = strawberry.field(description="That came from points of another currency.")
    redeemed: Points
    exchanged: Points = strawberry.field(description="For points of another currency.")
    expired: Points = strawberry.field(description="Less what was brought back.")
    adjusted: Points = strawberry.field(description="Taken by hand.")
    reversed: Points = strawberry.field(description="Taken back with the sales that had granted them.")
    transferred: Points = strawberry.field(description="Moved between members; what paid a debt there is gone.")
    closing: Points

    @classmethod
    def of(cls, row: queries.Points) -> Self:
        """From the rows."""
        return cls(**{name: Points(getattr(row, name)) for name in queries.Points.__slots__})


@strawberry.type(description="What was deferred when a month began, how that moved, and what was then.")
class LiabilityMoney:
    """opening + sold + funded - takenSold - takenFunded - commission - redeemed - exchanged - change = closing."""

    opening: Money
    sold: Money = strawberry.field(description="The points' share of the issuer's own sales.")
    funded: Money = strawberry.field(description="What others paid for points.")
    taken_sold: Money = strawberry.field(description="Of `sold`, what left with sales that were returned.")
    taken_funded: Money = strawberry.field(description="Of `funded`, the same.")
    commission: Money = strawberry.field(description="What an agent keeps, at once.")
    redeemed: Money = strawberry.field(description="Revenue of points that were used, by the estimate before.")
    exchanged: Money = strawberry.field(description="The same of points that were exchanged.")
    change: Money = strawberry.field(description="The catch-up by which the new estimate is met: more revenue above 0.")
    closing: Money
    current: Money = strawberry.field(description="Of `closing`, what is expected to be used within 12 months.")
    non_current: Money

    @classmethod
    def of(cls, row: queries.Money, money: str) -> Self:
        """From the rows."""
        return cls(
            **{name: Money.of_micro(getattr(row, name), money) for name in (*queries.Money.__slots__, "non_current")}
        )


@strawberry.type(description="What points did at one age, in months: all months of issue that reached it, together.")
class LiabilityAge:
    """A step of the curve."""

    age: int
    used: Points
    ended: Points
    at_risk: Points = strawberry.field(description="How many were out when that month of their life began.")
    cohorts: int = strawberry.field(description="How many months of issue reached it.")


@strawberry.type(description="What was expected of points at a month's end.")
class LiabilityEstimate:
    """Kept with it."""

    use: Decimal = strawberry.field(description="The share of new points that will be used.")
    by: str | None = strawberry.field(description="Who set it; null where it is from history.")
    why: str | None
    policy_version: int = strawberry.field(description="Of the currency, in the alliance file.")
    payable: Money | None = strawberry.field(description="What an agent pays for a point; null for a principal.")
    curve: list[LiabilityAge]

    @classmethod
    def of(cls, row: EstimateRow, money: str) -> Self:
        """From a row."""
        names = ("used", "ended", "at_risk")
        curve = [
            LiabilityAge(age=age, cohorts=step[3], **{name: Points(step[n]) for n, name in enumerate(names)})
            for age, step in enumerate(row.curve)
        ]
        payable = None
        if row.payable is not None:
            payable = Money(amount=Decimal(unscaled(row.payable, PRICE_PLACES)), currency=CurrencyCode(money))
        use = Decimal(unscaled(row.use, PLACES))
        return cls(use=use, by=row.by, why=row.why, policy_version=row.policy_version, payable=payable, curve=curve)


@strawberry.type(description="Points that were issued in one month.")
class LiabilityCohort:
    """At the end of another."""

    issued: str = strawberry.field(description="The month, such as 2027-03.")
    points: LiabilityPoints
    money: LiabilityMoney
    use: Decimal = strawberry.field(description="The share of what is left that will be used.")

    @classmethod
    def of(cls, row: queries.Cohort, money: str) -> Self:
        """From the rows."""
        return cls(
            issued=f"{row.issued:%Y-%m}",
            points=LiabilityPoints.of(row.points),
            money=LiabilityMoney.of(row.money, money),
            use=Decimal(unscaled(row.use, PLACES)),
        )


LiabilityAccount = strawberry.enum(queries.Account, name="LiabilityAccount", description="Where it is booked.")


@strawberry.type(description="What to book of a month; those of a programme sum to zero.")
class LiabilityPosting:
    """A credit is below zero."""

    account: LiabilityAccount  # type: ignore[valid-type]
    amount: Money


@strawberry.type(description="The points of one kind.")
class LiabilityProgramme:
    """At a month's end."""

    currency: PointsCurrency
    estimate: LiabilityEstimate
    points: LiabilityPoints
    money: LiabilityMoney
    postings: list[LiabilityPosting]
    row: strawberry.Private[queries.Programme]
    settled_in: strawberry.Private[str]

    @strawberry.field(
        description="By month of issue, oldest first; without those that nothing is left of or happened to."
    )
    def cohorts(
        self, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> Connection[LiabilityCohort]:
        """A page of them."""
        found = liability.cohorts(self.row, window(COHORT_SHAPE, first, after, last, before))
        return Connection[LiabilityCohort].of(found, lambda row: LiabilityCohort.of(row, self.settled_in))

    @classmethod
    def of(cls, info: Info, row: queries.Programme) -> Self:
        """From the rows."""
        catalogue = info.context.runtime.catalogue
        money = catalogue.alliance.settlement_currency
        booked = queries.booked(row.money, principal=row.estimate.payable is None)
        return cls(
            currency=PointsCurrency.of(catalogue.currencies[row.currency]),
            estimate=LiabilityEstimate.of(row.estimate, money),
            points=LiabilityPoints.of(row.points),
            money=LiabilityMoney.of(row.money, money),
            postings=[
                LiabilityPosting(account=account, amount=Money.of_micro(amount, money))
                for account, amount in booked.items()
                if amount
            ],
            row=row,
            settled_in=money,
        )


@strawberry.type(description="Deferred revenue of a merchant for points that are out, as a closed month left it.")
class Liability:
    """Never made again."""

    merchant: Merchant
    month: str = strawberry.field(description="Such as 2027-03, in the merchant's time zone.")
    ends_at: datetime = strawberry.field(description="The first instant that does not count.")
    closed_at: datetime = strawberry.field(description="What was written later is in a later month.")
    programmes: list[LiabilityProgramme]

    @classmethod
    def of(cls, info: Info, row: queries.Liability) -> Self:
        """From the rows."""
        return cls(
            merchant=Merchant.of(info.context.runtime.catalogue.merchants_by_id[row.merchant_id]),
            month=f"{row.month:%Y-%m}",
            ends_at=row.ends_at,
            closed_at=row.closed_at,
            programmes=[LiabilityProgramme.of(info, programme) for programme in row.programmes],
        )


@strawberry.type
class LiabilityQueries:
    """For merchants, the operator and auditors."""

    @strawberry.field(
        description="What a merchant still owes for points that are out, at the end of a closed month: by default one's"
        " own, and the last. Null while it is not closed, and for another merchant's."
    )
    async def liability(self, info: Info, merchant: str | None = None, month: str | None = None) -> Liability | None:
        """Three statements at most."""
        found = await liability.one(info.context, merchant, month)
        return None if found is None else Liability.of(info, found)
