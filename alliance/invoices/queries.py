"""Reading invoices, and comparing what was stated, invoiced and paid; `party` narrows to what is a merchant's (A14)."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.invoices.model import Invoice, InvoiceKind, InvoiceLine, LateInterest, PartnerInvoice
from alliance.settlement.rules import minor_unit
from domain.money import MICRO, half_even
from domain.programs.model import AllianceRow


@dataclass(frozen=True, slots=True)
class Sought:
    """Which invoices: of a cycle, with a merchant on either side (of these, those that `party` may see), of a kind."""

    party: uuid.UUID | None = None
    cycle_id: uuid.UUID | None = None
    merchant_id: uuid.UUID | None = None
    kind: InvoiceKind | None = None


def _where(sought: Sought) -> list[ColumnElement[bool]]:
    found = [
        or_(Invoice.issuer_id == party, Invoice.recipient_id == party)
        for party in (sought.party, sought.merchant_id)
        if party is not None
    ]
    if sought.cycle_id is not None:
        found.append(Invoice.cycle_id == sought.cycle_id)
    if sought.kind is not None:
        found.append(Invoice.kind == sought.kind.value)
    return found


async def page(session: AsyncSession, sought: Sought, size: int, before: uuid.UUID | None = None) -> Sequence[Invoice]:
    """Invoices, the newest first, of before one of them."""
    query: Select[Invoice] = select(Invoice).where(*_where(sought))
    if before is not None:
        query = query.where(Invoice.id < before)
    return (await session.scalars(query.order_by(Invoice.id.desc()).limit(size))).all()


async def count(session: AsyncSession, sought: Sought) -> int:
    """How many there are."""
    return await session.scalar(select(func.count()).select_from(Invoice).where(*_where(sought))) or 0


async def by_id(session: AsyncSession, id_: uuid.UUID, party: uuid.UUID | None = None) -> Invoice | None:
    """One invoice; None where there is none, or the party is on neither side."""
    return await session.scalar(select(Invoice).where(Invoice.id == id_, *_where(Sought(party))))


async def by_number(session: AsyncSession, issuer_id: uuid.UUID, number: str) -> Invoice | None:
    """An issuer's invoice."""
    return await session.scalar(select(Invoice).where(Invoice.issuer_id == issuer_id, Invoice.number == number))


async def lines(session: AsyncSession, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[InvoiceLine]]:
    """Their lines, in order."""
    found: dict[uuid.UUID, list[InvoiceLine]] = {id_: [] for id_ in ids}
    query = select(InvoiceLine).where(InvoiceLine.invoice_id.in_(ids)).order_by(InvoiceLine.invoice_id, InvoiceLine.seq)
    for line in await session.scalars(query):
        found[line.invoice_id].append(line)
    return found


Key = tuple[uuid.UUID, uuid.UUID, uuid.UUID]
"""A cycle, who charges, and who is charged."""


@dataclass(frozen=True, slots=True)
class Match:
    """One direction of a pair in a cycle: what was stated, invoiced, recorded and paid (A9).

    `stated`, `invoiced`, `opening`, `set_off`, `tax_stated`, `carried` and `suspended` are millionths, `net` and
    `unpaid` minor units of `unit` millionths. `opening`, `net`, `carried` and `suspended` are the pair's, above zero
    where it is the issuer who is to receive. `set_off` is what the issuer owes the recipient for the same cycle, tax
    and all; `tax_stated` is tax on earlier invoices. So opening + stated + tax_stated - set_off is net, carried and
    suspended together.
    `unpaid` is what of the debtor's whole position of the cycle is not paid; None before the cycle is netted.
    """

    key: Key
    stated: int
    invoiced: int
    tax_stated: int
    set_off: int
    opening: int
    net: int
    carried: int
    suspended: int
    unpaid: int | None
    unit: int
    recorded: Sequence[PartnerInvoice]

    @property
    def difference(self) -> int:
        """What was stated and is on no invoice of ours."""
        return self.stated - self.invoiced

    def over(self, row: PartnerInvoice) -> int:
        """The net of a partner's own invoice less what was stated, in minor units."""
        return row.net - half_even(self.stated, self.unit)

    def adds_up(self, row: PartnerInvoice) -> bool:
        """Whether its tax is its rate's, to the minor unit, and its gross is net and tax."""
        return row.gross == row.net + row.tax and abs(row.tax * MICRO - row.net * row.tax_rate) <= MICRO


_MATCH = text("""
    WITH asked AS (
        SELECT * FROM unnest(CAST(:cycles AS uuid[]), CAST(:issuers AS uuid[]), CAST(:recipients AS uuid[]))
        WITH ORDINALITY AS a (cycle_id, issuer_id, recipient_id, n))
    SELECT a.n,
           coalesce(o.stated, 0)::bigint AS stated, coalesce(o.tax, 0)::bigint AS tax_stated,
           coalesce(b.amount, 0)::bigint AS set_off, coalesce(i.exact, 0)::bigint AS invoiced,
           CASE WHEN p.first_id = a.issuer_id THEN 1 ELSE -1 END AS sign,
           coalesce(p.opening, 0)::bigint AS opening, coalesce(p.net, 0) AS net,
           coalesce(p.carried, 0)::bigint AS carried, coalesce(p.suspended, 0)::bigint AS suspended, d.unpaid
    FROM asked a
    LEFT JOIN LATERAL (SELECT sum(amount) FILTER (WHERE kind <> 'TAX') AS stated,
                              sum(amount) FILTER (WHERE kind = 'TAX') AS tax
                       FROM obligation WHERE cycle_id = a.cycle_id AND creditor_id = a.issuer_id
                         AND debtor_id = a.recipient_id) o ON true
    LEFT JOIN LATERAL (SELECT sum(amount) AS amount FROM obligation
                       WHERE cycle_id = a.cycle_id AND creditor_id = a.recipient_id
                         AND debtor_id = a.issuer_id) b ON true
    LEFT JOIN LATERAL (SELECT sum(exact) AS exact FROM invoice WHERE cycle_id = a.cycle_id
                         AND issuer_id = a.issuer_id AND recipient_id = a.recipient_id) i ON true
    LEFT JOIN pair_net p ON p.cycle_id = a.cycle_id AND p.first_id = least(a.issuer_id, a.recipient_id)
                        AND p.second_id = greatest(a.issuer_id, a.recipient_id)
    LEFT JOIN LATERAL (SELECT greatest(-(n.amount - n.settled - n.carried), 0) AS unpaid FROM net_position n
                       WHERE n.cycle_id = a.cycle_id
                         AND n.merchant_id = CASE WHEN (p.net > 0) = (p.first_id = a.issuer_id) THEN a.recipient_id
                                                  ELSE a.issuer_id END) d ON true
    ORDER BY a.n""")


async def matches(session: AsyncSession, keys: Sequence[Key]) -> list[Match]:
    """Each of these, in order."""
    currency = (await session.scalars(select(AllianceRow.settlement_currency))).one()
    cycles, issuers, recipients = ([key[place] for key in keys] for place in range(3))
    asked = {"cycles": cycles, "issuers": issuers, "recipients": recipients}
    recorded: dict[Key, list[PartnerInvoice]] = {key: [] for key in keys}
    query = select(PartnerInvoice).where(PartnerInvoice.cycle_id.in_(set(cycles))).order_by(PartnerInvoice.id)
    for told in await session.scalars(query):
        if (kept := recorded.get((told.cycle_id, told.issuer_id, told.recipient_id))) is not None:
            kept.append(told)
    found = []
    for key, row in zip(keys, await session.execute(_MATCH, asked), strict=True):
        signed = {name: row.sign * int(getattr(row, name)) for name in ("opening", "net", "carried", "suspended")}
        found.append(
            Match(
                key=key,
                stated=row.stated,
                invoiced=row.invoiced,
                tax_stated=row.tax_stated,
                set_off=row.set_off,
                unpaid=row.unpaid,
                unit=minor_unit(currency),
                recorded=recorded[key],
                **signed,
            )
        )
    return found


async def directions(session: AsyncSession, cycle_id: uuid.UUID, party: uuid.UUID | None = None) -> list[Key]:
    """Who charged whom in a cycle, invoiced here or not."""
    query = text("""
        SELECT DISTINCT creditor_id, debtor_id FROM obligation
        WHERE cycle_id = :cycle AND (CAST(:party AS uuid) IS NULL OR :party IN (creditor_id, debtor_id))
        ORDER BY 1, 2""")
    rows = await session.execute(query, {"cycle": cycle_id, "party": party})
    return [(cycle_id, creditor, debtor) for creditor, debtor in rows]


async def late_interest(
    session: AsyncSession, cycle_id: uuid.UUID, party: uuid.UUID | None = None
) -> Sequence[LateInterest]:
    """What late payments of a cycle cost."""
    query = select(LateInterest).where(LateInterest.cycle_id == cycle_id, LateInterest.amount > 0)
    if party is not None:
        query = query.where(or_(LateInterest.payer_id == party, LateInterest.payee_id == party))
    return (await session.scalars(query.order_by(LateInterest.seq))).all()
