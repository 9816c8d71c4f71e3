"""Who read whose personal data: the access log, for auditors and the operator."""

from datetime import datetime
from typing import Any, Self, cast
from uuid import UUID

import strawberry

from domain.errors import InvalidInput
from domain.reads import model
from domain.reads.model import ReadKind
from resolvers import ids, reading
from resolvers.pages import window
from schema.inputs import MemberRef
from schema.merchants import Merchant
from schema.node import Connection, Info

strawberry.enum(ReadKind, description="IDENTIFIERS in full; PROFILE: personal attributes; EXPORT: all that is known.")


@strawberry.type(description="That somebody read personal data of a member. What it said is not in it.")
class PersonalRead:
    """It was written before the data was shown."""

    at: datetime
    what: ReadKind
    viewer: str = strawberry.field(description="As what: member, merchant, operator, or the command line.")
    client: str | None = strawberry.field(description="The id of the client; null: the command line.")
    request_id: str | None = strawberry.field(description="As in the log of the process that answered.")
    row: strawberry.Private[model.PersonalRead]

    @strawberry.field(description="Whose data: the member's id.")
    def member(self) -> strawberry.ID:
        """Only the id: this names people to those who see no personal data."""
        return strawberry.ID(ids.encode("Member", self.row.holder_id))

    @strawberry.field(description="For which merchant, if for one.")
    def merchant(self, info: Info) -> Merchant | None:
        """From the catalogue."""
        merchants = info.context.runtime.catalogue.merchants_by_id
        known = None if self.row.merchant_id is None else merchants.get(self.row.merchant_id)
        return None if known is None else Merchant.of(known)

    @classmethod
    def of(cls, row: model.PersonalRead) -> Self:
        """From a row."""
        client = None if row.client_id is None else str(row.client_id)
        return cls(
            at=row.read_at,
            what=ReadKind(row.what),
            viewer=row.viewer,
            client=client,
            request_id=row.request_id,
            row=row,
        )


@strawberry.type(description="A client read the data of more members in an hour than is usual for it.")
class ReadAlert:
    """More than 100, and more than three times what it stays within in nineteen of twenty hours."""

    client: str
    hour: datetime = strawberry.field(description="When the hour began.")
    members: int
    usual: int

    @classmethod
    def of(cls, row: model.ReadAlert) -> Self:
        """From a row."""
        return cls(client=str(row.client_id), hour=row.hour, members=row.members, usual=row.usual)


@strawberry.type
class ReadingQueries:
    """For auditors and the operator."""

    @strawberry.field(description="Who read whose personal data, newest first: of one member, by one client, or all.")
    async def personal_reads(
        self,
        info: Info,
        member: MemberRef | None = None,
        client: str | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[PersonalRead]:
        """Forwards only."""
        asked = window(reading.SHAPE, first, after)
        try:
            client_id = None if client is None else UUID(client)
        except ValueError:
            raise InvalidInput(reason="must be the id of a client", path=("client",)) from None
        found = await reading.listed(info.context, asked, cast("Any", member), client_id)
        return Connection[PersonalRead].of(found, PersonalRead.of)

    @strawberry.field(description="Where reading was unusual, newest first.")
    async def read_alerts(self, info: Info, first: int = 20) -> list[ReadAlert]:
        """At most 100."""
        return [ReadAlert.of(row) for row in await reading.alerts(info.context, first)]
