"""Invoices: seen by their two parties and the operator (A14), and those of partners' own books recorded."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.dataloader import DataLoader

from alliance.invoices import commands, files, queries
from alliance.invoices.commands import Recorded
from alliance.invoices.model import Invoice, InvoiceKind, InvoiceLine
from alliance.invoices.queries import Match, Sought
from alliance.settlement import queries as settlement
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.money import scaled, to_minor
from domain.programs.catalogue import MICRO_PLACES
from resolvers import ids
from resolvers.context import Context
from resolvers.once import once
from resolvers.pages import Page, Window, page
from resolvers.reach import members_of
from resolvers.sent import Sent, key_of

SHAPE = (UUID,)


async def by_global_id(context: Context, global_id: str) -> Invoice | None:
    """The invoice of a global id, if it is in reach. Raises NotFound for an id of something else."""
    id_ = ids.decode_as("Invoice", global_id, 1)[0]
    async with context.runtime.database.reader() as session:
        return await queries.by_id(session, id_, members_of(context.signed_in))


async def listed(context: Context, sent: Sent, asked: Window) -> Page[Invoice]:
    """Invoices in reach, newest first. Raises InvalidInput, NotFound."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="invoices are listed forwards: give first and after", path=("last",))
    sought = Sought(
        members_of(context.signed_in),
        None if sent.get("cycle") is None else _cycle(sent["cycle"], ("filter", "cycle")),
        None if sent.get("merchant") is None else party(context, sent["merchant"], ("filter", "merchant")),
        None if sent.get("kind") is None else InvoiceKind(sent["kind"]),
    )
    before = None if asked.after is None else asked.after[0]
    async with context.runtime.database.reader() as session:
        found = await queries.page(session, sought, asked.size + 1, before)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count(session, sought)

    return page(asked, list(found), lambda row: (str(row.id),), total)


async def lines(context: Context, row: Invoice) -> list[InvoiceLine]:
    """The lines of one."""

    async def load(session: AsyncSession, keys: list[UUID]) -> list[list[InvoiceLine]]:
        found = await queries.lines(session, keys)
        return [found[key] for key in keys]

    return await context.loaders.one_of("lines of invoices", load).load(row.id)


async def match_of(context: Context, row: Invoice) -> Match:
    """What was stated, invoiced and paid of the same direction and cycle."""
    return await _matches(context).load((row.cycle_id, row.issuer_id, row.recipient_id))


async def match(context: Context, cycle: str, issuer: str, recipient: str) -> Match:
    """The same, of what may not be invoiced here. Raises NotFound."""
    key = (_cycle(cycle, ("cycle",)), party(context, issuer, ("issuer",)), party(context, recipient, ("recipient",)))
    if members_of(context.signed_in) not in (None, *key[1:]):
        raise NotFound(what="merchant", path=("issuer",))
    return await _matches(context).load(key)


def _matches(context: Context) -> DataLoader[queries.Key, Match]:
    async def load(session: AsyncSession, keys: list[queries.Key]) -> list[Match]:
        return await queries.matches(session, keys)

    return context.loaders.one_of("matches of invoices", load)


def sees_unpaid(context: Context, found: Match) -> bool:
    """Whether the viewer may see what the debtor of the pair has not paid: it is the debtor's position with all."""
    own = members_of(context.signed_in)
    issuer, recipient = found.key[1:]
    return own in (None, recipient if found.net > 0 else issuer)


async def file(context: Context, global_id: str, kind: str) -> tuple[Invoice, bytes]:
    """An invoice in reach as a file. Raises NotFound."""
    row = await by_global_id(context, global_id)
    if row is None or kind not in files.KINDS:
        raise NotFound(what="invoice")
    async with context.runtime.database.reader() as session:
        cycle = (await settlement.by_ids(session, [row.cycle_id]))[row.cycle_id]
        found = (await queries.lines(session, [row.id]))[row.id]
    return row, files.content(row, found, cycle.number, kind, context.language)


async def record(context: Context, sent: Sent) -> Match:
    """Keep a partner's own invoice; how it compares. Raises a Refusal."""
    own = members_of(context.signed_in)
    issuer, recipient = (party(context, sent[name], (name,)) for name in ("issuer", "recipient"))
    if own not in (None, issuer, recipient):
        raise NotAllowed(reason="that is an invoice between others", path=("issuer",))
    told = Recorded(
        cycle_id=_cycle(sent["cycle"], ("cycle",)),
        issuer_id=issuer,
        recipient_id=recipient,
        number=sent["number"],
        issued_on=sent["issuedOn"],
        tax_rate=scaled(sent["taxRate"], MICRO_PLACES),
        **{name: _minor(context, sent[name], name) for name in ("net", "tax", "gross")},
    )

    async def act(session: AsyncSession) -> dict[str, Any]:
        if not await settlement.by_ids(session, [told.cycle_id]):
            raise NotFound(what="cycle", path=("cycle",))
        kept = await commands.record(session, told, who=context.signed_in.subject, as_of=context.as_of)
        return {"recorded": str(kept.id)}

    await once(context, key_of(context, "recordInvoice", sent), act)
    return await _matches(context).load((told.cycle_id, issuer, recipient))


def _minor(context: Context, money: Sent, name: str) -> int:
    currency = context.runtime.catalogue.alliance.settlement_currency
    if money["currency"] != currency:
        raise InvalidInput(reason=f"cycles are settled in {currency}", path=(name,))
    return to_minor(money["amount"], currency)


def _cycle(global_id: str, path: tuple[str, ...]) -> UUID:
    try:
        return ids.decode_as("SettlementCycle", global_id, 1)[0]
    except NotFound:
        raise NotFound(what="cycle", path=path) from None


def party(context: Context, code: str, path: tuple[str, ...]) -> UUID:
    """A merchant by its code, or the operator by the alliance's. Raises NotFound."""
    catalogue = context.runtime.catalogue
    merchant = catalogue.merchants.get(code)
    if merchant is None and code != catalogue.alliance.code:
        raise NotFound(what="merchant", path=path)
    return catalogue.alliance.id if merchant is None else merchant.id
