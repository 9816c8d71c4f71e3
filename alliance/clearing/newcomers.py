"""New accounts wait before they give points away or exchange them (L5)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from alliance.clearing.errors import TooNew
from domain.ledger.request import Books, Effect, Needs, Rider


class _MemberSince:
    """When holders became members."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[uuid.UUID]) -> dict[uuid.UUID, datetime]:
        rows = await connection.fetch("SELECT id, joined_at FROM member WHERE id = ANY($1)", keys)
        return {row["id"]: row["joined_at"] for row in rows}


MEMBER_SINCE = _MemberSince()


@dataclass(frozen=True, slots=True)
class _Waits:
    """Refuses a member who joined less than `days` before `as_of`."""

    member_id: uuid.UUID
    days: int
    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """When they joined."""
        needs.other(MEMBER_SINCE, self.member_id)

    def ride(self, books: Books, effect: Effect) -> None:
        """Raises TooNew."""
        since: datetime | None = books.other(MEMBER_SINCE, self.member_id)
        if since is not None and (until := since + timedelta(days=self.days)) > self.as_of:
            raise TooNew(until=until.isoformat())


def waiting(member_id: uuid.UUID, days: int, as_of: datetime) -> tuple[Rider, ...]:
    """What keeps a member from going on before they have been one for so many days."""
    return (_Waits(member_id, days, as_of),) if days else ()
