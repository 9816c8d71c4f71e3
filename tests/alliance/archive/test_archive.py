"""Archiving takes what is finished, and leaves balances, totals and proofs as they were."""

import gzip
import os
import random
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from alliance.archive import commands
from alliance.archive import queries as archives
from alliance.archive.commands import Archived, archive
from alliance.proofs import bundle, queries
from alliance.verify import verify
from domain.database import Database
from domain.errors import InvalidInput, Refusal
from domain.ledger.archived import archived_since
from domain.ledger.errors import OperationArchived
from domain.ledger.queries import WalletKey, lifetime, wallets
from domain.ledger.reports import balances
from domain.ledger.verify import Proof
from tests.alliance.proofs.test_sealing import KEYS, differences, sealed
from tests.alliance.support import NOON, House
from tests.ledger_support import rows

LATER = datetime(2100, 1, 1, tzinfo=UTC)


async def archived(house: House, folder: Path, before: datetime = LATER, *, dry_run: bool = False) -> list[Archived]:
    """Archive what is booked before."""
    connection = await house.runtime.database.connect()
    try:
        return await archive(connection, folder, before, KEYS, dry_run=dry_run)
    finally:
        await connection.close()


@asynccontextmanager
async def changed(database: Database, *statements: str) -> AsyncIterator[None]:
    """For the block, something is changed behind the books' back."""
    tables = ("archive_run", "archived_sum", "log_leaf")
    copied = [f"CREATE TABLE copied_{table} AS SELECT * FROM {table}" for table in tables]
    back = [
        statement
        for name in tables
        for statement in (f"TRUNCATE {name}", f"INSERT INTO {name} TABLE copied_{name}", f"DROP TABLE copied_{name}")
    ]
    async with database.transaction() as session:
        for statement in [*copied, *statements]:
            await session.execute(text(statement))
    try:
        yield
    finally:
        async with database.transaction() as session:
            for statement in back:
                await session.execute(text(statement))


async def settled(house: House) -> None:
    """Settle what is owed so far."""
    await house.through(await house.close())


async def figures(database: Database, members: list[uuid.UUID]) -> Any:
    """What wallets hold, and what has gone through them."""
    keys = [WalletKey(member, currency, NOON) for member in members for currency in ("GRO", "FUE")]
    async with database.session() as session:
        return await wallets(session, keys), await lifetime(session, keys)


async def emptied(house: House) -> tuple[uuid.UUID, list[uuid.UUID]]:
    """A member who earned and spent all of it, settled and sealed; and the operations."""
    ann = await house.member()
    made = [
        await house.earn(ann, "grocer", 500),
        await house.earn(ann, "fuel", 300),
        await house.spend(ann, "fuel", 600),
        await house.spend(ann, "grocer", 200),
    ]
    await settled(house)
    await sealed(house.runtime.database)
    return ann, [posted.operation_id for posted in made if posted.operation_id]


async def test_what_is_finished_goes_and_balances_totals_and_proofs_stay(house: House, tmp_path: Path) -> None:
    database = house.runtime.database
    ann, operations = await emptied(house)
    bob = await house.member()
    left = await house.earn(bob, "grocer", 50)
    await house.spend(bob, "grocer", 20)
    await sealed(database)
    before = await figures(database, [ann, bob])
    places = [(ann, id_) for id_ in operations]
    async with database.session() as session:
        proved = await queries.inclusions(session, places)
        root = await queries.root_at(session, 6)

    [block] = await archived(house, tmp_path)

    assert (block.number, block.operations) == (1, 4)
    assert await house.count("operation") == 2
    assert await figures(database, [ann, bob]) == before
    assert await differences(database) == set()
    async with database.session() as session:
        assert await queries.inclusions(session, places) == {}
        assert await queries.root_at(session, 6) == root
        for holder_id, id_ in places:
            found = archives.find(tmp_path / block.file, holder_id, id_)
            again = await archives.inclusion(session, found)
            made = bundle.make(again, [], terms=True)
            assert made == bundle.make(proved[holder_id, id_], [], terms=True)
            assert bundle.check(orjson.dumps(made), [KEYS[0].public]).operation["id"] == str(id_)
        assert left.operation_id is not None
        assert await queries.inclusions(session, [(bob, left.operation_id)])

    # The wallet goes on as if nothing had been taken out, and so does the log.
    await house.earn(ann, "grocer", 70)
    await house.spend(ann, "grocer", 30)
    await sealed(database)
    assert await differences(database) == set()


async def test_a_dry_run_writes_nothing_and_a_second_run_finds_nothing(house: House, tmp_path: Path) -> None:
    await emptied(house)
    [would] = await archived(house, tmp_path, dry_run=True)
    assert would.operations == 4
    assert not os.listdir(tmp_path)
    assert (await house.count("operation"), await house.count("archive_run")) == (4, 0)
    assert await archived(house, tmp_path) == [would]
    manifest = orjson.loads((tmp_path / "archive-000001.json").read_bytes())
    assert (manifest["operations"], manifest["firstLeaf"], manifest["lastLeaf"]) == (4, 0, 3)
    assert await archived(house, tmp_path) == []


async def test_what_is_not_finished_stays(house: House, tmp_path: Path) -> None:
    ann, bob, cid, dan = [await house.member() for _ in range(4)]
    await house.earn(ann, "grocer", 100)  # not spent
    first = await house.earn(bob, "grocer", 100)  # spent together with points that are left
    await house.earn(bob, "grocer", 100)
    await house.spend(bob, "grocer", 150)
    await settled(house)
    await house.earn(cid, "fuel", 100, of="GRO")  # not settled
    await house.spend(cid, "fuel", 100)
    await sealed(house.runtime.database)
    await house.earn(dan, "grocer", 100)  # not sealed
    await house.spend(dan, "grocer", 100)
    assert await archived(house, tmp_path) == []
    assert await archived(house, tmp_path, before=NOON) == []
    assert first.operation_id is not None
    assert await house.count("operation") == 8


async def test_a_reversal_goes_with_what_it_reversed_and_nothing_archived_is_reversed(
    house: House, tmp_path: Path
) -> None:
    ann = await house.member()
    earned = await house.earn(ann, "grocer", 100)
    await house.reverse(ann, earned)
    await settled(house)
    await sealed(house.runtime.database)
    before = await figures(house.runtime.database, [ann])
    [block] = await archived(house, tmp_path)
    assert block.operations == 2
    assert await figures(house.runtime.database, [ann]) == before
    with pytest.raises(OperationArchived):
        await house.reverse(ann, earned)
    assert await differences(house.runtime.database) == set()


async def test_the_past_before_an_archive_is_refused_not_wrong(house: House, tmp_path: Path) -> None:
    ann, _ = await emptied(house)
    await archived(house, tmp_path)
    async with house.runtime.database.session() as session:
        assert await archived_since(session, [ann, uuid.uuid4()], NOON) == {ann}
        assert await archived_since(session, [ann], LATER) == set()
        with pytest.raises(InvalidInput):
            await balances(session, {"GRO": "America/Chicago"}, NOON - timedelta(days=1), "booked_at")


class _Killed(Exception):
    pass


async def test_a_kill_between_the_file_and_the_deletion_loses_nothing(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, operations = await emptied(house)

    async def killed(*_: object) -> None:
        raise _Killed

    with monkeypatch.context() as patched:
        patched.setattr(commands, "_replace", killed)
        with pytest.raises(_Killed):
            await archived(house, tmp_path)
    assert (tmp_path / "archive-000001.ndjson.gz").exists()
    assert await house.count("operation") == 4
    assert await differences(house.runtime.database) == set()
    [block] = await archived(house, tmp_path)
    with gzip.open(tmp_path / block.file) as lines:
        assert [orjson.loads(line)["operationId"] for line in lines] == [str(id_) for id_ in operations]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE archive_run SET operations = operations + 1", {"archive is what was signed"}),
        ("UPDATE archive_run SET sha256 = sha256(sha256)", {"archive is what was signed"}),
        (
            "UPDATE archived_sum SET points = points + 1 WHERE inward",
            {"archive is what was signed", "account is the sum of its entries"},
        ),
        ("UPDATE archived_sum SET kind = 'ADJUST' WHERE kind = 'EARN'", {"archive is what was signed"}),
        ("DELETE FROM archive_run", {"an archived leaf has its run", "an archived sum has its run"}),
        ("UPDATE log_leaf SET archived_by = NULL", {"sealed operation is there", "archive is what was signed"}),
    ],
)
async def test_an_archive_that_was_changed_is_found(
    house: House, tmp_path: Path, statement: str, found: set[str]
) -> None:
    await emptied(house)
    await archived(house, tmp_path)
    async with changed(house.runtime.database, statement):
        assert found <= await differences(house.runtime.database)


async def test_a_deletion_is_not_passed_off_as_an_archive(house: House, tmp_path: Path) -> None:
    database = house.runtime.database
    await emptied(house)
    bob = await house.member()
    await house.earn(bob, "grocer", 50)
    await sealed(database)
    await archived(house, tmp_path)
    async with changed(
        database,
        'UPDATE log_leaf SET archived_by = 1 WHERE "index" = 4',
        "UPDATE archive_run SET operations = 5, last_leaf = 4",
    ):
        assert await differences(database) == {"archive is what was signed", "archived operation is gone"}


async def test_a_file_that_was_changed_proves_nothing(house: House, tmp_path: Path) -> None:
    ann, operations = await emptied(house)
    [block] = await archived(house, tmp_path)
    found = archives.find(tmp_path / block.file, ann, operations[0])
    with pytest.raises(archives.NotInArchive):
        archives.find(tmp_path / block.file, ann, uuid.uuid4())
    found["leaf"]["operation"]["store"] = "another"
    async with house.runtime.database.session() as session:
        with pytest.raises(archives.NotInArchive):
            await archives.inclusion(session, found)
    cut = tmp_path / "cut.gz"
    cut.write_bytes((tmp_path / block.file).read_bytes()[:40])
    with pytest.raises(archives.NotInArchive):
        archives.find(cut, ann, operations[0])


async def proof(database: Database, *folders: Path) -> Proof:
    """The proof of the books, with the archives in these folders."""
    async with database.session() as session:
        return await verify(session, archives=folders)


def rewritten(file: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change a file of lines in place."""
    with gzip.open(file) as packed:
        lines = [orjson.loads(line) for line in packed]
    change(lines)
    with gzip.open(file, "wb") as packed:
        packed.writelines(orjson.dumps(line) + b"\n" for line in lines)


SIGNED = "file of an archive is what was signed"
FILES: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "gone": (lambda file: file.unlink(), {"file of an archive is there"}),
    "cut": (lambda file: file.write_bytes(file.read_bytes()[:200]), {SIGNED, "file of an archive can be read"}),
    "another amount": (
        lambda file: rewritten(file, lambda lines: lines[0]["leaf"]["entries"][0].update(amount=501)),
        {SIGNED, "archived operation is as it was sealed", "archived sum is that of its file"},
    ),
    "one line less": (
        lambda file: rewritten(file, list.pop),
        {SIGNED, "file holds the operations of its archive", "archived sum is that of its file"},
    ),
    "another price": (
        lambda file: rewritten(file, lambda lines: lines[1]["terms"]["obligations"][0].update(price=7)),
        {SIGNED, "archived operation is as it was sealed", "obligations are those of the archive"},
    ),
    "no place": (
        lambda file: rewritten(file, lambda lines: lines[0].update(index=-1)),
        {SIGNED, "file of an archive can be read"},
    ),
}


@pytest.mark.parametrize("damage", FILES)
async def test_r26_a_file_that_was_changed_is_found(house: House, tmp_path: Path, damage: str) -> None:
    await emptied(house)
    [block] = await archived(house, tmp_path)
    database = house.runtime.database
    unread = await proof(database)
    assert (unread.differences, unread.archived, unread.unread) == ([], 4, [block.file])
    (empty := tmp_path / "empty").mkdir()
    read = await proof(database, empty, tmp_path)
    assert (read.differences, read.archived, read.unread) == ([], 4, [])
    change, found = FILES[damage]
    change(tmp_path / block.file)
    assert {one.check for one in (await proof(database, tmp_path)).differences} == found


async def test_r26_what_archived_operations_made_owed_is_proved_by_leaf_and_file(house: House, tmp_path: Path) -> None:
    ann, _ = await emptied(house)
    await archived(house, tmp_path)
    database = house.runtime.database
    connection = await database.connect()
    before = await connection.fetch("SELECT * FROM obligation")
    await connection.execute("UPDATE obligation SET order_ref = 'x', store = 'y' WHERE kind = 'SPEND'")
    unread, read = (await proof(database)).differences, (await proof(database, tmp_path)).differences
    await connection.execute("TRUNCATE obligation")
    await connection.copy_records_to_table("obligation", records=before)
    await connection.close()
    by_leaf, by_file = "lines are those of their leaf", "obligations are those of the archive"
    assert {(one.check, one.holder) for one in unread} == {(by_leaf, str(ann))}
    assert {(one.check, one.holder) for one in read} == {(by_leaf, str(ann)), (by_file, str(ann))}


@settings(max_examples=6)
@given(st.randoms(use_true_random=False))
async def test_any_history_has_the_same_figures_after_its_archive(
    house: House, tmp_path_factory: pytest.TempPathFactory, chance: random.Random
) -> None:
    database = house.runtime.database
    members = [await house.member() for _ in range(3)]
    posted = []
    for _ in range(20):
        member = chance.choice(members)
        at = chance.choice(["grocer", "fuel"])
        try:
            match chance.randrange(6):
                case 0 | 1:
                    posted.append((member, await house.earn(member, at, 10 * chance.randint(1, 3))))
                case 2 | 3 | 4:
                    posted.append((member, await house.spend(member, at, 10 * chance.randint(1, 3))))
                case 5 if posted:
                    await house.reverse(*chance.choice(posted))
        except Refusal:
            continue
    for member in members[:2]:
        for left in (await figures(database, [member]))[0][WalletKey(member, "GRO", NOON)]:
            with suppress(Refusal):
                await house.spend(member, "grocer", left.available)
    await settled(house)
    await sealed(database)
    before = await figures(database, members)
    sums = await rows(database, "SELECT holder_id, currency, posted FROM account ORDER BY 1, 2")
    await archived(house, tmp_path_factory.mktemp("archive"))
    assert await figures(database, members) == before
    assert await rows(database, "SELECT holder_id, currency, posted FROM account ORDER BY 1, 2") == sums
    assert (await proof(database, *tmp_path_factory.getbasetemp().glob("archive*"))).differences == []
