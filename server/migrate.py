"""Bring a database to the newest schema. Additive, one at a time under an advisory lock, and never waiting long."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import migrations
from domain.database import Database
from domain.privacy.keys import KeyProvider

LOCK = (0x7E55, 0)
LOCK_TIMEOUT = "5s"


def alembic_config() -> Config:
    """Alembic's settings, without a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    return config


@cache
def newest() -> str | None:
    """The revision that this code wants."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


async def current(connection: AsyncConnection) -> str | None:
    """The revision that the database has."""
    return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def is_current(engine: AsyncEngine) -> bool:
    """Whether the database has all the migrations of this code. Raises OSError or DBAPIError if it is not there."""
    async with engine.connect() as connection:
        return await current(connection) == newest()


async def lacks_migrations(database_url: str) -> bool:
    """The opposite, for a URL."""
    database = Database(database_url, pool_size=1)
    try:
        return not await is_current(database.engine)
    finally:
        await database.close()


async def upgrade(
    database_url: str, keys: KeyProvider | None = None, to: str = "head"
) -> tuple[str | None, str | None]:
    """Upgrade to the newest revision, or to another; returns the revisions before and after.

    What is sealed on the way takes `keys`.
    Raises OSError if the database is not there, sqlalchemy.exc.DBAPIError if a table stays locked for 5 seconds.
    """
    database = Database(database_url, pool_size=1)
    try:
        async with database.engine.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_lock(:a, :b)"), {"a": LOCK[0], "b": LOCK[1]})
            await connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
            await connection.commit()
            before = await current(connection)
            await connection.run_sync(_upgrade, keys, to)
            await connection.commit()
            after = await current(connection)
            await connection.rollback()
            await connection.execute(text("SELECT pg_advisory_unlock(:a, :b)"), {"a": LOCK[0], "b": LOCK[1]})
            await connection.commit()
            return before, after
    finally:
        await database.close()


def _upgrade(connection: Connection, keys: KeyProvider | None, to: str) -> None:
    config = alembic_config()
    config.attributes["keys"] = keys
    config.attributes["connection"] = connection
    command.upgrade(config, to)
