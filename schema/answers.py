"""What mutations answer: one type of success each."""

from typing import Any, Self
from uuid import UUID

import strawberry
from graphql import FieldNode

from domain.ledger.request import Posted
from domain.programs.catalogue import Currency
from resolvers import operations, wallets
from resolvers.worth import worth
from schema.exchange import Quote
from schema.money import Money
from schema.node import Info
from schema.operations import Decision, Operation
from schema.preview import OBLIGATIONS, FundingShare, OwedLine, contribution_of, funding_of, obligations_of
from schema.scalars import Points
from schema.wallets import Wallet


def operation_of(info: Info, posted: Posted) -> Any:
    """The operation that was posted; not read (so not awaited either) where only its id is asked for."""
    if posted.operation_id is None:
        return None
    if _only_id(info):
        return Operation.named(posted.holder_id, posted.operation_id)
    return _read(info, posted.holder_id, posted.operation_id)


async def _read(info: Info, holder_id: UUID, operation_id: UUID) -> Operation | None:
    return Operation.maybe(await operations.load(info.context, holder_id, operation_id))


def _only_id(info: Info) -> bool:
    for node in info._raw_info.field_nodes:
        for selected in node.selection_set.selections if node.selection_set else ():
            if not isinstance(selected, FieldNode) or selected.name.value not in ("id", "__typename"):
                return False
    return True


async def wallet_now(info: Info, holder_id: UUID, currency: str) -> Wallet | None:
    """A wallet as it stands now; null for points out of reach."""
    figures = await wallets.now(info.context, holder_id, currency)
    return None if figures is None else Wallet.of(figures, wallets.key_of(info.context, figures))


def _currency(info: Info, code: str) -> Currency:
    return info.context.runtime.catalogue.currencies[code]


@strawberry.type(description="Points were granted.")
class Earned:
    """By the rules, or as said."""

    points: Points
    pending: Points = strawberry.field(description="Of the points, those that are not active yet.")
    truncated: Points = strawberry.field(description="Points that were not granted, for a limit (rule R9).")
    posted: strawberry.Private[Posted]
    currency: strawberry.Private[str]

    @strawberry.field(description="Null for a dry run.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return operation_of(info, self.posted)

    @strawberry.field(description="The wallet as it stands now; null for points out of reach.")
    async def wallet(self, info: Info) -> Wallet | None:
        """Read now."""
        return await wallet_now(info, self.posted.holder_id, self.currency)

    @strawberry.field(description=OBLIGATIONS)
    async def obligations(self, info: Info) -> list[OwedLine] | None:
        """Null for members."""
        return await obligations_of(info, self.posted)

    @strawberry.field(description="Who would pay for the points; null but for a dry run, to those whom it concerns.")
    def funding(self, info: Info) -> list[FundingShare] | None:
        """Null for members."""
        return funding_of(info, self.posted, self.currency)

    @strawberry.field(description="The rules that decided, and what each gave.")
    def decided_by(self) -> list[Decision]:
        """As they were applied."""
        return [Decision.of(decision) for decision in self.posted.decisions]

    @classmethod
    def of(cls, posted: Posted, currency: str) -> Self:
        """From what the engine answered."""
        parts = {name: Points(posted.data.get(name, 0)) for name in ("pending", "truncated")}
        return cls(points=Points(posted.points), posted=posted, currency=currency, **parts)


@strawberry.type(description="Points were spent.")
class Redeemed:
    """In the order of their expiry."""

    points: Points
    posted: strawberry.Private[Posted]
    currency: strawberry.Private[str]

    @strawberry.field(description="Null for a dry run.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return operation_of(info, self.posted)

    @strawberry.field(description="What they are worth to the member, as the issuer publishes it.")
    def worth(self, info: Info) -> Money | None:
        """Null where the issuer publishes nothing."""
        found = worth(_currency(info, self.currency), self.points, info.context.as_of)
        return None if found is None else Money.of_minor(*found)

    @strawberry.field(description="The wallet as it stands now; null for points out of reach.")
    async def wallet(self, info: Info) -> Wallet | None:
        """Read now."""
        return await wallet_now(info, self.posted.holder_id, self.currency)

    @strawberry.field(description=OBLIGATIONS)
    async def obligations(self, info: Info) -> list[OwedLine] | None:
        """Null for members."""
        return await obligations_of(info, self.posted)

    @strawberry.field(description="At a partner: their worth to the member, less what the issuer owes for them.")
    async def contribution(self, info: Info) -> Money | None:
        """The partner's own; null for everyone else, and where nothing is owed."""
        return await contribution_of(info, self.posted, self.currency)

    @classmethod
    def of(cls, posted: Posted, currency: str) -> Self:
        """From what the engine answered."""
        return cls(points=Points(posted.points), posted=posted, currency=currency)


@strawberry.type(description="An operation was undone.")
class Reversed:
    """What came back, and what was taken back, from the member's side."""

    points: Points = strawberry.field(description="How many points moved.")
    taken: Points = strawberry.field(description="Points taken back.")
    restored: Points = strawberry.field(description="Points put back into their lots, those past their date included.")
    expired: Points = strawberry.field(description="Of the restored, those whose date has passed.")
    shortfall: Points = strawberry.field(description="Points that could not be taken back.")
    posted: strawberry.Private[Posted]

    @strawberry.field(description="The reversal; null for a dry run.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return operation_of(info, self.posted)

    @strawberry.field(description=OBLIGATIONS)
    async def obligations(self, info: Info) -> list[OwedLine] | None:
        """Null for members."""
        return await obligations_of(info, self.posted)

    @classmethod
    def of(cls, posted: Posted) -> Self:
        """From what the engine answered."""
        names = ("taken", "restored", "expired", "shortfall")
        return cls(
            points=Points(posted.points), posted=posted, **{name: Points(posted.data.get(name, 0)) for name in names}
        )


@strawberry.type(description="A rate was offered.")
class Quoted:
    """It holds until the quote expires."""

    quote: Quote


@strawberry.type(description="Points were exchanged.")
class Exchanged:
    """All or nothing."""

    points_out: Points
    points_in: Points
    posted: strawberry.Private[Posted]

    @strawberry.field(description="One operation with both sides; null for a dry run.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return operation_of(info, self.posted)

    @strawberry.field(description=OBLIGATIONS)
    async def obligations(self, info: Info) -> list[OwedLine] | None:
        """Null for members."""
        return await obligations_of(info, self.posted)

    @classmethod
    def of(cls, posted: Posted) -> Self:
        """From what the engine answered."""
        return cls(points_out=Points(posted.points), points_in=Points(posted.data["points_in"]), posted=posted)
