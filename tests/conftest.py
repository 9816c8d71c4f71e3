"""Real servers for the tests: one PostgreSQL and one Valkey a run, one cloned database a worker.

TESSERA_TEST_DATABASE_URL and TESSERA_TEST_REDIS_URL name servers of one's own; by default the embedded ones are
started in a temporary home.
"""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from importlib import resources
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from sqlalchemy import make_url, text

import migrations.models  # noqa: F401
from domain.base import Base
from domain.database import Database
from tests.keys import KEYS

if TYPE_CHECKING:
    from alliance.runtime import Runtime

# Every run draws the same examples, on a machine of any speed; `--hypothesis-profile=random` looks for others.
settings.register_profile(
    "same",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
settings.register_profile("random", settings.get_profile("same"), derandomize=False, database=None)
settings.load_profile("same")


def _admin(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _named(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run see."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def servers(shared_folder: Path) -> Iterator[tuple[str, str]]:
    """URLs of PostgreSQL and of Valkey. The worker that comes first starts them; they end with the run."""
    database, redis = os.environ.get("TESSERA_TEST_DATABASE_URL"), os.environ.get("TESSERA_TEST_REDIS_URL")
    if database and redis:
        yield database, redis
        return
    from server.embedded import start_services

    with start_services(shared_folder / "home") as services:
        yield database or services.database_url, redis or services.redis_url


@pytest.fixture(scope="session")
def redis_url(servers: tuple[str, str]) -> str:
    """The Valkey server of this run."""
    return servers[1]


@pytest.fixture(scope="session")
async def database_url(servers: tuple[str, str], shared_folder: Path) -> AsyncIterator[str]:
    """A database of this worker's own, cloned from a template that the migrations built."""
    from server.migrate import upgrade

    url = servers[0]
    run = uuid.uuid5(uuid.NAMESPACE_URL, str(shared_folder)).hex[:12]
    template, mine = f"tessera_template_{run}", f"tessera_{run}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    admin = await asyncpg.connect(_admin(url))
    try:
        with FileLock(shared_folder / "template.lock"):
            if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", template):
                await admin.execute(f'CREATE DATABASE "{template}_new"')
                await upgrade(_named(url, f"{template}_new"))
                await admin.execute(f'ALTER DATABASE "{template}_new" RENAME TO "{template}"')
            await admin.execute(f'CREATE DATABASE "{mine}" TEMPLATE "{template}"')
        yield _named(url, mine)
        await admin.execute(f'DROP DATABASE "{mine}" WITH (FORCE)')
    finally:
        await admin.close()


@pytest.fixture(scope="session")
async def pool(database_url: str) -> AsyncIterator[Database]:
    """The worker's database, opened once."""
    opened = Database(database_url, keys=KEYS)
    yield opened
    await opened.close()


@pytest.fixture
async def database(pool: Database) -> Database:
    """The worker's database, empty."""
    await _emptied(pool)
    return pool


async def _emptied(pool: Database) -> None:
    """Few rows are deleted: that is quicker than truncating, after which all statements are planned again."""
    async with pool.transaction() as session:
        large = {name: size > LARGE for name, size in (await session.execute(text(_FILLED))).all()}
        if truncated := ", ".join(f'"{name}"' for name, is_large in large.items() if is_large):
            await session.execute(text(f"TRUNCATE {truncated} CASCADE"))
        deleted = [f'd{name} AS (DELETE FROM "{name}")' for name, is_large in large.items() if not is_large]
        if deleted:
            await session.execute(text(f"WITH {', '.join(deleted)} SELECT"))


LARGE = 400_000
"""Bytes of a table, dead rows too."""

_FILLED = " UNION ALL ".join(
    f"SELECT '{table.name}', pg_relation_size('{table.name}') WHERE EXISTS (SELECT FROM \"{table.name}\")"
    for table in Base.metadata.sorted_tables
)


@pytest.fixture(scope="session")
async def sample(pool: Database) -> str:
    """SQL that puts into an empty database what applying the sample alliance to one has put there."""
    from alliance.file import apply, parse

    file = (resources.files("server.samples") / "demo.yaml").read_text()
    await _emptied(pool)
    async with pool.transaction() as session:
        await apply(session, parse(file, "demo.yaml"), datetime(2017, 1, 1, tzinfo=UTC))
        await session.execute(text("CREATE SCHEMA sample"))
        filled = [name for name, _ in (await session.execute(text(_FILLED))).all()]
        inserts = []
        for number, name in enumerate(filled):
            await session.execute(text(f'CREATE TABLE sample."{name}" AS TABLE "{name}"'))
            table = Base.metadata.tables[name]
            columns = ", ".join(f'"{column.name}"' for column in table.columns if column.computed is None)
            into = f'INSERT INTO "{name}" ({columns}) OVERRIDING SYSTEM VALUE'
            inserts.append(f'i{number} AS ({into} SELECT {columns} FROM sample."{name}")')
    return f"WITH {', '.join(inserts)} SELECT"


_THOUSANDS = count(1000, 1000)


@pytest.fixture
async def runtime(sample: str, database: Database, database_url: str) -> "AsyncIterator[Runtime]":
    """A running house with the sample alliance applied; when the test is over, its books, if any, prove themselves."""
    from alliance.runtime import Runtime
    from alliance.verify import verify

    async with database.transaction() as session:
        await session.execute(text(sample))
        # Its ids are those of the test before: what a process keeps of a revision must not be taken for this one's.
        await session.execute(text("UPDATE alliance SET revision = revision + :more"), {"more": next(_THOUSANDS)})
    async with Runtime.open(database_url, keys=KEYS) as opened:
        yield opened
    async with database.session() as session:
        if await session.scalar(text("SELECT EXISTS (SELECT FROM operation)")):
            assert (await verify(session)).differences == []
