"""What happened that members are told of: found in the sequence of events, after the place that was looked at last."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.feed.model import Happened
from alliance.feed.queries import AT_ONCE, at, end
from alliance.messages.planning import Happening, plan
from domain.events.kinds import EventKind
from domain.messages.model import MessageCursor, MessageKind
from domain.programs.catalogue import Catalogue

#: Places of the sequence that one call looks at: so many that it is done in about a second.
MOST = 20 * AT_ONCE

#: What is older is no news: after a long standstill, or after a replay.
NEWS = timedelta(days=3)

_GUARDS = {
    EventKind.MEMBER_LOCKED: "locked",
    EventKind.MEMBER_UNLOCKED: "unlocked",
    EventKind.MEMBER_GUARD_LIFTED: "unlocked",
    EventKind.MEMBER_COOLING_OFF: "cooling_off",
    EventKind.MEMBER_DEVICE_SEEN: "new_device",
}
_OF_POINTS = {
    EventKind.POINTS_EARNED: MessageKind.POINTS_EARNED,
    EventKind.POINTS_ACTIVATED: MessageKind.POINTS_ACTIVATED,
}


async def tell_what_happened(session: AsyncSession, catalogue: Catalogue, as_of: datetime) -> bool:
    """Go on in the sequence and add the messages; whether there is more. The first time, what was before is not told.

    Only one at a time goes on; another has nothing to do meanwhile.
    """
    ends = await end(session)
    await session.execute(insert(MessageCursor).values(one=1, position=ends).on_conflict_do_nothing())
    mine = select(MessageCursor).with_for_update(skip_locked=True)
    cursor = (await session.scalars(mine)).one_or_none()
    if cursor is None:
        return False
    last = min(ends, cursor.position + MOST)
    for first in range(cursor.position, last, AT_ONCE):
        happened = await at(session, catalogue, range(first, min(last, first + AT_ONCE)))
        news = [one for one in happened if one.at > as_of - NEWS]
        await plan(session, catalogue, list(happenings(catalogue, news)), as_of)
    cursor.position = max(cursor.position, last)
    return last < ends


def happenings(catalogue: Catalogue, happened: Iterable[Happened]) -> Iterator[Happening]:
    """What members are told of these."""
    for one in happened:
        match one.kind:
            case EventKind.POINTS_EARNED | EventKind.POINTS_ACTIVATED:
                yield from _points(catalogue, one)
            case EventKind.POINTS_EXCHANGED:
                yield from _exchange(catalogue, one)
            case EventKind.POINTS_GIVEN:
                yield from _gift(catalogue, one)
            case EventKind.TIER_CHANGED:
                tier = {"tier": one.data.get("level"), "previous": one.data.get("before")}
                if tier["tier"] != tier["previous"]:
                    data = tier | {"until": one.data.get("until")}
                    merchant_id = UUID(one.data["merchant"])
                    yield Happening(one.about[0], merchant_id, MessageKind.TIER_CHANGED, _source(one), data)
            case EventKind.MEMBER_LINKED:
                yield from _account(catalogue, one, "linked", one.data["type"])
            case EventKind.MEMBER_UNLINKED:
                yield from _account(catalogue, one, "unlinked", one.data["type"])
            case EventKind.MEMBER_STATUS_CHANGED:
                yield from _account(catalogue, one, "status", one.data["to"])
            case (
                EventKind.MEMBER_LOCKED
                | EventKind.MEMBER_UNLOCKED
                | EventKind.MEMBER_COOLING_OFF
                | EventKind.MEMBER_GUARD_LIFTED
                | EventKind.MEMBER_DEVICE_SEEN
            ):
                yield from _guard(catalogue, one)


def _points(catalogue: Catalogue, one: Happened) -> Iterator[Happening]:
    """Points that came, each issuer's once: of points before stamps. Credits of tiers are none."""
    told: set[UUID] = set()
    for kind in ("points", "stamps"):
        for code, points in one.data["changes"].items():
            currency = catalogue.currencies[code]
            if points > 0 and currency.kind == kind and currency.merchant_id not in told:
                told.add(currency.merchant_id)
                data = {"points": points, "currency": code}
                what = _OF_POINTS[EventKind(one.kind)]
                yield Happening(one.about[0], currency.merchant_id, what, _source(one, code), data)


def _exchange(catalogue: Catalogue, one: Happened) -> Iterator[Happening]:
    """By the issuer of what went out."""
    out = {code: -points for code, points in one.data["changes"].items() if points < 0}
    into = {code: points for code, points in one.data["changes"].items() if points > 0}
    for (code, points), (into_code, into_points) in zip(out.items(), into.items(), strict=False):
        data = {"points": points, "currency": code, "into_points": into_points, "into_currency": into_code}
        merchant_id = catalogue.currencies[code].merchant_id
        yield Happening(one.about[0], merchant_id, MessageKind.EXCHANGE_DONE, _source(one), data)


def _gift(catalogue: Catalogue, one: Happened) -> Iterator[Happening]:
    """To whom it was given; who gave it is for them to say."""
    for code, points in one.data["changes"].items():
        data = {"points": abs(points), "currency": code}
        merchant_id = catalogue.currencies[code].merchant_id
        yield Happening(UUID(one.data["to"]), merchant_id, MessageKind.GIFT_RECEIVED, _source(one, code), data)


def _guard(catalogue: Catalogue, one: Happened) -> Iterator[Happening]:
    """What came between a member and their points, or no longer does; not their first device, nor what was lifted."""
    guard = _GUARDS[EventKind(one.kind)]
    if one.data.get("device") == "FIRST" or one.data.get("part") == "DEVICES":
        return
    data = {"guard": guard, "detail": one.data.get("type", ""), "open_at": one.data.get("until")}
    yield from _told(catalogue, one, MessageKind.ACCOUNT_GUARDED, data)


def _account(catalogue: Catalogue, one: Happened, change: str, detail: str) -> Iterator[Happening]:
    """What an account is known by, or what it is, has changed."""
    yield from _told(catalogue, one, MessageKind.ACCOUNT_CHANGED, {"change": change, "detail": detail})


def _told(catalogue: Catalogue, one: Happened, kind: MessageKind, data: dict[str, Any]) -> Iterator[Happening]:
    """By one of the merchants that are told of it: that where it happened, else the first that writes."""
    named = one.data.get("merchant")
    known = catalogue.merchants_by_id
    told = [UUID(named)] if named else sorted(one.merchants or (), key=lambda id_: known[id_].code)
    writes = [id_ for id_ in told if known[id_].notifications is not None]
    if writes:
        yield Happening(one.about[0], writes[0], kind, _source(one), data, since=one.at)


def _source(one: Happened, *more: str) -> str:
    return ":".join(("event", str(one.id), *more))
