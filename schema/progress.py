"""How far long work is: jobs that were cut into many, and following what goes on."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Self

import strawberry

from domain.events import model
from resolvers import ids, progress
from resolvers.pages import window
from schema.accruals import AccrualRun
from schema.node import Connection, Info, Node
from schema.reconciliation import Reconciliation
from schema.scalars import LogIndex


@strawberry.type(description="A job over many, as those of the night are, that was cut into many jobs.")
class JobGroup(Node):
    """Counted when it is read."""

    actor: str = strawberry.field(description="What it does.")
    as_of: datetime | None = strawberry.field(description="The time it does it for.")
    started_at: datetime
    jobs: LogIndex = strawberry.field(description="Into how many it was cut.")
    done: LogIndex
    failed: LogIndex = strawberry.field(description="Those that failed for good; see `jobs(failed: true)`.")

    @classmethod
    def of(cls, row: model.GroupState) -> Self:
        """From the database."""
        return cls(
            id=strawberry.ID(ids.encode("JobGroup", row.id)),
            actor=row.actor,
            as_of=row.as_of,
            started_at=row.started_at,
            jobs=LogIndex(row.jobs),
            done=LogIndex(row.done),
            failed=LogIndex(row.failed),
        )


@strawberry.type
class ProgressQueries:
    """The operator's."""

    @strawberry.field(description="Jobs over many that were cut into many, newest first, and how far they are.")
    async def job_groups(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[JobGroup]:
        """Three statements at most."""
        asked = window(progress.SHAPE, first, after, last, before)
        return Connection[JobGroup].of(await progress.listed_groups(info.context, asked), JobGroup.of)


@strawberry.type
class ProgressSubscriptions:
    """Each ends with what it follows."""

    @strawberry.subscription(description="A proof of the books, whenever it is further, until it has come to its end.")
    async def reconciliation_progress(
        self, info: Info, reconciliation: strawberry.ID
    ) -> AsyncGenerator[Reconciliation, None]:
        """The operator's."""
        async for row in progress.of_reconciliation(info.context, reconciliation):
            yield Reconciliation.of(row)

    @strawberry.subscription(description="A run over a file, whenever it is further, until it is done, or undone.")
    async def accrual_run_progress(self, info: Info, run: strawberry.ID) -> AsyncGenerator[AccrualRun, None]:
        """The operator's, and a merchant's own."""
        async for found in progress.of_run(info.context, run):
            yield AccrualRun.of(found)

    @strawberry.subscription(description="Jobs into which one was cut, whenever one of them is done, until all are.")
    async def job_group_progress(self, info: Info, group: strawberry.ID) -> AsyncGenerator[JobGroup, None]:
        """The operator's."""
        async for found in progress.of_group(info.context, group):
            yield JobGroup.of(found)
