"""The migrations build what the models say, and do not wait long for a lock."""

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError

import migrations.models  # noqa: F401
from alliance.proofs.leaves import IN_TERMS, NOT_IN_LEAVES, NOT_PROVED, PROVED
from domain.base import Base
from domain.database import Database
from server import migrate


async def test_the_models_are_what_the_migrations_build(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, Base.metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert await migrate.current(connection) == migrate.newest()


def test_every_column_that_an_operation_writes_is_proved_or_named() -> None:
    """A new column of these tables is either in the leaves of the log (`Proved`, in alliance/proofs/leaves.py; it must
    be null where it has no value, or leaves that are sealed would change) or in `NOT_PROVED` there."""
    for proved in PROVED:
        columns = Base.metadata.tables[proved.table].columns
        apart = f"{NOT_PROVED[proved.table]} {IN_TERMS.get(proved.table, '')}"
        assert {*proved.names, *apart.split()} == set(columns.keys()), proved.table
        assert {f"{name}?" if columns[name].nullable else name for name in proved.names} == set(proved.columns.split())
        assert not columns[proved.names[0]].nullable, proved.table


def test_every_table_that_names_an_operation_is_in_its_leaf_or_says_why_not() -> None:
    """A new one is added to `PROVED` (since the version that is sealed next) or to `NOT_IN_LEAVES`."""
    naming = {name for name, table in Base.metadata.tables.items() if "operation_id" in table.columns}
    assert naming | {"operation"} == {proved.table for proved in PROVED} | NOT_IN_LEAVES.keys()


async def test_upgrading_twice_changes_nothing(database: Database, database_url: str) -> None:
    before, after = await migrate.upgrade(database_url)
    assert before == after == migrate.newest()


async def test_a_locked_table_stops_a_migration_instead_of_the_shop(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "100ms")
    holder = await asyncpg.connect(make_url(database_url).set(drivername="postgresql").render_as_string(False))
    try:
        async with holder.transaction():
            await holder.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(DBAPIError, match="lock timeout"):
                await migrate.upgrade(database_url)
    finally:
        await holder.close()
    async with database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM alembic_version")) == 1
