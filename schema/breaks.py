"""Breaks: the queue of what partners' files and our books do not agree on, and how it is worked (A11)."""

from datetime import date, datetime
from typing import Annotated, Any, Self, cast
from uuid import UUID

import strawberry

from alliance.breaks import model as noted
from alliance.breaks.queries import Order
from alliance.breaks.rules import age, difference
from alliance.disputes.model import ClaimCode
from alliance.partnerfiles import model
from resolvers import breaks, ids
from resolvers.cycles import loaded, who_was
from resolvers.pages import window
from schema.answering import Shared, answer
from schema.approvals import Approval
from schema.claims import ClaimTooEarly, ClaimTooLarge, ClaimTooLate, LineInDispute
from schema.clearing_policies import BREAKS
from schema.inputs import KEY, MoneyInput, passed_as_sent
from schema.merchants import Merchant
from schema.money import Money
from schema.node import FETCHED, Connection, Info, Node
from schema.refusals import TYPES, InvalidInput, NotAllowed, NotFound, UserError, shown
from schema.scalars import LogIndex
from schema.settlement import SettlementCycle

strawberry.enum(Order, name="BreakOrder", description="AGE: the oldest first; AMOUNT: the largest difference first.")
strawberry.enum(
    model.BreakStatus,
    description="OPEN until it ends: CLAIMED, ADJUSTED, WRITTEN_OFF; MATCHED by a later file or cycle; SUPERSEDED with "
    "its file.",
)
strawberry.enum(model.Outcome, name="BreakOutcome", description="What is wrong, seen from the file (rule A11).")


def _money(info: Info, micro: int | None) -> Money | None:
    currency = info.context.runtime.catalogue.alliance.settlement_currency
    return None if micro is None else Money.of_micro(micro, currency)


def _party(info: Info, party: UUID | None) -> Merchant | None:
    found = None if party is None else info.context.runtime.catalogue.merchants_by_id.get(party)
    return None if found is None else Merchant.of(found)


@strawberry.type(description="What somebody noted about a break.")
class BreakNote:
    """Kept for good."""

    text: str
    by: str
    at: datetime

    @classmethod
    def of(cls, info: Info, row: noted.BreakNote) -> Self:
        """From a row."""
        return cls(text=row.text, by=who_was(info.context, row.who), at=row.as_of)


@strawberry.type(description="A difference between a merchant's books and ours. Its partner does not see it.")
class Break(Node):
    """Amounts are positive where the merchant is to receive them."""

    outcome: model.Outcome
    status: model.BreakStatus
    key: str | None = strawberry.field(description="Of the line in the file.")
    line_number: int | None = strawberry.field(description="Of the line in the file.")
    line: strawberry.ID | None = strawberry.field(description="Names our line, as Obligation.line.")
    order_ref: str | None
    occurred_on: date | None
    opened_at: datetime
    due_at: datetime | None = strawberry.field(description="TIMING: until when it may still be booked.")
    age_days: int = strawberry.field(description="Business days since it was opened, or until it was closed.")
    closed_at: datetime | None
    closed_by: str | None
    reason: str | None = strawberry.field(description="Why it was closed so.")
    row: strawberry.Private[model.ReconBreak]

    @strawberry.field(description="Whose file it was.")
    def merchant(self, info: Info) -> Merchant | None:
        """From the catalogue."""
        return _party(info, self.row.merchant_id)

    @strawberry.field(description="With whom it differs, where that is known.")
    def counterparty(self, info: Info) -> Merchant | None:
        """From the catalogue; null is also the operator."""
        return _party(info, self.row.other_id)

    @strawberry.field(description="Of which cycle it was reconciled.")
    async def cycle(self, info: Info) -> SettlementCycle:
        """By the loader."""
        return SettlementCycle.of(await loaded(info.context, self.row.cycle_id))

    @strawberry.field(description="What our books say; null for nothing.")
    def ours(self, info: Info) -> Money | None:
        """In the settlement currency."""
        return _money(info, self.row.ours)

    @strawberry.field(description="What the file says; null for nothing.")
    def theirs(self, info: Info) -> Money | None:
        """In the settlement currency."""
        return _money(info, self.row.theirs)

    @strawberry.field(description="What the merchant would receive more by its file than by our books.")
    def difference(self, info: Info) -> Money:
        """In the settlement currency."""
        return cast("Money", _money(info, difference(self.row)))

    @strawberry.field(description="Who works it: a client or a person.")
    def owner(self) -> str | None:
        """As it was assigned."""
        return None if self.row.owner_id is None else str(self.row.owner_id)

    @strawberry.field(description="Of an adjusted one the correction (Operation), of a claimed one the claim.")
    def resolution(self, info: Info) -> strawberry.ID | None:
        """A global id."""
        if self.row.resolution_id is None:
            return None
        if self.row.status == model.BreakStatus.CLAIMED:
            return strawberry.ID(ids.encode("Claim", self.row.resolution_id))
        house = info.context.runtime.catalogue.alliance.id
        return strawberry.ID(ids.encode("Operation", house, self.row.resolution_id))

    @strawberry.field(description="What was noted about it, oldest first.")
    async def notes(self, info: Info) -> list[BreakNote]:
        """By the loader."""
        return [BreakNote.of(info, row) for row in await breaks.notes(info.context, self.row)]

    @classmethod
    def of(cls, info: Info, row: model.ReconBreak) -> Self:
        """From the database."""
        alliance = info.context.runtime.catalogue.alliance
        line = breaks.line(info.context, row)
        return cls(
            id=strawberry.ID(ids.encode("Break", row.id)),
            outcome=model.Outcome(row.outcome),
            status=model.BreakStatus(row.status),
            key=row.key,
            line_number=row.line_no,
            line=None if line is None else strawberry.ID(line),
            order_ref=row.order_ref,
            occurred_on=row.occurred_on,
            opened_at=row.opened_at,
            due_at=row.due_at,
            age_days=age(row.opened_at, alliance, row.closed_at or info.context.as_of),
            closed_at=row.closed_at,
            closed_by=row.closed_by,
            reason=row.why,
            row=row,
        )


async def _fetch(info: Info, global_id: str) -> Break | None:
    found = await breaks.by_global_id(info.context, global_id)
    return None if found is None else Break.of(info, found)


FETCHED["Break"] = (BREAKS, _fetch)


@strawberry.type(description="Breaks of an age, in business days.")
class BreakAge:
    """Summed in the database."""

    youngest: int
    oldest: int | None = strawberry.field(description="Null: and older.")
    count: LogIndex
    amount: Money = strawberry.field(description="What they come to, without sign.")


@strawberry.type(description="It ended before.")
class BreakClosed(UserError):
    """See its status."""

    status: str
    own = ("status",)


@strawberry.type(description="It may still be booked by the other side.")
class BreakWaits(UserError):
    """It is a difference in time only."""

    until: str
    own = ("until",)


@strawberry.type(description="Our line was corrected otherwise: the break would put it right twice.")
class BreakMoved(UserError):
    """Write it off, with that as the reason."""


@strawberry.type(description="The difference is not in the merchant's favour.")
class NothingToClaim(UserError):
    """Or nobody is known against whom to claim it."""


TYPES |= {kind.__name__: kind for kind in (BreakClosed, BreakWaits, BreakMoved, NothingToClaim)}


@passed_as_sent
@strawberry.input
class BreakFilter:
    """All that is said must hold."""

    status: model.BreakStatus | None = strawberry.UNSET
    outcome: model.Outcome | None = strawberry.UNSET
    owner: str | None = strawberry.UNSET
    merchant: str | None = strawberry.field(default=strawberry.UNSET, description="The code of whose file it was.")
    counterparty: str | None = strawberry.field(default=strawberry.UNSET, description="The partner's code.")
    cycle: strawberry.ID | None = strawberry.UNSET
    older_than_days: int | None = strawberry.field(default=strawberry.UNSET, description="Business days.")
    min_amount: MoneyInput | None = strawberry.field(
        default=strawberry.UNSET, description="Of the difference, without sign."
    )


BY_IDS = "At most 500; or give a filter."
BY_FILTER = "The oldest 500 of these, of those that are open unless it names a status."


@passed_as_sent
@strawberry.input
class AssignBreaksInput:
    """Which, and to whom."""

    idempotency_key: str = strawberry.field(description=KEY)
    breaks: list[strawberry.ID] | None = strawberry.field(default=strawberry.UNSET, description=BY_IDS)
    filter: BreakFilter | None = strawberry.field(default=strawberry.UNSET, description=BY_FILTER)
    owner: str | None = strawberry.field(
        default=strawberry.UNSET, description="The id of a client or a person; left out: the caller; null: nobody."
    )


@passed_as_sent
@strawberry.input
class NoteBreaksInput:
    """Which, and what."""

    idempotency_key: str = strawberry.field(description=KEY)
    breaks: list[strawberry.ID] | None = strawberry.field(default=strawberry.UNSET, description=BY_IDS)
    filter: BreakFilter | None = strawberry.field(default=strawberry.UNSET, description=BY_FILTER)
    text: str


@passed_as_sent
@strawberry.input
class CloseBreaksInput:
    """Which, and why so."""

    idempotency_key: str = strawberry.field(description=KEY)
    breaks: list[strawberry.ID] | None = strawberry.field(default=strawberry.UNSET, description=BY_IDS)
    filter: BreakFilter | None = strawberry.field(default=strawberry.UNSET, description=BY_FILTER)
    reason: str


@passed_as_sent
@strawberry.input
class ClaimBreaksInput:
    """Which, and why."""

    idempotency_key: str = strawberry.field(description=KEY)
    breaks: list[strawberry.ID] | None = strawberry.field(default=strawberry.UNSET, description=BY_IDS)
    filter: BreakFilter | None = strawberry.field(default=strawberry.UNSET, description=BY_FILTER)
    reason: str = strawberry.field(description="The text of the claims.")
    claim_code: ClaimCode | None = strawberry.field(
        default=strawberry.UNSET, description="Left out: as the outcome of each suggests."
    )


BreakRefusal = Annotated[
    InvalidInput
    | NotFound
    | NotAllowed
    | BreakClosed
    | BreakWaits
    | BreakMoved
    | NothingToClaim
    | ClaimTooEarly
    | ClaimTooLate
    | ClaimTooLarge
    | LineInDispute,
    strawberry.union("BreakRefusal"),
]


@strawberry.type(description="What became of one break.")
class BreakItem:
    """In the order in which they were named."""

    node: Break | None = strawberry.field(name="break", description="As it is now; null if it is out of reach.")
    waits: bool = strawberry.field(description="Whether it waits for the approval.")
    refusal: BreakRefusal | None = strawberry.field(
        description="Why nothing was done; the others are not touched by it."
    )


@strawberry.type(description="One answer a break.")
class BreaksWorked:
    """Some may be refused."""

    items: list[BreakItem]
    approval: Approval | None = strawberry.field(
        description="Above the limit, of all of them together, a second person approves; then it is done."
    )


BreaksResult = Annotated[BreaksWorked | Shared, strawberry.union("BreaksResult")]


@strawberry.type
class BreakQueries:
    """Of one's own files."""

    @strawberry.field(description="Breaks; a merchant's are those of its own files.")
    async def breaks(
        self,
        info: Info,
        filter: BreakFilter | None = None,
        order_by: Order | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Break]:
        """Two statements at most."""
        order = order_by or Order.AGE
        asked = window(breaks.shape(order), first, after, last, before)
        found = await breaks.listed(info.context, asked, cast("Any", filter), order)
        return Connection[Break].of(found, lambda row: Break.of(info, row))

    @strawberry.field(description="Breaks by age, and what they come to; open ones unless filtered.")
    async def break_ages(self, info: Info, filter: BreakFilter | None = None) -> list[BreakAge]:
        """One statement."""
        said = {"status": model.BreakStatus.OPEN.value} if filter is None else cast("Any", filter)
        return [
            BreakAge(
                youngest=bucket.youngest,
                oldest=bucket.oldest,
                count=LogIndex(count),
                amount=cast("Money", _money(info, amount)),
            )
            for bucket, count, amount in await breaks.totals(info.context, said)
        ]


@strawberry.type
class BreakMutations:
    """The operator's, and of a merchant for its own files."""

    @strawberry.mutation(description="Make somebody the owner of breaks.")
    async def assign_breaks(self, info: Info, input: AssignBreaksInput) -> BreaksResult | None:
        """Of open ones."""
        return _worked(info, await answer(info, input, breaks.assign))

    @strawberry.mutation(description="Note something about breaks.")
    async def note_breaks(self, info: Info, input: NoteBreaksInput) -> BreaksResult | None:
        """Also of closed ones."""
        return _worked(info, await answer(info, input, breaks.note))

    @strawberry.mutation(description="Close breaks for a reason, and leave our books as they are.")
    async def write_off_breaks(self, info: Info, input: CloseBreaksInput) -> BreaksResult | None:
        """An act by hand."""
        return _worked(info, await answer(info, input, breaks.write_off))

    @strawberry.mutation(description="Raise a claim for each, of the merchant of the file against its partner.")
    async def claim_breaks(self, info: Info, input: ClaimBreaksInput) -> BreaksResult | None:
        """Rule A10."""
        return _worked(info, await answer(info, input, breaks.claim))

    @strawberry.mutation(description="Book the differences of breaks between the two, in the open cycle.")
    async def adjust_breaks(self, info: Info, input: CloseBreaksInput) -> BreaksResult | None:
        """By the operator, or by the merchant in whose disfavour they are."""
        return _worked(info, await answer(info, input, breaks.adjust))


def _worked(info: Info, found: breaks.Answered | UserError) -> Any:
    if isinstance(found, UserError):
        return found
    return BreaksWorked(
        items=[
            BreakItem(
                node=None if one.row is None else Break.of(info, one.row),
                waits=one.waits,
                refusal=None if one.refusal is None else cast("Any", shown(one.refusal, info.context.language)),
            )
            for one in found.items
        ],
        approval=None if found.approval is None else Approval.of(found.approval),
    )
