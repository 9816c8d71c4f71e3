"""Re-ratings: what is sent, answered and seen (A11)."""

from datetime import date, datetime
from typing import Annotated, Any, Self, cast
from uuid import UUID

import strawberry

from alliance.rerating import commands, model
from alliance.rerating.rules import Priced, Repriced, Why
from domain.money import PRICE, unscaled
from resolvers import agreements, ids, rerating
from resolvers.cycles import loaded, who_was
from resolvers.pages import window
from schema.agreements import Agreement
from schema.answering import Shared, answer
from schema.approvals import Approval
from schema.clearing_policies import RERATES
from schema.inputs import DRY_RUN, KEY, MoneyInput, passed_as_sent
from schema.merchants import Merchant
from schema.money import Money
from schema.node import FETCHED, Connection, Info, Node
from schema.refusals import TYPES, UserError
from schema.scalars import CurrencyCode, Decimal, LogIndex
from schema.settlement import SettlementCycle

strawberry.enum(
    Priced,
    name="PricedKind",
    description="What has a price: a kind of line; NO_SHOW is a right that was booked and not used.",
)
strawberry.enum(
    Why,
    name="NotReratedReason",
    description="NO_PRICE: nothing is said of it. CORRECTED: somebody put it right otherwise. DISPUTED: it is in "
    "dispute. OTHER_DAYS: owed later, and only some of the points are of these days. RERATED_LATER: by a newer "
    "re-rating. FEE: its share cannot be told.",
)


def _money(info: Info, micro: int) -> Money:
    return Money.of_micro(micro, info.context.runtime.catalogue.alliance.settlement_currency)


def _price(price: int | None) -> Decimal | None:
    return None if price is None else Decimal(unscaled(price, len(str(PRICE)) - 1))


def _party(info: Info, party: UUID) -> Merchant | None:
    found = info.context.runtime.catalogue.merchants_by_id.get(party)
    return None if found is None else Merchant.of(found)


@strawberry.type(description="The right price of a point, to its debtor, in the settlement currency.")
class RightPrice:
    """As it was asked for."""

    kind: Priced
    currency: str = strawberry.field(description="Of the points; of a right grantor/kind.")
    price: Decimal


@strawberry.type(description="Lines between two parties of a cycle. A party that is null is the operator.")
class RerateTotal:
    """A merchant sees those of its own lines."""

    debtor: Merchant | None
    creditor: Merchant | None
    lines: LogIndex
    before: Money
    after: Money
    cycle_id: strawberry.Private[UUID]

    @strawberry.field(description="In which the lines were booked; the corrections fall in the one that was open.")
    async def cycle(self, info: Info) -> SettlementCycle:
        """By the loader."""
        return SettlementCycle.of(await loaded(info.context, self.cycle_id))

    @classmethod
    def of(cls, info: Info, debtor: UUID, creditor: UUID, cycle: UUID, lines: int, before: int, after: int) -> Self:
        """From figures."""
        return cls(
            debtor=_party(info, debtor),
            creditor=_party(info, creditor),
            lines=LogIndex(lines),
            before=_money(info, before),
            after=_money(info, after),
            cycle_id=cycle,
        )


@strawberry.type(description="A line that would be put right.")
class RerateSample:
    """One of the first."""

    kind: str
    debtor: Merchant | None
    creditor: Merchant | None
    currency: CurrencyCode
    points: LogIndex
    price_before: Decimal | None = strawberry.field(description="Null on a fee.")
    price_after: Decimal | None
    before: Money
    after: Money

    @classmethod
    def of(cls, info: Info, one: Repriced) -> Self:
        """From the rules."""
        return cls(
            kind=str(one.line.kind),
            debtor=_party(info, one.line.debtor_id),
            creditor=_party(info, one.line.creditor_id),
            currency=CurrencyCode(one.line.currency),
            points=LogIndex(one.line.points),
            price_before=_price(one.line.price),
            price_after=_price(one.price),
            before=_money(info, one.line.amount),
            after=_money(info, one.amount),
        )


@strawberry.type(description="Lines that are left for people to look at.")
class NotRerated:
    """By reason."""

    reason: Why
    lines: LogIndex


@strawberry.type(description="What a re-rating does, or would do.")
class ReratePreview:
    """Figures of now."""

    lines: LogIndex = strawberry.field(description="How many are put right.")
    looked_at: LogIndex
    complete: bool = strawberry.field(description="False if there are more than anybody waits for: figures are less.")
    totals: list[RerateTotal]
    samples: list[RerateSample] = strawberry.field(description="The first twenty lines.")
    left: list[NotRerated]

    @classmethod
    def of(cls, info: Info, seen: commands.Preview) -> Self:
        """From the command."""
        return cls(
            lines=LogIndex(seen.lines),
            looked_at=LogIndex(seen.looked_at),
            complete=seen.complete,
            totals=[
                RerateTotal.of(info, *parties, total.lines, total.before, total.after)
                for parties, total in seen.totals.items()
            ],
            samples=[RerateSample.of(info, one) for one in seen.samples],
            left=[NotRerated(reason=why, lines=LogIndex(lines)) for why, lines in sorted(seen.left.items())],
        )


@strawberry.type(description="That lines of an agreement were booked at a wrong price, and are put right.")
class Rerate(Node):
    """Kept for good."""

    from_: date = strawberry.field(name="from", description="The first day, of the events, in the alliance's zone.")
    to: date = strawberry.field(description="The first day that does not count.")
    version: int | None = strawberry.field(description="The version that is right; null where prices are.")
    prices: list[RightPrice]
    reason: str
    as_of: datetime
    finished_at: datetime | None = strawberry.field(description="Null while it runs.")
    done: LogIndex = strawberry.field(description="Lines that it looked at so far.")
    row: strawberry.Private[model.Rerate]

    @strawberry.field(description="Whose lines.")
    async def agreement(self, info: Info) -> Agreement | None:
        """In reach of whom sees this."""
        found = await agreements.by_global_id(info.context, ids.encode("Agreement", self.row.agreement_id))
        return None if found is None else Agreement.of(found)

    @strawberry.field(description="Who asked for it.")
    def asked_by(self, info: Info) -> str:
        """A client, or the command line."""
        return who_was(info.context, self.row.who)

    @strawberry.field(description="Who approved it.")
    def approved_by(self, info: Info) -> str | None:
        """Another; null where the alliance lets one person do it."""
        return None if self.row.approved_by is None else who_was(info.context, self.row.approved_by)

    @strawberry.field(description="What it made of lines so far.")
    async def totals(self, info: Info) -> list[RerateTotal]:
        """Summed in the database."""
        return [
            RerateTotal.of(info, one.debtor_id, one.creditor_id, one.cycle_id, one.lines, one.before, one.after)
            for one in await rerating.corrected(info.context, self.row)
        ]

    @classmethod
    def of(cls, row: model.Rerate) -> Self:
        """From the database."""
        named = [(*name.split(":", 1), price) for name, price in (row.prices or {}).items()]
        return cls(
            id=strawberry.ID(ids.encode("Rerate", row.id)),
            from_=row.first_day,
            to=row.before_day,
            version=row.version,
            prices=[
                RightPrice(kind=Priced(kind), currency=currency, price=cast("Decimal", _price(price)))
                for kind, currency, price in named
            ],
            reason=row.why,
            as_of=row.as_of,
            finished_at=row.finished_at,
            done=LogIndex(row.done),
            row=row,
        )


async def _fetch(info: Info, global_id: str) -> Rerate | None:
    found = await rerating.by_global_id(info.context, global_id)
    return None if found is None else Rerate.of(found)


FETCHED["Rerate"] = (RERATES, _fetch)


@strawberry.type(description="No line of these days is at another price.")
class NothingToRerate(UserError):
    """Or all of them were put right before."""


TYPES[NothingToRerate.__name__] = NothingToRerate


@passed_as_sent
@strawberry.input
class RightPriceInput:
    """What a point should have cost its debtor."""

    kind: Priced
    currency: str = strawberry.field(description="Of the points; of a right grantor/kind.")
    price: MoneyInput


@passed_as_sent
@strawberry.input
class ReratedInput:
    """Lines of an agreement, by the days of their events, and what is right: a version, or prices."""

    agreement: strawberry.ID
    from_: date = strawberry.field(name="from")
    to: date = strawberry.field(description="The first day that does not count.")
    version: int | None = strawberry.field(
        default=strawberry.UNSET, description="One that is or was in force: its terms are right."
    )
    prices: list[RightPriceInput] | None = strawberry.UNSET


@passed_as_sent
@strawberry.input
class RerateInput:
    """As previewRerate, and why."""

    idempotency_key: str = strawberry.field(description=KEY)
    agreement: strawberry.ID
    from_: date = strawberry.field(name="from")
    to: date = strawberry.field(description="The first day that does not count.")
    version: int | None = strawberry.UNSET
    prices: list[RightPriceInput] | None = strawberry.UNSET
    reason: str
    dry_run: bool | None = strawberry.field(default=strawberry.UNSET, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class RerateAgainInput:
    """One that is done."""

    idempotency_key: str = strawberry.field(description=KEY)
    rerate: strawberry.ID


@strawberry.type(description="It is asked for: a second person approves it, then it is begun.")
class Rerated:
    """With what it does."""

    preview: ReratePreview
    approval: Approval | None = strawberry.field(description="That waits for a second person; null on a dry run.")


@strawberry.type(description="It goes over its lines again, and puts nothing right twice.")
class RerateBegun:
    """For lines that came late, and for what was reversed since."""

    rerate: Rerate


RerateResult = Annotated[Rerated | Shared | NothingToRerate, strawberry.union("RerateResult")]
RerateAgainResult = Annotated[RerateBegun | Shared, strawberry.union("RerateAgainResult")]


@strawberry.type
class RerateQueries:
    """Of agreements in reach."""

    @strawberry.field(description="What a re-rating would do.")
    async def preview_rerate(self, info: Info, input: ReratedInput) -> ReratePreview:
        """Nothing is written."""
        return ReratePreview.of(info, await rerating.look(info.context, cast("Any", input)))

    @strawberry.field(description="Re-ratings, newest first.")
    async def rerates(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Rerate]:
        """Two statements at most."""
        asked = window(rerating.SHAPE, first, after, last, before)
        return Connection[Rerate].of(await rerating.listed(info.context, asked), Rerate.of)


@strawberry.type
class RerateMutations:
    """The operator's."""

    @strawberry.mutation(description="Put lines right that were booked at a wrong price; takes a second person.")
    async def rerate(self, info: Info, input: RerateInput) -> RerateResult | None:
        """In the open cycle, by a job."""
        found = await answer(info, input, rerating.ask)
        if isinstance(found, UserError):
            return cast("Any", found)
        return Rerated(
            preview=ReratePreview.of(info, found.preview),
            approval=None if found.approval is None else Approval.of(found.approval),
        )

    @strawberry.mutation(description="Have a re-rating that is done look for what came late or was reversed since.")
    async def rerate_again(self, info: Info, input: RerateAgainInput) -> RerateAgainResult | None:
        """What was approved is approved."""
        found = await answer(info, input, rerating.again)
        return cast("Any", found if isinstance(found, UserError) else RerateBegun(rerate=Rerate.of(found)))
