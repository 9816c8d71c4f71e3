"""Who is in pools when members are merged: riders on the merge and on its undoing.

The survivor takes the other's place. Where both are in a pool, whoever may do more decides what the survivor may do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from domain.base import new_id
from domain.ledger.aliases import Changes
from domain.ledger.parts import Fixed
from domain.ledger.request import Books, Effect, Needs
from domain.pools.model import PoolMember, PoolRole

_MEMBER: Any = PoolMember.__table__
_RANKS = [PoolRole.CONTRIBUTOR.value, PoolRole.SPENDER.value, PoolRole.OWNER.value]

_LEAVE = Changes(
    Fixed(
        """UPDATE pool_member m SET left_at = gone.at
           FROM unnest({0}::uuid[], {1}::uuid[], {2}::timestamptz[]) AS gone (holder_id, member_id, at)
           WHERE m.holder_id = gone.holder_id AND m.member_id = gone.member_id AND m.left_at IS NULL""",
        ("gone_holder_id", "gone_member_id", "gone_at"),
    )
)
_ROLE = Changes(
    Fixed(
        """UPDATE pool_member m SET role = now.role
           FROM unnest({0}::uuid[], {1}::uuid[], {2}::text[]) AS now (holder_id, member_id, role)
           WHERE m.holder_id = now.holder_id AND m.member_id = now.member_id AND m.left_at IS NULL""",
        ("now_holder_id", "now_member_id", "now_role"),
    )
)


class _RolesOf:
    """The roles that members have now, by pool."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[UUID]) -> dict[UUID, dict[UUID, str]]:
        found: dict[UUID, dict[UUID, str]] = {}
        for member_id, pool_id, role in await connection.fetch(
            "SELECT member_id, holder_id, role FROM pool_member WHERE member_id = ANY($1) AND left_at IS NULL", keys
        ):
            found.setdefault(member_id, {})[pool_id] = role
        return found


ROLES_OF = _RolesOf()


@dataclass(frozen=True, slots=True)
class TakingPlaces:
    """Rides on a merge: the survivor is in the pools that the absorbed member was in."""

    absorbed_id: UUID
    survivor_id: UUID
    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """Where both are."""
        needs.other(ROLES_OF, self.absorbed_id)
        needs.other(ROLES_OF, self.survivor_id)

    def ride(self, books: Books, effect: Effect) -> None:
        """What was is kept: each pool with the role of the one, and that of the other or null."""
        theirs: dict[UUID, str] = books.other(ROLES_OF, self.absorbed_id) or {}
        mine: dict[UUID, str] = books.other(ROLES_OF, self.survivor_id) or {}
        for pool_id, role in theirs.items():
            effect.adds.append((_LEAVE, (pool_id, self.absorbed_id, self.as_of), ()))
            if pool_id not in mine:
                effect.rows.append((_MEMBER, _row(pool_id, self.survivor_id, role, self.as_of)))
            elif _RANKS.index(role) > _RANKS.index(mine[pool_id]):
                effect.adds.append((_ROLE, (pool_id, self.survivor_id, role), ()))
        kept = effect.data.setdefault("kept", {})
        kept["pools"] = [[str(pool_id), role, mine.get(pool_id)] for pool_id, role in theirs.items()]


@dataclass(frozen=True, slots=True)
class GivingPlacesBack:
    """Rides on the undoing of a merge: `places` are what was kept."""

    absorbed_id: UUID
    survivor_id: UUID
    as_of: datetime
    places: Sequence[Sequence[str | None]]

    def needs(self, needs: Needs) -> None:
        """Where the survivor is."""
        needs.other(ROLES_OF, self.survivor_id)

    def ride(self, books: Books, effect: Effect) -> None:
        """In pools that the survivor has left since nobody is put back."""
        mine: dict[UUID, str] = books.other(ROLES_OF, self.survivor_id) or {}
        for pool, role, before in self.places:
            pool_id = UUID(pool)
            if pool_id not in mine:
                continue
            effect.rows.append((_MEMBER, _row(pool_id, self.absorbed_id, str(role), self.as_of)))
            if before is None:
                effect.adds.append((_LEAVE, (pool_id, self.survivor_id, self.as_of), ()))
            elif before != mine[pool_id]:
                effect.adds.append((_ROLE, (pool_id, self.survivor_id, before), ()))


def _row(pool_id: UUID, member_id: UUID, role: str, as_of: datetime) -> dict[str, Any]:
    row = {"holder_id": pool_id, "id": new_id(), "member_id": member_id, "role": role}
    return row | {"joined_at": as_of, "left_at": None}
