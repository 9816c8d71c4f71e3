"""The tables: one row a member and attribute, one row a member and tag."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class MemberAttribute(Base):
    """A value of a declared attribute. A personal one is `sealed`, and has a `digest` where it may be looked for.

    Numbers are JSON numbers, so that jsonb orders them as such; dates and words are text. `merchant_id` is where it
    was told; null: by the member or the operator.
    """

    __tablename__ = "member_attribute"
    __table_args__ = (
        CheckConstraint("(value IS NULL) <> (sealed IS NULL)", name="sealed"),
        Index(
            "ix_member_attribute_value",
            "code",
            "value",
            "holder_id",
            postgresql_where=text("jsonb_typeof(value) <> 'array'"),
        ),
        Index(
            "ix_member_attribute_choices",
            "value",
            postgresql_using="gin",
            postgresql_ops={"value": "jsonb_path_ops"},
            postgresql_where=text("jsonb_typeof(value) = 'array'"),
        ),
        Index("ix_member_attribute_digest", "code", "digest", postgresql_where=text("digest IS NOT NULL")),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    merchant_id: Mapped[uuid.UUID | None]
    set_at: Mapped[datetime]


class MemberTag(Base):
    """A word about a member, a merchant's own or (`owner_id` is the alliance's id) the operator's.

    `ruled`: a rule of the alliance file put it there, and takes it away.
    """

    __tablename__ = "member_tag"
    __table_args__ = (Index("ix_member_tag_owner", "owner_id", "code", "holder_id"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    ruled: Mapped[bool]
    tagged_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a member: values by attribute, None for one that is to go; by a merchant, or else by others."""

    holder_id: uuid.UUID
    values: dict[str, Any]
    as_of: datetime
    merchant_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A value that is known of a member, as JSON; whoever told it, and when."""

    code: str
    value: Any
    merchant_id: uuid.UUID | None
    set_at: datetime
