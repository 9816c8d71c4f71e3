"""What is kept of each month's end: who closed what, the estimates that were made, and how far each cohort was."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, WideInteger

LIABILITY_LOCK = (0x7E55, 20)
"""Held by who closes months."""


class LiabilityMonth(Base):
    """A month of a merchant that is closed: `month` is its first day, `ends_at` the first instant that is not in it.

    What it counted are operations until then whose transaction was over when it was closed: of those numbered from
    `seen_before` on, none that is among `unseen` or not below `unseen_from`. All others fall into a later month.
    """

    __tablename__ = "liability_month"

    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    ends_at: Mapped[datetime]
    closed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    seen_before: Mapped[int]
    unseen_from: Mapped[int]
    unseen: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class LiabilityEstimate(Base):
    """What was expected of a currency's points at a month's end. Never edited.

    `use` is the share of new points that will be used, of 10^9; by the version of its policy, `by` and `why` where that
    was set. `curve` is what points did at each age, [used, ended, at risk, cohorts]. `payable` is an agent's (10^-8).
    """

    __tablename__ = "liability_estimate"
    __table_args__ = (CheckConstraint("use BETWEEN 0 AND 1000000000", name="use"),)

    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    use: Mapped[int]
    policy_version: Mapped[int]
    by: Mapped[str | None]
    why: Mapped[str | None]
    curve: Mapped[list[Any]]
    payable: Mapped[int | None]


class LiabilityCohort(Base):
    """Points of a currency issued in one month, as they were at the end of another (A13). Never edited.

    Points and values (10^-8 of the settlement currency) since the first day, as `rules.Sums`; `expected`, `deferred`
    and `current` as `rules.Closing`; `use` and `soon` are the shares of what is outstanding, of 10^9, that they come
    from; `at_grant` is the share by which its sales were divided. The rest is how `deferred` came from the month
    before, in millionths, as `rules.Rolled`.
    """

    __tablename__ = "liability_cohort"
    __table_args__ = (
        CheckConstraint("deferred >= 0 AND current BETWEEN 0 AND deferred", name="deferred"),
        CheckConstraint(
            "opening + sold + funded - taken_sold - taken_funded - commission - redeemed_money - exchanged_money"
            " - change = deferred",
            name="rolled",
        ),
    )

    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    issued: Mapped[date] = mapped_column(primary_key=True)
    granted: Mapped[int]
    exchanged_in: Mapped[int]
    redeemed: Mapped[int]
    exchanged: Mapped[int]
    expired: Mapped[int]
    adjusted: Mapped[int]
    reversed: Mapped[int]
    transferred: Mapped[int]
    value_sold: Mapped[int] = mapped_column(WideInteger)
    value_funded: Mapped[int] = mapped_column(WideInteger)
    value_taken_sold: Mapped[int] = mapped_column(WideInteger)
    value_taken_funded: Mapped[int] = mapped_column(WideInteger)
    value_redeemed: Mapped[int] = mapped_column(WideInteger)
    value_exchanged: Mapped[int] = mapped_column(WideInteger)
    value_ended: Mapped[int] = mapped_column(WideInteger)
    value_transferred: Mapped[int] = mapped_column(WideInteger)
    at_grant: Mapped[int]
    use: Mapped[int]
    soon: Mapped[int]
    expected: Mapped[int] = mapped_column(WideInteger)
    deferred: Mapped[int]
    current: Mapped[int]
    opening: Mapped[int]
    sold: Mapped[int]
    funded: Mapped[int]
    taken_sold: Mapped[int]
    taken_funded: Mapped[int]
    commission: Mapped[int]
    redeemed_money: Mapped[int]
    exchanged_money: Mapped[int]
    change: Mapped[int]
