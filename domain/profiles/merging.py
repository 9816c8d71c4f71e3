"""What is known of a member who becomes another: carried, and taken back when that is undone.

What the survivor has stays. What only the other had becomes the survivor's too, sealed under their key; the other's own
rows stay where they are.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ledger.aliases import Changes
from domain.ledger.parts import Fixed
from domain.ledger.request import Books, Effect, Needs
from domain.privacy.vault import keys_of, open_many, seal_many
from domain.profiles.commands import field_of

_ATTRIBUTES = text("""
    SELECT code, value::text, sealed, digest, merchant_id, set_at FROM member_attribute theirs
    WHERE holder_id = :absorbed AND NOT EXISTS (
        SELECT FROM member_attribute mine WHERE mine.holder_id = :survivor AND mine.code = theirs.code)
    ORDER BY code
""")
_TAGS = text("""
    SELECT owner_id, code, ruled, tagged_at FROM member_tag theirs
    WHERE holder_id = :absorbed AND NOT EXISTS (
        SELECT FROM member_tag mine
        WHERE mine.holder_id = :survivor AND mine.owner_id = theirs.owner_id AND mine.code = theirs.code)
    ORDER BY owner_id, code
""")
_CARRY_ATTRIBUTES = Changes(
    Fixed(
        """INSERT INTO member_attribute (holder_id, code, value, sealed, digest, merchant_id, set_at)
           SELECT holder_id, code, value::jsonb, sealed, digest, merchant_id, set_at
           FROM unnest({0}::uuid[], {1}::text[], {2}::text[], {3}::bytea[], {4}::bytea[], {5}::uuid[],
                       {6}::timestamptz[]) AS told (holder_id, code, value, sealed, digest, merchant_id, set_at)
           ORDER BY holder_id, code ON CONFLICT DO NOTHING""",
        ("told_holder_id", "told_code", "told_value", "told_sealed", "told_digest", "told_merchant_id", "told_set_at"),
    )
)
_CARRY_TAGS = Changes(
    Fixed(
        """INSERT INTO member_tag (holder_id, owner_id, code, ruled, tagged_at)
           SELECT * FROM unnest({0}::uuid[], {1}::uuid[], {2}::text[], {3}::bool[], {4}::timestamptz[]) AS put
           ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING""",
        ("put_holder_id", "put_owner_id", "put_code", "put_ruled", "put_tagged_at"),
    )
)
# What was told of the survivor since is theirs.
_RETURN_ATTRIBUTES = Changes(
    Fixed(
        """DELETE FROM member_attribute mine
           USING unnest({0}::uuid[], {1}::uuid[], {2}::text[]) AS back (holder_id, survivor_id, code)
           JOIN member_attribute theirs USING (holder_id, code)
           WHERE mine.holder_id = back.survivor_id AND mine.code = back.code AND mine.set_at = theirs.set_at
             AND (mine.value, mine.digest) IS NOT DISTINCT FROM (theirs.value, theirs.digest)""",
        ("back_holder_id", "back_survivor_id", "back_code"),
    )
)
_RETURN_TAGS = Changes(
    Fixed(
        """DELETE FROM member_tag mine
           USING unnest({0}::uuid[], {1}::uuid[], {2}::uuid[], {3}::text[]) AS back (holder_id, survivor_id, owner_id,
                                                                                     code)
           JOIN member_tag theirs USING (holder_id, owner_id, code)
           WHERE mine.holder_id = back.survivor_id AND mine.owner_id = back.owner_id AND mine.code = back.code
             AND mine.tagged_at = theirs.tagged_at""",
        ("untagged_holder_id", "untagged_survivor_id", "untagged_owner_id", "untagged_code"),
    )
)


@dataclass(frozen=True, slots=True)
class Known:
    """What only one of two has: columns of attributes and of tags, ready to be the other's."""

    attributes: list[tuple[Any, ...]] = field(default_factory=list)
    tags: list[tuple[UUID, str, bool, datetime]] = field(default_factory=list)


async def only_theirs(session: AsyncSession, absorbed_id: UUID, survivor_id: UUID) -> Known:
    """What the one has and the other has not, sealed for the other; nothing if the other was erased."""
    keys = await keys_of(session, [survivor_id])
    if keys.get(survivor_id, ()) is None:
        return Known()
    both = {"absorbed": absorbed_id, "survivor": survivor_id}
    rows = (await session.execute(_ATTRIBUTES, both)).all()
    sealed = [row for row in rows if row.sealed is not None]
    texts = await open_many(session, [(absorbed_id, field_of(row.code), row.sealed) for row in sealed])
    said = {row.code: one for row, one in zip(sealed, texts, strict=True) if one is not None}
    anew = await seal_many(session, [(survivor_id, field_of(code), one) for code, one in said.items()])
    resealed = dict(zip(said, anew, strict=True))
    attributes = [
        (row.code, row.value, resealed.get(row.code), row.digest, row.merchant_id, row.set_at)
        for row in rows
        if row.sealed is None or row.code in resealed
    ]
    return Known(attributes, [tuple(row) for row in await session.execute(_TAGS, both)])


@dataclass(frozen=True, slots=True)
class TakingKnown:
    """Rides on a merge: what was known of the absorbed member alone is known of the survivor."""

    survivor_id: UUID
    known: Known

    def needs(self, needs: Needs) -> None:
        """Nothing: both are locked."""

    def ride(self, books: Books, effect: Effect) -> None:
        """What is carried is kept by its names."""
        for row in self.known.attributes:
            effect.adds.append((_CARRY_ATTRIBUTES, (self.survivor_id, *row), ()))
        for tag in self.known.tags:
            effect.adds.append((_CARRY_TAGS, (self.survivor_id, *tag), ()))
        kept = effect.data.setdefault("kept", {})
        kept["attributes"] = [row[0] for row in self.known.attributes]
        kept["tags"] = [[str(owner_id), code] for owner_id, code, _, _ in self.known.tags]


@dataclass(frozen=True, slots=True)
class GivingKnownBack:
    """Rides on the undoing of a merge: `moved` is what was kept."""

    absorbed_id: UUID
    survivor_id: UUID
    moved: dict[str, Any]

    def needs(self, needs: Needs) -> None:
        """Nothing: both are locked."""

    def ride(self, books: Books, effect: Effect) -> None:
        """The other's own rows were never gone."""
        for code in self.moved.get("attributes", ()):
            effect.adds.append((_RETURN_ATTRIBUTES, (self.absorbed_id, self.survivor_id, code), ()))
        for owner, code in self.moved.get("tags", ()):
            effect.adds.append((_RETURN_TAGS, (self.absorbed_id, self.survivor_id, UUID(owner), code), ()))
