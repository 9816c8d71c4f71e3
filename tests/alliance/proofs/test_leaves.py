"""What a leaf is written of: every row of its operation, as RFC 8785 writes it; and older leaves stay valid."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import pytest
import rfc8785

from alliance.proofs.leaves import (
    IN_TERMS,
    NOT_PROVED,
    PROVED,
    VERSION,
    Rows,
    entry_and_rest,
    entry_of,
    read,
    version_of,
    written,
)
from domain.database import Database
from domain.ledger.engine import PostingEngine
from domain.ledger.grants import Ending, Part
from domain.ledger.merkle import leaf_hash
from domain.ledger.request import Posted
from tests.alliance.support import House
from tests.ledger_support import (
    ISSUERS,
    NOON,
    earn,
    exchange,
    give,
    grant,
    members,
    redeem,
    reverse,
    rows,
    take_back,
    top_up,
    waiting,
)

SALT = bytes(range(32))
ODD = 'a "b" \\ /\b\f\n\r\t\x01\x1f\x7f é 漢 😀 ,"reverses":null, : '


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[PostingEngine]:
    """An engine that posts what the tests ask for."""
    opened = PostingEngine(database)
    await opened.start()
    yield opened
    await opened.stop()


async def leaves_of(database: Database, places: list[tuple[uuid.UUID, uuid.UUID]]) -> list[Rows]:
    """What the leaves of these operations are written of."""
    connection = await database.connect()
    try:
        return [leaf for leaf in await read(connection, places) if leaf is not None]
    finally:
        await connection.close()


async def spelt_out(database: Database, place: tuple[uuid.UUID, uuid.UUID]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A leaf and its terms, made the long way: all columns, less those that are not proved, less null."""
    connection = await database.connect()
    holder_id, id_ = place
    parties = {holder_id} | {
        row[0]
        for row in await connection.fetch(
            "SELECT counter_holder_id FROM entry WHERE operation_id = $1 AND counter_account = 'POINTS'", id_
        )
    }
    data: dict[str, Any] = {}
    terms: dict[str, Any] = {}
    for proved in PROVED:
        own = "id" if proved.table == "operation" else "operation_id"
        first = "t.holder_id <> $3, " if proved.table == "entry" else "$3::uuid IS NULL, "
        order = first + (proved.order.replace(" ", ", ") or "holder_id")
        found = await connection.fetch(
            f"""SELECT json_strip_nulls(to_json(t))::text FROM {proved.table} t
                WHERE t.holder_id = ANY($1) AND t.{own} = $2 ORDER BY {order}""",
            [*parties],
            id_,
            holder_id,
        )
        for [text] in found:
            row = orjson.loads(text)
            apart = {name: row.pop(name) for name in IN_TERMS.get(proved.table, "").split() if name in row}
            row = {name: value for name, value in row.items() if name not in NOT_PROVED[proved.table].split()}
            if apart and proved.table == "lot":
                terms.setdefault("funding", []).append({"lot_id": row["id"], **apart})
            elif apart:
                terms.setdefault("promised", []).append({"seq": row["seq"], **apart})
            (terms if proved.member == "obligations" else data).setdefault(proved.member, []).append(row)
    [data["operation"]] = data["operation"]
    await connection.close()
    return data, terms


async def test_a_leaf_is_all_rows_of_its_operation_as_rfc_8785_writes_them(
    database: Database, engine: PostingEngine
) -> None:
    ann, bob = members(2)
    lines = [{"b": None, "a": [1, None, {"z": None, "y": ODD}]}]
    odd = await engine.post(earn(ann, 100, store=ODD, order_ref="null", decisions=[{"rule": ODD}], lines=lines))
    asked = [earn(ann, 50, agreement_version=3), redeem(ann, 120), exchange(ann, 10, 8), give(ann, bob, 15)]
    made = await engine.post_many(asked)
    given = made[3]
    assert isinstance(given, Posted)
    parts = (Part(5, Ending(NOON, "9 days")), waiting(6, 3), waiting(7, None))
    made += [
        await engine.post(grant(ann, *parts)),
        odd,
        await engine.post(take_back(ann, bob, given.operation_id)),
        *await _indebted(engine, bob),
    ]
    made += [await engine.post(top_up(bob, 30, bonus)) for bonus in (0, 4)]
    places = [(p.holder_id, p.operation_id) for p in made if isinstance(p, Posted) and p.operation_id]
    assert len(places) == len(made)
    for place, leaf in zip(places, await leaves_of(database, places), strict=True):
        data, terms = await spelt_out(database, place)
        written_data, written_terms = written(leaf, SALT)
        assert written_terms == rfc8785.dumps(terms)
        assert written_data == rfc8785.dumps(data | {"terms": orjson.loads(written_data)["terms"]})


async def test_what_merchants_owe_is_among_the_terms(house: House) -> None:
    database = house.runtime.database
    ann = await house.member()
    await house.earn(ann, "fuel", 300, of="GRO")
    spent = await house.spend(ann, "fuel", 100, order_ref="7")
    back = await house.reverse(ann, spent)
    one = "kind = 'SPEND' AND reverses IS NULL"
    [before] = await rows(database, f"SELECT points, price FROM obligation WHERE {one}")
    await rows(database, f"UPDATE obligation SET points = 9007199254740993, price = NULL WHERE {one}")
    for posted in (spent, back):
        assert posted.operation_id is not None
        [leaf] = await leaves_of(database, [(ann, posted.operation_id)])
        _, terms = await spelt_out(database, (ann, posted.operation_id))
        for row in terms["obligations"]:
            row["points"] = str(row["points"]) if row["points"] > 2**53 else row["points"]
        assert written(leaf, SALT)[1] == rfc8785.dumps(terms)
    await rows(database, f"UPDATE obligation SET points = {before['points']}, price = {before['price']} WHERE {one}")


async def _indebted(engine: PostingEngine, member: uuid.UUID) -> list[Any]:
    """7 points are earned, spent and asked back: they are owed, and 2 of them paid."""
    granted, spent = await engine.post_many([earn(member, 7, "FUE"), redeem(member, 7, "FUE")])
    assert isinstance(granted, Posted)
    endless: dict[str, Any] = {"clawback": {ISSUERS["FUE"]: "unlimited"}, "floors": {"FUE": None}}
    undone = await engine.post(reverse(member, granted.operation_id, **endless))
    return [granted, spent, undone, await engine.post(earn(member, 2, "FUE"))]


async def test_leaves_of_before_there_were_debts_stay_valid(database: Database, engine: PostingEngine) -> None:
    [ann] = members(1)
    made = await _indebted(engine, ann)
    *_, owing, paying = await leaves_of(database, [(ann, posted.operation_id) for posted in made])
    for leaf, member in ((owing, "debts"), (paying, "debt_payments")):
        assert len(leaf[member]) == 1
        older, newer = (leaf_hash(entry_of(leaf, SALT, version)) for version in (1, VERSION))
        assert (version_of(leaf, SALT, older), version_of(leaf, SALT, newer)) == (1, VERSION)
        assert member.encode() not in written(leaf, SALT, 1)[0]
        without = {name: own for name, own in leaf.items() if name != member}
        assert version_of(without, SALT, newer) is None
        assert version_of({**leaf, member: leaf[member] * 2}, SALT, newer) is None


async def test_leaves_of_before_lines_were_committed_to_stay_valid(house: House) -> None:
    ann, bob = await house.member(), await house.member()
    made = [await house.earn(ann, "fuel", 100), await house.earn(bob, "grocer", 100)]
    places = [(posted.holder_id, posted.operation_id) for posted in made if posted.operation_id]
    owing, own = await leaves_of(house.runtime.database, places)
    older, newer = (leaf_hash(entry_of(owing, SALT, version)) for version in (2, VERSION))
    assert older != newer
    assert (version_of(owing, SALT, older), version_of(owing, SALT, newer)) == (2, VERSION)
    assert entry_of(own, SALT, 2) == entry_of(own, SALT)
    assert entry_and_rest(own, SALT)[1] is None
    doubled = {**owing, "obligations": owing["obligations"] * 2}
    assert version_of(doubled, SALT, older) is version_of(doubled, SALT, newer) is None


async def test_a_lot_that_was_made_long_after_its_operation_is_in_the_leaf(
    database: Database, engine: PostingEngine
) -> None:
    """As when the process was stopped between the two."""
    [ann] = members(1)
    posted = await engine.post(earn(ann, 5))
    assert posted.operation_id
    later = uuid.UUID(int=posted.operation_id.int + (3_600_000 << 80))
    await rows(database, "UPDATE lot SET id = $1", later)
    [leaf] = await leaves_of(database, [(ann, posted.operation_id)])
    assert [orjson.loads(lot)["id"] for lot in leaf["lots"]] == [str(later)]


async def test_it_takes_no_more_statements_for_many(database: Database, engine: PostingEngine) -> None:
    posted = await engine.post_many([earn(member, 5) for member in members(30)])
    places = [(p.holder_id, p.operation_id) for p in posted if isinstance(p, Posted) and p.operation_id]

    class Counting:
        """A connection that counts."""

        def __init__(self, connection: asyncpg.Connection) -> None:
            self.connection, self.statements = connection, 0

        async def fetch(self, *arguments: Any) -> list[asyncpg.Record]:
            self.statements += 1
            found: list[asyncpg.Record] = await self.connection.fetch(*arguments)
            return found

    connection = await database.connect()
    counting = Counting(connection)
    assert len([leaf for leaf in await read(counting, places) if leaf]) == 30  # type: ignore[arg-type]
    assert counting.statements == 1
    await connection.close()


def test_the_hash_of_the_terms_is_the_last_member() -> None:
    assert all(proved.member < "terms" for proved in PROVED if proved.member != "obligations")
