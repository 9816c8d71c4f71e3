"""Files of purchases that were taken in: what came of each, what was refused, and undoing a run."""

from datetime import datetime
from typing import Annotated, Any, Self, cast

import strawberry

from alliance.accrual.model import RunStatus
from alliance.accrual.refusals import refusal_of
from resolvers import accruals, ids
from resolvers.pages import window
from schema.answering import Shared, answer
from schema.inputs import KEY, passed_as_sent
from schema.merchants import Merchant
from schema.node import Connection, Info, Node
from schema.refusals import TYPES, UserError
from schema.scalars import LogIndex, Points

strawberry.enum(
    RunStatus,
    description="TAKEN, to be read; RUNNING; DONE; REFUSED as a whole before its first row; FAILED, because the file"
    " changed; UNDOING; UNDONE, as far as that went.",
)


@strawberry.type(description="Only a run that ended, and was not undone, can be undone.")
class RunNotUndoable(UserError):
    """It is at work, was refused as a whole, or was undone before."""

    status: str
    own = ("status",)


TYPES["RunNotUndoable"] = RunNotUndoable


@strawberry.type(description="Why a whole file was refused, or could not be read to its end.")
class RunRefusal:
    """In the caller's language."""

    code: str
    message: str


@strawberry.type(description="That a run is undone: what it booked is reversed, as far as that can be.")
class RunUndo:
    """Counted as it goes."""

    by: str = strawberry.field(description="A client, or a user of the command line.")
    why: str
    started_at: datetime
    finished_at: datetime | None
    reversed: Points = strawberry.field(description="Operations that were reversed.")
    taken: Points = strawberry.field(description="Points that were taken back.")
    shortfall: Points = strawberry.field(description="Points that were spent already (rule R21).")
    kept: Points = strawberry.field(description="Operations that stay, since they cannot be reversed.")


@strawberry.type(description="How far a run is: through its file (bytes, or rows of Parquet), or through undoing it.")
class RunProgress:
    """While it is at work."""

    done: LogIndex
    total: LogIndex


@strawberry.type(description="One file of a feed, taken in once.")
class AccrualRun(Node):
    """Of what was read each was posted, a duplicate, or refused."""

    feed: str = strawberry.field(description="The code of the feed.")
    file: str
    digest: str | None = strawberry.field(description="SHA-256 of the file.")
    status: RunStatus
    rows: Points = strawberry.field(description="Rows of the file; a purchase may have several.")
    read: Points
    posted: Points
    duplicate: Points
    refused: Points
    started_at: datetime
    finished_at: datetime | None
    started_by: str
    same_as: strawberry.ID | None = strawberry.field(description="The run that took in a file of this content.")
    progress: RunProgress | None = strawberry.field(description="Only while it is at work.")
    undo: RunUndo | None
    refusals: str = strawberry.field(description="Where what was refused is downloaded, as a file of the same format.")
    run: strawberry.Private[accruals.Run]

    @strawberry.field(description="Whose purchases they are.")
    def merchant(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.run.row.merchant_id])

    @strawberry.field(description="Why the file as a whole was refused, or failed.")
    def refusal(self, info: Info) -> RunRefusal | None:
        """As it was kept."""
        if self.run.row.refusal is None:
            return None
        why = refusal_of(self.run.row.refusal)
        return RunRefusal(code=why.code, message=why.message(info.context.language))

    @classmethod
    def of(cls, run: accruals.Run) -> Self:
        """From the database."""
        row, undo = run.row, run.undo
        return cls(
            id=strawberry.ID(ids.encode("AccrualRun", row.id)),
            feed=run.feed,
            file=row.file,
            digest=row.digest,
            status=RunStatus(row.status),
            rows=Points(row.rows),
            read=Points(row.read),
            posted=Points(row.posted),
            duplicate=Points(row.duplicate),
            refused=Points(row.refused),
            started_at=row.started_at,
            finished_at=row.finished_at,
            started_by=row.started_by,
            same_as=None if row.same_as is None else strawberry.ID(ids.encode("AccrualRun", row.same_as)),
            progress=None if run.far is None else RunProgress(done=LogIndex(run.far[0]), total=LogIndex(run.far[1])),
            undo=None
            if undo is None
            else RunUndo(
                by=undo.who,
                why=undo.why,
                started_at=undo.started_at,
                finished_at=undo.finished_at,
                reversed=Points(undo.reversed),
                taken=Points(undo.taken),
                shortfall=Points(undo.shortfall),
                kept=Points(undo.kept),
            ),
            refusals=f"/accruals/{row.id}/refusals",
            run=run,
        )


@passed_as_sent
@strawberry.input
class UndoRunInput:
    """A run over a file that was wrong."""

    idempotency_key: str = strawberry.field(description=KEY)
    run: strawberry.ID
    reason: str
    dry_run: bool | None = strawberry.field(default=False, description="Only say what it would come to.")


@strawberry.type(description="Operations of a run that would stay, for one reason.")
class KeptInRun:
    """The first lines that they are of."""

    code: str
    count: Points
    lines: list[Points]


@strawberry.type(description="The run is being undone by jobs; or, of a dry run, what that would come to.")
class RunUndoing:
    """The figures are a dry run's; those of an undo are in `run.undo`, as it goes."""

    run: AccrualRun
    reversed: Points
    taken: Points
    shortfall: Points
    kept: list[KeptInRun]

    @classmethod
    def of(cls, undoing: accruals.Undoing) -> Self:
        """From what was foreseen."""
        foreseen = undoing.foreseen
        return cls(
            run=AccrualRun.of(undoing.run),
            reversed=Points(foreseen.reversed),
            taken=Points(foreseen.taken),
            shortfall=Points(foreseen.shortfall),
            kept=[
                KeptInRun(code=code, count=Points(count), lines=[Points(line) for line in foreseen.lines[code]])
                for code, count in sorted(foreseen.kept.items())
            ],
        )


UndoRunResult = Annotated[RunUndoing | Shared | RunNotUndoable, strawberry.union("UndoRunResult")]


@strawberry.type
class AccrualQueries:
    """The operator's, and a merchant's own."""

    @strawberry.field(description="Files that were taken in, the latest first.")
    async def accrual_runs(
        self,
        info: Info,
        merchant: str | None = None,
        feed: str | None = None,
        status: RunStatus | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[AccrualRun]:
        """Four statements at most."""
        asked = window(accruals.SHAPE, first, after, last, before)
        found = await accruals.listed(info.context, asked, merchant, feed, status)
        return Connection[AccrualRun].of(found, AccrualRun.of)


@strawberry.type
class AccrualMutations:
    """The operator's."""

    @strawberry.mutation(description="Reverse all that a run booked, whole (rules R18 to R22).")
    async def undo_run(self, info: Info, input: UndoRunInput) -> UndoRunResult | None:
        """Its keys are free then: a corrected file may be fed."""
        found = await answer(info, input, accruals.undo)
        return cast("Any", found if isinstance(found, UserError) else RunUndoing.of(found))
