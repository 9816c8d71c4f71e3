"""Disputes between merchants, through either door: what is seen, sent and answered (A10)."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self, cast
from uuid import UUID

import strawberry

from alliance.disputes import life, model
from resolvers import claims, ids
from resolvers.pages import window
from schema.answering import Sent, Shared, answer
from schema.claim_policies import READERS
from schema.inputs import KEY, MoneyInput, passed_as_sent
from schema.merchants import Merchant
from schema.money import Money
from schema.node import FETCHED, Connection, Info, Node
from schema.refusals import TYPES, UserError
from schema.settlement import Obligation

strawberry.enum(model.Door, name="ClaimDoor", description="How it came in: before its cycle is settled, or after.")
strawberry.enum(
    life.DisputeStatus,
    name="ClaimStatus",
    description="RAISED waits for the other party, ANSWERED for who raised it, ESCALATED for the operator. ACCEPTED "
    "and WITHDRAWN are what the two came to, DECIDED the operator; LAPSED: it did not in time, all stands as booked.",
)
strawberry.enum(life.Side, name="ClaimSide", description="Who raised it, the other party, the operator, the calendar.")
strawberry.enum(
    life.Move,
    name="ClaimMove",
    description="What was done. INSIST opens the next round, NOTE only says something; SILENCE is the calendar's.",
)


@strawberry.enum(description="In which order claims are listed.")
class ClaimOrder(StrEnum):
    """NEWEST by default; DEADLINE has the undecided alone."""

    NEWEST = "NEWEST"
    DEADLINE = "DEADLINE"


def _money(info: Info, amount: int | None) -> Money | None:
    currency = info.context.runtime.catalogue.alliance.settlement_currency
    return None if amount is None else Money.of_micro(amount, currency)


def _merchant(info: Info, party: UUID) -> Merchant | None:
    row = info.context.runtime.catalogue.merchants_by_id.get(party)
    return None if row is None else Merchant.of(row)


@strawberry.type(description="A small file that came with a step.")
class Attachment:
    """Both parties and the operator may have it."""

    id: strawberry.ID
    name: str
    media_type: str
    size: int = strawberry.field(description="Bytes.")
    sha256: str = strawberry.field(description="Of its content, in hexadecimal digits.")
    path: str = strawberry.field(description="Where it is downloaded, with the same token.")

    @classmethod
    def of(cls, row: model.Attachment) -> Self:
        """From a row."""
        id_ = ids.encode("Attachment", row.id)
        return cls(
            id=strawberry.ID(id_),
            name=row.name,
            media_type=row.media_type,
            size=row.size,
            sha256=row.sha256.hex(),
            path=f"/attachments/{id_}",
        )


@strawberry.type(description="What was said or done about a claim.")
class ClaimStep:
    """In order; both parties see all of them."""

    number: int
    move: life.Move
    side: life.Side
    at: datetime
    text: str
    row: strawberry.Private[model.DisputeStep]

    @strawberry.field(description="Which merchant did it; null: the operator, or the calendar.")
    def merchant(self, info: Info) -> Merchant | None:
        """From the catalogue."""
        return _merchant(info, self.row.party_id)

    @strawberry.field(description="The amount that it named.")
    def amount(self, info: Info) -> Money | None:
        """In favour of who raised the claim."""
        return _money(info, self.row.amount)

    @strawberry.field(description="The files that came with it.")
    async def attachments(self, info: Info) -> list[Attachment]:
        """Their names; the content is downloaded."""
        return [Attachment.of(row) for row in await claims.files(info.context, self.row)]


@strawberry.type(
    description="What one merchant wants of another: of a line of a statement, or without one. Amounts are above zero "
    "in favour of who raised it."
)
class Claim(Node):
    """Its two parties see it, and the operator."""

    door: model.Door
    status: life.DisputeStatus
    round: int = strawberry.field(description="Of at most three.")
    claim_code: model.ClaimCode
    quantity: int | None = strawberry.field(description="Of the line's points, where that was claimed.")
    raised_at: datetime
    decided_at: datetime | None
    row: strawberry.Private[model.Dispute]

    @strawberry.field(description="Who raised it; null: the operator, as a party.")
    def by(self, info: Info) -> Merchant | None:
        """From the catalogue."""
        return _merchant(info, self.row.raiser_id)

    @strawberry.field(description="The other party; null: the operator, as a party.")
    def against(self, info: Info) -> Merchant | None:
        """From the catalogue."""
        return _merchant(info, self.row.against_id)

    @strawberry.field(description="The line; null where there is none.")
    async def line(self, info: Info) -> Obligation | None:
        """As both parties see it."""
        found = await claims.line(info.context, self.row)
        return None if found is None else Obligation.of(info, found)

    @strawberry.field(description="What is claimed.")
    def claimed(self, info: Info) -> Money | None:
        """May be less than at first."""
        return _money(info, self.row.claimed)

    @strawberry.field(description="What of it the other party has granted.")
    def granted(self, info: Info) -> Money | None:
        """For good."""
        return _money(info, self.row.offered)

    @strawberry.field(
        description="What came of it: corrected in the cycle that was open then. Null until it is decided."
    )
    def accepted(self, info: Info) -> Money | None:
        """Zero where nothing did."""
        return _money(info, self.row.accepted)

    @strawberry.field(description="Whose turn it is; null when it is decided.")
    def waits_for(self) -> life.Side | None:
        """By its status."""
        sides = dict(zip(life.UNDECIDED, (life.Side.OTHER, life.Side.RAISER, life.Side.OPERATOR), strict=True))
        return sides.get(self.status)

    @strawberry.field(description="Until when, exclusive: then silence decides. Null when it is decided.")
    def due_at(self) -> datetime | None:
        """By the alliance's calendar."""
        return None if self.row.decided_at is not None else self.row.due_at

    @strawberry.field(description="What was said and done, in order.")
    async def steps(self, info: Info) -> list[ClaimStep]:
        """The first is that it was raised."""
        return [
            ClaimStep(
                number=row.seq,
                move=life.Move(row.move),
                side=life.Side(row.side),
                at=row.as_of,
                text=row.text,
                row=row,
            )
            for row in await claims.steps(info.context, self.row.id)
        ]

    @classmethod
    def of(cls, row: model.Dispute) -> Self:
        """From a row."""
        return cls(
            id=strawberry.ID(ids.encode("Claim", row.id)),
            door=model.Door(row.door),
            status=life.DisputeStatus(row.status),
            round=row.round,
            claim_code=model.ClaimCode(row.code),
            quantity=row.quantity,
            raised_at=row.raised_at,
            decided_at=row.decided_at,
            row=row,
        )


async def _fetch(info: Info, global_id: str) -> Claim | None:
    found = await claims.by_global_id(info.context, global_id)
    return None if found is None else Claim.of(found)


FETCHED["Claim"] = (READERS, _fetch)


@strawberry.type(description="The line's cycle is not settled yet.")
class ClaimTooEarly(UserError):
    """Until it is confirmed, lines are objected to."""

    number: int
    own = ("number",)


@strawberry.type(description="Claims on lines of this cycle are not heard any more.")
class ClaimTooLate(UserError):
    """As long as the agreement says, or the alliance."""

    until: str
    own = ("until",)


@strawberry.type(description="So much of the line cannot be claimed.")
class ClaimTooLarge(UserError):
    """What was corrected before is taken off."""

    room: str
    own = ("room",)


@strawberry.type(description="The line is in dispute already, or the operator has decided on it.")
class LineInDispute(UserError):
    """One at a time."""


@strawberry.type(description="In its state and round this step is not the caller's to take.")
class WrongClaimStatus(UserError):
    """See waitsFor."""

    status: str
    round: int
    own = ("status", "round")


@strawberry.type(description="The deadline of the step has passed: silence decides.")
class AnswerTooLate(UserError):
    """See dueAt."""

    until: str
    own = ("until",)


TYPES |= {
    kind.__name__: kind
    for kind in (ClaimTooEarly, ClaimTooLate, ClaimTooLarge, LineInDispute, WrongClaimStatus, AnswerTooLate)
}

ATTACHED = "Ids that POST /ingest/attachment returned; at most 10."


@passed_as_sent
@strawberry.input
class RaiseClaimInput:
    """A line, or another merchant; an amount, or a quantity of the line's points; why."""

    idempotency_key: str = strawberry.field(description=KEY)
    line: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Obligation.line.")
    against: str | None = strawberry.field(
        default=strawberry.UNSET, description="Without a line: a merchant's code, or the alliance's for the operator."
    )
    amount: MoneyInput | None = strawberry.field(default=strawberry.UNSET, description="What the caller is to have.")
    quantity: int | None = strawberry.field(default=strawberry.UNSET, description="Points of the line.")
    claim_code: model.ClaimCode
    text: str
    attachments: list[strawberry.ID] | None = strawberry.field(default=strawberry.UNSET, description=ATTACHED)


@passed_as_sent
@strawberry.input
class AnswerClaimInput:
    """A claim or an objection, and what one does about it."""

    idempotency_key: str = strawberry.field(description=KEY)
    claim: strawberry.ID
    move: life.Move = strawberry.field(
        description="The other party: ACCEPT, ACCEPT_PARTLY (amount), REJECT (text). Who raised it: ACCEPT what was "
        "granted, INSIST (on less: amount), WITHDRAW. Either, after an answer: ESCALATE. All: NOTE (text)."
    )
    amount: MoneyInput | None = strawberry.UNSET
    text: str | None = strawberry.UNSET
    attachments: list[strawberry.ID] | None = strawberry.field(default=strawberry.UNSET, description=ATTACHED)


@passed_as_sent
@strawberry.input
class DecideClaimInput:
    """What of a claim is accepted, from nothing to all of it, and why."""

    idempotency_key: str = strawberry.field(description=KEY)
    claim: strawberry.ID
    amount: MoneyInput
    text: str
    attachments: list[strawberry.ID] | None = strawberry.field(default=strawberry.UNSET, description=ATTACHED)


@passed_as_sent
@strawberry.input
class ClaimFilter:
    """All that is named has to fit."""

    door: model.Door | None = strawberry.UNSET
    status: life.DisputeStatus | None = strawberry.UNSET
    open: bool | None = strawberry.field(default=strawberry.UNSET, description="Undecided, or decided.")
    merchant: str | None = strawberry.field(default=strawberry.UNSET, description="A party of it, by its code.")
    waits_for_me: bool | None = strawberry.field(default=strawberry.UNSET, description="Where it is the caller's turn.")


@strawberry.type(description="It was raised; the other party has until dueAt.")
class ClaimRaised:
    """Silence accepts it."""

    claim: Claim


@strawberry.type(description="The step was taken.")
class ClaimAnswered:
    """See its status."""

    claim: Claim


@strawberry.type(description="The operator decided it.")
class ClaimDecided:
    """What was accepted is corrected in the open cycle."""

    claim: Claim


RaiseClaimResult = Annotated[
    ClaimRaised | Shared | ClaimTooEarly | ClaimTooLate | ClaimTooLarge | LineInDispute,
    strawberry.union("RaiseClaimResult"),
]
AnswerClaimResult = Annotated[
    ClaimAnswered | Shared | WrongClaimStatus | AnswerTooLate, strawberry.union("AnswerClaimResult")
]
DecideClaimResult = Annotated[
    ClaimDecided | Shared | WrongClaimStatus | AnswerTooLate, strawberry.union("DecideClaimResult")
]


@strawberry.type
class ClaimQueries:
    """Of one's own side."""

    @strawberry.field(description="Claims and objections, newest first, or the undecided by their deadlines.")
    async def claims(
        self,
        info: Info,
        filter: ClaimFilter | None = None,
        order: ClaimOrder | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Claim]:
        """Forwards."""
        by_deadline = order == ClaimOrder.DEADLINE
        asked = window(claims.DEADLINE_SHAPE if by_deadline else claims.SHAPE, first, after, last, before)
        found = await claims.listed(info.context, cast("Sent", filter or {}), by_deadline, asked)
        return Connection[Claim].of(found, Claim.of)

    @strawberry.field(description="A claim or an objection by its id; null for others'.")
    async def claim(self, info: Info, id: strawberry.ID) -> Claim | None:
        """Null also where there is none."""
        return await _fetch(info, id)


@strawberry.type
class ClaimMutations:
    """What merchants do about each other's lines, and the operator between them."""

    @strawberry.mutation(
        description="Claim something of another merchant after settling; singly. Many: /ingest/claims."
    )
    async def raise_claim(self, info: Info, input: RaiseClaimInput) -> RaiseClaimResult | None:
        """What was paid stays paid."""
        found = await answer(info, input, claims.raise_)
        return cast("Any", found if isinstance(found, UserError) else ClaimRaised(claim=Claim.of(found)))

    @strawberry.mutation(description="Answer a claim or an objection, or what was answered to one's own.")
    async def answer_claim(self, info: Info, input: AnswerClaimInput) -> AnswerClaimResult | None:
        """Before the deadline."""
        found = await answer(info, input, claims.answer)
        return cast("Any", found if isinstance(found, UserError) else ClaimAnswered(claim=Claim.of(found)))

    @strawberry.mutation(description="Decide what two merchants could not agree on.")
    async def decide_claim(self, info: Info, input: DecideClaimInput) -> DecideClaimResult | None:
        """The operator's, once it was escalated."""
        found = await answer(info, input, claims.decide)
        return cast("Any", found if isinstance(found, UserError) else ClaimDecided(claim=Claim.of(found)))
