"""Destroying members' keys, wrapping them anew, and noting whose keys a database was sealed with."""

import hmac
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.privacy.errors import WrongKeys
from domain.privacy.model import KeyCheck
from domain.privacy.vault import vault_of

REWRAPPED_AT_ONCE = 1000
NIL = UUID(int=0)

_DESTROY = text("""
    INSERT INTO member_key (holder_id, destroyed_at)
    SELECT holder_id, :as_of FROM unnest(CAST(:holders AS uuid[])) AS holder_id ORDER BY holder_id
    ON CONFLICT (holder_id) DO UPDATE
    SET wrapped = NULL, wrapped_by = NULL, destroyed_at = coalesce(member_key.destroyed_at, excluded.destroyed_at)
""")
_OLD = text("""
    SELECT holder_id, wrapped_by, wrapped FROM member_key
    WHERE holder_id > :after AND wrapped_by <> :newest
    ORDER BY holder_id LIMIT :most FOR NO KEY UPDATE
""")
_REWRAP = text("""
    UPDATE member_key SET wrapped_by = b.wrapped_by, wrapped = b.wrapped
    FROM unnest(CAST(:holders AS uuid[]), CAST(:by AS text[]), CAST(:wrapped AS bytea[]))
        AS b (holder_id, wrapped_by, wrapped)
    WHERE member_key.holder_id = b.holder_id
""")


async def destroy_keys(session: AsyncSession, holders: Sequence[UUID], as_of: datetime) -> None:
    """What was sealed for these holders opens no more, once this is committed, and nothing more is sealed for them."""
    await session.execute(_DESTROY, {"holders": list(holders), "as_of": as_of})


async def rewrap_some(session: AsyncSession, after: UUID = NIL) -> list[UUID]:
    """Wrap up to 1,000 of the keys that an older wrapping key wraps by the newest, of holders `after` this one; whose
    they are. Sealed texts stay as they are."""
    vault = vault_of(session)
    named = {"newest": vault.newest(), "after": after, "most": REWRAPPED_AT_ONCE}
    rows = (await session.execute(_OLD, named)).all()
    if rows:
        fresh = [vault.rewrapped(holder_id, (by, wrapped)) for holder_id, by, wrapped in rows]
        columns = {"by": [by for by, _ in fresh], "wrapped": [wrapped for _, wrapped in fresh]}
        await session.execute(_REWRAP, {"holders": [row.holder_id for row in rows], **columns})
    return [row.holder_id for row in rows]


async def wrapping_keys_in_use(session: AsyncSession) -> set[str]:
    """The ids of the wrapping keys without which some member's key would be lost."""
    in_use = text("SELECT DISTINCT wrapped_by FROM member_key WHERE wrapped IS NOT NULL")
    return set((await session.scalars(in_use)).all())


async def require_right_keys(session: AsyncSession) -> None:
    """Raises WrongKeys unless this database was sealed with the keys of this session; the first that come are noted.

    Without this, a house whose keys were lost would make new ones, and know none of its members.
    """
    mine = vault_of(session).mark()
    await session.execute(insert(KeyCheck).values(one=1, lookup=mine).on_conflict_do_nothing())
    noted = await session.scalar(select(KeyCheck.lookup))
    if noted is None or not hmac.compare_digest(noted, mine):
        raise WrongKeys("the look-up secret is not the one that this database was sealed with")
