"""Earns by terms that make more than one plain lot of them, and what becomes of points that wait."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from alliance.clearing.riders import OwingMatured
from alliance.exposure.frozen import going
from alliance.exposure.riders import WithinNow, with_caps
from alliance.runtime import Runtime
from domain.ledger.commands import Earn
from domain.ledger.due import DuePending
from domain.ledger.grants import Activate, EarnInParts, Ending, Limits, Part, Room, Wait
from domain.ledger.request import Key, Rider
from domain.programs.catalogue import Currency, CurrencyPolicy
from domain.programs.rules import Valued, active_instant, expiry_instant, period_bounds
from domain.programs.terms import EarnLimits, ExpiryPolicy, PendingTerms, expiry_json, expiry_terms

Slides = Mapping[tuple[str, str], datetime]


class _Joined:
    """When holders joined a merchant's programme, or else the alliance, by (holder, merchant)."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[uuid.UUID, uuid.UUID]]
    ) -> dict[tuple[uuid.UUID, uuid.UUID], datetime]:
        rows = await connection.fetch(
            """SELECT holder_id, merchant_id, coalesce(s.joined_at, m.joined_at) AS joined_at
               FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, merchant_id)
               JOIN member m ON m.id = holder_id LEFT JOIN membership s USING (holder_id, merchant_id)""",
            [holder_id for holder_id, _ in keys],
            [merchant_id for _, merchant_id in keys],
        )
        return {(row["holder_id"], row["merchant_id"]): row["joined_at"] for row in rows}


JOINED = _Joined()


def is_special(currency: Currency, policy: CurrencyPolicy, valued: Valued) -> bool:
    """Whether an earn needs more than its own points to be decided; most do not."""
    return bool(valued.parts or currency.sliding) or not policy.plain


def earn_in_parts(
    plain: Earn,
    policy: CurrencyPolicy,
    valued: Valued,
    slides: Slides | None,
    zone: ZoneInfo,
    kept: Callable[..., Any],
    room: Room | None = None,
) -> EarnInParts:
    """The same earn by all terms of its rules and currency; `kept` makes what is kept of lines of what is valued.

    It waits as long as `room` is lacking.
    """
    given: dict[tuple[ExpiryPolicy, PendingTerms | None, Limits | None], int] = {}
    for terms, points in valued.parts or ((None, valued.points),):
        expiry = (terms and terms.expiry) or policy.expiry
        pending = (terms and terms.pending) or policy.pending
        limits = _limits(terms.limits, terms.version, plain.as_of, zone, terms.code) if terms is not None else None
        given[expiry, pending, limits] = given.get((expiry, pending, limits), 0) + points
    parts = tuple(
        Part(
            points,
            ending(expiry, plain.as_of, zone),
            _wait(pending, expiry, plain.as_of, zone),
            limits,
            None if room is None else Wait(plain.as_of, expiry_json(expiry)),
        )
        for (expiry, pending, limits), points in given.items()
        if points
    )
    named: dict[str, Any] = {field.name: getattr(plain, field.name) for field in fields(Earn)}
    return EarnInParts(
        **named | {"slides": slides},
        parts=parts,
        limits=_limits(policy.limits, policy.version, plain.as_of, zone),
        lines_of=partial(_lines, valued, kept),
        joined=JOINED if any(part.ending.of_joining and part.wait is None for part in parts) else None,
        room=room,
    )


def slides_of(currency: Currency, as_of: datetime, zone: ZoneInfo) -> Slides | None:
    """To when activity at `as_of` moves the lots of a currency that end by inactivity, by (currency, span)."""
    moved = {(currency.code, policy.span): expiry_instant(policy, as_of, zone) for policy in currency.sliding}
    return {key: until for key, until in moved.items() if until is not None} or None


def ending(policy: ExpiryPolicy, as_of: datetime, zone: ZoneInfo) -> Ending:
    """When points that are active from `as_of` end."""
    if policy.kind == "anniversary":
        return Ending(of_joining=partial(expiry_instant, policy, as_of, zone))
    span = policy.span if policy.kind == "inactivity" else None
    return Ending(expiry_instant(policy, as_of, zone), span)


def activate_request(
    runtime: Runtime,
    due: Sequence[DuePending],
    *,
    as_of: datetime,
    key: Key | None = None,
    client_id: uuid.UUID | None = None,
    confirms: bool = False,
    dry_run: bool = False,
) -> Activate:
    """Make what waits of one earn active: what is due at `as_of`, or all of it where an event `confirms` it.

    What it makes owed is owed from now on, at the version of the earn (A1).
    """
    first = due[0]
    zone = runtime.catalogue.merchants_by_id[first.issuer_id].timezone
    endings = {row.seq: ending(expiry_terms(row.policy), as_of, zone) for row in due}
    return Activate(
        holder_id=first.holder_id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=as_of,
        dry_run=dry_run,
        riders=(OwingMatured(None if dry_run else as_of), *_within(runtime, due, None if dry_run else as_of)),
        operation_id=first.operation_id,
        issuer_id=first.issuer_id,
        endings=endings,
        confirms=confirms,
        joined=JOINED if any(one.of_joining for one in endings.values()) else None,
    )


def _within(runtime: Runtime, due: Sequence[DuePending], as_of: datetime | None) -> tuple[Rider, ...]:
    """What keeps points waiting for which there was no room."""
    lacking = {row.room_of for row in due if row.room_of is not None}
    if not lacking:
        return ()
    merchants = [runtime.catalogue.merchants_by_id[id_] for id_ in sorted(lacking)]
    return (*going(merchants, as_of, ("operation",)), WithinNow(with_caps(runtime.catalogue, lacking)))


def _wait(pending: PendingTerms | None, expiry: ExpiryPolicy, as_of: datetime, zone: ZoneInfo) -> Wait | None:
    if pending is None:
        return None
    matures_at = None if pending.days is None else active_instant(pending.days, as_of, zone)
    return Wait(matures_at, expiry_json(expiry))


def _limits(terms: EarnLimits | None, version: int, as_of: datetime, zone: ZoneInfo, rule: str = "") -> Limits | None:
    if terms is None:
        return None
    caps = {"day": terms.per_day, "week": terms.per_week, "month": terms.per_month}
    periods = tuple(
        (f"per{period.title()}", cap, *period_bounds(period, as_of, zone))
        for period, cap in caps.items()
        if cap is not None
    )
    return Limits(version, terms.per_transaction, periods, terms.balance, terms.over == "refuse", rule)


def _lines(valued: Valued, kept: Callable[..., Any], points: int) -> Any:
    return kept(valued.cut_to(points))
