"""Erasing a person: nothing of them is left in any table, and the books are whole; all that is known of one (L7)."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text

import migrations.models  # noqa: F401
from alliance.accrual.model import AccrualRefusal
from alliance.gifts.commands import gift_request, pool_request
from alliance.leaving.commands import settle_one
from alliance.privacy import exporting
from alliance.privacy.erasing import erase
from alliance.privacy.errors import AlreadyErased, UnderLegalHold
from alliance.privacy.exporting import export_member
from alliance.runtime import Runtime
from alliance.verify import verify
from domain.base import Base
from domain.contacts.commands import record, set_preference
from domain.contacts.model import ContactChannel, NewConsent, Purpose
from domain.database import Database
from domain.errors import NotFound
from domain.events.model import Job
from domain.ledger.model import OperationKind, OperationNote
from domain.members.commands import enrol
from domain.members.leaving import ask
from domain.members.model import EnrolAsk, IdentifierRef, MemberClosing
from domain.members.queries import identifiers
from domain.members.reasons import CloseReason
from domain.pools.commands import add_member, create
from domain.pools.model import PoolRole
from domain.privacy.holds import holds_in_force, place_hold, release_holds
from domain.privacy.reasons import ErasureReason
from domain.privacy.vault import open_many, seal_many
from tests.alliance.support import NOON, House

PHONE, EMAIL, CARD, WORD = "+16145550177", "anna.karenina@example.com", "98310047", "from your aunt Betsy"
PERSONAL = [PHONE, EMAIL, CARD, WORD, "6145550177", "karenina"]
WHY = {"reason": ErasureReason.REQUESTED, "as_of": NOON}


@pytest.fixture
def house(runtime: Runtime) -> House:
    """The sample alliance."""
    return House(runtime)


@pytest.fixture
async def anna(house: House) -> uuid.UUID:
    """A member with points, a note, preferences, and lines of a feed that were not taken."""
    refs = [("CARD", CARD), ("PHONE", PHONE), ("EMAIL", EMAIL)]
    types = house.runtime.catalogue.identifier_types
    known_by = tuple(IdentifierRef(type_, None, value) for type_, value in refs if type_ in types)
    assert len(known_by) >= 2
    database = house.runtime.database
    async with database.transaction() as session:
        ask = EnrolAsk("grocer", "STORE", None, known_by, NOON)
        member = (await enrol(session, house.runtime.catalogue, ask)).member_id
        await set_preference(session, member, language="ru")
        word = NewConsent(member, house.id("grocer"), Purpose.MARKETING, ContactChannel.SMS, True, NOON)
        await record(session, [word])
    earned = await house.earn(member, "grocer", 100)
    await house.spend(member, "fuel", 40)
    async with database.transaction() as session:
        note = {"holder_id": member, "operation_id": earned.operation_id, "note": WORD}
        await session.execute(insert(OperationNote).values(note))
        line = {"run_id": uuid.uuid4(), "line": 1, "refusal": {}, "content": f'["{CARD}", "12.34"]'}
        await session.execute(insert(AccrualRefusal).values(line))
        failed = {"id": uuid.uuid4(), "actor": "accrue", "args": {"lines": [{"value": PHONE}]}, "failed_at": NOON}
        await session.execute(insert(Job).values(failed))
    return member


async def everything(database: Database) -> str:
    """All rows of all tables, as text."""
    told = []
    async with database.session() as session:
        for table in Base.metadata.sorted_tables:
            told += [str(row) for row in await session.scalars(text(f'SELECT t::text FROM "{table.name}" t'))]
    return "\n".join(told)


async def forget(house: House, member: uuid.UUID) -> None:
    async with house.runtime.database.transaction() as session:
        await erase(session, member, **WHY)  # type: ignore[arg-type]


async def test_l07_after_erasure_nothing_of_the_person_is_left_and_the_books_are_whole(
    house: House, anna: uuid.UUID
) -> None:
    database = house.runtime.database
    async with database.transaction() as session:
        [sealed] = await seal_many(session, [(anna, "x", "sealed by another room")])
    before = await everything(database)
    assert [word for word in (WORD, CARD, PHONE) if word in before] == [WORD, CARD, PHONE], "what is erased was there"
    await forget(house, anna)
    after = await everything(database)
    assert [word for word in PERSONAL if word in after or word.encode().hex() in after] == []
    async with database.session() as session:
        assert await open_many(session, [(anna, "x", sealed)]) == [None]
        assert (await identifiers(session, [anna]))[anna] == []
        status = "SELECT status, status_reason FROM member WHERE id = :id"
        assert tuple((await session.execute(text(status), {"id": anna})).one()) == ("CLOSED", "ERASED")
        told = await session.scalars(text("SELECT data FROM event WHERE kind = 'MEMBER_ERASED'"))
        assert told.all() == [{"reason": "REQUESTED"}]
        points = "SELECT sum(posted) FROM account WHERE holder_id = :id"
        assert await session.scalar(text(points), {"id": anna}) == 60
        assert (await verify(session)).differences == []


@pytest.mark.parametrize("reason", [ErasureReason.REQUESTED, ErasureReason.ORDERED])
async def test_l07_what_is_left_of_who_was_erased_is_settled_as_of_who_leaves(
    house: House, anna: uuid.UUID, reason: ErasureReason
) -> None:
    database = house.runtime.database
    async with database.transaction() as session:
        await session.execute(text("UPDATE member SET jurisdiction = 'CA-ON' WHERE id = :id"), {"id": anna})
    heir = await house.member()
    async with database.transaction() as session:
        asked = {"reason": CloseReason.OTHER, "own_wish": False, "closes_at": NOON + timedelta(days=7)}
        await ask(session, anna, beneficiary_id=heir, as_of=NOON, **asked)  # type: ignore[arg-type]
        await erase(session, anna, reason=reason, as_of=NOON)
    for _ in range(2):
        assert await settle_one(house.runtime, anna, NOON) is None
    own_wish = reason == ErasureReason.REQUESTED
    async with database.session() as session:
        row = await session.get_one(MemberClosing, anna)
        assert (row.closes_at, row.own_wish, row.beneficiary_id) == (NOON, own_wish, heir)
        assert (row.settled_at is not None, row.kept) == (True, not own_wish)
        points = "SELECT sum(posted) FROM account WHERE holder_id = :id"
        assert await session.scalar(text(points), {"id": anna}) == (0 if own_wish else 60), (
            "the law keeps the rest (R5)"
        )
        assert (await verify(session)).differences == []
    assert [word for word in PERSONAL if word in await everything(database)] == []


async def test_l07_words_about_the_person_go_where_they_lie_under_another(house: House, anna: uuid.UUID) -> None:
    database, bob = house.runtime.database, await house.member()
    await house.earn(bob, "grocer", 100)
    async with database.transaction() as session:
        pool = await create(session, merchant_id=house.id("grocer"), owner_id=bob, name="Us", as_of=NOON)
        await add_member(session, pool_id=pool, member_id=anna, role=PoolRole.SPENDER, by_id=None, as_of=NOON)
    given: Any = {"giver_id": bob, "currency": "GRO", "points": 10, "as_of": NOON, "client_id": None, "key": None}
    for to, words in ((anna, "for Anna"), (await house.member(), "for another")):
        await house.runtime.engine.post(gift_request(house.runtime, receiver_id=to, note=words, **given))
    into: Any = {"member_id": bob, "pool_id": pool, "kind": OperationKind.POOL_IN}
    del given["giver_id"]
    await house.runtime.engine.post(pool_request(house.runtime, **into, **given))
    await house.reverse(pool, await house.spend(anna, "grocer", 5, pool_id=pool))
    await house.reverse(pool, await house.spend(bob, "grocer", 5, pool_id=pool))
    notes = select(OperationNote.note).order_by(OperationNote.note)
    async with database.session() as session:
        assert (await session.scalars(notes)).all() == ["for Anna", "for another", WORD, "returned", "returned"]
    await forget(house, anna)
    async with database.session() as session:
        assert (await session.scalars(notes)).all() == ["for another", "returned"]
        assert (await verify(session)).differences == []


async def test_l07_who_comes_again_after_erasure_is_somebody_new(house: House, anna: uuid.UUID) -> None:
    await forget(house, anna)
    async with house.runtime.database.transaction() as session:
        ask = EnrolAsk("grocer", "STORE", None, (IdentifierRef("CARD", None, CARD),), NOON)
        again = await enrol(session, house.runtime.catalogue, ask)
        assert (again.created, again.member_id != anna) == (True, True)


async def test_l07_erasure_yields_to_a_legal_hold_and_says_until_when(house: House, anna: uuid.UUID) -> None:
    database, until = house.runtime.database, NOON + timedelta(days=90)
    async with database.transaction() as session:
        await place_hold(session, anna, reason="case 12/2017", as_of=NOON, until=until)
    with pytest.raises(UnderLegalHold, match="2017-08-30") as refused:
        await forget(house, anna)
    assert refused.value.data == {"until": until.isoformat()}
    async with database.transaction() as session:
        assert len((await identifiers(session, [anna]))[anna]) >= 2
        await place_hold(session, anna, reason="case 13/2017", as_of=NOON)
        open_ones = [one.until for one in await holds_in_force(session, anna, NOON)]
        assert open_ones == [None, until]
        assert len(await holds_in_force(session, anna, until)) == 1
    with pytest.raises(UnderLegalHold) as refused:
        await forget(house, anna)
    assert refused.value.data == {"until": None}
    async with database.transaction() as session:
        assert await release_holds(session, anna, NOON) == 2
        with pytest.raises(NotFound):
            await release_holds(session, anna, NOON)
    await forget(house, anna)
    with pytest.raises(AlreadyErased):
        await forget(house, anna)


async def test_l07_an_export_has_all_that_is_known_and_nothing_between_merchants(house: House, anna: uuid.UUID) -> None:
    async with house.runtime.database.session() as session:
        told = await export_member(session, house.runtime.catalogue, anna, datetime.now(UTC))
    values = {one["value"] for one in told["identifiers"]}
    assert {CARD, PHONE} <= values
    done = [(one["kind"], one["merchantId"]) for one in told["operation"]]
    assert done == [("EARN", "grocer"), ("REDEEM", "fuel")]
    assert [one["note"] for one in told["operationNote"]] == [WORD]
    assert told["consent"][0]["given"] is True
    assert told["contactPreference"] == [{"language": "ru", "timezone": None}]
    assert [(one["currency"], one["posted"]) for one in told["account"]] == [("GRO", 60)]
    names = {name for section in told.values() if isinstance(section, list) for row in section for name in row}
    assert names & {"price", "funderId", "agreementId", "wrapped", "sealed", "clientId"} == set()
    assert "obligation" not in told
    await forget(house, anna)
    async with house.runtime.database.session() as session:
        with pytest.raises(AlreadyErased):
            await export_member(session, house.runtime.catalogue, anna, NOON)
        with pytest.raises(NotFound):
            await export_member(session, house.runtime.catalogue, uuid.uuid4(), NOON)


def test_what_is_left_out_of_an_export_is_there_to_be_left_out() -> None:
    """And no column of prices between merchants is in what is shown."""
    assert {name for name in exporting.LEFT_OUT if name not in Base.metadata.tables} == set()
    shown = {
        column.name
        for name in exporting.shown_tables()
        for column in Base.metadata.tables[name].columns
        if column.name not in exporting.HIDDEN
    }
    assert [name for name in shown if "price" in name or "agreement" in name or name.endswith("secret")] == []
