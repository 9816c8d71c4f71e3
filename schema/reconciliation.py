"""The alliance's own reconciliation, as the night left it: what differs, and what has not returned to zero."""

from datetime import datetime
from enum import StrEnum
from typing import Self

import strawberry

from alliance.reconciliation import model
from resolvers import ids, reconciliation
from resolvers.pages import window
from schema.node import Connection, Info, Node
from schema.scalars import LogIndex


@strawberry.enum(description="RUNNING until it comes to its end; then the books were BALANCED, or something DIFFERS.")
class ReconciliationStatus(StrEnum):
    """Derived."""

    RUNNING = "RUNNING"
    BALANCED = "BALANCED"
    DIFFERS = "DIFFERS"


@strawberry.type(description="A figure that is kept, and what its rows prove it to be.")
class Difference:
    """As `tessera verify` names it."""

    check: str
    holder: str = strawberry.field(description="Whose it is; `tessera repair` takes it.")
    what: str
    currency: str
    kept: str
    proved: str


@strawberry.type(description="What should have come back to zero by then, and had not.")
class Outstanding:
    """Summed."""

    what: str
    unit: str = strawberry.field(description="A currency, or what else is counted.")
    count: int
    amount: str
    since: datetime = strawberry.field(description="Of the oldest.")


@strawberry.type(description="A proof of all books, as of one instant of the night.")
class Reconciliation(Node):
    """Kept."""

    as_of: datetime
    status: ReconciliationStatus
    started_at: datetime
    finished_at: datetime | None
    step: str = strawberry.field(description="While it runs: what it is at, `done` of `total`.")
    done: LogIndex
    total: LogIndex
    accounts: LogIndex
    operations: LogIndex
    found: LogIndex = strawberry.field(description="How many figures differ.")
    differences: list[Difference] = strawberry.field(description="The first hundred of them.")
    outstanding: list[Outstanding]

    @classmethod
    def of(cls, row: model.Reconciliation) -> Self:
        """From the database."""
        ended = ReconciliationStatus.DIFFERS if row.found else ReconciliationStatus.BALANCED
        return cls(
            id=strawberry.ID(ids.encode("Reconciliation", row.id)),
            as_of=row.as_of,
            status=ReconciliationStatus.RUNNING if row.finished_at is None else ended,
            started_at=row.started_at,
            finished_at=row.finished_at,
            step=row.step,
            done=LogIndex(row.done),
            total=LogIndex(row.total),
            accounts=LogIndex(row.accounts),
            operations=LogIndex(row.operations),
            found=LogIndex(row.found),
            differences=[Difference(**one) for one in row.differences],
            outstanding=[
                Outstanding(**one | {"since": datetime.fromisoformat(one["since"])}) for one in row.outstanding
            ],
        )


@strawberry.type
class ReconciliationQueries:
    """The operator's."""

    @strawberry.field(description="Reconciliations, newest first.")
    async def reconciliations(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Reconciliation]:
        """Two statements at most."""
        asked = window(reconciliation.SHAPE, first, after, last, before)
        return Connection[Reconciliation].of(await reconciliation.listed(info.context, asked), Reconciliation.of)
