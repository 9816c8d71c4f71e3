"""That members accept terms (L3)."""

from datetime import datetime
from typing import Annotated, Any, Self, cast
from uuid import UUID

import strawberry

from domain.contacts import accepting as model
from resolvers import terms
from schema.answering import answer
from schema.enums import Channel
from schema.inputs import KEY, MemberRef, passed_as_sent
from schema.merchants import Merchant
from schema.node import Info
from schema.refusals import UserError
from schema.showing import Named
from schema.terms import Terms


@passed_as_sent
@strawberry.input
class AcceptTermsInput:
    """A member accepts a version of terms, as it was shown to them."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant at which they do.")
    member: MemberRef
    terms: str = strawberry.field(description="The code of terms of that merchant, or of the alliance.")
    version: int
    language: str = strawberry.field(description="In which it was shown to them: one of its languages.")
    channel: Channel | None = strawberry.UNSET


@strawberry.type(description="That a member accepted a version of terms.")
class TermsAcceptance:
    """Kept for good."""

    language: str = strawberry.field(description="In which it was shown to them.")
    accepted_at: datetime
    channel: Channel | None
    row: strawberry.Private[model.TermsAcceptance]

    @strawberry.field(description="What was accepted.")
    def terms(self, info: Info) -> Terms:
        """A version is never edited, so it is what they read."""
        versions = info.context.runtime.catalogue.members.terms[self.row.terms]
        return Terms.of(next(one for one in versions if one.version == self.row.version))

    @strawberry.field(description="Where.")
    def merchant(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.merchant_id])

    @classmethod
    def of(cls, row: model.TermsAcceptance) -> Self:
        """From a row."""
        channel = None if row.channel is None else Channel(row.channel)
        return cls(language=row.language, accepted_at=row.happened_at, channel=channel, row=row)


@strawberry.type(description="What a member accepted of terms, and what is left to accept.")
class MemberTerms:
    """A merchant sees its own terms and the alliance's."""

    holder_id: strawberry.Private[UUID]

    @strawberry.field(description="What they accepted, newest first.")
    async def accepted(self, info: Info) -> list[TermsAcceptance]:
        """Whom was merged into them accepted it for them."""
        return [TermsAcceptance.of(row) for row in await terms.of_member(info.context, self.holder_id)]

    @strawberry.field(description="In force, of the alliance or of a merchant they joined, and not accepted.")
    async def to_accept(self, info: Info) -> list[Terms]:
        """As of now. Who accepted a later version is not asked for an earlier one."""
        return [Terms.of(row) for row in await terms.to_accept(info.context, self.holder_id)]


@strawberry.type(description="It is kept.")
class TermsAccepted:
    """With version, language and time."""

    terms: MemberTerms


AcceptTermsResult = Annotated[TermsAccepted | Named, strawberry.union("AcceptTermsResult")]


@strawberry.type
class AcceptingMutations:
    """A member's word, taken down by whom it was given to, or by themselves."""

    @strawberry.mutation(description="Keep that a member accepted a version of terms.")
    async def accept_terms(self, info: Info, input: AcceptTermsInput) -> AcceptTermsResult | None:
        """Of those that are published."""
        found = await answer(info, input, terms.accept)
        return cast("Any", found if isinstance(found, UserError) else TermsAccepted(terms=MemberTerms(holder_id=found)))
