"""What members let merchants have of their data (L7)."""

from datetime import datetime
from typing import Annotated, Any, Self, cast

import strawberry

from domain.contacts import sharing as model
from domain.contacts.sharing import DataKind
from resolvers import sharing
from schema.answering import answer
from schema.inputs import KEY, MemberRef, passed_as_sent
from schema.merchants import Merchant
from schema.node import Info
from schema.refusals import UserError
from schema.showing import Named

strawberry.enum(DataKind, description="Identifiers (telephone, e-mail) and personal attributes of the alliance's.")


@passed_as_sent
@strawberry.input
class ShareDataInput:
    """A member lets a merchant have data of theirs."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant that receives them.")
    member: MemberRef
    kinds: list[DataKind]
    purpose: str = strawberry.field(description="For what, as the member was told; without personal data.")
    text_version: str | None = strawberry.field(
        default=strawberry.UNSET, description="Of the text that the member was shown."
    )


@passed_as_sent
@strawberry.input
class StopSharingInput:
    """A merchant is to have data of a member no more."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant that receives them.")
    member: MemberRef
    kinds: list[DataKind]


@strawberry.type(description="What a member said last of a kind of their data, to one merchant.")
class DataConsent:
    """What was said before is kept."""

    kind: DataKind
    given: bool
    purpose: str | None
    text_version: str | None
    happened_at: datetime
    row: strawberry.Private[model.DataConsent]

    @strawberry.field(description="Who receives them.")
    def merchant(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.merchant_id])

    @classmethod
    def of(cls, row: model.DataConsent) -> Self:
        """From a row."""
        kind, given, version = DataKind(row.kind), row.given, row.text_version
        return cls(
            kind=kind, given=given, purpose=row.purpose, text_version=version, happened_at=row.happened_at, row=row
        )


@strawberry.type(description="The merchant may have them.")
class DataShared:
    """From now on."""

    sharing: list[DataConsent]


@strawberry.type(description="The merchant gets them no more.")
class SharingStopped:
    """From now on. What is owed is settled all the same, by pseudonyms."""

    sharing: list[DataConsent]


ShareDataResult = Annotated[DataShared | Named, strawberry.union("ShareDataResult")]
StopSharingResult = Annotated[SharingStopped | Named, strawberry.union("StopSharingResult")]


async def _said(info: Info, input: object, success: Any, *, given: bool) -> Any:
    found = await answer(info, input, lambda context, sent: sharing.say(context, sent, given=given))
    if isinstance(found, UserError):
        return found
    return success(sharing=[DataConsent.of(row) for row in await sharing.of_member(info.context, found)])


@strawberry.type
class SharingMutations:
    """A member's word, taken down by whom it was given to, or by themselves."""

    @strawberry.mutation(description="Keep that a member lets a merchant have kinds of their data, for a purpose.")
    async def share_data(self, info: Info, input: ShareDataInput) -> ShareDataResult | None:
        """Naming receiver, purpose and kinds."""
        return cast("Any", await _said(info, input, DataShared, given=True))

    @strawberry.mutation(description="Keep that a merchant is to have kinds of a member's data no more.")
    async def stop_sharing(self, info: Info, input: StopSharingInput) -> StopSharingResult | None:
        """The merchant is told by an event, and sees them no more."""
        return cast("Any", await _said(info, input, SharingStopped, given=False))
