"""Dissolving a pool: its points go back, as operations of the posting engine, before it is closed."""

from collections import defaultdict
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from alliance.clearing.tiers import expire_request
from alliance.runtime import Runtime
from domain.errors import Refusal
from domain.ledger.due import DueWallet
from domain.members.queries import by_ids
from domain.pools.households import require_pool
from domain.pools.model import PoolRole, PoolRow
from domain.pools.returning import ReturnPoints, origins
from domain.pools.riders import ALL, InPool


class DissolveTo(StrEnum):
    """Who gets what is in a pool that ends: its owner, or whoever put it in.

    What was put in by who has left the pool, or may not move points, is the owner's.
    """

    OWNER = "OWNER"
    CONTRIBUTORS = "CONTRIBUTORS"


async def dissolve(
    runtime: Runtime, pool: PoolRow, *, to: DissolveTo, by_id: UUID | None, as_of: datetime, client_id: UUID | None
) -> None:
    """Return what is free in a pool, lot by lot (R6), one operation a member and kind of points. Again: what is left.

    What has expired is booked so. Raises NotFound, PoolNotActive, NotInPool, MemberNotActive for the owner.
    """
    async with runtime.database.transaction() as session:
        roles = await require_pool(session, pool.id, by_id)
        lots = await origins(session, pool.id)
        members = await by_ids(session, list(roles))
    owner_id = next(id_ for id_, role in roles.items() if role == PoolRole.OWNER)
    active = {id_ for id_, member in members.items() if member.status_at(as_of) == "ACTIVE"}
    shares: dict[tuple[UUID, str], list[UUID]] = defaultdict(list)
    for lot_id, currency, came_from in lots:
        theirs = to == DissolveTo.CONTRIBUTORS and came_from in active
        shares[came_from if theirs and came_from is not None else owner_id, currency].append(lot_id)
    common: dict[str, Any] = {"holder_id": pool.id, "key": None, "as_of": as_of, "occurred_at": as_of}
    issuers = {code: runtime.catalogue.currencies[code].merchant_id for _, code in shares}
    over = [expire_request(runtime, DueWallet(pool.id, code, id_, 0), as_of) for code, id_ in issuers.items()]
    back = [
        ReturnPoints(
            **common,
            client_id=client_id,
            to_holder_id=member_id,
            currency=code,
            issuer_id=issuers[code],
            lot_ids=lot_ids,
            riders=(InPool(pool.id, member_id, ALL),),
        )
        for (member_id, code), lot_ids in shares.items()
    ]
    for outcome in await runtime.engine.post_many([*over, *back]):
        if isinstance(outcome, Refusal):
            raise outcome
