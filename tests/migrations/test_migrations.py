"""The migrations build what the models say, and do not wait long for a lock."""

import uuid
from datetime import UTC, datetime

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError

import migrations.models  # noqa: F401
from alliance.proofs.leaves import IN_TERMS, NOT_IN_LEAVES, NOT_PROVED, PROVED
from domain.base import Base, new_id
from domain.database import Database
from domain.members.queries import identifiers
from domain.privacy.vault import seal_many
from server import migrate
from tests.keys import KEYS, hashed


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


async def test_identifiers_that_lie_open_are_sealed_by_the_migration_wholly_or_not_at_all(database_url: str) -> None:
    """A database as it was before the members' keys were used; first without keys, then with."""
    name = f"tessera_open_{uuid.uuid4().hex}"
    revisions = ScriptDirectory.from_config(migrate.alembic_config()).walk_revisions()
    [old] = [one.down_revision for one in revisions if one.path.endswith("sealed_identifiers.py")]
    url = make_url(database_url)
    admin = await asyncpg.connect(url.set(drivername="postgresql").render_as_string(False))
    mine = url.set(database=name).render_as_string(hide_password=False)
    holders = [new_id() for _ in range(3)]
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        await migrate.upgrade(mine, to=str(old))
        database = Database(mine, pool_size=1, keys=KEYS)
        async with database.transaction() as session:
            for number, holder in enumerate(holders):
                row = {"holder": holder, "value": f"900{number}", "at": datetime(2026, 1, 1, tzinfo=UTC)}
                for kept in (
                    "identifier_owner (type, issuer, value, holder_id) VALUES ('CARD', 'grocer', :value, :holder)",
                    """member_identifier (holder_id, type, issuer, value, linked_at)
                       VALUES (:holder, 'CARD', 'grocer', :value, :at)""",
                ):
                    await session.execute(text(f"INSERT INTO {kept}"), row)
            await seal_many(session, [(holders[0], "x", "has a key")])
        with pytest.raises(RuntimeError, match="migrate with the keys"):
            await migrate.upgrade(mine)
        await migrate.upgrade(mine, KEYS)
        async with database.transaction() as session:
            owned = (await session.execute(text("SELECT value, holder_id FROM identifier_owner"))).all()
            assert {tuple(row) for row in owned} == {
                (hashed("CARD", f"900{number}"), holder) for number, holder in enumerate(holders)
            }
            found = await identifiers(session, holders)
            assert [one.value for holder in holders for one in found[holder]] == ["9000", "9001", "9002"]
        await database.close()
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()
