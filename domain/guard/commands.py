"""Setting a member's guard and taking it off, in the caller's transaction."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.base import lock_key, new_id
from domain.errors import InvalidInput, NotFound
from domain.events.commands import add_event, add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent
from domain.guard.model import GuardPart, GuardStep, GuardStepKind
from domain.guard.queries import states
from domain.guard.rules import GuardState
from domain.programs.catalogue import Catalogue

_LOCK = text("""
    INSERT INTO member_guard (holder_id, locked_at, locked_until, changed) VALUES (:id, :as_of, :until, '{}')
    ON CONFLICT (holder_id) DO UPDATE SET locked_at = excluded.locked_at, locked_until = excluded.locked_until
""")
_UNLOCK = text("UPDATE member_guard SET locked_at = NULL, locked_until = NULL WHERE holder_id = :id")
_COOL = text("UPDATE member_guard SET changed = '{}' WHERE holder_id = :id")
_TRUST = text("UPDATE member_device SET trusted_at = :as_of WHERE holder_id = :id AND trusted_at IS NULL")
_JOINED = text("""
    SELECT holder_id, merchant_id FROM membership WHERE holder_id = ANY(CAST(:ids AS uuid[]))
""")
_CHANGED = text("""
    INSERT INTO member_guard (holder_id, changed)
    SELECT holder_id, CAST(changed AS jsonb)
    FROM unnest(CAST(:holders AS uuid[]), CAST(:changed AS text[])) AS new (holder_id, changed)
    ON CONFLICT (holder_id) DO UPDATE SET changed = member_guard.changed || excluded.changed
""")
_SEEN = text("""
    INSERT INTO member_device (holder_id, id, digest, merchant_id, first_seen_at, last_seen_at)
    VALUES (:holder_id, :id, :digest, :merchant_id, :as_of, :as_of)
    ON CONFLICT (holder_id, digest) DO UPDATE SET last_seen_at = greatest(member_device.last_seen_at, :as_of)
    RETURNING id, (SELECT count(*) FROM member_device WHERE holder_id = :holder_id) AS others
""")


class By(NamedTuple):
    """Through whose client something is done, as of when, and why."""

    client_id: uuid.UUID
    as_of: datetime
    reason: str | None = None


async def lock(session: AsyncSession, member_id: uuid.UUID, until: datetime | None, by: By) -> GuardState:
    """Lock a member's points until then, or (None) until they are unlocked, once what is being posted for them is done.

    A lock that is on is never made shorter by locking again. Raises NotFound, InvalidInput.
    """
    if until is not None and until <= by.as_of:
        raise InvalidInput(reason="must lie ahead", path=("until",))
    state = await _held(session, member_id)
    since = by.as_of
    if state.is_locked(by.as_of) and state.locked_at is not None:
        if state.locked_until is None or (until is not None and until <= state.locked_until):
            return state
        since = state.locked_at
    await session.execute(_LOCK, {"id": member_id, "as_of": since, "until": until})
    _note(session, member_id, GuardStepKind.LOCKED, by, until)
    data = {"until": until.isoformat() if until else None}
    await _tell(session, member_id, EventKind.MEMBER_LOCKED, data)
    return GuardState(since, until, state.changed)


async def unlock(session: AsyncSession, member_id: uuid.UUID, by: By) -> GuardState:
    """Take the lock off, at the member's wish; nothing is done where there is none. Raises NotFound."""
    state = await _held(session, member_id)
    if not state.is_locked(by.as_of):
        return state
    return await _unlocked(session, member_id, state, GuardStepKind.UNLOCKED, by)


async def lift(session: AsyncSession, member_id: uuid.UUID, parts: Collection[GuardPart], by: By) -> GuardState:
    """Take parts of the guard off, by the operator, who says why. Raises NotFound."""
    state = await _held(session, member_id)
    if GuardPart.LOCK in parts and state.is_locked(by.as_of):
        state = await _unlocked(session, member_id, state, GuardStepKind.LOCK_LIFTED, by)
    if GuardPart.COOLING_OFF in parts and state.changed:
        await session.execute(_COOL, {"id": member_id})
        _note(session, member_id, GuardStepKind.COOLING_OFF_LIFTED, by)
        await _tell(session, member_id, EventKind.MEMBER_GUARD_LIFTED, {"part": GuardPart.COOLING_OFF.value})
        state = GuardState(state.locked_at, state.locked_until, {})
    if GuardPart.DEVICES in parts:
        await session.execute(_TRUST, {"id": member_id, "as_of": by.as_of})
        _note(session, member_id, GuardStepKind.DEVICES_LIFTED, by)
        await _tell(session, member_id, EventKind.MEMBER_GUARD_LIFTED, {"part": GuardPart.DEVICES.value})
    return state


async def _unlocked(
    session: AsyncSession, member_id: uuid.UUID, state: GuardState, kind: GuardStepKind, by: By
) -> GuardState:
    await session.execute(_UNLOCK, {"id": member_id})
    _note(session, member_id, kind, by)
    await _tell(session, member_id, EventKind.MEMBER_UNLOCKED, {"by": kind.value})
    return GuardState(None, None, state.changed)


async def _held(session: AsyncSession, member_id: uuid.UUID) -> GuardState:
    """The member's guard, under their lock: what is being posted comes before, what comes after sees the change."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(member_id)})
    if await session.scalar(text("SELECT 1 FROM member WHERE id = :id"), {"id": member_id}) is None:
        raise NotFound(what="member", path=("member",))
    return (await states(session, [member_id])).get(member_id, GuardState(None, None, {}))


def _note(
    session: AsyncSession, member_id: uuid.UUID, kind: GuardStepKind, by: By, until: datetime | None = None
) -> None:
    named = {"client_id": by.client_id, "reason": by.reason, "as_of": by.as_of}
    session.add(GuardStep(holder_id=member_id, id=new_id(), kind=kind.value, until=until, **named))


async def _tell(session: AsyncSession, member_id: uuid.UUID, kind: EventKind, data: dict[str, str | None]) -> None:
    rows = await session.execute(_JOINED, {"ids": [member_id]})
    await add_event(session, member_id, kind, data, *(row.merchant_id for row in rows))


Change = tuple[uuid.UUID, str, datetime]
"""A member, the type of an identifier of theirs that was linked or unlinked, and as of when."""


async def note_changes(session: AsyncSession, catalogue: Catalogue, changes: Sequence[Change]) -> None:
    """Keep that identifiers of members changed, where a programme has its points cool off for it.

    Those of a member who is just joining are no change. Each programme that the member has joined is told by when it
    is over.
    """
    cooling = {m.id: m.guard.cooling for m in catalogue.merchants.values() if m.guard.cooling is not None}
    guarded = {type_ for terms in cooling.values() for type_ in terms.types}
    changed: dict[uuid.UUID, dict[str, datetime]] = defaultdict(dict)
    for holder_id, type_, as_of in changes:
        if type_ in guarded:
            changed[holder_id][type_] = as_of
    if not changed:
        return
    holders = sorted(changed)  # so that two calls never wait for each other
    documents = [_json(changed[holder_id]) for holder_id in holders]
    await session.execute(_CHANGED, {"holders": holders, "changed": documents})
    events = []
    for holder_id, merchant_id in await session.execute(_JOINED, {"ids": holders}):
        terms = cooling.get(merchant_id)
        for type_, at in changed[holder_id].items() if terms is not None else ():
            if terms is not None and type_ in terms.types:
                until = (at + timedelta(hours=terms.hours)).isoformat()
                data = {"merchant": str(merchant_id), "type": type_, "until": until}
                events.append(NewEvent(holder_id, EventKind.MEMBER_COOLING_OFF, data, (merchant_id,)))
    await add_events(session, events)


def _json(changed: dict[str, datetime]) -> str:
    return orjson.dumps({type_: at.isoformat() for type_, at in changed.items()}).decode()


async def see_device(
    session: AsyncSession, member_id: uuid.UUID, merchant_id: uuid.UUID, digest: bytes, as_of: datetime
) -> uuid.UUID:
    """The id of a device from which a merchant signs a member in; it is new from the first time on.

    The member is told of every one but their first.
    """
    fresh = new_id()
    named = {"holder_id": member_id, "id": fresh, "digest": digest, "merchant_id": merchant_id, "as_of": as_of}
    id_, others = (await session.execute(_SEEN, named)).one()
    if id_ == fresh:
        data = {"merchant": str(merchant_id), "device": "OTHER" if others else "FIRST"}
        await add_event(session, member_id, EventKind.MEMBER_DEVICE_SEEN, data, merchant_id)
    found: uuid.UUID = id_
    return found


async def forget_reasons(session: AsyncSession, member_id: uuid.UUID) -> None:
    """Forget what was said in words when a member's guard was lifted; that it was stays."""
    await session.execute(update(GuardStep).where(GuardStep.holder_id == member_id).values(reason=None))
