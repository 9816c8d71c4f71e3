"""The sealer waits for every running transaction of the server; so that tests may share one, they wait for it first."""

import asyncio

import asyncpg


async def others_have_ended(connection: asyncpg.Connection) -> None:
    """Wait until the transactions that run now in other databases have ended. Raises TimeoutError after a minute."""
    running = """SELECT backend_xid::text FROM pg_stat_activity
                 WHERE datname IS DISTINCT FROM current_database() AND backend_xid IS NOT NULL"""
    async with asyncio.timeout(60):
        waited_for = {row[0] for row in await connection.fetch(running)}
        while waited_for & {row[0] for row in await connection.fetch(running)}:  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.02)
