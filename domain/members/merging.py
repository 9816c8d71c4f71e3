"""What becomes of a member who becomes another, besides their points: riders on the merge and on its undoing.

Numbers and identifiers stay where they are and lead to the other through the alias. Where only the one had joined, the
other joins as they did.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg

from domain.events.kinds import EventKind
from domain.events.model import Event, NewEvent
from domain.ledger.aliases import Changes
from domain.ledger.parts import Fixed
from domain.ledger.request import Books, Effect, Needs
from domain.members.model import Membership

MERGED = "MERGED"
"""Why a member is closed who became another."""

_MEMBERSHIP: Any = Membership.__table__
_EVENT: Any = Event.__table__

_CLOSE = Changes(
    Fixed(
        """UPDATE member SET status = 'CLOSED', status_since = closed.at, status_reason = 'MERGED', frozen_until = NULL
           FROM unnest({0}::uuid[], {1}::timestamptz[]) AS closed (id, at) WHERE member.id = closed.id""",
        ("closed_id", "closed_at"),
    )
)
_OPEN = Changes(
    Fixed(
        """UPDATE member SET status = 'ACTIVE', status_since = opened.at, status_reason = 'UNMERGED'
           FROM unnest({0}::uuid[], {1}::timestamptz[]) AS opened (id, at) WHERE member.id = opened.id""",
        ("opened_id", "opened_at"),
    )
)
_SETTLE = Changes(
    Fixed(
        """UPDATE member SET jurisdiction = nullif(settled.jurisdiction, '')
           FROM unnest({0}::uuid[], {1}::text[]) AS settled (id, jurisdiction) WHERE member.id = settled.id""",
        ("settled_id", "settled_in"),
    )
)
# A membership that came with a merge stays where its member has been a customer since.
_LEAVE = Changes(
    Fixed(
        """DELETE FROM membership m
           USING unnest({0}::uuid[], {1}::uuid[], {2}::timestamptz[]) AS came (holder_id, merchant_id, at)
           WHERE m.holder_id = came.holder_id AND m.merchant_id = came.merchant_id AND NOT EXISTS (
             SELECT FROM operation o WHERE o.holder_id = m.holder_id AND o.merchant_id = m.merchant_id
                                       AND o.as_of >= came.at AND o.kind NOT IN ('MERGE', 'UNMERGE'))""",
        ("left_id", "left_merchant_id", "left_since"),
    )
)


class Two(NamedTuple):
    """Two members: what is kept of their merge, if there was one; where each lives; what each joined, by merchant."""

    moved: dict[str, Any] | None
    merged_at: datetime | None
    jurisdictions: dict[uuid.UUID, str | None]
    joined: dict[uuid.UUID, dict[uuid.UUID, dict[str, Any]]]


class _BothOf:
    """Two members, by (absorbed, survivor)."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[uuid.UUID, uuid.UUID]]
    ) -> dict[tuple[uuid.UUID, uuid.UUID], Two]:
        found = {}
        for both in keys:
            kept = "SELECT moved, merged_at FROM member_alias WHERE holder_id = $1"
            moved, merged_at = await connection.fetchrow(kept, both[0]) or (None, None)
            lives = await connection.fetch("SELECT id, jurisdiction FROM member WHERE id = ANY($1)", both)
            joined: dict[uuid.UUID, dict[uuid.UUID, dict[str, Any]]] = {id_: {} for id_ in both}
            for row in await connection.fetch("SELECT * FROM membership WHERE holder_id = ANY($1)", both):
                joined[row["holder_id"]][row["merchant_id"]] = dict(row)
            found[both] = Two(moved, merged_at, {row["id"]: row["jurisdiction"] for row in lives}, joined)
        return found


BOTH_OF = _BothOf()


@dataclass(frozen=True, slots=True)
class Becoming:
    """Rides on a merge: the absorbed member is closed, the survivor joins where they had joined, and merchants who knew
    them are told."""

    absorbed_id: uuid.UUID
    survivor_id: uuid.UUID
    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """Both."""
        needs.other(BOTH_OF, (self.absorbed_id, self.survivor_id))

    def ride(self, books: Books, effect: Effect) -> None:
        """What is done here is noted in `effect.data["kept"]`."""
        both: Two = books.other(BOTH_OF, (self.absorbed_id, self.survivor_id))
        theirs, mine = both.joined[self.absorbed_id], both.joined[self.survivor_id]
        kept = effect.data.setdefault("kept", {})
        new = [row for merchant_id, row in theirs.items() if merchant_id not in mine]
        for row in new:
            effect.rows.append((_MEMBERSHIP, row | {"holder_id": self.survivor_id}))
        kept["joined"] = [str(row["merchant_id"]) for row in new]
        lives, lived = (both.jurisdictions.get(id_) for id_ in (self.survivor_id, self.absorbed_id))
        if lives and lived and lives != lived:
            effect.data["obstacles"].append({"kind": "JURISDICTIONS_DIFFER"})
        if lived and not lives:
            kept["jurisdiction"] = lived
            effect.adds.append((_SETTLE, (self.survivor_id, lived), ()))
        effect.adds.append((_CLOSE, (self.absorbed_id, self.as_of), ()))
        effect.data["memberships"] = len(new)
        _tell(effect, EventKind.MEMBER_MERGED, self.survivor_id, self.absorbed_id, theirs)


@dataclass(frozen=True, slots=True)
class Parting:
    """Rides on the undoing of a merge: the member is back, and the survivor is left with what was theirs."""

    absorbed_id: uuid.UUID
    survivor_id: uuid.UUID
    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """Both."""
        needs.other(BOTH_OF, (self.absorbed_id, self.survivor_id))

    def ride(self, books: Books, effect: Effect) -> None:
        """What was noted is undone."""
        both: Two = books.other(BOTH_OF, (self.absorbed_id, self.survivor_id))
        moved = both.moved or {}
        for merchant in moved.get("joined", ()):
            effect.adds.append((_LEAVE, (self.survivor_id, uuid.UUID(merchant), both.merged_at), ()))
        if both.jurisdictions.get(self.survivor_id) == moved.get("jurisdiction", ""):
            effect.adds.append((_SETTLE, (self.survivor_id, ""), ()))
        effect.adds.append((_OPEN, (self.absorbed_id, self.as_of), ()))
        effect.data["memberships"] = len(moved.get("joined", ()))
        _tell(effect, EventKind.MEMBER_UNMERGED, self.survivor_id, self.absorbed_id, both.joined[self.absorbed_id])


def _tell(
    effect: Effect,
    kind: EventKind,
    survivor_id: uuid.UUID,
    absorbed_id: uuid.UUID,
    merchants: Sequence[Any] | dict[Any, Any],
) -> None:
    """An event for those merchants whose member the absorbed one was: others are none the wiser (A14)."""
    event = NewEvent(survivor_id, kind, {"absorbed": str(absorbed_id)}, tuple(merchants))
    effect.rows.append((_EVENT, event.row()))
