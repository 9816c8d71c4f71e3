"""Issuing the invoices of a cycle, and recording those that partners wrote themselves, in the caller's transaction."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.calendar import Calendar
from alliance.clearing.model import ObligationKind
from alliance.corrections.commands import Line, book
from alliance.corrections.model import Cause
from alliance.invoices.errors import AlreadyRecorded
from alliance.invoices.model import Invoice, InvoicedCycle, InvoiceKind, InvoiceLine, InvoiceSerial, PartnerInvoice
from alliance.invoices.rules import Sum, documents, total
from alliance.invoices.terms import InvoiceParty, parties
from alliance.settlement.model import CycleStatus, SettlementCycle
from alliance.settlement.rules import minor_unit
from domain.base import new_id
from domain.errors import InvalidInput
from domain.money import MICRO
from domain.programs.catalogue import Alliance

INVOICED = (
    CycleStatus.CONFIRMED,
    CycleStatus.NETTED,
    CycleStatus.SETTLING,
    CycleStatus.SETTLED,
    CycleStatus.ABORTED,
)
"""Cycles whose lines are not objected to any more. One that was aborted is owed for as well, later."""

LONGEST_NUMBER = 40

# One row a kind, price and currency of what one party owes another, and whether it takes earlier lines back.
_SUMS = text("""
    SELECT creditor_id, debtor_id, kind, reverses IS NOT NULL AS adjustment, currency, price,
           sum(points)::bigint AS points, count(*) AS count, sum(amount)::bigint AS amount
    FROM obligation WHERE cycle_id = :cycle AND creditor_id = ANY(:issuers) AND kind <> 'TAX'
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6""")


# Who begins to have invoices written here begins with what is not settled: what was before, it wrote itself.
_WAITING = text("""
    SELECT c.id, array_agg(i.id) AS issuers
    FROM settlement_cycle c
    CROSS JOIN unnest(CAST(:issuers AS uuid[])) AS i (id)
    CROSS JOIN LATERAL (SELECT min(x.number) AS number FROM invoiced_cycle d
                        JOIN settlement_cycle x ON x.id = d.cycle_id WHERE d.issuer_id = i.id) AS first
    WHERE c.status = ANY(:invoiced)
      AND NOT EXISTS (SELECT FROM invoiced_cycle d WHERE d.cycle_id = c.id AND d.issuer_id = i.id)
      AND (c.number > first.number OR (first.number IS NULL AND c.status NOT IN ('SETTLED', 'ABORTED')))
    GROUP BY c.id, c.number ORDER BY c.number""")


async def issue_due(session: AsyncSession, alliance: Alliance, as_of: datetime) -> int:
    """Issue the invoices of all cycles whose statements are confirmed, as far as they were not; how many.

    What an issuer's first ones are, see _WAITING.
    """
    issuers = [party.id for party in (await parties(session)).values() if party.terms is not None]
    if not issuers:
        return 0
    asked = {"invoiced": [status.value for status in INVOICED], "issuers": issuers}
    waiting = (await session.execute(_WAITING, asked)).all()
    return sum([await issue(session, alliance, cycle_id, as_of, those) for cycle_id, those in waiting])


async def issue(
    session: AsyncSession, alliance: Alliance, cycle_id: uuid.UUID, as_of: datetime, those: Sequence[uuid.UUID]
) -> int:
    """Issue the invoices and credit notes of a confirmed cycle, for these issuers; how many.

    Doing it again changes nothing. What tax they say is owed from now on, in the open cycle (A6).
    """
    cycle = await session.get_one(SettlementCycle, cycle_id)
    known = await parties(session)
    issuers = {id_: known[id_] for id_ in those if known[id_].terms is not None}
    fresh = await _begin(session, cycle_id, sorted(issuers), as_of)
    if not fresh:
        return 0
    found: dict[tuple[uuid.UUID, uuid.UUID], list[Sum]] = defaultdict(list)
    for creditor, debtor, *values in await session.execute(_SUMS, {"cycle": cycle_id, "issuers": sorted(fresh)}):
        found[creditor, debtor].append(Sum(*values))
    made = await _numbered(session, alliance, cycle, known, found, as_of)
    for issuer_id, done_id in fresh.items():
        rows = [row for row in made if row["issuer_id"] == issuer_id]
        await _finish(session, alliance, done_id, issuers[issuer_id], rows, as_of)
    return len(made)


async def _begin(
    session: AsyncSession, cycle_id: uuid.UUID, issuers: Sequence[uuid.UUID], as_of: datetime
) -> dict[uuid.UUID, uuid.UUID]:
    """Those whose invoices for the cycle nobody has issued, each with the id of its issuing."""
    rows = [{"id": new_id(), "cycle_id": cycle_id, "issuer_id": id_, "documents": 0, "as_of": as_of} for id_ in issuers]
    if not rows:
        return {}
    begun = upsert(InvoicedCycle).values(rows).on_conflict_do_nothing()
    made = await session.execute(begun.returning(InvoicedCycle.issuer_id, InvoicedCycle.id))
    return dict(iter(made))


async def _numbered(
    session: AsyncSession,
    alliance: Alliance,
    cycle: SettlementCycle,
    known: Mapping[uuid.UUID, InvoiceParty],
    found: Mapping[tuple[uuid.UUID, uuid.UUID], Sequence[Sum]],
    as_of: datetime,
) -> list[dict[str, Any]]:
    """The documents, written with their lines. Numbers go on where the issuer's last one was, under its lock."""
    issuers = sorted({issuer for issuer, _ in found})
    if not issuers:
        return []
    await session.execute(
        upsert(InvoiceSerial).values([{"issuer_id": id_, "last": 0} for id_ in issuers]).on_conflict_do_nothing()
    )
    serials = select(InvoiceSerial).where(InvoiceSerial.issuer_id.in_(issuers)).order_by(InvoiceSerial.issuer_id)
    rows = await session.scalars(serials.with_for_update().execution_options(populate_existing=True))
    kept = {row.issuer_id: row for row in rows}
    unit = minor_unit(alliance.settlement_currency)
    issued_on = as_of.astimezone(alliance.timezone).date()
    due_on = _due(cycle, alliance, as_of)
    made: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    for (issuer_id, recipient_id), sums in sorted(found.items(), key=lambda one: _order(known, one[0])):
        issuer, recipient = known[issuer_id], known.get(recipient_id) or _unknown(recipient_id)
        terms = issuer.terms
        assert terms is not None
        for kind, part in zip(InvoiceKind, documents(sums), strict=True):
            if not part:
                continue
            kept[issuer_id].last += 1
            totals = total(part, terms.tax_rate or 0, unit)
            id_, serial = new_id(), kept[issuer_id].last
            made.append(
                {
                    "id": id_,
                    "cycle_id": cycle.id,
                    "issuer_id": issuer_id,
                    "recipient_id": recipient_id,
                    "kind": kind.value,
                    "serial": serial,
                    "number": f"{terms.prefix}{serial:06}",
                    "issued_on": issued_on,
                    "due_on": due_on,
                    "currency": alliance.settlement_currency,
                    "exact": totals.exact,
                    "net": totals.net,
                    "tax_rate": terms.tax_rate or 0,
                    "tax": totals.tax,
                    "gross": totals.gross,
                    "issuer": issuer.told(),
                    "recipient": recipient.told(),
                    "as_of": as_of,
                }
            )
            lines += [_line(id_, seq, one) for seq, one in enumerate(part, start=1)]
    await session.flush()
    if made:
        await session.execute(insert(Invoice), made)
        await session.execute(insert(InvoiceLine), lines)
    return made


def _order(known: Mapping[uuid.UUID, InvoiceParty], pair: tuple[uuid.UUID, uuid.UUID]) -> tuple[str, ...]:
    return tuple(known[id_].code if id_ in known else str(id_) for id_ in pair)


def _unknown(id_: uuid.UUID) -> InvoiceParty:
    return InvoiceParty(id_, str(id_), str(id_), None)


def _line(invoice_id: uuid.UUID, seq: int, one: Sum) -> dict[str, Any]:
    names = ("kind", "adjustment", "currency", "price", "points", "count", "amount", "taxed")
    return {"invoice_id": invoice_id, "seq": seq} | {name: getattr(one, name) for name in names}


def _due(cycle: SettlementCycle, alliance: Alliance, as_of: datetime) -> date:
    """The last day of paying; before the cycle is netted, as it would be netted now."""
    calendar = Calendar.of(alliance.calendar)
    due = cycle.payments_due or calendar.deadline(as_of, alliance.cycle.payment, alliance.timezone)
    return (due - timedelta(microseconds=1)).astimezone(alliance.timezone).date()


async def _finish(
    session: AsyncSession,
    alliance: Alliance,
    done_id: uuid.UUID,
    issuer: InvoiceParty,
    made: Sequence[dict[str, Any]],
    as_of: datetime,
) -> None:
    """Count an issuer's documents, and book their tax: a line of its own for each."""
    await session.execute(update(InvoicedCycle).where(InvoicedCycle.id == done_id).values(documents=len(made)))
    taxed = [row for row in made if row["tax"]]
    unit = minor_unit(alliance.settlement_currency)
    lines = [Line(row["recipient_id"], issuer.id, row["tax"] * unit, kind=ObligationKind.TAX) for row in taxed]
    booked = await book(
        session,
        alliance,
        lines,
        cause=Cause.INVOICE,
        cause_id=done_id,
        who=alliance.id,
        why=f"tax on invoices of {issuer.code}",
        as_of=as_of,
    )
    if booked:
        await session.execute(
            text("""UPDATE invoice SET tax_operation_id = b.operation_id
                    FROM unnest(CAST(:ids AS uuid[]), CAST(:booked AS uuid[])) AS b (id, operation_id)
                    WHERE invoice.id = b.id"""),
            {"ids": [row["id"] for row in taxed], "booked": booked},
        )


@dataclass(frozen=True, slots=True)
class Recorded:
    """A partner's own invoice as it is told: minor units, `tax_rate` in millionths."""

    cycle_id: uuid.UUID
    issuer_id: uuid.UUID
    recipient_id: uuid.UUID
    number: str
    issued_on: date
    net: int
    tax_rate: int
    tax: int
    gross: int


async def record(session: AsyncSession, told: Recorded, *, who: uuid.UUID, as_of: datetime) -> PartnerInvoice:
    """Keep a partner's own invoice, to be compared with the statement. Raises AlreadyRecorded, InvalidInput."""
    number = told.number.strip()
    if not 0 < len(number) <= LONGEST_NUMBER or not number.isprintable():
        raise InvalidInput(reason=f"a number has 1 to {LONGEST_NUMBER} printable characters", path=("number",))
    if not 0 <= told.tax_rate <= MICRO:
        raise InvalidInput(reason="a tax rate is a share of 1, such as 0.21", path=("taxRate",))
    if told.issuer_id == told.recipient_id:
        raise InvalidInput(reason="nobody invoices itself", path=("recipient",))
    values = {name: getattr(told, name) for name in Recorded.__slots__} | {"number": number}
    row = PartnerInvoice(id=new_id(), **values, who=who, as_of=as_of)
    names = [column.name for column in PartnerInvoice.__table__.columns if column.name != "booked_at"]
    kept = upsert(PartnerInvoice).values({name: getattr(row, name) for name in names})
    if (await session.execute(kept.on_conflict_do_nothing().returning(PartnerInvoice.id))).one_or_none() is None:
        raise AlreadyRecorded(number=number, path=("number",))
    return row
