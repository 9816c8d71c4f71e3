"""Merging two members, and undoing it: one call each, all or nothing. It makes nothing owed between merchants (A1)."""

import uuid
from datetime import datetime

from sqlalchemy import select, text

from alliance.clearing.holds import lapse_request
from alliance.runtime import Runtime
from domain.ledger.aliases import Alias, MemberAlias, NoAlias
from domain.ledger.due import DueHold
from domain.ledger.errors import MemberMerged, NotMerged
from domain.ledger.keys import remembered
from domain.ledger.merging import STANDING, Merge, Unmerge
from domain.ledger.parts import Gate
from domain.ledger.request import Key, Posted
from domain.members.merging import Becoming, Parting
from domain.pools.merging import GivingPlacesBack, TakingPlaces
from domain.profiles.merging import GivingKnownBack, Known, TakingKnown, only_theirs
from domain.sessions.commands import sign_out

TRIES = 5


async def merge_members(
    runtime: Runtime,
    *,
    survivor_id: uuid.UUID,
    absorbed_id: uuid.UUID,
    as_of: datetime,
    client_id: uuid.UUID | None,
    key: Key | None = None,
    note: str | None = None,
    dry_run: bool = False,
    gates: tuple[Gate, ...] = (),
) -> Posted:
    """Let `absorbed_id` become `survivor_id`; `data` of the answer says what moved, by currency.

    Who was signed in as the one who is no more is signed out.

    Raises InvalidInput for one member twice, NotFound, MemberNotActive, HolderStopped, BalanceLimitExceeded,
    MergeBlocked with what is in the way; MemberMerged where one of them has been merged: ask who they are now.
    """
    known = Known()
    if not dry_run:
        await _lapse(runtime, absorbed_id, as_of)
        async with runtime.database.transaction() as session:
            known = await only_theirs(session, absorbed_id, survivor_id)
    issuers = {code: currency.merchant_id for code, currency in runtime.catalogue.currencies.items()}
    request = Merge(
        holder_id=absorbed_id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=as_of,
        dry_run=dry_run,
        into_id=survivor_id,
        issuers=issuers,
        note=note,
        riders=(
            Becoming(absorbed_id, survivor_id, as_of),
            TakingPlaces(absorbed_id, survivor_id, as_of),
            TakingKnown(survivor_id, known),
            Alias(absorbed_id, survivor_id, as_of, client_id),
        ),
        gates=gates,
    )
    posted = await runtime.engine.post(request)
    if not dry_run:
        async with runtime.database.transaction() as session:
            await sign_out(session, absorbed_id, as_of)
    return posted


async def unmerge_member(
    runtime: Runtime,
    *,
    absorbed_id: uuid.UUID,
    as_of: datetime,
    client_id: uuid.UUID | None,
    key: Key | None = None,
    note: str | None = None,
    dry_run: bool = False,
) -> Posted:
    """Undo that `absorbed_id` became another; `data` of the answer says what went back, by currency.

    What was earned since, by whichever identifier, stays with the survivor. Raises NotMerged, MemberNotActive,
    HolderStopped, UnmergeBlocked with what became of what was carried.
    """
    for left in reversed(range(TRIES)):
        async with runtime.database.reader() as session:
            known = None if key is None else await remembered(session, key)
            if known is not None:
                return Posted(None, absorbed_id, "UNMERGE", 0, [], True, known["data"])
            alias = await session.scalar(select(MemberAlias).where(MemberAlias.holder_id == absorbed_id))
            standing = text(STANDING.replace("$1", ":holder_id"))
            operations = tuple((await session.scalars(standing, {"holder_id": absorbed_id})).all())
        if alias is None:
            raise NotMerged(path=("absorbed",))
        into_id, places = alias.into_id, alias.moved.get("pools", ())
        request = Unmerge(
            holder_id=absorbed_id,
            key=key,
            client_id=client_id,
            as_of=as_of,
            occurred_at=as_of,
            dry_run=dry_run,
            into_id=into_id,
            operations=operations,
            note=note,
            riders=(
                Parting(absorbed_id, into_id, as_of),
                GivingPlacesBack(absorbed_id, into_id, as_of, places),
                GivingKnownBack(absorbed_id, into_id, alias.moved),
                NoAlias(absorbed_id),
            ),
        )
        try:
            return await runtime.engine.post(request)
        except MemberMerged:  # more was carried since it was read
            if not left:
                raise
    raise AssertionError("unreachable")


async def _lapse(runtime: Runtime, holder_id: uuid.UUID, as_of: datetime) -> None:
    """Give back what holds past their time have set aside."""
    async with runtime.database.reader() as session:
        rows = await session.execute(
            text("""SELECT id, reserves IS NOT NULL FROM hold
                    WHERE holder_id = :holder_id AND status = 'OPEN' AND expires_at <= :as_of"""),
            {"holder_id": holder_id, "as_of": as_of},
        )
        due = [DueHold(holder_id, id_, reserves) for id_, reserves in rows]
    for hold in due:
        await runtime.engine.post(lapse_request(hold, as_of))
