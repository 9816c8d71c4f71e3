"""Short ways to ask the ledger for things, with the defaults that most tests want."""

import uuid
from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from domain.base import new_id
from domain.database import Database
from domain.ledger.adjustments import Adjust, AdjustmentLimits, Reinstate
from domain.ledger.aliases import Alias, NoAlias
from domain.ledger.commands import Earn, Exchange, Expire, Redeem
from domain.ledger.exits import Exit, FollowExit, ReverseExit
from domain.ledger.extensions import Extend, NoticeWindow
from domain.ledger.gifts import Gift, GiftLimits, ReverseGift
from domain.ledger.grants import Activate, EarnInParts, Ending, Limits, Part, Reject, Wait
from domain.ledger.holds import CaptureHold, HoldPoints, LapseHold, ReleaseHold
from domain.ledger.merging import STANDING, Merge, Unmerge
from domain.ledger.opening import Opening
from domain.ledger.orders import RedeemForOrder
from domain.ledger.request import Key, Posted
from domain.ledger.reversals import Reverse
from domain.ledger.stored_value import Refund, ReverseTopUp, TopUp

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLIENT = uuid.UUID(int=7)
ISSUERS = {"GRO": uuid.UUID(int=101), "FUE": uuid.UUID(int=102), "VAL": uuid.UUID(int=101), "STA": uuid.UUID(int=101)}


def key(value: str | None = None, fingerprint: bytes = b"same") -> Key:
    """A key of the test's client; a new one unless named."""
    return Key(CLIENT, CLIENT, value or uuid.uuid4().hex, fingerprint)


def _common(named: dict[str, Any]) -> dict[str, Any]:
    as_of = named.pop("as_of", NOON)
    return {"key": key(), "client_id": CLIENT, "as_of": as_of, "occurred_at": as_of} | named


def earn(holder_id: uuid.UUID, points: int, currency: str = "GRO", **named: Any) -> Earn:
    """An earn at the currency's own issuer."""
    issuer = ISSUERS[currency]
    place = {"merchant_id": issuer, "issuer_id": issuer, "funder_id": issuer}
    return Earn(holder_id=holder_id, points=points, currency=currency, **place | _common(named))


def opening(holder_id: uuid.UUID, points: int, granted_at: datetime, currency: str = "GRO", **named: Any) -> Opening:
    """An opening balance, paid for by its issuer."""
    issuer = ISSUERS[currency]
    place = {"issuer_id": issuer, "funder_id": issuer, "price": 0, "expires_at": None}
    place |= {"granted_at": granted_at, "points": points, "currency": currency}
    return Opening(holder_id=holder_id, **place | _common(named))


def redeem(holder_id: uuid.UUID, points: int, currency: str = "GRO", **named: Any) -> Redeem:
    """A redemption at the currency's own issuer."""
    issuer = ISSUERS[currency]
    return Redeem(
        holder_id=holder_id, points=points, currency=currency, merchant_id=issuer, issuer_id=issuer, **_common(named)
    )


def pay(holder_id: uuid.UUID, points: int, unit: int, minimum: int, **named: Any) -> RedeemForOrder:
    """As many GRO of these as there are, in whole units."""
    place = {"currency": "GRO", "merchant_id": ISSUERS["GRO"], "issuer_id": ISSUERS["GRO"]}
    terms = {"points": points, "unit": unit, "minimum": minimum}
    return RedeemForOrder(holder_id=holder_id, **place, **terms, **_common(named))


def exchange(holder_id: uuid.UUID, points: int, into_points: int, **named: Any) -> Exchange:
    """GRO to FUE."""
    return Exchange(
        holder_id=holder_id,
        merchant_id=ISSUERS["GRO"],
        currency="GRO",
        issuer_id=ISSUERS["GRO"],
        points=points,
        into_currency="FUE",
        into_issuer_id=ISSUERS["FUE"],
        into_points=into_points,
        **_common(named),
    )


def reverse(holder_id: uuid.UUID, operation_id: uuid.UUID | None, **named: Any) -> Reverse:
    """A reversal of the whole operation."""
    assert operation_id is not None
    return Reverse(holder_id=holder_id, operation_id=operation_id, **_common(named))


def expire(holder_id: uuid.UUID, currency: str = "GRO", **named: Any) -> Expire:
    """The expiry of one wallet."""
    return Expire(holder_id=holder_id, currency=currency, issuer_id=ISSUERS[currency], **_common(named))


def give(holder_id: uuid.UUID, to: uuid.UUID, points: int, currency: str = "GRO", **named: Any) -> Gift:
    """A gift, with limits that are not reached."""
    named = {"limits": GiftLimits(10**9, 10**9, 100), "day": day_of(named.get("as_of", NOON))} | named
    return Gift(
        holder_id=holder_id,
        to_holder_id=to,
        points=points,
        currency=currency,
        issuer_id=ISSUERS[currency],
        **_common(named),
    )


def take_back(
    holder_id: uuid.UUID, to: uuid.UUID, operation_id: uuid.UUID | None, currency: str = "GRO", **named: Any
) -> ReverseGift:
    """The reversal of a gift."""
    assert operation_id is not None
    return ReverseGift(
        holder_id=holder_id, to_holder_id=to, operation_id=operation_id, currency=currency, **_common(named)
    )


def adjust(holder_id: uuid.UUID, points: int, currency: str = "GRO", **named: Any) -> Adjust:
    """An adjustment by the issuer, with limits that are not reached."""
    named = {"limits": AdjustmentLimits(10**9, 10**9), "day": day_of(named.get("as_of", NOON))} | named
    issuer = ISSUERS[currency]
    place = {"merchant_id": issuer, "issuer_id": issuer, "reason": "goodwill"}
    return Adjust(holder_id=holder_id, points=points, currency=currency, **place | _common(named))


def reinstate(
    holder_id: uuid.UUID, operation_id: uuid.UUID | None, points: int | None = None, **named: Any
) -> Reinstate:
    """Expired points come back for 30 days."""
    assert operation_id is not None
    named = {"expires_at": named.get("as_of", NOON) + timedelta(days=30), "reason": "goodwill"} | named
    return Reinstate(holder_id=holder_id, operation_id=operation_id, points=points, **_common(named))


def top_up(holder_id: uuid.UUID, paid: int, bonus: int = 0, **named: Any) -> TopUp:
    """Stored value of GRO's issuer, paid for at its own till."""
    place = {"currency": "VAL", "merchant_id": ISSUERS["VAL"], "issuer_id": ISSUERS["VAL"]}
    return TopUp(holder_id=holder_id, paid=paid, bonus=bonus, **place | _common(named))


def refund(holder_id: uuid.UUID, amount: int | None = None, **named: Any) -> Refund:
    """So much of what was paid for goes back; all of it, if nothing is said."""
    place = {"currency": "VAL", "merchant_id": ISSUERS["VAL"], "issuer_id": ISSUERS["VAL"]}
    return Refund(holder_id=holder_id, amount=amount, **place | {"reason": "asked for"} | _common(named))


def reverse_top_up(holder_id: uuid.UUID, operation_id: uuid.UUID | None, **named: Any) -> ReverseTopUp:
    """The reversal of a top up."""
    assert operation_id is not None
    return ReverseTopUp(holder_id=holder_id, operation_id=operation_id, **_common(named))


def exit_(holder_id: uuid.UUID, times: int = 2, **named: Any) -> Exit:
    """GRO for VAL, three points for one, if more than so many times what was spent was earned."""
    named = {"change_expires_at": None} | named
    place = {"currency": "GRO", "issuer_id": ISSUERS["GRO"], "into": "VAL", "price": (1, 3)}
    return Exit(holder_id=holder_id, times=times, worth_at=lambda moment: 1, **place, **_common(named))


def follow_exit(holder_id: uuid.UUID, **named: Any) -> FollowExit:
    """What was held at an exit."""
    plain = exit_(holder_id, **named)
    return FollowExit(**{field.name: getattr(plain, field.name) for field in fields(Exit)})


def extend(holder_id: uuid.UUID, ends: datetime, until: datetime, currency: str = "GRO", **named: Any) -> Extend:
    """A later end for the lots that end then, unless their holder was told a month or two before."""
    place = {"currency": currency, "issuer_id": ISSUERS[currency], "why": "unsent"}
    window = NoticeWindow(timedelta(days=60), timedelta(days=30))
    return Extend(holder_id=holder_id, ends=ends, until=until, window=window, **place, **_common(named))


def reverse_exit(holder_id: uuid.UUID, operation_id: uuid.UUID | None, **named: Any) -> ReverseExit:
    """The reversal of an exit."""
    assert operation_id is not None
    return ReverseExit(holder_id=holder_id, operation_id=operation_id, currency="GRO", **_common(named))


def merge(absorbed: uuid.UUID, into: uuid.UUID, **named: Any) -> Merge:
    """The one becomes the other."""
    common = _common(named)
    riders = (Alias(absorbed, into, common["as_of"]),)
    return Merge(holder_id=absorbed, into_id=into, issuers=ISSUERS, riders=riders, **common)


async def unmerge(database: Database, absorbed: uuid.UUID, into: uuid.UUID, **named: Any) -> Unmerge:
    """That is undone."""
    standing = await rows(database, STANDING, absorbed)
    operations = tuple(row["id"] for row in standing)
    riders = (NoAlias(absorbed),)
    return Unmerge(holder_id=absorbed, into_id=into, operations=operations, riders=riders, **_common(named))


def day_of(moment: datetime) -> tuple[datetime, datetime]:
    """The day of that moment, in UTC."""
    first = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return first, first + timedelta(days=1)


def hold(holder_id: uuid.UUID, points: int, currency: str = "GRO", seconds: int = 900, **named: Any) -> HoldPoints:
    """A hold at the currency's own issuer."""
    issuer = ISSUERS[currency]
    common = _common(named)
    return HoldPoints(
        holder_id=holder_id,
        points=points,
        currency=currency,
        merchant_id=issuer,
        issuer_id=issuer,
        expires_at=common["as_of"] + timedelta(seconds=seconds),
        **common,
    )


def capture(held: Posted, points: int, currency: str = "GRO", **named: Any) -> CaptureHold:
    """A capture of so many of the points held."""
    issuer = ISSUERS[currency]
    place = {"merchant_id": issuer, "issuer_id": issuer, "currency": currency}
    return CaptureHold(holder_id=held.holder_id, hold_id=hold_of(held), points=points, **place, **_common(named))


def release(held: Posted, **named: Any) -> ReleaseHold:
    """A release."""
    return ReleaseHold(holder_id=held.holder_id, hold_id=hold_of(held), **_common(named))


def lapse(held: Posted, **named: Any) -> LapseHold:
    """What the job asks once a hold's time is over."""
    return LapseHold(holder_id=held.holder_id, hold_id=hold_of(held), **_common(named))


def hold_of(held: Posted) -> uuid.UUID:
    """The hold that an answer is about."""
    return uuid.UUID(held.data["hold"])


def grant(person: uuid.UUID, *parts: Part, limits: Limits | None = None, **named: Any) -> EarnInParts:
    """An earn of these parts."""
    plain = earn(person, sum(part.points for part in parts), **named)
    values = {field.name: getattr(plain, field.name) for field in fields(Earn)}
    return EarnInParts(**values, parts=parts, limits=limits)


def waiting(points: int, days: int | None) -> Part:
    """Points that wait for so many days, or for an event."""
    return Part(points, Ending(), Wait(None if days is None else NOON + timedelta(days=days), {"policy": "never"}))


def activate(
    person: uuid.UUID, earn_id: uuid.UUID | None, as_of: datetime, *, confirms: bool = False, days: int | None = 10
) -> Activate:
    """What is pending of an earn; it lives for so many days from now."""
    assert earn_id is not None
    ends = None if days is None else as_of + timedelta(days=days)
    return Activate(
        holder_id=person,
        key=key() if confirms else None,
        client_id=CLIENT,
        as_of=as_of,
        occurred_at=as_of,
        operation_id=earn_id,
        issuer_id=ISSUERS["GRO"],
        endings={seq: Ending(ends) for seq in range(5)},
        confirms=confirms,
    )


def reject(person: uuid.UUID, earn_id: uuid.UUID | None, **named: Any) -> Reject:
    """All of an earn, while it is pending."""
    return Reject.of(reverse(person, earn_id, **named))


def members(count: int) -> list[uuid.UUID]:
    """Ids of members that nobody enrolled: the ledger alone asks for no status."""
    return [new_id() for _ in range(count)]


async def rows(database: Database, sql: str, *arguments: Any) -> list[asyncpg.Record]:
    """What a query finds, over a connection of its own."""
    connection = await database.connect()
    try:
        found: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
        return found
    finally:
        await connection.close()


async def posted(
    database: Database, holders: Iterable[uuid.UUID], kind: str = "POINTS"
) -> dict[tuple[uuid.UUID, str], int]:
    """The accounts of this kind of these holders: (holder, currency) to points."""
    found = await rows(
        database,
        "SELECT holder_id, currency, posted FROM account WHERE holder_id = ANY($1) AND kind = $2",
        [*holders],
        kind,
    )
    return {(row["holder_id"], row["currency"]): row["posted"] for row in found}
