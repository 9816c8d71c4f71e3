"""Enrolling members, and recognising them by more. See life.py for what becomes of them.

Safe against the same done at once by other processes: an identifier belongs to whoever's row in the look-up was first,
and whoever was later starts again from what is there now. All that an identifier causes is written after it, in one
order, so that two calls never wait for each other. One call a transaction: a second one would break that order.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import InvalidInput, Refusal
from domain.events.commands import add_event, add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent
from domain.guard.commands import note_changes
from domain.members import rules
from domain.members.errors import IdentifierTaken
from domain.members.life import require_active
from domain.members.model import EnrolAsk, Enrolled, IdentifierRef
from domain.members.rules import Known, Plan, Wanted
from domain.members.sealing import hashed, key_columns, sealed_column
from domain.programs.catalogue import Catalogue

_OWNERS = text("""
    SELECT type, issuer, value, holder_id, number,
           CASE WHEN frozen_until <= :as_of THEN 'ACTIVE' ELSE status END AS status
    FROM unnest(CAST(:types AS text[]), CAST(:issuers AS text[]), CAST(:values AS text[])) AS a (type, issuer, value)
    JOIN identifier_owner USING (type, issuer, value)
    JOIN member ON member.id = holder_id
""")
_MEMBERSHIPS = text("""
    SELECT holder_id, merchant_id FROM membership
    WHERE holder_id = ANY(CAST(:holders AS uuid[])) AND merchant_id = ANY(CAST(:merchants AS uuid[]))
""")
_SERIALS = text("""
    SELECT nextval(pg_get_serial_sequence('member_number', 'serial')) FROM generate_series(1, CAST(:count AS integer))
""")
_CLAIM = text("""
    INSERT INTO identifier_owner (type, issuer, value, holder_id)
    SELECT type, issuer, value, holder_id
    FROM unnest(CAST(:types AS text[]), CAST(:issuers AS text[]), CAST(:values AS text[]), CAST(:holders AS uuid[]))
        AS asked (type, issuer, value, holder_id)
    ORDER BY type, issuer, value
    ON CONFLICT DO NOTHING
    RETURNING 1
""")
_LINK = text("""
    INSERT INTO member_identifier (holder_id, type, issuer, value, sealed, linked_at)
    SELECT *
    FROM unnest(CAST(:holders AS uuid[]), CAST(:types AS text[]), CAST(:issuers AS text[]), CAST(:values AS text[]),
                CAST(:sealed AS bytea[]), CAST(:linked AS timestamptz[]))
""")
_CREATE = text("""
    WITH numbered AS (
        INSERT INTO member_number (serial, holder_id)
        SELECT * FROM unnest(CAST(:serials AS bigint[]), CAST(:ids AS uuid[]))
    )
    INSERT INTO member (id, number, status, joined_at)
    SELECT id, number, 'ACTIVE', joined_at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS text[]), CAST(:joined AS timestamptz[]))
        AS created (id, number, joined_at)
""")
_SETTLE = text("""
    UPDATE member SET jurisdiction = named.jurisdiction
    FROM (SELECT id, asked.jurisdiction
          FROM unnest(CAST(:ids AS uuid[]), CAST(:named AS text[])) AS asked (id, jurisdiction) JOIN member USING (id)
          ORDER BY id FOR NO KEY UPDATE OF member) AS named
    WHERE member.id = named.id
""")
_JOIN = text("""
    INSERT INTO membership (holder_id, merchant_id, number, joined_at, channel, store)
    SELECT holder_id, merchant_id, number, joined_at, channel, store
    FROM unnest(CAST(:holders AS uuid[]), CAST(:merchants AS uuid[]), CAST(:numbers AS text[]),
                CAST(:joined AS timestamptz[]), CAST(:channels AS text[]), CAST(:stores AS text[]))
        AS asked (holder_id, merchant_id, number, joined_at, channel, store)
    ORDER BY holder_id, merchant_id
    ON CONFLICT DO NOTHING
    RETURNING 1
""")


async def enrol(session: AsyncSession, catalogue: Catalogue, ask: EnrolAsk) -> Enrolled:
    """Find or create one member. Raises NotFound, InvalidInput, IdentifierTaken, MemberNotActive."""
    [answer] = await enrol_many(session, catalogue, [ask])
    if isinstance(answer, Refusal):
        raise answer
    return answer


async def enrol_many(session: AsyncSession, catalogue: Catalogue, asks: Sequence[EnrolAsk]) -> list[Enrolled | Refusal]:
    """Find or create many; one answer an ask, in order, each ask seeing those before it.

    All identifiers of an ask come to belong to its member, who joins the ask's merchant. If they belong to two members,
    the ask is refused (IdentifierTaken). Who is not active is found where they are known, but joins nothing new.
    """
    checked = [wanted_of(catalogue, ask) for ask in asks]
    good = [want for want in checked if isinstance(want, Wanted)]
    answers = iter(await _enrolled(session, catalogue, good) if good else [])
    return [want if isinstance(want, Refusal) else next(answers) for want in checked]


def wanted_of(catalogue: Catalogue, ask: EnrolAsk) -> Wanted | Refusal:
    """An ask, checked against the catalogue, or why not."""
    try:
        return rules.wanted(catalogue, ask)
    except Refusal as refusal:
        return refusal


async def _enrolled(session: AsyncSession, catalogue: Catalogue, wants: Sequence[Wanted]) -> list[Enrolled | Refusal]:
    """Decide and write; if another transaction was first anywhere, undo, and decide again on what it left."""
    while True:
        known = await known_of(session, wants)
        strangers = sum(1 for want in wants if not any(key in known.owners for key in want.keys))
        serials = (await session.scalars(_SERIALS, {"count": strangers})).all() if strangers else []
        plan = rules.enrolment(wants, known, serials)
        attempt = await session.begin_nested()
        if await _written(session, catalogue, plan):
            await attempt.commit()
            return plan.answers
        await attempt.rollback()


async def known_of(session: AsyncSession, wants: Sequence[Wanted]) -> Known:
    """What is known of all identifiers that the asks name, and of the memberships they lead to."""
    known = Known()
    keys = {key for want in wants for key in want.keys}
    shown = {(key[0], key[1], hashed(session, key)): key for key in keys}
    asked = key_columns(session, keys) | {"as_of": max(want.ask.as_of for want in wants)}
    for type_, issuer, value, holder_id, number, status in await session.execute(_OWNERS, asked):
        known.owners[shown[type_, issuer, value]] = holder_id
        known.members[holder_id] = number, status
    if known.members:
        merchants = {want.merchant.id for want in wants}
        named = {"holders": list(known.members), "merchants": list(merchants)}
        known.memberships = {(holder, merchant) for holder, merchant in await session.execute(_MEMBERSHIPS, named)}
    return known


async def _written(session: AsyncSession, catalogue: Catalogue, plan: Plan) -> bool:
    """Write a plan; False if a row that it was to make had been made by another."""
    if plan.links:
        holders = [holder_id for holder_id, _ in plan.links.values()]
        linked = [want.ask.as_of for _, want in plan.links.values()]
        claims = {**key_columns(session, plan.links), "holders": holders}
        if len((await session.execute(_CLAIM, claims)).all()) < len(plan.links):
            return False
        sealed = await sealed_column(session, list(zip(holders, plan.links, strict=True)))
        await session.execute(_LINK, {**claims, "sealed": sealed, "linked": linked})
    if plan.created:
        ids, numbers, wants = zip(*plan.created, strict=True)
        created = {
            "ids": list(ids),
            "serials": [rules.serial_of(number) for number in numbers],
            "numbers": list(numbers),
            "joined": [want.ask.as_of for want in wants],
        }
        await session.execute(_CREATE, created)
    if plan.jurisdictions:
        named = {"ids": list(plan.jurisdictions), "named": list(plan.jurisdictions.values())}
        await session.execute(_SETTLE, named)
    if plan.joins:
        asks = [want.ask for _, want in plan.joins.values()]
        joins = {
            "holders": [holder_id for holder_id, _ in plan.joins],
            "merchants": [merchant_id for _, merchant_id in plan.joins],
            "numbers": [number for number, _ in plan.joins.values()],
            "joined": [ask.as_of for ask in asks],
            "channels": [ask.channel for ask in asks],
            "stores": [ask.store for ask in asks],
        }
        if len((await session.execute(_JOIN, joins)).all()) < len(plan.joins):
            return False
        joined = [NewEvent(holder, EventKind.MEMBER_JOINED, {"merchant": str(to)}, (to,)) for holder, to in plan.joins]
        await add_events(session, joined)
    new = {holder_id for holder_id, _, _ in plan.created}
    links = [(holder, key[0], want.ask.as_of) for key, (holder, want) in plan.links.items() if holder not in new]
    await note_changes(session, catalogue, links)
    return True


async def link_identifier(
    session: AsyncSession,
    catalogue: Catalogue,
    *,
    member_id: uuid.UUID,
    merchant: str,
    ref: IdentifierRef,
    as_of: datetime,
) -> bool:
    """Let a member be recognised by one identifier more, presented at `merchant`; False if they were already.

    Raises NotFound, InvalidInput, MemberNotActive, IdentifierTaken.
    """
    try:
        presented_at = rules.merchant_of(catalogue, merchant)
        key = rules.identifier_key(catalogue, presented_at, ref)
    except InvalidInput as refusal:
        raise refusal.at("identifier") from None
    await require_active(session, member_id, as_of)
    claim = {**key_columns(session, [key]), "holders": [member_id]}
    if (await session.execute(_CLAIM, claim)).all():
        sealed = await sealed_column(session, [(member_id, key)])
        await session.execute(_LINK, {**claim, "sealed": sealed, "linked": [as_of]})
        data = {"type": key[0], "merchant": str(presented_at.id)}
        await add_event(session, member_id, EventKind.MEMBER_LINKED, data, presented_at.id)
        await note_changes(session, catalogue, [(member_id, key[0], as_of)])
        return True
    owner = (await session.execute(_OWNERS, key_columns(session, [key]) | {"as_of": as_of})).one()
    if owner.holder_id != member_id:
        raise IdentifierTaken(type=key[0], path=("identifier",))
    return False
