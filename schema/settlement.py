"""What merchants owe each other: cycles, positions, payments, statements, lines."""

from datetime import date, datetime
from typing import Self
from uuid import UUID

import strawberry

from alliance.clearing.model import ObligationKind
from alliance.deadlines import model as deadlines
from alliance.deadlines.model import DeadlineKind
from alliance.disputes import model as disputes
from alliance.settlement import model
from alliance.settlement.queries import MerchantStatement, StatementLine
from alliance.settlement.rules import Report, minor_unit, saving
from alliance.statements.rules import price
from domain.programs.counting import counted
from resolvers import cycles, ids, obligations, payment_files
from resolvers import deadlines as extended
from resolvers.lines import line_id
from resolvers.obligations import SeenLine
from resolvers.pages import window
from schema.merchants import Merchant, PointsCurrency
from schema.money import Money
from schema.node import Connection, Info, Node
from schema.payment_files import PaymentFile
from schema.scalars import Decimal, Points


def _currency(info: Info) -> str:
    return info.context.runtime.catalogue.alliance.settlement_currency


def _merchant(info: Info, party: UUID) -> Merchant | None:
    """A party as a merchant; None for the operator, who is a party too."""
    row = info.context.runtime.catalogue.merchants_by_id.get(party)
    return None if row is None else Merchant.of(row)


@strawberry.type(description="What a party is to receive (positive) or to pay. Positions of a cycle sum to zero.")
class NetPosition:
    """`merchant` is null for the operator."""

    merchant: Merchant | None
    amount: Money


@strawberry.type(description="A payment that settles positions. A party that is null is the operator.")
class Payment:
    """At most n-1 of them for n positions."""

    number: int = strawberry.field(description="Of the payment within its cycle, from 1.")
    from_: Merchant | None = strawberry.field(name="from")
    to: Merchant | None
    amount: Money
    status: model.PaymentStatus
    paid_at: datetime | None
    reference: str | None = strawberry.field(description="What was given when it was recorded, say of a bank.")
    received_on: date | None = strawberry.field(description="The bank's day, where a bank reported it.")
    paid_in_on: date | None = strawberry.field(
        description="Where all pay into one account: when the payer's money came, before the payee is paid."
    )
    released_at: datetime | None = strawberry.field(description="When a bank was told to make it.")
    cycle: strawberry.Private[model.SettlementCycle]
    row: strawberry.Private[model.Payment]

    @strawberry.field(description="Its reference at banks, such as DEMO-C12-P3.")
    async def end_to_end(self, info: Info) -> str:
        """The parts of one payment have the same."""
        return (await payment_files.standing(info.context, self.cycle, self.row)).reference

    @strawberry.field(description="Whether it is held back from being released.")
    async def held_back(self, info: Info) -> bool:
        """By hand."""
        return (await payment_files.standing(info.context, self.cycle, self.row)).held

    @strawberry.field(description="How many days after the last day to pay it came, or is not there yet.")
    async def days_late(self, info: Info) -> int:
        """0: in time."""
        return (await payment_files.standing(info.context, self.cycle, self.row)).days_late

    @classmethod
    def of(cls, info: Info, cycle: model.SettlementCycle, row: model.Payment) -> Self:
        """From a row."""
        return cls(
            number=row.seq,
            from_=_merchant(info, row.payer_id),
            to=_merchant(info, row.payee_id),
            amount=Money.of_minor(row.amount, _currency(info)),
            status=model.PaymentStatus(row.status),
            paid_at=row.paid_at,
            reference=row.reference,
            received_on=row.received_on,
            paid_in_on=row.paid_in_on,
            released_at=row.released_at,
            cycle=cycle,
            row=row,
        )


@strawberry.type(description="What one merchant owes another for one operation; negative where it reverses a line.")
class Obligation:
    """Both parties see the same line. `reference` is a name that only they share, and that leads to no member."""

    line: strawberry.ID = strawberry.field(description="Names this line, for objectToLines and raiseClaim.")
    reference: str
    member: str = strawberry.field(
        description="A name for the member that only these two share, the same in all cycles."
    )
    kind: ObligationKind
    debtor: Merchant | None
    creditor: Merchant | None
    points: Points
    amount: Money = strawberry.field(
        description="In full, to the millionth; rounding happens once, when a pair is netted."
    )
    occurred_at: datetime
    booked_at: datetime
    order_ref: str | None = strawberry.field(
        description="Shown to the merchant where it happened, and to the operator."
    )
    store: str | None = strawberry.field(description="Its code, shown as the order's reference is.")
    price: Decimal | None = strawberry.field(
        description="What was agreed for a point, in the settlement currency; null on a fee, a share of another line."
    )
    agreement_version: int
    late: bool = strawberry.field(description="Sent later than the alliance accepts, and valued at the dearer price.")
    past_cap: bool | None = strawberry.field(
        description="Whether it took its debtor past its cap, having been promised; null for whom that is not to know."
    )
    reverses: bool
    reversed_reference: str | None = strawberry.field(description="The reference of the line that this one reverses.")
    currency_code: strawberry.Private[str]

    @strawberry.field(description="Whose points it was about.")
    def currency(self, info: Info) -> PointsCurrency:
        """From the catalogue."""
        return PointsCurrency.of(counted(info.context.runtime.catalogue, self.currency_code))

    @classmethod
    def of(cls, info: Info, line: SeenLine) -> Self:
        """From a row, as far as the viewer may see it."""
        row = line.row
        return cls(
            line=strawberry.ID(line_id(info.context, row)),
            reference=line.reference,
            member=line.member,
            kind=ObligationKind(row.kind),
            debtor=_merchant(info, row.debtor_id),
            creditor=_merchant(info, row.creditor_id),
            points=Points(row.points),
            amount=Money.of_micro(row.amount, _currency(info)),
            occurred_at=row.occurred_at,
            booked_at=row.booked_at,
            order_ref=row.order_ref if line.own else None,
            store=row.store if line.own else None,
            price=None if row.price is None else Decimal(price(row.price)),
            agreement_version=row.agreement_version,
            late=row.late,
            past_cap=row.past_cap if info.context.own_merchant_id in (None, row.debtor_id) else None,
            reverses=row.reverses is not None,
            reversed_reference=line.reverses,
            currency_code=row.currency,
        )


@strawberry.type(
    description="A line that a merchant objects to. Decided, it opens the account of the pair in a later cycle."
)
class Objection:
    """Both parties of the line see it."""

    claim: strawberry.ID = strawberry.field(description="Its life: claim(id:) has it, answerClaim answers it.")
    line: Obligation
    reason: disputes.ObjectionReason
    by: Merchant | None
    at: datetime
    suspended: Money = strawberry.field(description="The line's amount, which is left out of the net.")

    @classmethod
    def of(cls, info: Info, row: disputes.Objection, line: SeenLine) -> Self:
        """From a row and its line."""
        return cls(
            claim=strawberry.ID(ids.encode("Claim", row.id)),
            line=Obligation.of(info, line),
            reason=disputes.ObjectionReason(row.reason),
            by=_merchant(info, row.merchant_id),
            at=row.raised_at,
            suspended=Money.of_micro(line.row.amount, _currency(info)),
        )


@strawberry.type(description="A merchant's account with one partner; positive is to be received.")
class PartnerBalance:
    """opening + lines + adjustments = closing = net + carried + suspended."""

    partner: Merchant | None
    opening: Money
    lines: Money
    adjustments: Money
    closing: Money
    net: Money = strawberry.field(description="What is settled.")
    carried: Money = strawberry.field(description="What opens the next cycle.")
    suspended: Money = strawberry.field(
        description="Lines objected to, out of this net: decided, they open a later one."
    )

    @classmethod
    def of(cls, info: Info, row: StatementLine) -> Self:
        """From a pair's net, seen from one side."""
        currency = _currency(info)
        return cls(
            partner=_merchant(info, row.merchant_id),
            opening=Money.of_micro(row.opening, currency),
            lines=Money.of_micro(row.lines, currency),
            adjustments=Money.of_micro(row.adjustments, currency),
            closing=Money.of_micro(row.closing, currency),
            net=Money.of_minor(row.net, currency),
            carried=Money.of_micro(row.carried, currency),
            suspended=Money.of_micro(row.suspended, currency),
        )


@strawberry.type(description="A merchant's cycle, summed, and by partner. Provisional until it is issued.")
class Statement:
    """Rule A9."""

    merchant: Merchant | None
    opening: Money
    lines: Money
    adjustments: Money
    closing: Money
    position: Money
    issued_at: datetime | None
    confirmed_at: datetime | None
    confirmed_early: str | None = strawberry.field(
        description="Why the operator confirmed it while objections were still heard; null if nobody did."
    )
    suspended: Money = strawberry.field(
        description="Lines that are objected to: in closing, and not in position until that is decided."
    )
    partners: list[PartnerBalance]

    @classmethod
    def of(cls, info: Info, row: MerchantStatement) -> Self:
        """From what the settlement room sums."""
        currency = _currency(info)
        return cls(
            merchant=_merchant(info, row.merchant_id),
            opening=Money.of_micro(row.opening, currency),
            lines=Money.of_micro(row.lines, currency),
            adjustments=Money.of_micro(row.adjustments, currency),
            closing=Money.of_micro(row.closing, currency),
            position=Money.of_minor(row.position, currency),
            issued_at=row.issued_at,
            confirmed_at=row.confirmed_at,
            confirmed_early=row.confirmed_early,
            suspended=Money.of_micro(sum(line.suspended for line in row.partners), currency),
            partners=[PartnerBalance.of(info, line) for line in row.partners],
        )


@strawberry.type(description="What is to be paid at one stage of netting.")
class NettingStage:
    """`saving` is in per cent of the gross amount, with two places."""

    amount: Money
    payments: int | None = strawberry.field(description="How many payments that takes; null until it is known.")
    saving: Decimal = strawberry.field(description="Per cent of the gross amount that need not be paid.")


@strawberry.type(description="What netting saves. A merchant sees it of its own pairs, its own position and payments.")
class Netting:
    """Rule A8."""

    obligations: int = strawberry.field(description="Lines that were netted.")
    gross: NettingStage = strawberry.field(description="Each pays each what it owes it.")
    bilateral: NettingStage = strawberry.field(description="One of each two pays the difference.")
    multilateral: NettingStage = strawberry.field(
        description="All is netted against all. Payments are planned when the cycle is netted."
    )
    carried: Money | None = strawberry.field(
        description="Payments too small to be made, which open the next cycle; null until the cycle is netted."
    )

    @classmethod
    def of(cls, info: Info, row: Report) -> Self:
        """From what the settlement room counts."""
        currency = _currency(info)
        unit = minor_unit(currency)

        def stage(amount: int, payments: int | None) -> NettingStage:
            saved = Decimal(str(saving(row.gross, amount * unit)))
            return NettingStage(amount=Money.of_minor(amount, currency), payments=payments, saving=saved)

        return cls(
            obligations=row.obligations,
            gross=NettingStage(amount=Money.of_micro(row.gross, currency), payments=row.debts, saving=Decimal("0.00")),
            bilateral=stage(row.bilateral, row.nets),
            multilateral=stage(row.multilateral, row.payments),
            carried=None if row.carried is None else Money.of_minor(row.carried, currency),
        )


@strawberry.type(description="That a cycle took a step. Who and why is for the operator and auditors.")
class CycleTransition:
    """`at` is the clock of the database, `asOf` what the step was told."""

    status: model.CycleStatus
    at: datetime
    as_of: datetime
    by: str | None = strawberry.field(description="A client by its id, `calendar` or `command line`.")
    why: str | None

    @classmethod
    def of(cls, info: Info, row: model.CycleTransition) -> Self:
        """From a row."""
        return cls(
            status=model.CycleStatus(row.status),
            at=row.at,
            as_of=row.as_of,
            by=cycles.who_was(info.context, row.who),
            why=row.why,
        )


@strawberry.type(description="That a deadline was extended. Who and why is for the operator and auditors.")
class DeadlineExtension:
    """From one moment to a later one, both exclusive."""

    kind: DeadlineKind
    before: datetime = strawberry.field(description="What it was.")
    until: datetime
    at: datetime
    reason: str | None
    by: str | None = strawberry.field(description="As of a transition.")

    @classmethod
    def of(cls, info: Info, row: deadlines.DeadlineExtension) -> Self:
        """From a row."""
        return cls(
            kind=DeadlineKind(row.kind),
            before=row.before,
            until=row.until,
            at=row.as_of,
            reason=row.why,
            by=cycles.who_was(info.context, row.who),
        )


@strawberry.type(description="The period to which an obligation belongs. A merchant sees its own side of it.")
class SettlementCycle(Node):
    """Figures are provisional until the cycle is netted."""

    number: int
    status: model.CycleStatus
    opens_at: datetime
    closes_at: datetime | None
    objections_until: datetime | None = strawberry.field(
        description="Until when merchants may object to lines; then silence confirms. Null before it is stated."
    )
    payments_due: datetime | None = strawberry.field(description="By when it is to be paid. Null before it is netted.")
    row: strawberry.Private[model.SettlementCycle]

    @strawberry.field(description="What would be paid without any netting; to the millionth.")
    async def gross(self, info: Info) -> Money:
        """A merchant's own pairs alone."""
        return Money.of_micro((await info.context.loaders.reports.load(self.row)).gross, _currency(info))

    @strawberry.field(description="What would be paid if only pairs were netted.")
    async def bilateral(self, info: Info) -> Money:
        """A merchant's own pairs alone."""
        return Money.of_minor((await info.context.loaders.reports.load(self.row)).bilateral, _currency(info))

    @strawberry.field(description="What is paid: all netted against all.")
    async def multilateral(self, info: Info) -> Money:
        """A merchant's own position alone."""
        return Money.of_minor((await info.context.loaders.reports.load(self.row)).multilateral, _currency(info))

    @strawberry.field(description="What netting saves, in amounts and in payments.")
    async def netting(self, info: Info) -> Netting:
        """A merchant's own pairs, position and payments alone."""
        return Netting.of(info, await info.context.loaders.reports.load(self.row))

    @strawberry.field(description="Net positions; they sum to zero. A merchant sees its own.")
    async def positions(self, info: Info) -> list[NetPosition]:
        """As many as there are parties."""
        found = await info.context.loaders.positions.load(self.row)
        return [
            NetPosition(merchant=_merchant(info, row.merchant_id), amount=Money.of_minor(row.amount, _currency(info)))
            for row in found
        ]

    @strawberry.field(description="Payments, once the cycle is netted. A merchant sees those it makes or receives.")
    async def payments(self, info: Info) -> list[Payment]:
        """At most one fewer than there are parties."""
        return [Payment.of(info, self.row, row) for row in await info.context.loaders.payments.load(self.row.id)]

    @strawberry.field(description="Files for banks: those released, and those that wait; a merchant's own.")
    async def payment_files(self, info: Info) -> list[PaymentFile]:
        """None before the cycle is being settled."""
        files = await payment_files.of_cycle(info.context, self.row)
        return [PaymentFile.of(info, self.number, file) for file in files]

    @strawberry.field(description="The steps it took, in order.")
    async def transitions(self, info: Info) -> list[CycleTransition]:
        """At most one a status."""
        return [CycleTransition.of(info, row) for row in await info.context.loaders.transitions.load(self.row.id)]

    @strawberry.field(description="How its deadlines were extended, in order.")
    async def extensions(self, info: Info) -> list[DeadlineExtension]:
        """By hand."""
        return [DeadlineExtension.of(info, row) for row in await extended.extensions(info.context, self.row)]

    @strawberry.field(description="Lines that merchants object to; a merchant sees those it is a party to.")
    async def objections(self, info: Info) -> list[Objection]:
        """In the order in which they were raised."""
        found = await info.context.loaders.objections.load(self.row.id)
        lines = await obligations.seen(info.context, [line for _, line in found])
        return [Objection.of(info, row, line) for (row, _), line in zip(found, lines, strict=True)]

    @strawberry.field(description="What is objected to and not decided, without its sign.")
    async def suspended(self, info: Info) -> Money:
        """A merchant's own lines alone."""
        found = await info.context.loaders.objections.load(self.row.id)
        still = sum(abs(line.amount) for row, line in found if row.released_in is None)
        return Money.of_micro(still, _currency(info))

    @strawberry.field(description="Line by line; with merchant (a code), those to which it is a party.")
    async def obligations(
        self,
        info: Info,
        merchant: str | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Obligation]:
        """A merchant sees the lines it is a party to."""
        asked = window(cycles.line_shape(info.context), first, after, last, before)
        page = await cycles.lines(info.context, self.row, asked, merchant)
        return Connection[Obligation].of(page, lambda line: Obligation.of(info, line))

    @strawberry.field(description="A merchant's statement; null for another merchant's.")
    async def statement(self, info: Info, merchant: str) -> Statement | None:
        """Null also where there is none."""
        found = await cycles.statement(info.context, self.row, merchant)
        return None if found is None else Statement.of(info, found)

    @classmethod
    def of(cls, row: model.SettlementCycle) -> Self:
        """From a row."""
        return cls(
            id=strawberry.ID(ids.encode("SettlementCycle", row.id)),
            number=row.number,
            status=model.CycleStatus(row.status),
            opens_at=row.opens_at,
            closes_at=row.closes_at,
            objections_until=row.objections_until,
            payments_due=row.payments_due,
            row=row,
        )
