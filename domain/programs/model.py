"""What a programme is, as it was applied from the alliance file: merchants, currencies, rules. All small tables.

Versions are published, never edited; `valid_from` is the first instant of a version and `valid_to` the first instant
after it (null: no end), so the version of a moment is `valid_from <= t < valid_to`.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id


class AllianceRow(Base):
    """The alliance of this database: one row. `revision` grows with every apply that changes something."""

    __tablename__ = "alliance"
    __table_args__ = (Index("uq_alliance_one", text("(true)"), unique=True),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    settlement_currency: Mapped[str]
    timezone: Mapped[str]
    terms: Mapped[dict[str, Any]]
    revision: Mapped[int]


class MerchantRow(Base):
    """A house of the alliance. `settings`, `settlement`, `tiers`, `notifications`, `partner_files` and `invoice` are as
    in the alliance file.

    One that is frozen, by hand, issues and exchanges nothing new (A12). One in default is, too: its accounts with
    others are left out of netting, and from `unhonoured_since` its points are refused at partners.
    """

    __tablename__ = "merchant"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    jurisdiction: Mapped[str]
    timezone: Mapped[str]
    settings: Mapped[dict[str, Any]]
    settlement: Mapped[dict[str, Any]]
    tiers: Mapped[dict[str, Any] | None]
    notifications: Mapped[dict[str, Any] | None]
    partner_files: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    invoice: Mapped[dict[str, Any] | None]
    frozen_since: Mapped[datetime | None]
    defaulted_since: Mapped[datetime | None]
    unhonoured_since: Mapped[datetime | None]


class StoreRow(Base):
    """A place where a merchant sells."""

    __tablename__ = "store"

    merchant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("merchant.id"), primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class BenefitRow(Base):
    """A kind of right that a merchant grants; `definition` is as in the alliance file."""

    __tablename__ = "benefit"

    merchant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("merchant.id"), primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]]


class CurrencyRow(Base):
    """A kind of points, and the merchant that issues it."""

    __tablename__ = "currency"
    __table_args__ = (
        Index("uq_currency_default", "merchant_id", "kind", unique=True, postgresql_where=text("is_default")),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    merchant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("merchant.id"))
    kind: Mapped[str]
    name: Mapped[str]
    scale: Mapped[int]
    is_default: Mapped[bool]


class CurrencyPolicyRow(Base):
    """A version of what a currency is worth and how it expires. A null `valid_from` is: since ever."""

    __tablename__ = "currency_policy"
    __table_args__ = (
        ExcludeConstraint(
            ("currency", "="), (text("tstzrange(valid_from, valid_to)"), "&&"), name="ex_currency_policy_overlap"
        ),
    )

    currency: Mapped[str] = mapped_column(ForeignKey("currency.code"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    valid_from: Mapped[datetime | None]
    valid_to: Mapped[datetime | None]
    definition: Mapped[dict[str, Any]]


class EarningRuleRow(Base):
    """A version of an earning rule; `definition` is as in the alliance file."""

    __tablename__ = "earning_rule"
    __table_args__ = (
        ExcludeConstraint(
            ("merchant_id", "="),
            ("code", "="),
            (text("tstzrange(valid_from, valid_to)"), "&&"),
            name="ex_earning_rule_overlap",
        ),
    )

    merchant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("merchant.id"), primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]
    definition: Mapped[dict[str, Any]]


class MemberTermsRow(Base):
    """What the section `members` of the alliance file says: a row a key, and a row an item of a key that is a list."""

    __tablename__ = "member_terms"

    part: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]]


class IdentifierTypeRow(Base):
    """A kind of identifier by which members are recognised."""

    __tablename__ = "identifier_type"

    type: Mapped[str] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]]
