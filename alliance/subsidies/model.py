"""The account of a subsidy, and what draws on it."""

import uuid

from sqlalchemy import CheckConstraint, Index, Integer, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, WideInteger


class SubsidyUse(Base):
    """What is drawn on the subsidy of `currency` in a version of an agreement, in millionths of settlement money.

    Its budget is in the version. A subsidy that nothing was drawn on has no row.
    """

    __tablename__ = "subsidy_use"
    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)

    agreement_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agreement_version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    currency: Mapped[str] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column(WideInteger)


class SubsidyDraw(Base):
    """That an operation issued `points` for `amount` less than their issuer pays for them; below zero, took them back.

    Then it names the operation that had issued them.
    """

    __tablename__ = "subsidy_draw"
    __table_args__ = (
        CheckConstraint("(reverses IS NULL) = (points > 0)", name="reverses"),
        Index("ix_subsidy_draw_reverses", "holder_id", "reverses", postgresql_where=text("reverses IS NOT NULL")),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    agreement_id: Mapped[uuid.UUID]
    agreement_version: Mapped[int] = mapped_column(Integer)
    currency: Mapped[str]
    points: Mapped[int]
    amount: Mapped[int]
    reverses: Mapped[uuid.UUID | None]
