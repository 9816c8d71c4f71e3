"""Finding members who may be one person, a range at a time, and what people decide, in the caller's transaction.

What of a range others may share is written and committed before the range is compared with all that was written. So of
two ranges that are done at the same time at least one sees the other, and done again the same comes out.
"""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import delete, or_, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.duplicates.errors import NotLooking
from domain.duplicates.model import CandidateStatus, DuplicateCandidate, DuplicateKey, Scored
from domain.duplicates.queries import features_of
from domain.duplicates.rules import keys
from domain.duplicates.scoring import AT_ONCE, score
from domain.errors import InvalidInput, NotFound
from domain.privacy.vault import vault_of
from domain.programs.catalogue import Catalogue
from domain.programs.duplicates import DuplicateTerms

MOST = 50
"""What more members have in common says nothing about two of them: a shop's own telephone number, a word for a name."""

MAX_NOTE = 500

_WITHIN = "holder_id >= :first AND (CAST(:before AS uuid) IS NULL OR holder_id < CAST(:before AS uuid))"
_MEMBERS = text("""
    SELECT id FROM member
    WHERE id >= :first AND (CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid)) AND status <> 'CLOSED'
    ORDER BY id
""")
_FORGET = text(f"DELETE FROM duplicate_key WHERE {_WITHIN}")  # noqa: S608
_KEEP = text("""
    INSERT INTO duplicate_key (holder_id, key)
    SELECT * FROM unnest(CAST(:holders AS uuid[]), CAST(:keys AS bytea[])) ON CONFLICT DO NOTHING
""")
_SHARED = text(f"""
    SELECT mine.key, array_agg(d.holder_id) AS holders
    FROM (SELECT DISTINCT key FROM duplicate_key WHERE {_WITHIN}) AS mine
    CROSS JOIN LATERAL (SELECT holder_id FROM duplicate_key o WHERE o.key = mine.key LIMIT :most + 1) AS d
    GROUP BY mine.key HAVING count(*) BETWEEN 2 AND :most ORDER BY mine.key
""")  # noqa: S608
_PROPOSE = text("""
    INSERT INTO duplicate_candidate AS kept (one_id, other_id, probability, features, exact, status, found_at)
    SELECT one_id, other_id, probability, CAST(features AS jsonb), exact, 'PROPOSED', :as_of
    FROM unnest(CAST(:ones AS uuid[]), CAST(:others AS uuid[]), CAST(:probabilities AS bigint[]),
                CAST(:features AS text[]), CAST(:exacts AS boolean[]))
        AS found (one_id, other_id, probability, features, exact)
    ON CONFLICT (one_id, other_id) DO UPDATE
        SET probability = excluded.probability, features = excluded.features, exact = excluded.exact
        WHERE kept.status = 'PROPOSED'
          AND (kept.probability, kept.features) <> (excluded.probability, excluded.features)
""")
_WITHDRAW = text("""
    DELETE FROM duplicate_candidate c
    WHERE c.status = 'PROPOSED' AND c.one_id >= :first
      AND (CAST(:before AS uuid) IS NULL OR c.one_id < CAST(:before AS uuid))
      AND NOT EXISTS (SELECT FROM unnest(CAST(:ones AS uuid[]), CAST(:others AS uuid[])) AS f (one_id, other_id)
                      WHERE f.one_id = c.one_id AND f.other_id = c.other_id)
""")


def terms_of(catalogue: Catalogue) -> DuplicateTerms:
    """By what is looked. Raises NotLooking."""
    if catalogue.members.duplicates is None:
        raise NotLooking
    return catalogue.members.duplicates


async def note_keys(session: AsyncSession, catalogue: Catalogue, first: uuid.UUID, before: uuid.UUID | None) -> int:
    """Keep by what members from `first` to before `before` can be found; how many members. Raises NotLooking."""
    within = {"first": first, "before": before}
    ids = (await session.scalars(_MEMBERS, within)).all()
    features = await features_of(session, catalogue, terms_of(catalogue), ids)
    vault = vault_of(session)
    rows = [(one.holder_id, vault.digest("duplicate", key)) for one in features for key in keys(one)]
    await session.execute(_FORGET, within)
    if rows:
        await session.execute(_KEEP, {"holders": [row[0] for row in rows], "keys": [row[1] for row in rows]})
    return len(ids)


async def propose(
    session: AsyncSession, catalogue: Catalogue, first: uuid.UUID, before: uuid.UUID | None, as_of: datetime
) -> int:
    """Put pairs of one of these members and any other before people; how many there are.

    Pairs of these (by the smaller id) that nobody has decided on and that are none any more are withdrawn. What was
    decided stays as it is. Raises NotLooking, LibraryMissing.
    """
    terms, within = terms_of(catalogue), {"first": first, "before": before}
    found: dict[tuple[uuid.UUID, uuid.UUID], Scored] = {}
    rows = await session.execute(_SHARED, within | {"most": MOST})
    for shared in _portions([(key, holders) for key, holders in rows]):
        features = await features_of(session, catalogue, terms, sorted(shared))
        scored = await asyncio.to_thread(lambda: list(score(features, shared, terms.propose)))  # noqa: B023
        found |= {(one.one_id, one.other_id): one for one in scored}
    pairs = [found[pair] for pair in sorted(found)]  # in one order, so that two calls never wait for each other
    named: dict[str, Any] = {"ones": [one.one_id for one in pairs], "others": [one.other_id for one in pairs]}
    await session.execute(_WITHDRAW, within | named)
    if pairs:
        figures = {
            "probabilities": [one.probability for one in pairs],
            "features": [orjson.dumps(one.features).decode() for one in pairs],
            "exacts": [one.exact for one in pairs],
        }
        await session.execute(_PROPOSE, named | figures | {"as_of": as_of})
    return len(pairs)


def _portions(shared: Sequence[tuple[bytes, Sequence[uuid.UUID]]]) -> Iterator[dict[uuid.UUID, list[str]]]:
    """The keys that members share, by member, in portions of so many members as are compared at once."""
    some: dict[uuid.UUID, list[str]] = defaultdict(list)
    for key, holders in shared:
        if some and len(some) + len(holders) > AT_ONCE:
            yield some
            some = defaultdict(list)
        for holder_id in holders:
            some[holder_id].append(key.hex())
    if some:
        yield some


async def decide(
    session: AsyncSession,
    pair: tuple[uuid.UUID, uuid.UUID],
    decision: CandidateStatus,
    *,
    client_id: uuid.UUID,
    note: str | None,
    as_of: datetime,
) -> DuplicateCandidate:
    """Keep what somebody decided about a pair; it may be decided anew. Raises NotFound, InvalidInput."""
    if note is not None and len(note) > MAX_NOTE:
        raise InvalidInput(reason=f"must have at most {MAX_NOTE} characters", path=("note",))
    row = await session.get(DuplicateCandidate, pair, with_for_update=True)
    if row is None:
        raise NotFound(what="candidate", path=("candidate",))
    row.status, row.note, row.decided_at, row.client_id = decision.value, note, as_of, client_id
    await session.flush()
    return row


async def forget_pairs(session: AsyncSession, member_id: uuid.UUID) -> None:
    """Delete all pairs of a member, with what was noted of them, and by what they were found."""
    await session.execute(delete(DuplicateKey).where(DuplicateKey.holder_id == member_id))
    of = DuplicateCandidate
    await session.execute(delete(of).where(or_(of.one_id == member_id, of.other_id == member_id)))
