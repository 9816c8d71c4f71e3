"""Who waits for news of a holder's wallets, so that a batch tells of these holders, and a batch about others nobody.

A watcher puts its row down under the holder's lock. A batch reads the rows after it has taken that lock: so what it
changes is either told, or was there before the row was.
"""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

import asyncpg
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, lock_key

CHANNEL = "tessera_wallet"
"""On which the id of a watched holder is notified when something was posted to it."""

LIVES = timedelta(minutes=5)
"""For how long a watcher is believed to be there that does not say so again."""


class WalletWatch(Base):
    """That a process waits for news of a holder."""

    __tablename__ = "wallet_watch"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    watcher_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    until: Mapped[datetime]


async def watch(session: AsyncSession, holder_id: uuid.UUID, watcher_id: uuid.UUID) -> None:
    """Be told of all that is posted to a holder from now on, for as long as `LIVES`. Commit it, and then look."""
    await session.execute(select(func.pg_advisory_xact_lock(lock_key(holder_id))))
    await session.execute(
        text("""INSERT INTO wallet_watch (holder_id, watcher_id, until)
                VALUES (:holder, :watcher, clock_timestamp() + :lives)
                ON CONFLICT (holder_id, watcher_id) DO UPDATE SET until = excluded.until"""),
        {"holder": holder_id, "watcher": watcher_id, "lives": LIVES},
    )


async def leave(session: AsyncSession, holder_id: uuid.UUID, watcher_id: uuid.UUID) -> None:
    """Be told no more; and forget those who went without a word."""
    await session.execute(
        text("""DELETE FROM wallet_watch w USING (
                  SELECT holder_id, watcher_id FROM wallet_watch
                  WHERE until < clock_timestamp() OR (holder_id = :holder AND watcher_id = :watcher)
                  FOR UPDATE SKIP LOCKED) AS gone
                WHERE w.holder_id = gone.holder_id AND w.watcher_id = gone.watcher_id"""),
        {"holder": holder_id, "watcher": watcher_id},
    )


async def tell(connection: asyncpg.Connection, holders: Collection[uuid.UUID]) -> None:
    """Tell whoever waits, when the transaction is committed, that something was posted to these holders."""
    await connection.execute("SELECT pg_notify($1, id::text) FROM unnest($2::uuid[]) AS id", CHANNEL, list(holders))
