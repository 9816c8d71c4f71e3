"""Jobs in the background: what waits, what ran out of attempts, and the mutations that say what becomes of that."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self, cast

import strawberry

from domain.events import model
from resolvers import ids, jobs
from resolvers.pages import window
from schema.answering import Shared, answer
from schema.inputs import KEY, passed_as_sent
from schema.node import Connection, Info, Node
from schema.refusals import TYPES, UserError


@strawberry.type(description="Only a job that failed for good can be retried or discarded.")
class JobNotFailed(UserError):
    """It will be done without anybody's help."""


TYPES["JobNotFailed"] = JobNotFailed


@strawberry.enum(description="WAITING for its time or a worker, HANDED_OUT to a worker, FAILED for good.")
class JobStatus(StrEnum):
    """Derived."""

    WAITING = "WAITING"
    HANDED_OUT = "HANDED_OUT"
    FAILED = "FAILED"


@strawberry.type(description="An attempt that failed.")
class JobAttempt:
    """Kept until the job is done."""

    attempt: int
    at: datetime
    error: str


@strawberry.type(description="Work in the background. It is gone once it is done; its arguments are not shown.")
class Job(Node):
    """What failed for good stays until somebody retries or discards it."""

    actor: str = strawberry.field(description="What does it.")
    queue: str
    status: JobStatus
    created_at: datetime
    available_at: datetime = strawberry.field(description="When it is (next) due.")
    attempts: int
    failed_at: datetime | None
    last_error: str | None
    request_id: str | None = strawberry.field(description="The request that it was asked for by, if any.")
    history: list[JobAttempt]

    @classmethod
    def of(cls, row: model.Job) -> Self:
        """From the database."""
        handed_out = JobStatus.HANDED_OUT if row.dispatched_at is not None else JobStatus.WAITING
        return cls(
            id=strawberry.ID(ids.encode("Job", row.id)),
            actor=row.actor,
            queue=row.queue,
            status=JobStatus.FAILED if row.failed_at is not None else handed_out,
            created_at=row.created_at,
            available_at=row.available_at,
            attempts=row.attempts,
            failed_at=row.failed_at,
            last_error=row.last_error,
            request_id=row.request_id,
            history=[
                JobAttempt(attempt=one["attempt"], at=datetime.fromisoformat(one["at"]), error=one["error"])
                for one in row.history
            ],
        )


@passed_as_sent
@strawberry.input
class FailedJobInput:
    """A job that ran out of attempts."""

    idempotency_key: str = strawberry.field(description=KEY)
    job: strawberry.ID


@strawberry.type(description="The job has all its attempts again.")
class JobRetried:
    """It is tried at once."""

    job: Job | None = strawberry.field(description="Null if it is done already.")


@strawberry.type(description="The job was deleted, undone.")
class JobDiscarded:
    """Nothing will do it."""

    id: strawberry.ID


RetryJobResult = Annotated[JobRetried | Shared | JobNotFailed, strawberry.union("RetryJobResult")]
DiscardJobResult = Annotated[JobDiscarded | Shared | JobNotFailed, strawberry.union("DiscardJobResult")]


@strawberry.type
class JobQueries:
    """The operator's."""

    @strawberry.field(
        description="Jobs that are not done, oldest first; with failed, those that have (not) failed for good."
    )
    async def jobs(
        self,
        info: Info,
        failed: bool | None = None,
        actor: str | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Job]:
        """Two statements at most."""
        asked = window(jobs.SHAPE, first, after, last, before)
        return Connection[Job].of(await jobs.listed(info.context, asked, failed, actor), Job.of)


@strawberry.type
class JobMutations:
    """The operator's."""

    @strawberry.mutation(description="Give a job that failed for good all its attempts again, now.")
    async def retry_job(self, info: Info, input: FailedJobInput) -> RetryJobResult | None:
        """What made it fail may be mended by now."""
        found = await answer(info, input, jobs.retry)
        retried = found if isinstance(found, UserError) else JobRetried(job=None if found is None else Job.of(found))
        return cast("Any", retried)

    @strawberry.mutation(description="Delete a job that failed for good, undone.")
    async def discard_job(self, info: Info, input: FailedJobInput) -> DiscardJobResult | None:
        """Somebody decided that it is not to be done."""
        found = await answer(info, input, jobs.discard)
        return cast("Any", found if isinstance(found, UserError) else JobDiscarded(id=strawberry.ID(found)))
