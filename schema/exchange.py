"""What may be exchanged for what, and quotes."""

from datetime import datetime
from typing import Self

import strawberry

from alliance.exchange.model import Quote as QuoteRow
from resolvers import ids
from resolvers.exchanges import Option
from resolvers.expiring import in_words
from schema.merchants import PointsCurrency
from schema.node import Info
from schema.refusals import ErrorCode
from schema.scalars import Decimal, Points


@strawberry.type(description="What a member may exchange points for.")
class ExchangeOption:
    """Members see rates, never the prices between merchants."""

    rate: Decimal = strawberry.field(description="Points in for one point out.")
    block: Points = strawberry.field(description="The fewest points that can go out.")
    step: Points = strawberry.field(description="Beyond the block, points go out in steps of this.")
    remaining_today: Points | None = strawberry.field(
        description="What is left today of the member's cap and of that of all members together; null without either."
    )
    changes_on: datetime | None = strawberry.field(description="When these terms end; null if no end is known.")
    blocked_by: list[ErrorCode] = strawberry.field(description="Why not even the smallest exchange would go through.")
    target: strawberry.Private[str]

    @strawberry.field(description="The kind of points that comes in.")
    def to(self, info: Info) -> PointsCurrency:
        """From the catalogue."""
        return PointsCurrency.of(info.context.runtime.catalogue.currencies[self.target])

    @strawberry.field(description="How long points that come in live; never longer than those they came from.")
    def expiry_rule(self, info: Info) -> str:
        """By the policy in force, in the caller's language."""
        currency = info.context.runtime.catalogue.currencies[self.target]
        return in_words(currency.policy_at(info.context.as_of).expiry, info.context.language)

    @classmethod
    def of(cls, option: Option) -> Self:
        """From an agreement's terms."""
        terms = option.terms
        return cls(
            rate=Decimal(option.rate),
            block=Points(terms.block),
            step=Points(terms.step),
            remaining_today=None if option.remaining is None else Points(option.remaining),
            changes_on=option.changes_on,
            blocked_by=[ErrorCode(code) for code in option.blocked_by],
            target=terms.target,
        )


@strawberry.type(description="An offer whose rate holds until it expires. It is used once.")
class Quote:
    """`fee` is in points, and part of pointsOut."""

    id: strawberry.ID
    rate: Decimal
    points_out: Points
    points_in: Points
    fee: Points
    expires_at: datetime
    reserves: bool = strawberry.field(description="Whether room was kept for it under the issuer's cap.")

    @classmethod
    def of(cls, row: QuoteRow) -> Self:
        """From what the exchange keeps."""
        return cls(
            id=strawberry.ID(ids.encode("Quote", row.holder_id, row.id)),
            rate=Decimal(row.rate),
            points_out=Points(row.points_out),
            points_in=Points(row.points_in),
            fee=Points(row.fee),
            expires_at=row.expires_at,
            reserves=row.reserves,
        )
