"""Tiers: what a programme has, and where a member stands in it."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

import strawberry

from domain.programs import tiering
from domain.tiers import rules
from domain.tiers.model import TierReason
from domain.tiers.queries import TierStanding
from resolvers import operations
from resolvers.tiers import most
from schema.node import Info
from schema.scalars import Points

strawberry.enum(TierReason, description="Why a tier began.")

LazyOperation = Annotated["Operation", strawberry.lazy("schema.operations")]  # type: ignore[name-defined]  # noqa: F821


@strawberry.type(description="A right that comes with a tier.")
class TierGrant:
    """As the alliance file says."""

    kind: str = strawberry.field(description="A benefit of the merchant's.")
    quantity: int | None = strawberry.field(description="How many uses; null: as many as the benefit says.")


@strawberry.type(description="A tier of a merchant's programme.")
class TierLevel:
    """As the alliance file says."""

    code: str
    name: str
    threshold: Points = strawberry.field(description="How many credits reach it.")
    grants: list[TierGrant] = strawberry.field(description="Rights that come with it.")

    @classmethod
    def of(cls, level: tiering.Level) -> Self:
        """From the catalogue."""
        grants = [TierGrant(kind=kind, quantity=quantity) for kind, quantity in level.grants]
        return cls(code=level.code, name=level.name, threshold=Points(level.threshold), grants=grants)


@strawberry.type(description="The way to the next tier.")
class TierProgress:
    """By credits."""

    level: TierLevel
    missing: Points = strawberry.field(description="How many credits are missing.")


@strawberry.type(description="That a member had a tier, from then on until the next change.")
class TierChange:
    """Never edited."""

    code: str | None = strawberry.field(description="The tier; null where the member then had none.")
    since: datetime
    until: datetime | None = strawberry.field(description="When it was to end; null while the credits suffice.")
    reason: TierReason
    credits: Points = strawberry.field(description="What the credits came to.")
    holder_id: strawberry.Private[UUID]
    operation_id: strawberry.Private[UUID | None]

    @strawberry.field(description="What caused it; null where its time was over, and out of reach.")
    async def operation(self, info: Info) -> LazyOperation | None:
        """Read now."""
        from schema.operations import Operation

        if self.operation_id is None:
            return None
        return Operation.maybe(await operations.load(info.context, self.holder_id, self.operation_id))


@strawberry.type(description="A member's tier in a programme, as of now.")
class MembershipTier:
    """Whether or not the night's work has been done."""

    code: str | None = strawberry.field(description="Null while no tier is reached.")
    name: str | None
    since: datetime | None = strawberry.field(description="Since when it has been held without a break.")
    until: datetime | None = strawberry.field(
        description="The first moment at which it is decided anew; null while the credits suffice."
    )
    credits: Points
    next: TierProgress | None = strawberry.field(description="Null at the top.")
    holder_id: strawberry.Private[UUID]
    standing: strawberry.Private[TierStanding]

    @strawberry.field(description="The tiers that the member has had, newest first.")
    def history(self, first: int = 20) -> list[TierChange]:
        """At most 100."""
        return [
            TierChange(
                code=tier.level,
                since=tier.valid_from,
                until=tier.until,
                reason=TierReason(tier.reason),
                credits=Points(tier.credits),
                holder_id=self.holder_id,
                operation_id=tier.operation_id,
            )
            for tier in self.standing.tiers[: -most(first) - 1 : -1]
        ]

    @classmethod
    def of(cls, holder_id: UUID, programme: tiering.TierProgramme, standing: TierStanding) -> Self:
        """From what the tiers' room knows."""
        tier = rules.current(standing.tiers)
        code = None if tier is None else tier.level
        level, above = programme.level(code), programme.above(code)
        missing = 0 if above is None else max(0, above.threshold - standing.credits)
        return cls(
            code=code,
            name=level.name if level else code,
            since=rules.since(standing.tiers) if code else None,
            until=tier.until if tier else None,
            credits=Points(standing.credits),
            next=None if above is None else TierProgress(level=TierLevel.of(above), missing=Points(missing)),
            holder_id=holder_id,
            standing=standing,
        )
