"""Who may move points of a pool, decided with the posting: membership is read under the pool's lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from domain.ledger.request import Books, Effect, Needs
from domain.pools.errors import NOBODY, NotInPool, PoolNotActive
from domain.pools.model import PoolRole, PoolSpend, PoolStatus

_SPEND: Any = PoolSpend.__table__

MOVERS = frozenset({PoolRole.OWNER.value, PoolRole.SPENDER.value})
"""Roles that spend points of a pool, and take them out."""
ALL = frozenset(PoolRole)


class PoolState(NamedTuple):
    """A pool while a batch is decided: its status, and who is in it as what."""

    status: str
    roles: dict[UUID, str]


class _Pools:
    """Loads pools by id."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[UUID]) -> dict[UUID, PoolState]:
        rows = await connection.fetch(
            """SELECT p.id, p.status, m.member_id, m.role FROM pool p
               LEFT JOIN pool_member m ON m.holder_id = p.id AND m.left_at IS NULL WHERE p.id = ANY($1)""",
            keys,
        )
        found: dict[UUID, PoolState] = {}
        for id_, status, member_id, role in rows:
            found.setdefault(id_, PoolState(status, {})).roles[member_id] = role
        return found


POOLS = _Pools()


class _SetAsideBy:
    """Who set points of a pool aside, by (pool, hold); nothing for holds of members' own points."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[UUID, UUID]]
    ) -> dict[tuple[UUID, UUID], UUID]:
        rows = await connection.fetch(
            """SELECT holder_id, operation_id, member_id
               FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, operation_id)
               JOIN pool_spend USING (holder_id, operation_id)""",
            [holder_id for holder_id, _ in keys],
            [hold_id for _, hold_id in keys],
        )
        return {(row["holder_id"], row["operation_id"]): row["member_id"] for row in rows}


SET_ASIDE_BY = _SetAsideBy()


@dataclass(frozen=True, slots=True)
class OfHold:
    """Notes on the capture of a hold of a pool's points that who set them aside has spent them.

    That they might was decided then (R14): they may have left since.
    """

    holder_id: UUID
    hold_id: UUID

    def needs(self, needs: Needs) -> None:
        """Who it was."""
        needs.other(SET_ASIDE_BY, (self.holder_id, self.hold_id))

    def ride(self, books: Books, effect: Effect) -> None:
        """One row, where it was a pool's."""
        member_id: UUID | None = books.other(SET_ASIDE_BY, (self.holder_id, self.hold_id))
        if member_id is not None:
            effect.rows.append((_SPEND, _spend(effect, member_id)))


def _spend(effect: Effect, member_id: UUID) -> dict[str, Any]:
    return {"holder_id": effect.holder_id, "operation_id": effect.operation["id"], "member_id": member_id}


@dataclass(frozen=True, slots=True)
class InPool:
    """Lets a posting through only if the member's role in the pool is one of `roles`; `spends` notes who spent."""

    pool_id: UUID
    member_id: UUID
    roles: frozenset[str]
    spends: bool = False

    def needs(self, needs: Needs) -> None:
        """The pool, whose lock keeps its members as they are, and the member's status."""
        needs.holders.add(self.pool_id)
        needs.members.add(self.member_id)
        needs.other(POOLS, self.pool_id)

    def ride(self, books: Books, effect: Effect) -> None:
        """Raises PoolNotActive, NotInPool, and MemberNotActive for who spends."""
        pool: PoolState | None = books.other(POOLS, self.pool_id)
        if pool is None or pool.status != PoolStatus.ACTIVE:
            raise PoolNotActive(path=("pool",))
        role = pool.roles.get(self.member_id, NOBODY)
        if role not in self.roles:
            raise NotInPool(role=role, path=("member",))
        if self.spends:
            books.require_active(self.member_id)
            effect.rows.append((_SPEND, _spend(effect, self.member_id)))
