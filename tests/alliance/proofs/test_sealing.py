"""Sealing and the proof of the log: what was posted is in it, once, in the order of commits; tampering is found."""

import asyncio
import uuid
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import orjson
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from alliance.proofs import bundle, queries
from alliance.proofs.canonical import canonical
from alliance.proofs.commands import _NEXT, SEALER, LogDamaged, Sealed, prepare, seal
from alliance.proofs.notes import Checkpoint, PrivateKey, PublicKey, read_checkpoint
from alliance.proofs.verify import CHECKS
from alliance.verify import verify
from domain.database import Database
from domain.ledger.engine import PostingEngine
from domain.ledger.merkle import EMPTY_ROOT, is_consistent
from tests.alliance.support import House
from tests.ledger_support import ISSUERS, NOON, activate, earn, give, grant, members, redeem, rows, waiting
from tests.log_support import others_have_ended

KEYS = [PrivateKey.new("log.test")]


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[PostingEngine]:
    """An engine that posts what the tests ask for."""
    opened = PostingEngine(database)
    await opened.start()
    yield opened
    await opened.stop()


async def sealed(database: Database, limit: int = 1000) -> Sealed:
    """Seal what there is, in one block."""
    connection = await database.connect()
    try:
        await prepare(connection, KEYS)
        await others_have_ended(connection)
        return await seal(connection, KEYS, limit)
    finally:
        await connection.close()


async def differences(database: Database) -> set[str]:
    """The checks that find something."""
    async with database.session() as session:
        return {difference.check for difference in (await verify(session)).differences}


async def log_of(database: Database) -> list[uuid.UUID]:
    """The operations in the log, in order."""
    return [row["operation_id"] for row in await rows(database, 'SELECT operation_id FROM log_leaf ORDER BY "index"')]


async def posted_alliance(house: House) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """A few operations with everything that a leaf proves: lots, allocations, obligations; holder and id of each."""
    ann, bob = await house.member(), await house.member()
    made = [
        await house.earn(ann, "grocer", 500),
        await house.earn(ann, "fuel", 300, of="GRO"),
        await house.spend(ann, "fuel", 100),
        await house.earn(bob, "grocer", 50),
    ]
    return [(posted.holder_id, posted.operation_id) for posted in made if posted.operation_id]


@pytest.mark.parametrize("block", [1, 3, 100])
async def test_every_operation_is_proved_in_the_tree_of_the_newest_checkpoint(house: House, block: int) -> None:
    database = house.runtime.database
    places = await posted_alliance(house)
    while (await sealed(database, block)).added:
        pass
    assert await log_of(database) == [id_ for _, id_ in places]
    async with database.session() as session:
        found = await queries.inclusions(session, [*places, (uuid.uuid4(), uuid.uuid4())])
        assert set(found) == set(places)
        for index, place in enumerate(places):
            made = orjson.dumps(bundle.make(found[place], [], terms=True))
            proved = bundle.check(made, [KEYS[0].public])
            assert (proved.index, proved.checkpoint.size, proved.told) == (index, len(places), False)
            assert proved.operation["id"] == str(place[1])
    assert await differences(database) == set()
    assert await sealed(database) == Sealed(len(places), 0)


async def test_a_leaf_holds_what_the_operation_did(house: House) -> None:
    database = house.runtime.database
    places = await posted_alliance(house)
    await sealed(database)
    async with database.session() as session:
        leaf = (await queries.inclusions(session, places))[places[2]].leaf
    assert leaf.data["operation"]["kind"] == "REDEEM"
    assert leaf.data["operation"]["occurred_at"].endswith("+00:00")
    assert [entry["amount"] for entry in leaf.data["entries"]] == [-100]
    assert sum(part["amount"] for part in leaf.data["allocations"]) == -100
    assert leaf.terms["obligations"][0]["creditor_id"] == str(house.id("fuel"))
    assert "obligations" not in leaf.data
    assert "price" not in str(leaf.data)


async def test_a_gift_is_proved_with_both_its_sides(database: Database, engine: PostingEngine) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 100))
    given = await engine.post(give(ann, bob, 40))
    assert given.operation_id
    await sealed(database)
    async with database.session() as session:
        [found] = (await queries.inclusions(session, [(ann, given.operation_id)])).values()
    data = found.leaf.data
    assert [(entry["holder_id"], entry["amount"]) for entry in data["entries"]] == [(str(ann), -40), (str(bob), 40)]
    assert [(lot["holder_id"], lot["granted"]) for lot in data["lots"]] == [(str(bob), 40)]
    assert await differences(database) == set()
    await rows(database, "UPDATE lot SET expires_at = now() WHERE holder_id = $1", bob)
    assert await differences(database) == {"operation is as it was sealed"}


async def test_points_that_wait_are_proved_as_they_were_granted(database: Database, engine: PostingEngine) -> None:
    (ann,) = members(1)
    earned = await engine.post(grant(ann, waiting(50, 3)))
    await engine.post(activate(ann, earned.operation_id, NOON + timedelta(days=3)))
    await sealed(database)
    async with database.session() as session:
        place = (ann, earned.operation_id or ann)
        leaf = (await queries.inclusions(session, [place]))[place].leaf
    (pending,) = leaf.data["pending"]
    assert pending["granted"] == 50
    assert "price" not in pending
    assert leaf.terms["promised"] == [{"seq": 0, "funder_id": str(ISSUERS["GRO"]), "price": 0}]
    assert await differences(database) == set()
    await rows(database, "UPDATE pending_grant SET matures_at = matures_at + interval '1 day'")
    found = await differences(database)
    await rows(database, "UPDATE pending_grant SET matures_at = matures_at - interval '1 day'")
    assert found == {"operation is as it was sealed"}


async def test_a_log_that_grew_is_consistent_with_what_it_was(database: Database, engine: PostingEngine) -> None:
    roots = {0: EMPTY_ROOT}
    for count in (1, 2, 5, 7):
        await engine.post_many([earn(member, 5) for member in members(count)])
        await sealed(database)
        async with database.session() as session:
            checkpoint = await queries.newest_checkpoint(session)
            assert checkpoint is not None
            roots[checkpoint.size] = checkpoint.root
    async with database.session() as session:
        for first in roots:
            for second in roots:
                path = await queries.consistency(session, first, second)
                assert (path is not None) == (first <= second)
                if path is not None:
                    assert is_consistent(first, second, roots[first], roots[second], path)
        assert await queries.consistency(session, 3, 16) is None


async def test_what_commits_late_is_not_skipped(database: Database, engine: PostingEngine) -> None:
    """Two connections: the transaction that began first commits last, with ids older than what is already there."""
    [late, early] = members(2)
    slow = await database.connect()
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(
        """INSERT INTO operation (holder_id, id, kind, merchant_id, occurred_at, as_of)
           VALUES ($1, $2, 'EARN', $1, now(), now())""",
        late,
        uuid.UUID(int=1),
    )
    first = await engine.post(earn(early, 5))
    assert await sealed(database) == Sealed(0, 0), "an older transaction is running"
    await transaction.commit()
    await slow.close()
    second = await engine.post(earn(early, 5))
    assert (await sealed(database)).added == 3
    assert await log_of(database) == [uuid.UUID(int=1), first.operation_id, second.operation_id]


async def test_a_transaction_that_fails_holds_nothing_up_and_leaves_no_gap(
    database: Database, engine: PostingEngine
) -> None:
    [member] = members(1)
    failing = await database.connect()
    transaction = failing.transaction()
    await transaction.start()
    await failing.execute("SELECT pg_current_xact_id()")
    await engine.post(earn(member, 5))
    assert (await sealed(database)).added == 0
    await transaction.rollback()
    await failing.close()
    assert (await sealed(database)).added == 1


async def test_operations_of_before_the_log_come_first(database: Database, engine: PostingEngine) -> None:
    await engine.post_many([earn(member, 5) for member in members(7)])
    await rows(database, "UPDATE operation SET xid = 0")
    new = await engine.post(earn(members(1)[0], 5))
    for _ in range(3):
        await sealed(database, 3)
    assert await log_of(database) == [
        *[row["id"] for row in await rows(database, "SELECT id FROM operation WHERE xid = 0 ORDER BY id")],
        new.operation_id,
    ]


async def test_a_database_restored_into_another_server_goes_on(database: Database, engine: PostingEngine) -> None:
    """There the transactions count from elsewhere: all that were seen lie in the future."""
    await engine.post_many([earn(member, 5) for member in members(3)])
    await sealed(database, 2)
    await rows(database, "UPDATE operation SET xid = xid + 1000000000")
    await rows(database, "UPDATE log_checkpoint SET xid = xid + 1000000000")
    assert await sealed(database) == Sealed(3, 1)
    await engine.post(earn(members(1)[0], 5))
    assert await sealed(database) == Sealed(4, 1)
    assert len(set(await log_of(database))) == 4
    assert await differences(database) == set()


async def test_what_was_not_sealed_before_a_restore_is_sealed_after_it(
    database: Database, engine: PostingEngine
) -> None:
    """Only the operations newer than the last checkpoint lie in the future of the new server."""
    await engine.post_many([earn(member, 5) for member in members(2)])
    await sealed(database)
    await engine.post_many([earn(member, 5) for member in members(3)])
    await rows(database, "UPDATE operation SET xid = xid + 1000000000 WHERE xid > (SELECT xid FROM log_checkpoint)")
    assert await sealed(database) == Sealed(5, 3)
    assert await differences(database) == set()


async def test_what_is_posted_while_a_sealer_starts_is_sealed(database: Database, engine: PostingEngine) -> None:
    await engine.post(earn(members(1)[0], 5))
    await sealed(database)
    connection = await database.connect()

    class Overtaken:
        """The connection; while its first question is answered, an operation is posted."""

        asked = False

        def __getattr__(self, name: str) -> object:
            return getattr(connection, name)

        async def fetchval(self, *arguments: object) -> object:
            answer = await connection.fetchval(*arguments)
            if not self.asked:
                self.asked = True
                await engine.post(earn(members(1)[0], 5))
            return answer

    try:
        await prepare(Overtaken(), KEYS)  # type: ignore[arg-type]
    finally:
        await connection.close()
    assert await sealed(database) == Sealed(2, 1)


async def test_a_restored_database_has_no_number_that_all_operations_share(
    database: Database, engine: PostingEngine
) -> None:
    """Every block would have to sort them all."""
    for member in members(4):
        await engine.post(earn(member, 5))
    await rows(database, "UPDATE operation SET xid = xid + 1000000000")
    assert (await sealed(database, 3)).added == 3
    found = await rows(database, "SELECT xid, id FROM operation ORDER BY id")
    assert sorted(row["xid"] for row in found) == [row["xid"] for row in found]
    assert len({row["xid"] for row in found}) > 1
    assert await log_of(database) == [row["id"] for row in found[:3]]


async def test_the_sealer_reads_no_table_as_a_whole(database: Database) -> None:
    """Not even one that seems empty: statistics may be of before it was filled."""
    connection = await database.connect(**SEALER)
    plan = await connection.fetch(f"EXPLAIN {_NEXT}", 5, uuid.UUID(int=0), uuid.UUID(int=0), 10, 99)
    await connection.close()
    assert not [row for row in plan if "Seq Scan" in row[0]]


@pytest.mark.parametrize("step", ["copy", "checkpoint", "commit"])
async def test_a_sealer_killed_between_steps_leaves_nothing_half_done(
    database: Database, engine: PostingEngine, step: str
) -> None:
    await engine.post_many([earn(member, 5) for member in members(5)])
    await sealed(database, 2)
    connection = await database.connect()

    class Dying:
        """The connection, lost at that step."""

        def __getattr__(self, name: str) -> object:
            return getattr(connection, name)

        async def copy_records_to_table(self, *arguments: object, **named: object) -> None:
            if step == "copy":
                connection.terminate()
            await connection.copy_records_to_table(*arguments, **named)

        async def execute(self, sql: str, *arguments: object) -> None:
            if step == "checkpoint" and "log_checkpoint" in sql:
                connection.terminate()
            await connection.execute(sql, *arguments)
            if step == "commit" and "log_checkpoint" in sql:
                connection.terminate()

    with pytest.raises((asyncpg.InterfaceError, asyncpg.PostgresError, OSError)):
        await seal(Dying(), KEYS)  # type: ignore[arg-type]
    await _disconnected(database)
    assert len(await log_of(database)) == 2
    assert await sealed(database) == Sealed(5, 3)
    assert await differences(database) == set()


async def _disconnected(database: Database) -> None:
    """Wait until the server has undone what a lost connection had begun."""
    connection = await database.connect()
    async with connection.transaction():
        await connection.execute("LOCK TABLE log_leaf, log_checkpoint")
    await connection.close()


async def test_two_sealers_at_once_make_one_log(database: Database, engine: PostingEngine) -> None:
    """Even without the lock: both build the same block, and one of them fails."""
    await engine.post_many([earn(member, 5) for member in members(40)])
    connections = [await database.connect() for _ in range(2)]
    await others_have_ended(connections[0])
    for _ in range(10):
        results = await asyncio.gather(*(seal(c, KEYS, 7) for c in connections), return_exceptions=True)
        for result in results:
            assert isinstance(result, Sealed | asyncpg.UniqueViolationError), result
    for connection in connections:
        await connection.close()
    log = await log_of(database)
    assert len(log) == len(set(log)) == 40
    assert await differences(database) - {"checkpoint is signed"} == set()


TAMPERINGS = {
    "UPDATE operation SET order_ref = 'x' WHERE kind = 'REDEEM'": {"operation is as it was sealed"},
    "UPDATE entry SET counter_holder_id = holder_id WHERE amount < 0": {"operation is as it was sealed"},
    "UPDATE lot SET expires_at = now() WHERE granted = 500": {"operation is as it was sealed"},
    "UPDATE lot SET price = price + 1 WHERE granted = 500": {"operation is as it was sealed"},
    "UPDATE allocation SET amount = amount - 1": {
        "operation is as it was sealed",
        "lot is what was granted less what was taken",
        "operation moves lots by what it moves accounts",
    },
    "UPDATE obligation SET debtor_id = gen_random_uuid()": {
        "operation is as it was sealed",
        "position is what is owed and reserved",
        "a price is its agreement's",
        "an obligation names a version that counted",
    },
    "DELETE FROM obligation": {
        "operation is as it was sealed",
        "position is what is owed and reserved",
        "a spend at a partner is owed for",
        "what partners grant is owed for",
    },
    "UPDATE obligation SET operation_id = gen_random_uuid()": {
        "operation is as it was sealed",
        "obligation belongs to an operation",
        "a spend at a partner is owed for",
        "what partners grant is owed for",
    },
    "DELETE FROM operation WHERE kind = 'REDEEM'": {
        "sealed operation is there",
        "entry belongs to an operation",
        "obligation belongs to an operation",
    },
    # two operations of one member, their times exchanged
    """UPDATE operation a SET booked_at = b.booked_at FROM operation b
       WHERE a.holder_id = b.holder_id AND a.id <> b.id AND a.kind = 'EARN' AND b.kind = 'EARN'""": {
        "operation is as it was sealed"
    },
    # a row put into the past
    """INSERT INTO operation (holder_id, id, kind, merchant_id, occurred_at, as_of, xid)
       SELECT holder_id, '00000000-0000-7000-8000-000000000001', kind, merchant_id, occurred_at, as_of, xid
       FROM operation WHERE kind = 'REDEEM'""": {"operation before the end of the log is in it"},
    "DELETE FROM log_leaf WHERE index = 1": {
        "leaves are numbered without a gap",
        "operation before the end of the log is in it",
    },
    "DELETE FROM log_leaf WHERE index = 3": {
        "leaves of a checkpoint are there",
    },
    "UPDATE log_leaf SET salt = sha256('x') WHERE index = 2": {"operation is as it was sealed"},
    "UPDATE log_leaf SET hashes = sha256('x') WHERE index = 2": {
        "operation is as it was sealed",
        "nodes of the log are those of its leaves",
        "checkpoint is the root of the leaves",
    },
    "UPDATE log_leaf SET hashes = hashes || sha256('x') WHERE index = 1": {"nodes of the log are those of its leaves"},
    # two leaves change places
    "UPDATE log_leaf SET index = CASE index WHEN 0 THEN -2 ELSE -1 END WHERE index < 2;"
    "UPDATE log_leaf SET index = index + 2 + (index = -2)::int - (index = -1)::int WHERE index < 0": {
        "nodes of the log are those of its leaves",
        "checkpoint is the root of the leaves",
    },
    "UPDATE log_checkpoint SET root = sha256('x')": {
        "checkpoint is the root of the leaves",
        "checkpoint is what was signed",
    },
    "UPDATE log_checkpoint SET note = replace(note, E'\\n4\\n', E'\\n5\\n')": {"checkpoint is signed"},
    "DELETE FROM log_checkpoint": {"the newest checkpoint is of all leaves"},
    "DELETE FROM log_key": {"checkpoint is signed"},
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_tampering_with_any_table_is_found(house: House, tampering: str) -> None:
    database = house.runtime.database
    await posted_alliance(house)
    await sealed(database)
    assert await differences(database) == set()
    connection = await database.connect()
    await connection.execute(tampering)
    try:
        found = await differences(database)
    finally:
        await connection.execute(
            "TRUNCATE operation, entry, lot, allocation, account, obligation, log_leaf, log_checkpoint, log_key"
        )
        await connection.execute("UPDATE exposure SET owed = 0")
        await connection.close()
    assert found >= TAMPERINGS[tampering]
    assert found <= TAMPERINGS[tampering] | {"checkpoint is the root of the leaves", "lines are those of their leaf"}


def test_every_check_of_the_log_finds_something() -> None:
    assert set().union(*TAMPERINGS.values()) >= set(CHECKS)


async def test_nothing_is_sealed_upon_a_damaged_log(database: Database, engine: PostingEngine) -> None:
    await engine.post_many([earn(member, 5) for member in members(3)])
    await sealed(database)
    await engine.post(
        redeem(*[row["holder_id"] for row in await rows(database, "SELECT holder_id FROM lot LIMIT 1")], 5)
    )
    for damage in ("UPDATE log_leaf SET hashes = sha256('x')", "DELETE FROM log_leaf WHERE index = 2"):
        await rows(database, damage)
        with pytest.raises(LogDamaged):
            await sealed(database)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
)


@settings(max_examples=60)
@given(st.dictionaries(st.text(st.characters(max_codepoint=127)), JSON))
def test_leaves_are_written_as_rfc_8785_says(value: dict[str, object]) -> None:
    assert canonical(value) == rfc8785.dumps(value)


def test_integers_that_not_every_reader_takes_are_strings() -> None:
    assert canonical({"b": [2**53, -(2**63)], "a": 2**53 - 1, "c": True}) == (
        b'{"a":9007199254740991,"b":["9007199254740992","-9223372036854775808"],"c":true}'
    )


def test_the_note_reads_back() -> None:
    checkpoint = Checkpoint("log.test", 7, bytes(32))
    other = PrivateKey.new("log.test")
    note = checkpoint.signed([KEYS[0], other])
    assert note.startswith(f"log.test\n7\n{b64encode(bytes(32)).decode()}\n\n— log.test ")
    for key in (KEYS[0], other):
        assert read_checkpoint(note, [PublicKey.parse(str(key.public))]) == (checkpoint, key.public)
        assert PrivateKey.parse(str(key)) == key
