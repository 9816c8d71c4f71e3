"""Reports for those who settle; docs/reports.md says what each counts."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

import strawberry

from alliance.clearing.model import ObligationKind
from alliance.exposure.rules import percent
from alliance.reporting import queries
from resolvers import reporting
from schema.merchants import Merchant
from schema.money import Money
from schema.node import Info
from schema.scalars import Decimal
from schema.settlement import Netting, SettlementCycle

First = Annotated[date, strawberry.argument(name="from")]


def _money(info: Info, micro: int) -> Money:
    return Money.of_micro(micro, info.context.runtime.catalogue.alliance.settlement_currency)


def _merchant(info: Info, party: UUID | None) -> Merchant | None:
    row = None if party is None else info.context.runtime.catalogue.merchants_by_id.get(party)
    return None if row is None else Merchant.of(row)


@strawberry.type(description="What a merchant owed the others as a cycle was cut off.")
class CutOffExposure:
    """Less what it was owed, over all that was not paid by then; without what was only reserved."""

    cycle: SettlementCycle
    merchant: Merchant | None = strawberry.field(description="Null: the operator.")
    owed: Money
    cap: Money | None = strawberry.field(description="Of today; null without one.")
    percent: int | None = strawberry.field(description="Of that cap, rounded down.")
    alerts: int = strawberry.field(description="Raised while the cycle was open.")
    highest: int | None = strawberry.field(description="The highest level that one was about.")

    @classmethod
    def of(cls, info: Info, row: queries.AtClose) -> Self:
        """From a row."""
        known = info.context.runtime.catalogue.merchants_by_id.get(row.merchant_id)
        cap = None if known is None else known.cap
        return cls(
            cycle=SettlementCycle.of(row.cycle),
            merchant=_merchant(info, row.merchant_id),
            owed=_money(info, row.owed),
            cap=None if cap is None else _money(info, cap),
            percent=None if cap is None else percent(cap, row.owed),
            alerts=row.alerts,
            highest=row.highest or None,
        )


@strawberry.type(description="A cycle that was cut off, and what netting made of it.")
class SettledCycle:
    """A merchant's own pairs, position and payments."""

    cycle: SettlementCycle
    netting: Netting
    days: int | None = strawberry.field(description="From its cut-off until it was settled; null: it is not.")


@strawberry.type(description="Claims, objections or breaks of one age that are open between two merchants.")
class OpenItems:
    """Ages are in business days: those after the day on which it was opened."""

    what: str = strawberry.field(description="CLAIM, OBJECTION, or the outcome of a break.")
    merchant: Merchant | None = strawberry.field(description="Who raised it, or whose file it is.")
    against: Merchant | None
    from_days: int
    to_days: int | None = strawberry.field(description="Null: and older.")
    count: int
    amount: Money = strawberry.field(description="Without signs.")

    @classmethod
    def of(cls, info: Info, row: queries.Open) -> Self:
        """From a row."""
        return cls(
            what=row.what,
            merchant=_merchant(info, row.merchant_id),
            against=_merchant(info, row.against_id),
            from_days=row.since,
            to_days=row.until,
            count=row.count,
            amount=_money(info, row.amount),
        )


@strawberry.type(description="How many lines of two parties were matched, settled or corrected in 4 business days.")
class BackAtZero:
    """Of those that were booked in the span."""

    merchant: Merchant | None
    partner: Merchant | None
    lines: int
    within: int
    share: Decimal = strawberry.field(description="Per cent, rounded down to two places.")

    @classmethod
    def of(cls, info: Info, row: queries.Returned) -> Self:
        """From a row."""
        return cls(
            merchant=_merchant(info, row.first_id),
            partner=_merchant(info, row.second_id),
            lines=row.lines,
            within=row.within,
            share=Decimal(str(row.share)),
        )


@strawberry.type(description="What one party came to owe another by lines of a kind.")
class ObligationTotal:
    """Lines that reverse others count against it."""

    debtor: Merchant | None
    creditor: Merchant | None
    kind: ObligationKind
    lines: int
    amount: Money

    @classmethod
    def of(cls, info: Info, row: queries.PairKind) -> Self:
        """From a row."""
        return cls(
            debtor=_merchant(info, row.debtor_id),
            creditor=_merchant(info, row.creditor_id),
            kind=ObligationKind(row.kind),
            lines=row.lines,
            amount=_money(info, row.amount),
        )


@strawberry.type
class ReportQueries:
    """A merchant is told its own side; the operator may name a merchant."""

    @strawberry.field(description="What merchants owed as the last cycles (at most 100) were cut off.")
    async def exposure_history(self, info: Info, merchant: str | None = None, cycles: int = 12) -> list[CutOffExposure]:
        """Newest first."""
        return [CutOffExposure.of(info, row) for row in await reporting.cut_offs(info.context, merchant, cycles)]

    @strawberry.field(description="What netting made of the last cycles (at most 100) that were cut off.")
    async def settlement_history(self, info: Info, merchant: str | None = None, cycles: int = 12) -> list[SettledCycle]:
        """Newest first."""
        return [
            SettledCycle(cycle=SettlementCycle.of(row.cycle), netting=Netting.of(info, row.report), days=row.days)
            for row in await reporting.history(info.context, merchant, cycles)
        ]

    @strawberry.field(description="Claims, objections and breaks that are open, by age.")
    async def ageing(self, info: Info, merchant: str | None = None) -> list[OpenItems]:
        """As of now."""
        return [OpenItems.of(info, row) for row in await reporting.ageing(info.context, merchant)]

    @strawberry.field(description="How many of the lines booked in a span of days were back at zero in time.")
    async def back_at_zero(self, info: Info, from_: First, to: date, merchant: str | None = None) -> list[BackAtZero]:
        """At most 400 days."""
        found = await reporting.back_at_zero(info.context, merchant, from_, to)
        return [BackAtZero.of(info, row) for row in found]

    @strawberry.field(description="What came to be owed in a span of days, by pair and kind, whatever its cycle.")
    async def obligation_totals(
        self, info: Info, from_: First, to: date, merchant: str | None = None, occurred: bool = False
    ) -> list[ObligationTotal]:
        """By when it was booked, or when it `occurred`; at most 400 days."""
        found = await reporting.by_kind(info.context, merchant, from_, to, occurred=occurred)
        return [ObligationTotal.of(info, row) for row in found]
