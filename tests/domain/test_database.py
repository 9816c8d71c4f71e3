"""The ways to PostgreSQL."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.database import Database


async def _backend(connection: AsyncConnection) -> int:
    return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())


async def _fault(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1 / 0"))


async def test_a_standing_reader_keeps_its_connection_and_survives_its_loss(database: Database) -> None:
    reader = database.standing()
    first = await reader.run(_backend)
    assert await reader.run(_backend) == first
    with pytest.raises(DBAPIError):
        await reader.run(_fault)
    assert await reader.run(_backend) == first
    async with database.session() as session:
        await session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first})
        async with asyncio.timeout(60):
            gone = text("SELECT true FROM pg_stat_activity WHERE pid = :pid")
            while await session.scalar(gone, {"pid": first}):
                pass
    assert await reader.run(_backend) != first
    await reader.close()


async def test_a_reader_begins_no_transaction(database: Database) -> None:
    async with database.reader() as session:
        one = await session.scalar(text("SELECT statement_timestamp()"))
        assert await session.scalar(text("SELECT transaction_timestamp()")) > one
