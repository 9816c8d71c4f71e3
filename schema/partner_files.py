"""Partners' own files, and what became of their lines (A11)."""

from collections.abc import AsyncGenerator
from datetime import date, datetime
from typing import Annotated, Any, Self, cast

import strawberry

import alliance.partnerfiles.errors  # noqa: F401 - a refusal that was kept is found by its name
from alliance.partnerfiles import model
from alliance.partnerfiles.check import Checked
from domain.errors import Refusal
from resolvers import ids, partner_files
from resolvers.pages import window
from schema.answering import Shared, answer
from schema.clearing_policies import PARTNER_FILES
from schema.inputs import KEY, passed_as_sent
from schema.merchants import Merchant
from schema.money import Money
from schema.node import FETCHED, Connection, Info, Node
from schema.refusals import TYPES, UserError, WrongCycleStatus
from schema.scalars import LogIndex

strawberry.enum(
    model.FileStatus,
    name="PartnerFileStatus",
    description="RECEIVED, SUBMITTED, RUNNING, then DONE or REFUSED as a whole; SUPERSEDED by another of its period.",
)
strawberry.enum(
    model.Outcome,
    name="ReconOutcome",
    description="What became of a line: MATCHED, or why not. MISSING_HERE: in the file and not with us; MISSING_THERE:"
    " the opposite. TIMING: in the period before or after; a break after two cut-offs.",
)


@strawberry.type(description="Lines of one outcome: how many of the partner's and of ours, and their sums.")
class ReconOutcomeCount:
    """Positive is what the sender is to receive."""

    outcome: model.Outcome
    theirs: LogIndex
    ours: LogIndex
    their_sum: Money
    our_sum: Money


@strawberry.type(description="What is wrong with a line of a file.")
class PartnerFileProblem:
    """Where, and why."""

    line: LogIndex
    column: str = strawberry.field(description="Empty for the line as a whole.")
    reason: str


@strawberry.type(description="Why a file was, or would be, refused whole.")
class PartnerFileRefusal:
    """In the caller's language."""

    code: str
    message: str

    @classmethod
    def of(cls, refusal: Refusal | None, language: str) -> Self | None:
        """None for none."""
        return None if refusal is None else cls(code=refusal.code, message=refusal.message(language))


@strawberry.type(description="How far a file is: READ counts bytes, others steps.")
class PartnerFileProgress:
    """While it is at work."""

    step: str
    done: LogIndex
    total: LogIndex


@strawberry.type(description="A merchant's own file of what it holds is owed, for a cycle or a day.")
class PartnerFile(Node):
    """Only its sender and the operator see it."""

    name: str
    key: str = strawberry.field(description="The sender's own name for it.")
    digest: str = strawberry.field(description="SHA-256 of its content.")
    size: LogIndex = strawberry.field(description="In bytes.")
    status: model.FileStatus
    mapping: str | None = strawberry.field(description="How it is written: a code of the alliance file, or statement.")
    day: date | None
    dry_run: bool = strawberry.field(description="It was only tried: nothing is kept but these figures.")
    received_at: datetime
    submitted_at: datetime | None
    finished_at: datetime | None
    lines: LogIndex
    row: strawberry.Private[model.PartnerFile]

    @strawberry.field(description="Whose it is.")
    def merchant(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.merchant_id])

    @strawberry.field(description="The only partner that it is about, if it is about one; null also for the operator.")
    def partner(self, info: Info) -> Merchant | None:
        """From the catalogue."""
        merchants = info.context.runtime.catalogue.merchants_by_id
        found = None if self.row.other_id is None else merchants.get(self.row.other_id)
        return None if found is None else Merchant.of(found)

    @strawberry.field(description="The id of the cycle that it is counted to.")
    def cycle(self) -> strawberry.ID | None:
        """Fetched by `node`."""
        cycle_id = self.row.cycle_id
        return None if cycle_id is None else strawberry.ID(ids.encode("SettlementCycle", cycle_id))

    @strawberry.field(description="What its lines come to; positive is what the sender is to receive.")
    def amount(self, info: Info) -> Money:
        """In the settlement currency."""
        return _money(info, self.row.amount)

    @strawberry.field(description="What matched lines differ by all the same, within the tolerance.")
    def tolerated(self, info: Info) -> Money:
        """Theirs less ours."""
        return _money(info, self.row.tolerated)

    @strawberry.field(description="Lines by what became of them; each line has one outcome.")
    def outcomes(self, info: Info) -> list[ReconOutcomeCount]:
        """Those that there are."""
        return [
            ReconOutcomeCount(
                outcome=model.Outcome(name),
                theirs=LogIndex(one["theirs"]),
                ours=LogIndex(one["ours"]),
                their_sum=_money(info, int(one["theirsSum"])),
                our_sum=_money(info, int(one["oursSum"])),
            )
            for name, one in sorted(self.row.outcomes.items())
        ]

    @strawberry.field(description="Why it was refused whole.")
    def refusal(self, info: Info) -> PartnerFileRefusal | None:
        """As it was kept."""
        kept = self.row.refusal
        return PartnerFileRefusal.of(None if kept is None else Refusal.from_json(kept), info.context.language)

    @strawberry.field(description="The first lines that could not be read, of a file that was refused for them.")
    def problems(self, first: int = 20, after: int = 0) -> list[PartnerFileProblem]:
        """At most 100 are kept; `after` so many."""
        start, size = max(after, 0), min(max(first, 0), 100)
        return [_problem(**one) for one in self.row.problems[start : start + size]]

    @strawberry.field(description="Only while it is at work.")
    def progress(self) -> PartnerFileProgress | None:
        """As it was last told."""
        if self.row.status not in partner_files.GOES_ON:
            return None
        return PartnerFileProgress(step=self.row.step, done=LogIndex(self.row.done), total=LogIndex(self.row.total))

    @strawberry.field(description="The file that came in its place.")
    def superseded_by(self) -> strawberry.ID | None:
        """Fetched by `node`."""
        other = self.row.superseded_by
        return None if other is None else strawberry.ID(ids.encode("PartnerFile", other))

    @classmethod
    def of(cls, row: model.PartnerFile) -> Self:
        """From the database."""
        return cls(
            id=strawberry.ID(ids.encode("PartnerFile", row.id)),
            name=row.name,
            key=row.key,
            digest=row.digest,
            size=LogIndex(row.size),
            status=model.FileStatus(row.status),
            mapping=row.mapping,
            day=row.day,
            dry_run=row.dry_run,
            received_at=row.received_at,
            submitted_at=row.submitted_at,
            finished_at=row.finished_at,
            lines=LogIndex(row.lines),
            row=row,
        )


async def _fetch(info: Info, global_id: str) -> PartnerFile | None:
    found = await partner_files.by_global_id(info.context, global_id)
    return None if found is None else PartnerFile.of(found)


FETCHED["PartnerFile"] = (PARTNER_FILES, _fetch)


def _money(info: Info, amount: int) -> Money:
    return Money.of_micro(amount, info.context.runtime.catalogue.alliance.settlement_currency)


def _problem(line: int, column: str, reason: str) -> PartnerFileProblem:
    return PartnerFileProblem(line=LogIndex(line), column=column, reason=reason)


@strawberry.type(description="What a column of a file is taken for.")
class PartnerFileColumn:
    """By the mapping."""

    meaning: str
    column: str


@strawberry.type(description="What a file would be taken for; nothing was matched, and nothing is kept of it.")
class PartnerFileCheck:
    """For a partner that is getting ready."""

    ok: bool = strawberry.field(description="It would not be refused.")
    lines: LogIndex
    skipped: LogIndex = strawberry.field(description="Rows that are no lines.")
    amount: Money = strawberry.field(description="What the lines come to; positive is what the sender is to receive.")
    columns: list[PartnerFileColumn]
    refusal: PartnerFileRefusal | None
    problem_count: LogIndex
    checked: strawberry.Private[Checked]

    @strawberry.field(description="The first lines that cannot be read.")
    def problems(self, first: int = 20, after: int = 0) -> list[PartnerFileProblem]:
        """At most 100 are told."""
        start, size = max(after, 0), min(max(first, 0), 100)
        return [_problem(*one) for one in self.checked.kept[start : start + size]]

    @classmethod
    def of(cls, checked: Checked, info: Info) -> Self:
        """From what was read."""
        return cls(
            ok=checked.refusal is None,
            lines=LogIndex(checked.lines),
            skipped=LogIndex(checked.skipped),
            amount=_money(info, checked.amount),
            columns=[PartnerFileColumn(meaning=name, column=said) for name, said in checked.columns.items()],
            refusal=PartnerFileRefusal.of(checked.refusal, info.context.language),
            problem_count=LogIndex(checked.problems),
            checked=checked,
        )


@strawberry.type(description="The file is being reconciled, or was, for this or another period.")
class PartnerFileBusy(UserError):
    """Send it again under another key."""

    status: str
    own = ("status",)


TYPES["PartnerFileBusy"] = PartnerFileBusy


@passed_as_sent
@strawberry.input
class SubmitPartnerFileInput:
    """A file that was uploaded, and for which period it is: a cycle, or a day."""

    idempotency_key: str = strawberry.field(description=KEY)
    file: strawberry.ID = strawberry.field(description="As POST /ingest/partner-file answered.")
    cycle: int | None = strawberry.field(default=strawberry.UNSET, description="The number of a cycle that is over.")
    day: date | None = strawberry.field(
        default=strawberry.UNSET, description="Instead: lines that were booked on this day, by the merchant's clock."
    )
    mapping: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="A code of merchants[].partnerFiles; by default statement, as our own statements are written.",
    )
    partner: str | None = strawberry.field(
        default=strawberry.UNSET, description="Compare only what is owed between the sender and this one."
    )
    dry_run: bool | None = strawberry.field(
        default=False, description="Only say what it comes to: the file's outcomes, and nothing else is kept."
    )


@strawberry.type(description="A job reconciles the file; follow it by partnerFileProgress.")
class PartnerFileSubmitted:
    """Submitted again for the same period, it is the same."""

    file: PartnerFile


SubmitPartnerFileResult = Annotated[
    PartnerFileSubmitted | Shared | PartnerFileBusy | WrongCycleStatus, strawberry.union("SubmitPartnerFileResult")
]


@strawberry.type
class PartnerFileQueries:
    """The operator's, and a merchant's own."""

    @strawberry.field(description="Files that merchants sent for reconciliation, newest first.")
    async def partner_files(
        self,
        info: Info,
        merchant: str | None = None,
        cycle: int | None = None,
        status: model.FileStatus | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[PartnerFile]:
        """Three statements at most."""
        asked = window(partner_files.SHAPE, first, after, last, before)
        found = await partner_files.listed(info.context, asked, merchant, cycle, status)
        return Connection[PartnerFile].of(found, PartnerFile.of)

    @strawberry.field(description="What an uploaded file would be taken for: nothing is matched, nothing kept.")
    async def check_partner_file(self, info: Info, file: strawberry.ID, mapping: str | None = None) -> PartnerFileCheck:
        """Of a file of at most 16 MiB."""
        return PartnerFileCheck.of(await partner_files.checked(info.context, file, mapping), info)


@strawberry.type
class PartnerFileMutations:
    """The operator's, and a merchant's own."""

    @strawberry.mutation(description="Have an uploaded file reconciled with what is owed here (rule A11).")
    async def submit_partner_file(self, info: Info, input: SubmitPartnerFileInput) -> SubmitPartnerFileResult | None:
        """In the background."""
        found = await answer(info, input, partner_files.submit)
        return cast("Any", found if isinstance(found, UserError) else PartnerFileSubmitted(file=PartnerFile.of(found)))


@strawberry.type
class PartnerFileSubscriptions:
    """Each ends with what it follows."""

    @strawberry.subscription(description="A file, whenever it is further, until it is reconciled or refused.")
    async def partner_file_progress(self, info: Info, file: strawberry.ID) -> AsyncGenerator[PartnerFile, None]:
        """The operator's, and a merchant's own."""
        async for row in partner_files.progress(info.context, file):
            yield PartnerFile.of(row)
