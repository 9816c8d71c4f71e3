"""Enrolling members, and recognising them by more. See life.py for what becomes of them.

Safe against the same done at once by other processes: an identifier belongs to whoever's row in the look-up was first,
and whoever was later starts again from what is there now. All that an identifier causes is written after it, in one
order, so that two calls never wait for each other. One call a transaction: a second one would break that order.
"""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import InvalidInput, NotFound, Refusal
from domain.events.commands import add_event, add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent
from domain.guard.commands import note_changes
from domain.ledger.aliases import PERSONS, absorbed
from domain.members import numbers, rules
from domain.members.errors import IdentifierTaken, LastIdentifier, TooManyIdentifiers
from domain.members.life import require_active
from domain.members.model import EnrolAsk, Enrolled, IdentifierRef
from domain.members.numbers import Range
from domain.members.rules import IdentifierKey, Known, Plan, Wanted
from domain.members.sealing import hashed, key_columns, sealed_column
from domain.programs.catalogue import Catalogue, IdentifierType, Merchant

_OWNERS = text("""
    SELECT type, issuer, value, member.id AS holder_id, number,
           CASE WHEN frozen_until <= :as_of THEN 'ACTIVE' ELSE status END AS status
    FROM unnest(CAST(:types AS text[]), CAST(:issuers AS text[]), CAST(:values AS text[])) AS a (type, issuer, value)
    JOIN identifier_owner USING (type, issuer, value)
    LEFT JOIN member_alias USING (holder_id)
    JOIN member ON member.id = coalesce(survivor_id, holder_id)
""")
_MEMBERSHIPS = text("""
    SELECT holder_id, merchant_id FROM membership
    WHERE holder_id = ANY(CAST(:holders AS uuid[])) AND merchant_id = ANY(CAST(:merchants AS uuid[]))
""")
_NOTED = text("""
    SELECT type, issuer, value, holder_id
    FROM unnest(CAST(:types AS text[]), CAST(:issuers AS text[]), CAST(:values AS text[])) AS a (type, issuer, value)
    JOIN member_identifier USING (type, issuer, value)
    WHERE holder_id = ANY(CAST(:holders AS uuid[]))
""")
_COUNTS = text(f"""
    SELECT p.person_id, i.type, count(DISTINCT (i.issuer, i.value))
    FROM {PERSONS} p JOIN member_identifier i ON i.holder_id = p.holder_id GROUP BY p.person_id, i.type
""")  # noqa: S608
_LOCK = text("""
    SELECT 1 FROM member WHERE id = ANY(CAST(:holders AS uuid[])) ORDER BY id FOR NO KEY UPDATE
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
    INSERT INTO member_identifier (holder_id, type, issuer, value, sealed, linked_at, verified_at)
    SELECT *
    FROM unnest(CAST(:holders AS uuid[]), CAST(:types AS text[]), CAST(:issuers AS text[]), CAST(:values AS text[]),
                CAST(:sealed AS bytea[]), CAST(:linked AS timestamptz[]), CAST(:verified AS timestamptz[]))
    ON CONFLICT (holder_id, type, issuer, value) DO UPDATE SET verified_at = excluded.verified_at
    WHERE member_identifier.verified_at IS NULL AND excluded.verified_at IS NOT NULL
    RETURNING 1
""")
_CREATE = text("""
    WITH numbered AS (
        INSERT INTO member_number (serial, holder_id)
        SELECT * FROM unnest(CAST(:serials AS bigint[]), CAST(:holders AS uuid[]))
        ON CONFLICT DO NOTHING
        RETURNING 1
    ), created AS (
        INSERT INTO member (id, number, status, joined_at)
        SELECT id, number, 'ACTIVE', joined_at
        FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS text[]), CAST(:joined AS timestamptz[]))
            AS created (id, number, joined_at)
    )
    SELECT count(*) FROM numbered
""")
_VERIFY = text("""
    UPDATE member_identifier SET verified_at = :as_of
    FROM unnest(CAST(:holders AS uuid[]), CAST(:types AS text[]), CAST(:issuers AS text[]), CAST(:values AS text[]))
        AS proved (holder_id, type, issuer, value)
    WHERE (member_identifier.holder_id, member_identifier.type, member_identifier.issuer, member_identifier.value)
        = (proved.holder_id, proved.type, proved.issuer, proved.value)
""")
_UNLINK = text("""
    DELETE FROM member_identifier
    USING unnest(CAST(:holders AS uuid[]), CAST(:types AS text[]), CAST(:issuers AS text[]), CAST(:values AS text[]))
        AS gone (holder_id, type, issuer, value)
    WHERE (member_identifier.holder_id, member_identifier.type, member_identifier.issuer, member_identifier.value)
        = (gone.holder_id, gone.type, gone.issuer, gone.value)
    RETURNING 1
""")
_DISOWN = text("""
    DELETE FROM identifier_owner
    USING unnest(CAST(:holders AS uuid[]), CAST(:types AS text[]), CAST(:issuers AS text[]), CAST(:values AS text[]))
        AS gone (holder_id, type, issuer, value)
    WHERE (identifier_owner.type, identifier_owner.issuer, identifier_owner.value, identifier_owner.holder_id)
        = (gone.type, gone.issuer, gone.value, gone.holder_id)
    RETURNING 1
""")
_LEFT = text("""
    SELECT count(*) FROM member_identifier
    WHERE holder_id = ANY(CAST(:holders AS uuid[]))
      AND (verified_at IS NOT NULL OR type <> ALL(CAST(:unverified AS text[])))
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
    serials: dict[Range, list[int]] = {}
    while True:
        known, plan = await _planned(session, wants, serials)
        plan.number(serials, known)
        attempt = await session.begin_nested()
        if await _written(session, catalogue, plan, known):
            await attempt.commit()
            return plan.answers
        await attempt.rollback()


async def _planned(
    session: AsyncSession, wants: Sequence[Wanted], serials: dict[Range, list[int]]
) -> tuple[Known, Plan]:
    """What the asks come to, with serials for all that need a number: those at hand, and more are taken.

    Where a range is at its end, there are numbers for the first asks alone.
    """
    left: dict[Range, int] = {}
    while True:
        known = await known_of(session, wants)
        plan = rules.enrolment(wants, known, left)
        needs = plan.needs()
        missing = {owned: more for owned, count in needs.items() if (more := count - len(serials.get(owned, ()))) > 0}
        for owned, taken in (await numbers.take(session, missing)).items():
            serials[owned] = sorted([*serials.get(owned, ()), *taken], reverse=True)
        ended = {owned: len(serials[owned]) for owned in missing if len(serials[owned]) < needs[owned]}
        if not ended:
            return known, plan
        left |= ended


async def known_of(session: AsyncSession, wants: Sequence[Wanted]) -> Known:
    """What is known of all identifiers that the asks name, and of the memberships they lead to."""
    known = Known()
    keys = {key for want in wants for key in (*want.keys, *want.unproven)}
    shown = {(key[0], key[1], hashed(session, key)): key for key in keys}
    columns = key_columns(session, keys)
    asked = columns | {"as_of": max(want.ask.as_of for want in wants)}
    for type_, issuer, value, holder_id, number, status in await session.execute(_OWNERS, asked):
        known.owners[shown[type_, issuer, value]] = holder_id
        known.members[holder_id] = number, status
    if known.members:
        holders = list(known.members)
        merchants = {want.merchant.id for want in wants}
        named = {"holders": holders, "merchants": list(merchants)}
        known.memberships = {(holder, merchant) for holder, merchant in await session.execute(_MEMBERSHIPS, named)}
        if any(want.unproven or want.proven or want.most for want in wants):
            noted = await session.execute(_NOTED, columns | {"holders": holders})
            known.noted = {(holder_id, shown[type_, issuer, value]) for type_, issuer, value, holder_id in noted}
        if any(want.most for want in wants):
            known.counts = await _counts(session, holders)
    return known


async def _counts(session: AsyncSession, holders: Collection[uuid.UUID]) -> dict[tuple[uuid.UUID, str], int]:
    """How many identifiers of each type these members have, with those of who was merged into them."""
    rows = await session.execute(_COUNTS, {"holders": list(holders)})
    return {(holder_id, type_): count for holder_id, type_, count in rows}


async def _written(session: AsyncSession, catalogue: Catalogue, plan: Plan, known: Known) -> bool:
    """Write a plan; False if a row that it was to make had been made by another, or more by now than there may be."""
    if plan.links:
        claims = {**key_columns(session, plan.links), "holders": [holder_id for holder_id, _ in plan.links.values()]}
        if len((await session.execute(_CLAIM, claims)).all()) < len(plan.links):
            return False
    if linked := [(holder_id, key, want) for key, (holder_id, want) in plan.links.items()]:
        await session.execute(_LINK, await _rows(session, linked))
    if noted := [(holder_id, key, want) for (holder_id, key), want in plan.noted.items()]:
        await session.execute(_LINK, await _rows(session, noted))
    if plan.limited and not await _within_limits(session, plan):
        return False
    if plan.serials:
        created = {
            "serials": list(plan.serials),
            "holders": list(plan.serials.values()),
            "ids": list(plan.created),
            "numbers": [known.members[id_][0] for id_ in plan.created],
            "joined": [want.ask.as_of for want in plan.created.values()],
        }
        if (await session.scalar(_CREATE, created) or 0) < len(plan.serials):
            return False
    if plan.jurisdictions:
        named = {"ids": list(plan.jurisdictions), "named": list(plan.jurisdictions.values())}
        await session.execute(_SETTLE, named)
    if plan.joins:
        asks = [want.ask for want in plan.joins.values()]
        joins = {
            "holders": [holder_id for holder_id, _ in plan.joins],
            "merchants": [merchant_id for _, merchant_id in plan.joins],
            "numbers": [plan.numbers[place] for place in plan.joins],
            "joined": [ask.as_of for ask in asks],
            "channels": [ask.channel for ask in asks],
            "stores": [ask.store for ask in asks],
        }
        if len((await session.execute(_JOIN, joins)).all()) < len(plan.joins):
            return False
        joined = [NewEvent(holder, EventKind.MEMBER_JOINED, {"merchant": str(to)}, (to,)) for holder, to in plan.joins]
        await add_events(session, joined)
    links = [
        (holder, key[0], want.ask.as_of) for key, (holder, want) in plan.links.items() if holder not in plan.created
    ]
    await note_changes(session, catalogue, links)
    return True


async def _within_limits(session: AsyncSession, plan: Plan) -> bool:
    """Whether members have no more of limited types than they may, with what was just linked; they get no more until
    the transaction ends. Locked with them, in one order, are those whose row will be changed."""
    holders = {holder_id for holder_id, _ in plan.limited}
    await session.execute(_LOCK, {"holders": list(holders | plan.jurisdictions.keys())})
    counts = await _counts(session, holders)
    return all(counts.get(place, 0) <= most for place, most in plan.limited.items())


async def _rows(session: AsyncSession, linked: Sequence[tuple[uuid.UUID, IdentifierKey, Wanted]]) -> dict[str, Any]:
    """What is to be kept with members, as columns; each once."""
    return {
        **key_columns(session, [key for _, key, _ in linked]),
        "sealed": await sealed_column(session, [(holder_id, key) for holder_id, key, _ in linked]),
        "holders": [holder_id for holder_id, _, _ in linked],
        "linked": [want.ask.as_of for _, _, want in linked],
        "verified": [want.verified_at(key) for _, key, want in linked],
    }


async def link_identifier(
    session: AsyncSession,
    catalogue: Catalogue,
    *,
    member_id: uuid.UUID,
    merchant: str,
    ref: IdentifierRef,
    as_of: datetime,
    verified: bool = True,
) -> bool:
    """Let a member be recognised by one identifier more, presented at `merchant`; False if that changes nothing.

    One that has to be verified, and is not by whoever asks, is noted and identifies nobody.
    Raises NotFound, InvalidInput, MemberNotActive, IdentifierTaken, TooManyIdentifiers.
    """
    presented_at, declared, key = _presented(catalogue, merchant, ref)
    proven = as_of if declared.verify is not None and verified else None
    counts = declared.verify is None or verified
    if counts and not await _claimed(session, member_id, key, as_of):
        return False
    await _lock_active(session, member_id, as_of)
    named = {**key_columns(session, [key]), "holders": [member_id]}
    sealed = await sealed_column(session, [(member_id, key)])
    row = named | {"sealed": sealed, "linked": [as_of], "verified": [proven]}
    written = (await session.execute(_LINK, row)).all()
    if written and declared.per_member is not None:
        have = (await _counts(session, [member_id])).get((member_id, key[0]), 0)
        if have > declared.per_member:
            raise TooManyIdentifiers(type=key[0], most=declared.per_member, path=("identifier",))
    if written:
        await _tell(session, EventKind.MEMBER_LINKED, member_id, presented_at, key)
    if written and counts:
        await note_changes(session, catalogue, [(member_id, key[0], as_of)])
    return bool(written)


async def verify_identifier(
    session: AsyncSession,
    catalogue: Catalogue,
    *,
    member_id: uuid.UUID,
    merchant: str,
    ref: IdentifierRef,
    as_of: datetime,
) -> bool:
    """Let an identifier that is said of a member identify them: it was proved to be theirs. False if it did before.

    Raises NotFound, InvalidInput, MemberNotActive, IdentifierTaken.
    """
    presented_at, _, key = _presented(catalogue, merchant, ref)
    who = await _also_known_as(session, member_id)
    noted = await session.execute(_NOTED, {**key_columns(session, [key]), "holders": who})
    holder_id = next((row.holder_id for row in sorted(noted, key=lambda row: who.index(row.holder_id))), None)
    if holder_id is None:
        raise NotFound(what="identifier", path=("identifier",))
    if not await _claimed(session, member_id, key, as_of, holder_id):
        return False
    await _lock_active(session, member_id, as_of)
    named = {**key_columns(session, [key]), "holders": [holder_id]}
    await session.execute(_VERIFY, named | {"as_of": as_of})
    await _tell(session, EventKind.MEMBER_VERIFIED, member_id, presented_at, key)
    await note_changes(session, catalogue, [(member_id, key[0], as_of)])
    return True


async def unlink_identifier(
    session: AsyncSession,
    catalogue: Catalogue,
    *,
    member_id: uuid.UUID,
    merchant: str,
    ref: IdentifierRef,
    as_of: datetime,
    number_alone: bool = False,
) -> bool:
    """Let a member no longer be recognised by an identifier; False if they were not. It is free for others then.

    The last one that identifies them is taken away only where `number_alone` is said to do.
    Raises NotFound, InvalidInput, MemberNotActive, LastIdentifier.
    """
    presented_at, _, key = _presented(catalogue, merchant, ref)
    await _lock_active(session, member_id, as_of)
    who = await _also_known_as(session, member_id)
    named = {**key_columns(session, [key] * len(who)), "holders": who}
    removed = (await session.execute(_UNLINK, named)).all()
    if not removed:
        return False
    identified = (await session.execute(_DISOWN, named)).all()
    unverified = [one.type for one in catalogue.identifier_types.values() if one.verify is not None]
    left = await session.scalar(_LEFT, {"holders": who, "unverified": unverified})
    if identified and not left and not number_alone:
        raise LastIdentifier(path=("identifier",))
    await _tell(session, EventKind.MEMBER_UNLINKED, member_id, presented_at, key)
    if identified:
        await note_changes(session, catalogue, [(member_id, key[0], as_of)])
    return True


def _presented(
    catalogue: Catalogue, merchant: str, ref: IdentifierRef
) -> tuple[Merchant, IdentifierType, IdentifierKey]:
    """An identifier as it is presented at a merchant. Raises NotFound, InvalidInput."""
    presented_at = rules.merchant_of(catalogue, merchant)
    try:
        return (
            presented_at,
            rules.declared_type(catalogue, ref.type),
            rules.identifier_key(catalogue, presented_at, ref),
        )
    except InvalidInput as refusal:
        raise refusal.at("identifier") from None


async def _also_known_as(session: AsyncSession, member_id: uuid.UUID) -> list[uuid.UUID]:
    """A member, and who was merged into them: what those are recognised by leads to the member."""
    return [member_id, *(await absorbed(session, [member_id]))[member_id]]


async def _claimed(
    session: AsyncSession, member_id: uuid.UUID, key: IdentifierKey, as_of: datetime, holder_id: uuid.UUID | None = None
) -> bool:
    """Whether the identifier is the member's from now on; False if it was before. It lies under them, or under
    `holder_id`, who became them. Raises IdentifierTaken."""
    claim = {**key_columns(session, [key]), "holders": [holder_id or member_id]}
    while not (await session.execute(_CLAIM, claim)).all():
        owner = (await session.execute(_OWNERS, key_columns(session, [key]) | {"as_of": as_of})).one_or_none()
        if owner is not None and owner.holder_id != member_id:
            raise IdentifierTaken(type=key[0], path=("identifier",))
        if owner is not None:
            return False
    return True


async def _lock_active(session: AsyncSession, member_id: uuid.UUID, as_of: datetime) -> None:
    """By what a member is recognised, one changes at a time. Raises NotFound, MemberNotActive."""
    await session.execute(_LOCK, {"holders": [member_id]})
    await require_active(session, member_id, as_of)


async def _tell(
    session: AsyncSession, kind: EventKind, member_id: uuid.UUID, presented_at: Merchant, key: IdentifierKey
) -> None:
    data = {"type": key[0], "merchant": str(presented_at.id)}
    await add_event(session, member_id, kind, data, presented_at.id)
