"""Sealing, opening, looking up by hash; keys that are wrapped anew and destroyed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, text

from domain.base import new_id
from domain.database import Database
from domain.errors import NotFound
from domain.privacy.commands import destroy_keys, require_right_keys, rewrap_some, wrapping_keys_in_use
from domain.privacy.errors import WrongKeys
from domain.privacy.keys import KEY_BYTES, GivenKeys, WrappingKey
from domain.privacy.vault import Vault, digest, open_many, seal_many, vault_of
from tests.keys import KEYS

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEW = WrappingKey.of(b"n" * KEY_BYTES)


@pytest.fixture
async def later(database_url: str) -> AsyncIterator[Database]:
    """The same database, opened by a process that knows a newer wrapping key."""
    opened = Database(database_url, pool_size=2, keys=GivenKeys((*KEYS.keys, NEW), KEYS.secret))
    yield opened
    await opened.close()


async def test_what_is_sealed_opens_for_its_holder_and_field_only(database: Database) -> None:
    anna, bert = new_id(), new_id()
    items = [(anna, "phone", "+15550001"), (bert, "phone", "+15550001"), (anna, "note", "")]
    async with database.transaction() as session:
        sealed = await seal_many(session, items)
        opened = await open_many(session, [(h, f, s) for (h, f, _), s in zip(items, sealed, strict=True)])
        assert opened == ["+15550001", "+15550001", ""]
        assert len(set(sealed)) == 3
        assert not any(b"5550001" in one for one in sealed)
        for holder, field in ((bert, "phone"), (anna, "note")):
            with pytest.raises(ValueError, match="not sealed by this holder"):
                await open_many(session, [(holder, field, sealed[0])])
        spoilt = sealed[0][:-1] + bytes([sealed[0][-1] ^ 1])
        with pytest.raises(ValueError, match="not sealed"):
            await open_many(session, [(anna, "phone", spoilt)])
        assert await open_many(session, []) == await seal_many(session, []) == []


async def test_many_take_one_statement_to_open_and_two_to_seal(database: Database) -> None:
    holders = [new_id() for _ in range(300)]
    said: list[str] = []

    def heard(_c: object, _cur: object, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", heard)
    try:
        async with database.transaction() as session:
            sealed = await seal_many(session, [(holder, "x", "y") for holder in holders])
            assert len(said) == 2
            await seal_many(session, [(holder, "x", "z") for holder in holders])
            assert len(said) == 3
            await open_many(session, [(holder, "x", one) for holder, one in zip(holders, sealed, strict=True)])
            assert len(said) == 4
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", heard)


async def test_two_who_seal_at_once_for_a_new_holder_seal_under_one_key(database: Database) -> None:
    holder = new_id()

    async def seal(word: str) -> bytes:
        async with database.transaction() as session:
            [sealed] = await seal_many(session, [(holder, "word", word)])
            return sealed

    words = [str(number) for number in range(6)]
    sealed = await asyncio.gather(*map(seal, words))
    async with database.session() as session:
        assert await open_many(session, [(holder, "word", one) for one in sealed]) == words


async def test_l07_what_a_destroyed_key_sealed_opens_no_more_and_nothing_is_sealed_again(database: Database) -> None:
    anna, bert, never = new_id(), new_id(), new_id()
    async with database.transaction() as session:
        sealed = await seal_many(session, [(anna, "x", "secret"), (bert, "x", "kept")])
    async with database.transaction() as session:
        await destroy_keys(session, [anna, never], NOON)
        await destroy_keys(session, [anna], datetime.now(UTC))
    async with database.transaction() as session:
        assert await open_many(session, [(anna, "x", sealed[0]), (bert, "x", sealed[1])]) == [None, "kept"]
        for gone in (anna, never):
            with pytest.raises(NotFound):
                await seal_many(session, [(bert, "x", "y"), (gone, "x", "again")])
        destroyed = "SELECT destroyed_at, wrapped FROM member_key WHERE holder_id = :anna"
        assert tuple((await session.execute(text(destroyed), {"anna": anna})).one()) == (NOON, None)


async def test_the_hash_is_the_same_for_the_same_text_of_a_kind_and_key(database: Database) -> None:
    async with database.session() as session, database.engine.connect() as connection:
        found = digest(session, "PHONE", "+15550001")
        assert len(found) == 16
        assert digest(connection, "PHONE", "+15550001") == found
        assert len({found, digest(session, "CARD", "+15550001"), digest(session, "PHONE", "+15550002")}) == 3
    assert Vault(GivenKeys(KEYS.keys, b"another")).digest("PHONE", "+15550001") != found


async def test_a_new_wrapping_key_wraps_all_keys_and_what_was_sealed_still_opens(
    database: Database, later: Database
) -> None:
    holders = [new_id() for _ in range(5)]
    async with database.transaction() as session:
        sealed = await seal_many(session, [(holder, "x", str(holder)) for holder in holders])
        await destroy_keys(session, holders[:1], NOON)
        assert await wrapping_keys_in_use(session) == {KEYS.keys[0].id}
    async with later.transaction() as session:
        assert await rewrap_some(session) == sorted(holders[1:])
        assert await rewrap_some(session) == []
        assert await wrapping_keys_in_use(session) == {NEW.id}
    items = [(holder, "x", one) for holder, one in zip(holders, sealed, strict=True)]
    async with later.session() as session:
        assert await open_many(session, items) == [None, *map(str, holders[1:])]
    async with database.session() as session:
        with pytest.raises(WrongKeys, match=NEW.id):
            await open_many(session, items)


async def test_a_key_put_under_another_holder_does_not_unwrap(database: Database) -> None:
    anna, bert = new_id(), new_id()
    async with database.transaction() as session:
        sealed = await seal_many(session, [(anna, "x", "hers"), (bert, "x", "his")])
        steal = "UPDATE member_key SET wrapped = (SELECT wrapped FROM member_key WHERE holder_id = :anna)"
        await session.execute(text(f"{steal} WHERE holder_id = :bert"), {"anna": anna, "bert": bert})
        with pytest.raises(WrongKeys, match=str(bert)):
            await open_many(session, [(bert, "x", sealed[0])])


async def test_a_database_that_was_sealed_with_other_keys_is_noticed(database: Database, database_url: str) -> None:
    async with database.transaction() as session:
        await require_right_keys(session)
        await require_right_keys(session)
    other = Database(database_url, pool_size=1, keys=GivenKeys(KEYS.keys, b"another"))
    bare = Database(database_url, pool_size=1)
    try:
        async with other.session() as session:
            with pytest.raises(WrongKeys, match="look-up secret"):
                await require_right_keys(session)
        async with bare.session() as session:
            with pytest.raises(WrongKeys, match="without keys"):
                vault_of(session)
        async with bare.engine.connect() as connection:
            with pytest.raises(WrongKeys, match="without keys"):
                vault_of(connection)
    finally:
        await other.close()
        await bare.close()
