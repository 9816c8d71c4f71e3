"""Keeping what is told of members, in the caller's transaction: many members, a handful of statements."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.events.commands import add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent
from domain.privacy.vault import digest, seal_many
from domain.profiles.model import Told
from domain.profiles.rules import stored
from domain.programs.profiles import MemberTerms

Changed = dict[UUID, list[str]]
"""Which attributes changed, by member."""

# Sealed values differ each time they are sealed: whether one changed is not known, and counts as if it had.
_KEEP = text("""
    INSERT INTO member_attribute AS kept (holder_id, code, value, sealed, digest, merchant_id, set_at)
    SELECT holder_id, code, value::jsonb, sealed, digest, merchant_id, set_at
    FROM unnest(CAST(:holders AS uuid[]), CAST(:codes AS text[]), CAST(:values AS text[]), CAST(:sealed AS bytea[]),
                CAST(:digests AS bytea[]), CAST(:merchants AS uuid[]), CAST(:times AS timestamptz[]))
        AS told (holder_id, code, value, sealed, digest, merchant_id, set_at)
    ORDER BY holder_id, code
    ON CONFLICT (holder_id, code) DO UPDATE
    SET value = excluded.value, sealed = excluded.sealed, digest = excluded.digest,
        merchant_id = excluded.merchant_id, set_at = excluded.set_at
    WHERE (kept.value, kept.sealed) IS DISTINCT FROM (excluded.value, excluded.sealed)
    RETURNING holder_id, code
""")
_DROP = text("""
    DELETE FROM member_attribute kept
    USING (SELECT holder_id, code
           FROM unnest(CAST(:holders AS uuid[]), CAST(:codes AS text[])) AS gone (holder_id, code)
           JOIN member_attribute USING (holder_id, code)
           ORDER BY holder_id, code FOR UPDATE OF member_attribute) AS gone
    WHERE kept.holder_id = gone.holder_id AND kept.code = gone.code
    RETURNING kept.holder_id, kept.code
""")
_JOINED = text("""
    SELECT holder_id, merchant_id FROM membership WHERE holder_id = ANY(CAST(:holders AS uuid[])) ORDER BY 1, 2
""")


async def tell(session: AsyncSession, terms: MemberTerms, merchants: dict[str, UUID], told: Sequence[Told]) -> Changed:
    """Keep values that were checked (see `rules.checked`), one row a member and attribute; what changed.

    `merchants` are ids by code. Of two for the same member and attribute, the later counts. Events name attributes and
    no values, and go to the merchants who may see them.
    """
    last = {(one.holder_id, code): (value, one) for one in told for code, value in one.values.items()}
    kept = [(*place, value, one) for place, (value, one) in last.items() if value is not None]
    gone = [place for place, (value, _) in last.items() if value is None]
    rows = [*await _kept(session, terms, kept), *await _dropped(session, gone)]
    changed: Changed = defaultdict(list)
    for holder_id, code in sorted(rows):
        changed[holder_id].append(code)
    await _say(session, terms, merchants, changed)
    return changed


async def _kept(
    session: AsyncSession, terms: MemberTerms, kept: Sequence[tuple[UUID, str, Any, Told]]
) -> list[tuple[UUID, str]]:
    if not kept:
        return []
    attributes = [terms.attributes[code] for _, code, _, _ in kept]
    texts = [stored(attribute, value) for attribute, (_, _, value, _) in zip(attributes, kept, strict=True)]
    secret = [place for place, attribute in enumerate(attributes) if attribute.personal]
    items = [(kept[place][0], field_of(attributes[place].code), texts[place]) for place in secret]
    sealed = dict(zip(secret, await seal_many(session, items), strict=True))
    looked_up = {
        place: digest(session, field_of(attributes[place].code), texts[place])
        for place in secret
        if attributes[place].find
    }
    columns = {
        "holders": [holder_id for holder_id, _, _, _ in kept],
        "codes": [code for _, code, _, _ in kept],
        "values": [None if place in sealed else value for place, value in enumerate(texts)],
        "sealed": [sealed.get(place) for place in range(len(kept))],
        "digests": [looked_up.get(place) for place in range(len(kept))],
        "merchants": [one.merchant_id for _, _, _, one in kept],
        "times": [one.as_of for _, _, _, one in kept],
    }
    return [(holder_id, code) for holder_id, code in await session.execute(_KEEP, columns)]


async def _dropped(session: AsyncSession, gone: Sequence[tuple[UUID, str]]) -> list[tuple[UUID, str]]:
    if not gone:
        return []
    columns = {"holders": [holder_id for holder_id, _ in gone], "codes": [code for _, code in gone]}
    return [(holder_id, code) for holder_id, code in await session.execute(_DROP, columns)]


def field_of(code: str) -> str:
    """What a value of that attribute is sealed for, and hashed as."""
    return f"attribute {code}"


async def _say(session: AsyncSession, terms: MemberTerms, merchants: dict[str, UUID], changed: Changed) -> None:
    """One event for those who see the same of it; attributes that no merchant reads are the operator's alone."""
    if not changed:
        return
    joined: dict[UUID, list[UUID]] = defaultdict(list)
    for holder_id, merchant_id in await session.execute(_JOINED, {"holders": list(changed)}):
        joined[holder_id].append(merchant_id)
    events = []
    for holder_id, codes in changed.items():
        audiences: dict[tuple[UUID, ...], list[str]] = defaultdict(list)
        for code in codes:
            attribute = terms.attributes[code]
            if "merchant" not in attribute.read:
                audience: tuple[UUID, ...] = ()
            elif attribute.merchant is not None:
                audience = (merchants[attribute.merchant],)
            else:
                audience = () if attribute.personal else tuple(joined[holder_id])
            audiences[audience].append(code)
        events += [
            NewEvent(holder_id, EventKind.MEMBER_UPDATED, {"attributes": " ".join(codes)}, audience)
            for audience, codes in audiences.items()
        ]
    await add_events(session, events)
