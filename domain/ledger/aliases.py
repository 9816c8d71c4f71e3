"""Holders who were merged into others: what was theirs is written under them, and read as the other's.

An alias names whom a member became (`into_id`), and who that is by now (`survivor_id`): of a chain of merges, its end.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base
from domain.ledger.parts import Fixed

if TYPE_CHECKING:
    from domain.ledger.request import Books, Effect, Needs


class MemberAlias(Base):
    """That a member became another. A merge that is undone leaves none: events and operations tell that it was.

    `moved` is what rooms noted for undoing it, by their names: ids and codes.
    """

    __tablename__ = "member_alias"
    __table_args__ = (
        CheckConstraint("holder_id <> into_id AND holder_id <> survivor_id", name="other"),
        Index("ix_member_alias_survivor", "survivor_id"),
        Index("ix_member_alias_into", "into_id"),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    into_id: Mapped[uuid.UUID]
    survivor_id: Mapped[uuid.UUID]
    merged_at: Mapped[datetime]
    client_id: Mapped[uuid.UUID | None]
    moved: Mapped[dict[str, Any]]


PERSONS = """(
    SELECT asked.holder_id, asked.n, asked.holder_id AS person_id
    FROM unnest(CAST(:holders AS uuid[])) WITH ORDINALITY AS asked (holder_id, n)
    UNION ALL
    SELECT a.holder_id, asked.n, asked.holder_id
    FROM unnest(CAST(:holders AS uuid[])) WITH ORDINALITY AS asked (holder_id, n)
    JOIN member_alias a ON a.survivor_id = asked.holder_id)"""
"""Holders that are asked for, by their place `n`, and all who were merged into them, whose `person_id` is theirs."""


def within(one: str, person: str) -> str:
    """The condition that a holder is this person, or was merged into them."""
    return f"""({one} = {person} OR EXISTS (SELECT FROM member_alias same
                WHERE same.holder_id = {one} AND same.survivor_id = {person}))"""


def all_of(holder: str) -> str:
    """`= ANY` of this column's holder and all who were merged into them, for a condition on a column of holders."""
    return f"ANY(ARRAY[{holder}] || ARRAY(SELECT a.holder_id FROM member_alias a WHERE a.survivor_id = {holder}))"  # noqa: S608


_ALIASES = text("""
    SELECT holder_id, survivor_id FROM member_alias WHERE holder_id = ANY(CAST(:holders AS uuid[]))
""")


async def survivors(session: AsyncSession, holders: Sequence[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Who these holders are by now; those who were not merged are left out."""
    rows = await session.execute(_ALIASES, {"holders": list(holders)})
    return {row.holder_id: row.survivor_id for row in rows}


_ABSORBED = text("""
    SELECT survivor_id, holder_id FROM member_alias WHERE survivor_id = ANY(CAST(:holders AS uuid[]))
    ORDER BY merged_at, holder_id
""")


async def absorbed(session: AsyncSession, holders: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """Who was merged into these holders, in the order of merging."""
    found: dict[uuid.UUID, list[uuid.UUID]] = {id_: [] for id_ in holders}
    for survivor_id, holder_id in await session.execute(_ABSORBED, {"holders": list(holders)}):
        found[survivor_id].append(holder_id)
    return found


ALIAS: Any = MemberAlias.__table__


@dataclass(frozen=True, slots=True)
class Changes:
    """A statement of another room that is written with an operation: `part` changes rows, a row of arguments a key.

    Nothing is loaded for it. Each object is its own kind.
    """

    part: Fixed
    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Any]) -> dict[Any, Any]:
        """Nothing."""
        return {}


_FOLLOW = Changes(
    Fixed(
        """UPDATE member_alias a SET survivor_id = merged.into_id
           FROM unnest({0}::uuid[], {1}::uuid[]) AS merged (holder_id, into_id)
           WHERE a.survivor_id = merged.holder_id""",
        ("merged_id", "into_id"),
    )
)
# Those who had become this holder before are theirs again, with all who had become those.
_RETURN = Changes(
    Fixed(
        """WITH RECURSIVE below AS (
             SELECT a.holder_id, back.holder_id AS survivor_id
             FROM unnest({0}::uuid[]) AS back (holder_id) JOIN member_alias a ON a.into_id = back.holder_id
             UNION ALL
             SELECT a.holder_id, below.survivor_id FROM below JOIN member_alias a ON a.into_id = below.holder_id)
           UPDATE member_alias a SET survivor_id = below.survivor_id FROM below WHERE a.holder_id = below.holder_id""",
        ("unmerged_id",),
    )
)
_FORGET = Changes(Fixed("DELETE FROM member_alias WHERE holder_id = ANY({0}::uuid[])", ("forgotten_id",)))


@dataclass(frozen=True, slots=True)
class Alias:
    """Rides on a merge: from now on the one is the other, and so is everyone who had become the one."""

    holder_id: uuid.UUID
    into_id: uuid.UUID
    as_of: datetime
    client_id: uuid.UUID | None = None

    def needs(self, needs: "Needs") -> None:
        """Nothing: both are locked."""

    def ride(self, books: "Books", effect: "Effect") -> None:
        """What other riders put into `effect.data["kept"]` is kept for undoing it."""
        row: dict[str, Any] = {"holder_id": self.holder_id, "into_id": self.into_id, "survivor_id": self.into_id}
        row |= {"merged_at": self.as_of, "moved": effect.data.pop("kept", {}), "client_id": self.client_id}
        effect.rows.append((ALIAS, row))
        effect.adds.append((_FOLLOW, (self.holder_id, self.into_id), ()))
        pending: list[dict[str, Any]] = books.others.setdefault(_FOLLOW, {}).setdefault(None, [])
        for earlier in pending:  # of this batch: the statement does not see them yet
            if earlier["survivor_id"] == self.holder_id:
                earlier["survivor_id"] = self.into_id
        pending.append(row)


@dataclass(frozen=True, slots=True)
class NoAlias:
    """Rides on the undoing of a merge."""

    holder_id: uuid.UUID

    def needs(self, needs: "Needs") -> None:
        """Nothing: both are locked."""

    def ride(self, books: "Books", effect: "Effect") -> None:
        """The row goes."""
        effect.adds.append((_FORGET, self.holder_id, ()))
        effect.adds.append((_RETURN, self.holder_id, ()))
