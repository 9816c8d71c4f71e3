"""The business calendar: its days, what falls on them, and how the operator changes them and extends deadlines."""

from datetime import date, datetime
from typing import Annotated, Any, Self, cast

import strawberry

from alliance.deadlines import model, queries
from resolvers import deadlines
from schema.answering import Shared, answer
from schema.approvals import Approval
from schema.inputs import KEY, passed_as_sent
from schema.node import Info
from schema.refusals import UserError, WrongCycleStatus
from schema.settlement import SettlementCycle

strawberry.enum(
    queries.MarkKind,
    name="CalendarMarkKind",
    description="What falls on a day: a cycle is cut off; objections are heard, or payments are due, until then.",
)
strawberry.enum(queries.Declared, name="DeclaredDay", description="What the alliance says of a day.")


@strawberry.type(description="Something that falls on a day.")
class CalendarMark:
    """Exclusive: a deadline at midnight is in the list of the day that it ends."""

    kind: queries.MarkKind
    at: datetime
    cycle: SettlementCycle | None = strawberry.field(description="Null for a cut-off of a cycle that is yet to open.")


@strawberry.type(description="A day of the alliance's zone.")
class BusinessDay:
    """What the alliance declares goes before public holidays and weekends."""

    date: date
    business: bool
    holiday: str | None = strawberry.field(description="The public holiday's name, in the caller's language if known.")
    declared: queries.Declared | None
    marks: list[CalendarMark]

    @classmethod
    def of(cls, day: queries.Day) -> Self:
        """From the calendar."""
        return cls(
            date=day.date,
            business=day.business,
            holiday=day.name,
            declared=day.declared,
            marks=[
                CalendarMark(
                    kind=mark.kind,
                    at=mark.at,
                    cycle=None if mark.cycle is None else SettlementCycle.of(mark.cycle),
                )
                for mark in day.marks
            ],
        )


@passed_as_sent
@strawberry.input
class DeclareBusinessDaysInput:
    """Days, each once. As if they stood in the alliance file, which `tessera export` then writes."""

    idempotency_key: str = strawberry.field(description=KEY)
    holidays: list[date] | None = strawberry.field(
        default=strawberry.UNSET, description="Are no business days, whatever day of the week."
    )
    working_days: list[date] | None = strawberry.field(
        default=strawberry.UNSET, description="Are business days, although weekends or public holidays."
    )
    undeclared: list[date] | None = strawberry.field(
        default=strawberry.UNSET, description="Are what public holidays and weekends make them."
    )
    reason: str


@passed_as_sent
@strawberry.input
class ExtendDeadlineInput:
    """A deadline of a cycle, and a later moment."""

    idempotency_key: str = strawberry.field(description=KEY)
    cycle: strawberry.ID
    deadline: model.DeadlineKind
    until: datetime = strawberry.field(description="Exclusive.")
    reason: str


@strawberry.type(description="Days were declared. Deadlines that are set stay.")
class BusinessDaysDeclared:
    """For every process."""

    days: list[BusinessDay] = strawberry.field(description="Those that were named.")


@strawberry.type(description="A deadline was extended, or that was asked for.")
class DeadlineExtended:
    """By two people, unless the alliance lets one."""

    cycle: SettlementCycle
    approval: Approval | None = strawberry.field(description="What waits for a second person; null when it is done.")


DeclareBusinessDaysResult = Annotated[BusinessDaysDeclared | Shared, strawberry.union("DeclareBusinessDaysResult")]
ExtendDeadlineResult = Annotated[DeadlineExtended | Shared | WrongCycleStatus, strawberry.union("ExtendDeadlineResult")]


@strawberry.type
class CalendarQueries:
    """For all who settle."""

    @strawberry.field(description="The days from `from` to `to`, at most 400, with cut-offs and deadlines.")
    async def business_calendar(
        self, info: Info, from_: Annotated[date, strawberry.argument(name="from")], to: date
    ) -> list[BusinessDay]:
        """In the alliance's zone."""
        return [BusinessDay.of(day) for day in await deadlines.days(info.context, from_, to)]


@strawberry.type
class CalendarMutations:
    """The operator's."""

    @strawberry.mutation(description="Say which days are holidays, and which are worked.")
    async def declare_business_days(
        self, info: Info, input: DeclareBusinessDaysInput
    ) -> DeclareBusinessDaysResult | None:
        """One source of truth: the keys `holidays` and `workingDays` of the alliance file."""
        found = await answer(info, input, deadlines.declare)
        if isinstance(found, UserError):
            return cast("Any", found)
        return BusinessDaysDeclared(days=[BusinessDay.of(day) for day in found])

    @strawberry.mutation(description="Let objections be heard, or payments be made, for longer; with four eyes.")
    async def extend_deadline(self, info: Info, input: ExtendDeadlineInput) -> ExtendDeadlineResult | None:
        """All merchants are told (DEADLINE_EXTENDED)."""
        found = await answer(info, input, deadlines.extend)
        if isinstance(found, UserError):
            return cast("Any", found)
        cycle, waiting = found
        return DeadlineExtended(
            cycle=SettlementCycle.of(cycle), approval=None if waiting is None else Approval.of(waiting)
        )
