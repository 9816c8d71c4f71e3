"""Agreements between two merchants: versioned, dated, never overlapping."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id


class AgreementStatus(StrEnum):
    """A version is proposed until both merchants accept it or one does not; what is in force counts from its day on.

    One that was ended, with notice, counts until the end that its row says, as one does that another follows.
    """

    PROPOSED = "PROPOSED"
    IN_FORCE = "IN_FORCE"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    ENDED = "ENDED"


COUNTING = (AgreementStatus.IN_FORCE, AgreementStatus.ENDED)
"""The states of versions that count between their first and their last day."""


NEVER = (AgreementStatus.REJECTED, AgreementStatus.WITHDRAWN)
"""The states of versions that never counted."""


class StepKind(StrEnum):
    """What a party did about a version."""

    PROPOSED = "PROPOSED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    ENDED = "ENDED"


class AgreementRow(Base):
    """A pair of merchants that agreed on something; the smaller id is `merchant_a`."""

    __tablename__ = "agreement"
    __table_args__ = (
        UniqueConstraint("merchant_a", "merchant_b"),
        CheckConstraint("merchant_a < merchant_b", name="pair"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    merchant_a: Mapped[uuid.UUID] = mapped_column(ForeignKey("merchant.id"))
    merchant_b: Mapped[uuid.UUID] = mapped_column(ForeignKey("merchant.id"))


class AgreementVersionRow(Base):
    """Prices, rates and limits from `valid_from` until before `valid_to`; `terms` is as in the alliance file."""

    __tablename__ = "agreement_version"
    __table_args__ = (
        ExcludeConstraint(
            ("agreement_id", "="),
            (text("tstzrange(valid_from, valid_to)"), "&&"),
            where=text("status IN ('IN_FORCE', 'ENDED')"),
            name="ex_agreement_version_overlap",
        ),
    )

    agreement_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agreement.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]
    status: Mapped[str]
    terms: Mapped[dict[str, Any]]


class AgreementStep(Base):
    """That a party (a merchant, or the operator) did something about a version: by whose act, why and as of when."""

    __tablename__ = "agreement_step"

    agreement_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str]
    party: Mapped[uuid.UUID]
    who: Mapped[uuid.UUID]
    why: Mapped[str]
    as_of: Mapped[datetime]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
