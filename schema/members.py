"""One member, across all merchants."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

import strawberry

from domain.benefits.model import RightStatus
from domain.events.kinds import EventKind
from domain.ledger.model import HoldStatus, OperationKind
from domain.members import model
from resolvers import (
    brands,
    contacts,
    exchanges,
    households,
    ids,
    life,
    lots,
    members,
    merging,
    pools,
    profiles,
    rights,
    sharing,
    tiers,
    wallets,
)
from resolvers.lots import HOLD_SHAPE
from resolvers.operations import ACTIVITY_SHAPE
from resolvers.pages import window
from schema.accepting import MemberTerms
from schema.brands import BrandAssets, SpendOption
from schema.contacts import Consent, Message
from schema.enums import Channel
from schema.exchange import ExchangeOption
from schema.guards import MemberGuard
from schema.holds import Hold
from schema.householding import PoolInvitation
from schema.living import MemberChange, MemberFreeze, MemberLeaving, MemberStage
from schema.merchants import Merchant, Store
from schema.merging import FormerMember
from schema.node import Connection, Info, Node
from schema.operations import Operation
from schema.pools import Pool
from schema.profiles import MemberAttribute, MemberTag, Preferences
from schema.rights import Right
from schema.sharing import DataConsent
from schema.tiers import MembershipTier
from schema.wallets import Wallet


@strawberry.type(description="What a member is recognised by.")
class Identifier:
    """Masked, unless the viewer may see it."""

    type: str
    issuer: str | None
    value: str = strawberry.field(description="Masked but for its last characters, without the scope identifiers:read.")
    linked_at: datetime
    verified_at: datetime | None = strawberry.field(description="When it was proved, where that is needed.")
    identifies: bool = strawberry.field(description="Whether naming it names the member: not before it is verified.")
    at_till: bool = strawberry.field(description="Whether showing it at a till is enough to spend points.")

    @classmethod
    def of(cls, info: Info, row: model.Identifier, value: str) -> Self:
        """A row, with what the viewer may see of its value."""
        declared = info.context.runtime.catalogue.identifier_types[row.type]
        return cls(
            type=row.type,
            issuer=row.issuer or None,
            value=value,
            linked_at=row.linked_at,
            verified_at=row.verified_at,
            identifies=declared.verify is None or row.verified_at is not None,
            at_till=declared.at_till,
        )


@strawberry.type(description="That a member has joined a merchant's programme.")
class Membership:
    """One a merchant."""

    number: str = strawberry.field(description="The member's number there.")
    joined_at: datetime
    channel: Channel
    row: strawberry.Private[model.Membership]

    @strawberry.field(description="Whose programme.")
    def merchant(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.merchant_id])

    @strawberry.field(description="Where they joined, if in a store.")
    def store(self, info: Info) -> Store | None:
        """From the catalogue."""
        merchant = info.context.runtime.catalogue.merchants_by_id[self.row.merchant_id]
        return None if self.row.store is None else Store.of(merchant, self.row.store)

    @strawberry.field(description="The member's tier there; null where the programme has none.")
    async def tier(self, info: Info) -> MembershipTier | None:
        """As of now."""
        found = await tiers.standing(info.context, self.row.holder_id, self.row.merchant_id)
        return None if found is None else MembershipTier.of(self.row.holder_id, *found)

    @classmethod
    def of(cls, row: model.Membership) -> Self:
        """From a row."""
        return cls(number=row.number, joined_at=row.joined_at, channel=Channel(row.channel), row=row)


@strawberry.federation.type(keys=["id", "number"], description="One member, one ID, at all merchants.")
class Member(Node):
    """A person."""

    number: str
    joined_at: datetime
    jurisdiction: str | None = strawberry.field(description="By whose law they are protected; null: not known.")
    holder_id: strawberry.Private[UUID]
    row: strawberry.Private[model.Member]

    @strawberry.field(description="What they may do: who is FROZEN or CLOSED moves no points.")
    def status(self, info: Info) -> model.MemberStatus:
        """As of now: a freeze whose time is over is none."""
        return self.row.status_at(info.context.as_of)

    @strawberry.field(description="Since when, and until when, they are frozen; null for who is not.")
    def frozen(self, info: Info) -> MemberFreeze | None:
        """As of now."""
        return MemberFreeze.of(self.row, info.context.as_of)

    @strawberry.field(description="Who was merged into them, in the order of merging.")
    async def formerly(self, info: Info) -> list[FormerMember]:
        """Their numbers and ids lead here."""
        found = await merging.former(info.context, self.holder_id)
        return [FormerMember(number=one.number, merged_at=one.merged_at) for one in found]

    @strawberry.field(description="What they are recognised by.")
    async def identifiers(self, info: Info) -> list[Identifier]:
        """Masked without the scope identifiers:read; those of other merchants are left out."""
        found = await members.identifiers(info.context, self.holder_id)
        return [Identifier.of(info, row, value) for row, value in found]

    @strawberry.field(description="Where they have joined; a merchant sees its own programme alone.")
    async def memberships(self, info: Info) -> list[Membership]:
        """One a merchant."""
        return [Membership.of(row) for row in await info.context.loaders.memberships.load(self.holder_id)]

    @strawberry.field(
        description="All wallets that were ever posted to; with merchants (codes), of what those issue; with asOf, as"
        " they were then."
    )
    async def wallets(
        self, info: Info, merchants: list[str] | None = None, as_of: datetime | None = None
    ) -> list[Wallet]:
        """A merchant sees wallets of its own points alone."""
        found = await wallets.of_holder(info.context, self.holder_id, merchants, as_of)
        return [Wallet.of(figures, wallets.key_of(info.context, figures, as_of)) for figures in found]

    @strawberry.field(
        description="The wallet of one kind of points, empty if nothing was ever posted to it; with asOf, as it was"
        " then, by bookedAt (with Tessera-Clock, by the clock of each call)."
    )
    async def wallet(self, info: Info, currency: str, as_of: datetime | None = None) -> Wallet | None:
        """Null for points out of reach."""
        figures = await wallets.one(info.context, self.holder_id, currency, as_of)
        return None if figures is None else Wallet.of(figures, wallets.key_of(info.context, figures, as_of))

    @strawberry.field(description="What happened, newest first.")
    async def activity(
        self,
        info: Info,
        currency: str | None = None,
        kinds: list[OperationKind] | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Operation]:
        """A merchant sees what happened at its tills or to its points."""
        asked = window(ACTIVITY_SHAPE, first, after, last, before)
        wanted = tuple(sorted({kind.value for kind in kinds or ()}))
        page = await info.context.loaders.activity(asked, currency or "", wanted).load(self.holder_id)
        return Connection[Operation].of(page, Operation.of)

    @strawberry.field(description="Points that were set aside, newest first.")
    async def holds(
        self,
        info: Info,
        status: list[HoldStatus] | None = None,
        currency: str | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Hold]:
        """A merchant sees what is set aside for it, or of its points."""
        asked = window(HOLD_SHAPE, first, after, last, before)
        page = await lots.holds(info.context, self.holder_id, currency, status, asked)
        return Connection[Hold].of(page, lambda row: Hold.of(row, info.context.as_of))

    @strawberry.field(description="What merchants granted them besides points, newest first.")
    async def rights(
        self,
        info: Info,
        kind: str | None = None,
        grantors: list[str] | None = None,
        status: list[RightStatus] | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Right]:
        """A merchant sees those it granted, and those that were booked or used at its own."""
        asked = window(rights.SHAPE, first, after, last, before)
        page = await rights.of_member(info.context, self.holder_id, asked, kind, grantors, status)
        return Connection[Right].of(page, lambda row: Right.of(row, info))

    @strawberry.field(description="The pools they are in now.")
    async def pools(self, info: Info) -> list[Pool]:
        """A merchant sees those of its own points."""
        return [Pool.of(row) for row in await pools.of_member(info.context, self.holder_id)]

    @strawberry.field(description="That they leave, or have left; null for who stays.")
    async def leaving(self, info: Info) -> MemberLeaving | None:
        """From when they asked on."""
        row = await life.closing_of(info.context, self.holder_id)
        return None if row is None else MemberLeaving.of(row)

    @strawberry.field(description="How long ago they bought, at each merchant and anywhere, where that is derived.")
    async def stages(self, info: Info) -> list[MemberStage]:
        """A merchant sees that of its own programme."""
        return [MemberStage.of(row) for row in await life.stages_of(info.context, self.holder_id)]

    @strawberry.field(
        description="What became of them, newest first: status, stage, identifiers, tiers, pools, consents, terms."
    )
    async def history(
        self,
        info: Info,
        kinds: list[EventKind] | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[MemberChange]:
        """A merchant sees its own side."""
        asked = window(life.HISTORY_SHAPE, first, after, last, before)
        page = await life.history_of(info.context, self.holder_id, asked, kinds or ())
        return Connection[MemberChange].of(page, lambda change: MemberChange.of(change, info))

    @strawberry.field(description="The pools they were asked into, and have not answered.")
    async def pool_invitations(self, info: Info) -> list[PoolInvitation]:
        """A merchant sees those of its own points."""
        found = await households.invitations_of(info.context, self.holder_id)
        return [PoolInvitation.of(*pair) for pair in found]

    @strawberry.field(description="What they said last of who may write to them; a merchant sees what was said to it.")
    async def consents(self, info: Info) -> list[Consent]:
        """One a merchant, purpose and channel."""
        return [Consent.of(row) for row in await contacts.of_member(info.context, self.holder_id)]

    @strawberry.field(description="Which of their data merchants may have, and for what; what was said last.")
    async def sharing(self, info: Info) -> list[DataConsent]:
        """A merchant sees what was said of itself."""
        return [DataConsent.of(row) for row in await sharing.of_member(info.context, self.holder_id)]

    @strawberry.field(description="Which terms they accepted, and what is left to accept.")
    def terms(self) -> MemberTerms:
        """A merchant sees its own and the alliance's."""
        return MemberTerms(holder_id=self.holder_id)

    @strawberry.field(description="What is known of them by declared attributes, as far as the viewer may see it.")
    async def profile(self, info: Info, codes: list[str] | None = None) -> list[MemberAttribute]:
        """All, or those named."""
        return [MemberAttribute.of(row) for row in await profiles.of_member(info.context, self.holder_id, codes)]

    @strawberry.field(description="How they like to be written to.")
    async def preferences(self, info: Info) -> Preferences:
        """Each null where it is not known."""
        found = await profiles.preference(info.context, self.holder_id)
        return Preferences() if found is None else Preferences(language=found.language, timezone=found.timezone)

    @strawberry.field(description="Words about them; a merchant sees its own.")
    async def tags(self, info: Info) -> list[MemberTag]:
        """By hand and by rule."""
        return [MemberTag.of(row) for row in await profiles.tags_of(info.context, self.holder_id)]

    @strawberry.field(description="The newest messages to them; a merchant sees its own.")
    async def messages(self, info: Info, first: int = 12) -> list[Message]:
        """At most 100."""
        return [Message.of(row) for row in await contacts.messages_of(info.context, self.holder_id, first)]

    @strawberry.field(description="What stands between their points and who stole their account.")
    def guard(self) -> MemberGuard:
        """A lock, a cooling-off, what new devices may not."""
        return MemberGuard(holder_id=self.holder_id)

    @strawberry.field(description="What they have, brand by brand; with merchants (codes), of those.")
    async def assets(self, info: Info, merchants: list[str] | None = None) -> list[BrandAssets]:
        """A merchant sees its own. As many statements for one brand as for all."""
        return [BrandAssets.of(one) for one in await brands.assets(info.context, self.holder_id, merchants)]

    @strawberry.field(description="Where their points may be spent, as of now; of a kind, or at a merchant (its code).")
    async def spend_options(self, info: Info, currency: str | None = None, at: str | None = None) -> list[SpendOption]:
        """Of all wallets that were ever posted to; a merchant sees its own points."""
        return [SpendOption.of(one) for one in await brands.spending(info.context, self.holder_id, currency, at)]

    @strawberry.field(description="What points of a kind may be exchanged for, as of now.")
    async def exchange_options(
        self, info: Info, from_: Annotated[str, strawberry.argument(name="from")]
    ) -> list[ExchangeOption]:
        """By the agreements in force."""
        return [ExchangeOption.of(option) for option in await exchanges.options(info.context, self.holder_id, from_)]

    @classmethod
    async def resolve_reference(cls, info: Info, id: str | None = None, number: str | None = None) -> "Member | None":
        """For a gateway: the member of a key, if in reach."""
        found = await members.find(info.context, {"id": id, "number": number})
        return None if found is None else cls.of(found)

    @classmethod
    def of(cls, row: model.Member) -> Self:
        """From a row."""
        return cls(
            id=strawberry.ID(ids.encode("Member", row.id)),
            number=row.number,
            joined_at=row.joined_at,
            jurisdiction=row.jurisdiction,
            holder_id=row.id,
            row=row,
        )
