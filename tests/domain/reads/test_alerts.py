"""What is unusual reading: by what is usual for that client."""

import uuid
from datetime import UTC, datetime, timedelta

from domain.base import new_id
from domain.database import Database
from domain.reads.commands import note_reads, raise_alerts
from domain.reads.model import Reader, ReadKind
from domain.reads.queries import alerts, alerts_since, count, newest

NOON = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def read(database: Database, client: uuid.UUID, members: int, at: datetime) -> list[uuid.UUID]:
    """A client reads identifiers of so many members, of each twice."""
    holders = [new_id() for _ in range(members)]
    async with database.transaction() as session:
        await note_reads(session, Reader("merchant", client, client), holders * 2, ReadKind.IDENTIFIERS, at)
    return holders


async def raised(database: Database, at: datetime) -> dict[uuid.UUID, tuple[int, int]]:
    async with database.transaction() as session:
        return {client: (members, usual) for client, members, usual in await raise_alerts(session, at)}


async def test_a_client_that_reads_more_than_is_usual_for_it_is_found_once(database: Database) -> None:
    busy, quiet, new = (uuid.uuid4() for _ in range(3))
    for day in range(1, 4):
        await read(database, busy, 120, NOON - timedelta(days=day))
        await read(database, quiet, 5, NOON - timedelta(days=day))
    await read(database, busy, 300, NOON)
    await read(database, quiet, 101, NOON)
    await read(database, new, 100, NOON)
    assert await raised(database, NOON + timedelta(minutes=10)) == {quiet: (101, 5)}
    assert await raised(database, NOON + timedelta(minutes=25)) == {}
    await read(database, new, 1, NOON + timedelta(minutes=30))
    assert await raised(database, NOON + HOUR) == {new: (101, 0)}, "the hour before is looked at to its end"
    async with database.session() as session:
        assert {(one.client_id, one.members) for one in await alerts(session, first=10)} == {(quiet, 101), (new, 101)}
        assert await alerts_since(session, NOON) == 2
        assert await alerts_since(session, NOON + 2 * HOUR) == 0


async def test_the_log_is_read_newest_first_by_member_and_by_client(database: Database) -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    [holder] = await read(database, one, 1, NOON)
    await read(database, other, 1, NOON)
    async with database.session() as session:
        assert [await count(session), await count(session, holder), await count(session, None, other)] == [4, 2, 2]
        first = await newest(session, first=3)
        assert [row.client_id for row in first] == [other, other, one]
        rest = await newest(session, first=3, before=first[-1].id)
        assert [(row.holder_id, row.what) for row in rest] == [(holder, "IDENTIFIERS")]
