"""Invoices as they were issued, never edited; and interest that was charged."""

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id


class InvoiceKind(StrEnum):
    """A CREDIT_NOTE is for what is below zero: its amounts are, too."""

    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"


class InvoiceSerial(Base):
    """How many documents an issuer has numbered: one more is numbered under the lock of this row, so without gaps."""

    __tablename__ = "invoice_serial"

    issuer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    last: Mapped[int]


class InvoicedCycle(Base):
    """That the documents of an issuer for a cycle were issued, all of them and once."""

    __tablename__ = "invoiced_cycle"
    __table_args__ = (UniqueConstraint("cycle_id", "issuer_id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    cycle_id: Mapped[uuid.UUID]
    issuer_id: Mapped[uuid.UUID]
    documents: Mapped[int] = mapped_column(Integer)
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Invoice(Base):
    """What `issuer_id` charges `recipient_id` for a cycle. What it says of the two is as it was when it was issued.

    `exact` is the sum of its lines in millionths; `net`, `tax` and `gross` are minor units, `tax_rate` is
    millionths. `tax_operation_id` is the line by which the tax came to be owed.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        CheckConstraint("issuer_id <> recipient_id", name="parties"),
        CheckConstraint("gross = net + tax", name="gross"),
        CheckConstraint("(kind = 'INVOICE') = (exact > 0)", name="kind"),
        UniqueConstraint("issuer_id", "serial"),
        UniqueConstraint("issuer_id", "number"),
        UniqueConstraint("cycle_id", "issuer_id", "recipient_id", "kind"),
        Index("ix_invoice_recipient", "recipient_id", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    cycle_id: Mapped[uuid.UUID]
    issuer_id: Mapped[uuid.UUID]
    recipient_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    serial: Mapped[int]
    number: Mapped[str]
    issued_on: Mapped[date]
    due_on: Mapped[date]
    currency: Mapped[str]
    exact: Mapped[int]
    net: Mapped[int]
    tax_rate: Mapped[int]
    tax: Mapped[int]
    gross: Mapped[int]
    issuer: Mapped[dict[str, Any]]
    recipient: Mapped[dict[str, Any]]
    tax_operation_id: Mapped[uuid.UUID | None]
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class InvoiceLine(Base):
    """Lines of the statement of one kind and price, summed; `adjustment` if they take earlier ones back. `amount` is
    millionths, `price` 10^-8 a point. `taxed`: whether there is tax on it."""

    __tablename__ = "invoice_line"

    invoice_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("invoice.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str]
    adjustment: Mapped[bool]
    currency: Mapped[str]
    price: Mapped[int | None]
    points: Mapped[int]
    count: Mapped[int]
    amount: Mapped[int]
    taxed: Mapped[bool]


class PartnerInvoice(Base):
    """An invoice that a partner's own books issued for a cycle, as it or its recipient told us. Minor units."""

    __tablename__ = "partner_invoice"
    __table_args__ = (
        CheckConstraint("issuer_id <> recipient_id", name="parties"),
        UniqueConstraint("issuer_id", "number"),
        Index("ix_partner_invoice_cycle", "cycle_id", "issuer_id", "recipient_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    cycle_id: Mapped[uuid.UUID]
    issuer_id: Mapped[uuid.UUID]
    recipient_id: Mapped[uuid.UUID]
    number: Mapped[str]
    issued_on: Mapped[date]
    net: Mapped[int]
    tax_rate: Mapped[int]
    tax: Mapped[int]
    gross: Mapped[int]
    who: Mapped[uuid.UUID]
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class LateInterest(Base):
    """Interest on one payment of a cycle that came late: so many `days`, at `rate` (millionths a year) of `basis` days.

    `amount` is millionths; `operation_id` is the line by which it came to be owed, null where it rounds to nothing.
    """

    __tablename__ = "late_interest"

    cycle_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    payer_id: Mapped[uuid.UUID]
    payee_id: Mapped[uuid.UUID]
    principal: Mapped[int]
    days: Mapped[int] = mapped_column(Integer)
    rate: Mapped[int]
    basis: Mapped[int] = mapped_column(SmallInteger)
    amount: Mapped[int]
    operation_id: Mapped[uuid.UUID | None]
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
