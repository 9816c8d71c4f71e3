"""Invoices beside statements, and what of them was stated, invoiced and paid (A6, A9)."""

from datetime import date
from typing import Annotated, Any, Self, cast
from uuid import UUID

import strawberry

from alliance.invoices import model
from alliance.invoices.queries import Match
from domain.money import PRICE, unscaled
from domain.programs.catalogue import MICRO_PLACES
from resolvers import ids, invoices
from resolvers.cycles import loaded
from resolvers.pages import window
from schema.answering import Shared, answer
from schema.inputs import KEY, MoneyInput, passed_as_sent
from schema.invoice_policies import INVOICES
from schema.merchants import Merchant
from schema.money import Money
from schema.node import FETCHED, Connection, Info, Node
from schema.refusals import TYPES, UserError
from schema.scalars import Decimal, LogIndex, Points
from schema.settlement import SettlementCycle

strawberry.enum(model.InvoiceKind, description="A CREDIT_NOTE is for what is below zero, and so are its amounts.")


def _micro(info: Info, micro: int) -> Money:
    return Money.of_micro(micro, info.context.runtime.catalogue.alliance.settlement_currency)


def _minor(info: Info, minor: int) -> Money:
    return Money.of_minor(minor, info.context.runtime.catalogue.alliance.settlement_currency)


def _merchant(info: Info, party: UUID) -> Merchant | None:
    found = info.context.runtime.catalogue.merchants_by_id.get(party)
    return None if found is None else Merchant.of(found)


def _rate(millionths: int) -> Decimal:
    return Decimal(unscaled(millionths, MICRO_PLACES))


@strawberry.type(description="A party to an invoice as it was when that was issued.")
class InvoiceParty:
    """Kept on it."""

    code: str
    name: str
    tax_id: str | None
    address: str | None

    @classmethod
    def of(cls, said: dict[str, Any]) -> Self:
        """From what is kept."""
        return cls(code=said["code"], name=said["name"], tax_id=said.get("taxId"), address=said.get("address"))


@strawberry.type(description="Lines of the statement of one kind and price, summed.")
class InvoiceLine:
    """Exact, to the millionth."""

    kind: str
    adjustment: bool = strawberry.field(description="Whether they take earlier lines back.")
    currency: str = strawberry.field(description="Of the points; of a right grantor/kind; empty where there are none.")
    points: Points
    price: Decimal | None = strawberry.field(description="Of a point; null on a fee.")
    count: LogIndex = strawberry.field(description="How many lines of the statement.")
    amount: Money
    taxed: bool

    @classmethod
    def of(cls, info: Info, row: model.InvoiceLine) -> Self:
        """From the database."""
        return cls(
            kind=row.kind,
            adjustment=row.adjustment,
            currency=row.currency,
            points=Points(row.points),
            price=None if row.price is None else Decimal(unscaled(row.price, len(str(PRICE)) - 1)),
            count=LogIndex(row.count),
            amount=_micro(info, row.amount),
            taxed=row.taxed,
        )


@strawberry.type(description="An invoice that a merchant's own books issued, as it was told.")
class RecordedInvoice:
    """Compared with what was stated."""

    number: str
    issued_on: date
    net: Money
    tax_rate: Decimal
    tax: Money
    gross: Money
    net_difference: Money = strawberry.field(description="Its net less what was stated.")
    adds_up: bool = strawberry.field(description="Whether tax is the rate's, and gross is net and tax.")


@strawberry.type(
    description="What one party charged another for a cycle, compared: "
    "opening + stated + taxStated - setOff = net + carried + suspended."
)
class InvoiceMatch:
    """Three ways: the statement, the invoice, the payment."""

    issuer: Merchant | None = strawberry.field(description="Null: the operator.")
    recipient: Merchant | None = strawberry.field(description="Null: the operator.")
    stated: Money = strawberry.field(description="Lines of the statement in this direction, without tax.")
    invoiced: Money = strawberry.field(description="Invoices less credit notes that were issued here.")
    difference: Money = strawberry.field(description="Stated and not invoiced here.")
    tax_stated: Money = strawberry.field(description="Tax on earlier invoices, owed in this cycle.")
    set_off: Money = strawberry.field(description="What the issuer owes the recipient for the same cycle.")
    opening: Money = strawberry.field(description="What the two brought into the cycle; above zero is to the issuer.")
    net: Money = strawberry.field(description="What of the two was settled; above zero is to the issuer.")
    carried: Money
    suspended: Money = strawberry.field(description="Under objection.")
    unpaid: Money | None = strawberry.field(
        description="What the debtor of the two has not paid of all that it pays in the cycle; null to the other."
    )
    recorded: list[RecordedInvoice]

    @classmethod
    def of(cls, info: Info, found: Match) -> Self:
        """From figures."""
        _, issuer, recipient = found.key
        names = ("stated", "invoiced", "difference", "tax_stated", "set_off", "opening", "carried", "suspended")
        sees = found.unpaid is not None and invoices.sees_unpaid(info.context, found)
        return cls(
            issuer=_merchant(info, issuer),
            recipient=_merchant(info, recipient),
            net=_minor(info, found.net),
            unpaid=_minor(info, found.unpaid or 0) if sees else None,
            recorded=[
                RecordedInvoice(
                    number=row.number,
                    issued_on=row.issued_on,
                    net=_minor(info, row.net),
                    tax_rate=_rate(row.tax_rate),
                    tax=_minor(info, row.tax),
                    gross=_minor(info, row.gross),
                    net_difference=_minor(info, found.over(row)),
                    adds_up=found.adds_up(row),
                )
                for row in found.recorded
            ],
            **{name: _micro(info, getattr(found, name)) for name in names},
        )


@strawberry.type(description="What a party charges another for a cycle: issued once its statements are confirmed.")
class Invoice(Node):
    """Never edited."""

    number: str = strawberry.field(description="Without gaps, by issuer.")
    kind: model.InvoiceKind
    issued_on: date
    due_on: date = strawberry.field(description="The last day of paying.")
    issuer: InvoiceParty
    recipient: InvoiceParty
    exact: Money = strawberry.field(description="What its lines come to, before it is rounded.")
    net: Money
    tax_rate: Decimal
    tax: Money = strawberry.field(description="Owed as a line of its own in the cycle that was open.")
    gross: Money
    files: str = strawberry.field(description="Where its files are: with .json, .csv or .pdf after it.")
    row: strawberry.Private[model.Invoice]

    @strawberry.field(description="Whose lines are on it.")
    async def cycle(self, info: Info) -> SettlementCycle:
        """By the loader."""
        return SettlementCycle.of(await loaded(info.context, self.row.cycle_id))

    @strawberry.field
    async def lines(self, info: Info) -> list[InvoiceLine]:
        """By the loader."""
        return [InvoiceLine.of(info, line) for line in await invoices.lines(info.context, self.row)]

    @strawberry.field(description="What of its direction and cycle was stated, invoiced and paid.")
    async def match(self, info: Info) -> InvoiceMatch:
        """By the loader."""
        return InvoiceMatch.of(info, await invoices.match_of(info.context, self.row))

    @classmethod
    def of(cls, row: model.Invoice) -> Self:
        """From the database."""
        global_id = ids.encode("Invoice", row.id)
        money = {name: Money.of_minor(getattr(row, name), row.currency) for name in ("net", "tax", "gross")}
        return cls(
            id=strawberry.ID(global_id),
            number=row.number,
            kind=model.InvoiceKind(row.kind),
            issued_on=row.issued_on,
            due_on=row.due_on,
            issuer=InvoiceParty.of(row.issuer),
            recipient=InvoiceParty.of(row.recipient),
            exact=Money.of_micro(row.exact, row.currency),
            tax_rate=_rate(row.tax_rate),
            files=f"/invoices/{global_id}",
            row=row,
            **money,
        )


async def _fetch(info: Info, global_id: str) -> Invoice | None:
    found = await invoices.by_global_id(info.context, global_id)
    return None if found is None else Invoice.of(found)


FETCHED["Invoice"] = (INVOICES, _fetch)


@strawberry.type(description="An invoice of this number was recorded before.")
class AlreadyRecorded(UserError):
    """An issuer has one of a number."""

    number: str
    own = ("number",)


TYPES[AlreadyRecorded.__name__] = AlreadyRecorded


@passed_as_sent
@strawberry.input
class InvoiceFilter:
    """All that is given must fit."""

    cycle: strawberry.ID | None = strawberry.UNSET
    merchant: str | None = strawberry.field(
        default=strawberry.UNSET, description="Code of a party; the alliance's own."
    )
    kind: model.InvoiceKind | None = strawberry.UNSET


@passed_as_sent
@strawberry.input
class RecordInvoiceInput:
    """An invoice of a merchant's own books, as its issuer or its recipient has it."""

    idempotency_key: str = strawberry.field(description=KEY)
    cycle: strawberry.ID
    issuer: str = strawberry.field(description="The code of a merchant, or the alliance's for the operator.")
    recipient: str
    number: str
    issued_on: date
    net: MoneyInput
    tax_rate: Decimal = strawberry.field(description="A share of 1, such as 0.21.")
    tax: MoneyInput
    gross: MoneyInput


@strawberry.type(description="It is kept beside the statement.")
class InvoiceRecorded:
    """And compared."""

    match: InvoiceMatch


RecordInvoiceResult = Annotated[InvoiceRecorded | Shared | AlreadyRecorded, strawberry.union("RecordInvoiceResult")]


@strawberry.type
class InvoiceQueries:
    """For the two parties, and the operator."""

    @strawberry.field(description="Invoices and credit notes in reach, newest first.")
    async def invoices(
        self,
        info: Info,
        filter: InvoiceFilter | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Invoice]:
        """Two statements at most."""
        asked = window(invoices.SHAPE, first, after, last, before)
        sent = cast("Any", filter) or {}
        return Connection[Invoice].of(await invoices.listed(info.context, sent, asked), Invoice.of)

    @strawberry.field(description="One of them.")
    async def invoice(self, info: Info, id: strawberry.ID) -> Invoice | None:
        """Null where it is out of reach."""
        return await _fetch(info, id)

    @strawberry.field(description="What one party charged another for a cycle, invoiced here or not.")
    async def invoice_match(self, info: Info, cycle: strawberry.ID, issuer: str, recipient: str) -> InvoiceMatch:
        """By codes; the alliance's is the operator's."""
        return InvoiceMatch.of(info, await invoices.match(info.context, cycle, issuer, recipient))


@strawberry.type
class InvoiceMutations:
    """What merchants say of their own books."""

    @strawberry.mutation(description="Record an invoice of one's own books beside the statement, and compare it.")
    async def record_invoice(self, info: Info, input: RecordInvoiceInput) -> RecordInvoiceResult | None:
        """Nothing is booked by it."""
        found = await answer(info, input, invoices.record)
        if isinstance(found, UserError):
            return cast("Any", found)
        return InvoiceRecorded(match=InvoiceMatch.of(info, found))
