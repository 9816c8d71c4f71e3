"""What guards a member's points, and how it refuses."""

from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from domain.guard import model
from resolvers import guarding
from schema.merchants import Merchant
from schema.node import Info
from schema.refusals import TYPES, UserError
from schema.scalars import Points

strawberry.enum(model.GuardPart, description="What the operator can lift.")
strawberry.enum(model.GuardStepKind, description="What was done about a guard by hand.")


@strawberry.type(description="The member has locked their points.")
class PointsLocked(UserError):
    """They unlock them, or the operator does."""

    until: str | None = strawberry.field(description="Null: until they are unlocked.")
    own = ("until",)


@strawberry.type(description="What the member is recognised by has changed, so that their points wait for now.")
class CoolingOff(UserError):
    """It ends by itself; the operator may end it."""

    type: str = strawberry.field(description="The type of identifier that was linked or unlinked.")
    until: str
    own = ("type", "until")


@strawberry.type(description="The member's devices that are new would spend more than they may in a day.")
class DeviceLimit(UserError):
    """Of points of this kind, over all new devices."""

    cap: Points
    used: Points
    until: str | None = strawberry.field(description="When this device is no longer new; null: none was named.")
    own = ("cap", "used", "until")


TYPES |= {kind.__name__: kind for kind in (PointsLocked, CoolingOff, DeviceLimit)}
Guarded = PointsLocked | CoolingOff | DeviceLimit
"""How a debit that a member causes is barred."""


@strawberry.type(description="Points of a merchant's cannot be spent for now: an identifier has changed.")
class CoolingOffPeriod:
    """The one that lasts longest."""

    merchant: Merchant
    type: str = strawberry.field(description="Of the identifier.")
    until: datetime


@strawberry.type(description="A device, or an installed app, that the member was signed in from.")
class MemberDevice:
    """Its name is not kept."""

    merchant: Merchant = strawberry.field(description="Who signed them in there first.")
    first_seen_at: datetime
    last_seen_at: datetime
    trusted: bool = strawberry.field(description="No longer new, by the operator's word.")

    @classmethod
    def of(cls, row: model.MemberDevice, info: Info) -> Self:
        """From a row."""
        merchant = Merchant.of(info.context.runtime.catalogue.merchants_by_id[row.merchant_id])
        seen = {"first_seen_at": row.first_seen_at, "last_seen_at": row.last_seen_at}
        return cls(merchant=merchant, trusted=row.trusted_at is not None, **seen)


@strawberry.type(description="Something that was done about a guard by hand.")
class GuardStep:
    """Kept for good."""

    kind: model.GuardStepKind
    until: datetime | None
    at: datetime
    reason: str | None = strawberry.field(description="The operator's; for the operator alone.")

    @classmethod
    def of(cls, row: model.GuardStep) -> Self:
        """From a row."""
        return cls(kind=model.GuardStepKind(row.kind), until=row.until, at=row.as_of, reason=row.reason)


@strawberry.type(description="What stands between a member's points and who stole their account.")
class MemberGuard:
    """As of now."""

    holder_id: strawberry.Private[UUID]

    @strawberry.field(description="Whether their points are locked; programmes may say that a lock is none of theirs.")
    async def locked(self, info: Info) -> bool:
        """As of now."""
        return (await guarding.state(info.context, self.holder_id)).is_locked(info.context.as_of)

    @strawberry.field(description="When the lock opens by itself; null where there is none, or it stays.")
    async def locked_until(self, info: Info) -> datetime | None:
        """As of now."""
        known = await guarding.state(info.context, self.holder_id)
        return known.locked_until if known.is_locked(info.context.as_of) else None

    @strawberry.field(description="Whose points wait since an identifier changed; a merchant sees its own.")
    async def cooling_off(self, info: Info) -> list[CoolingOffPeriod]:
        """As of now."""
        found = await guarding.cooling(info.context, self.holder_id)
        return [CoolingOffPeriod(merchant=Merchant.of(one.merchant), type=one.type, until=one.until) for one in found]

    @strawberry.field(description="The one seen last first; for the member and the operator.")
    async def devices(self, info: Info) -> list[MemberDevice]:
        """Empty for others."""
        return [MemberDevice.of(row, info) for row in await guarding.devices(info.context, self.holder_id)]

    @strawberry.field(description="Newest first; for the member and the operator.")
    async def steps(self, info: Info) -> list[GuardStep]:
        """Empty for others."""
        return [GuardStep.of(row) for row in await guarding.steps(info.context, self.holder_id)]
