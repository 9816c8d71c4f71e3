"""Using a code: once, in the transaction of what it is used for."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.codes.errors import MemberCodeExpired, MemberCodeUsed
from domain.codes.model import MemberCodeUse, Shown
from domain.codes.rules import is_good
from domain.ledger.request import Books, Effect, Needs

_USE: Any = MemberCodeUse.__table__
USES_KEPT = timedelta(days=30)
"""How long it is kept that a code was used: longer than any code is accepted."""

_FORGET = text("""
    DELETE FROM member_code_use
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM member_code_use WHERE used_at < :before LIMIT :size))""")


class _CodesUsed:
    """Whether a code was used, by (holder, nonce)."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[uuid.UUID, int]]
    ) -> dict[tuple[uuid.UUID, int], datetime]:
        rows = await connection.fetch(
            """SELECT holder_id, nonce, used_at
               FROM unnest($1::uuid[], $2::bigint[]) AS asked (holder_id, nonce)
               JOIN member_code_use USING (holder_id, nonce)""",
            [holder_id for holder_id, _ in keys],
            [nonce for _, nonce in keys],
        )
        return {(row["holder_id"], row["nonce"]): row["used_at"] for row in rows}


CODES_USED = _CodesUsed()


@dataclass(frozen=True, slots=True)
class Presenting:
    """A code at work as of a moment: a gate before what is posted for whoever showed it, good once.

    A till that was offline says when it was shown (`shown_at`), and may say so until `offline` after it expired.
    """

    shown: Shown
    as_of: datetime
    path: tuple[str, ...] = ("member", "token")
    shown_at: datetime | None = None
    offline: timedelta = timedelta()

    def needs(self, needs: Needs) -> None:
        """Whether it was used."""
        needs.other(CODES_USED, (self.shown.member_id, self.shown.nonce))

    def require(self, books: Books) -> None:
        """Raises MemberCodeExpired, MemberCodeUsed."""
        self.require_good()
        if books.other(CODES_USED, (self.shown.member_id, self.shown.nonce)) is not None:
            raise MemberCodeUsed(path=self.path)

    def passed(self, books: Books, effect: Effect) -> None:
        """One row."""
        books.others[CODES_USED][self.shown.member_id, self.shown.nonce] = self.as_of
        effect.rows.append((_USE, self._row()))

    async def claim(self, session: AsyncSession) -> None:
        """Use it up in this transaction, for what is not posted. Raises MemberCodeExpired, MemberCodeUsed."""
        self.require_good()
        used = await session.execute(insert(_USE).values(self._row()).on_conflict_do_nothing().returning(_USE.c.nonce))
        if used.first() is None:
            raise MemberCodeUsed(path=self.path)

    def require_good(self) -> None:
        """Raises MemberCodeExpired unless it holds now, or did when it was shown, not too long ago."""
        late = self.shown_at is not None and self.as_of < self.shown.expires_at + self.offline
        if not is_good(self.shown, self.as_of) and not (late and self.shown_at and is_good(self.shown, self.shown_at)):
            raise MemberCodeExpired(until=self.shown.expires_at.isoformat(), path=self.path)

    def _row(self) -> dict[str, Any]:
        return {"holder_id": self.shown.member_id, "nonce": self.shown.nonce, "used_at": self.as_of}


async def forget_uses(session: AsyncSession, as_of: datetime, size: int) -> int:
    """Delete at most `size` uses from too long before `as_of`; how many they were."""
    deleted = await session.execute(_FORGET, {"before": as_of - USES_KEPT, "size": size})
    count: int = deleted.rowcount  # type: ignore[attr-defined]
    return count
