"""Who a reference names, and lists of members by page."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from domain.database import Database
from domain.errors import InvalidInput, NotFound, Refusal
from domain.members.commands import enrol_many
from domain.members.life import freeze
from domain.members.listing import Wanted, count, page
from domain.members.model import EnrolAsk, Enrolled, IdentifierRef, MemberRef, MemberStatus, Resolved
from domain.members.queries import by_ids, by_numbers, identifiers, memberships, resolve
from domain.members.reasons import FreezeReason
from domain.members.rules import member_number
from domain.programs.catalogue import Catalogue

START = datetime(2017, 1, 1, tzinfo=UTC)


def card(n: int) -> IdentifierRef:
    return IdentifierRef("CARD", "grocer", str(n))


@pytest.fixture
async def members(database: Database, catalogue: Catalogue) -> list[Enrolled]:
    """Nine members of grocer, who joined in threes at the same moment; the last four then joined fuel, backwards."""
    asks = [EnrolAsk("grocer", "APP", None, (card(n),), START + timedelta(days=n // 3)) for n in range(9)]
    fuel = [EnrolAsk("fuel", "APP", None, (card(n),), START + timedelta(days=99 - n)) for n in range(5, 9)]
    async with database.transaction() as session:
        answers = await enrol_many(session, catalogue, asks)
    async with database.transaction() as session:
        await enrol_many(session, catalogue, fuel)
    enrolled = [answer for answer in answers if isinstance(answer, Enrolled)]
    assert len(enrolled) == 9
    return enrolled


async def test_resolve_all_kinds_of_reference(
    database: Database, catalogue: Catalogue, members: list[Enrolled]
) -> None:
    first, last = members[0], members[8]
    asked: list[tuple[str, MemberRef]] = [
        ("grocer", card(0)),
        ("fuel", card(0)),
        ("fuel", card(8)),
        ("fuel", first.member_id),
        ("grocer", first.member_id),
        ("fuel", last.number),
        ("grocer", f"{first.number[:5]} {first.number[5:]}"),
        ("grocer", card(0)),
    ]
    async with database.session() as session:
        answers = await resolve(session, catalogue, asked)
    assert answers == [
        Resolved(first.member_id, joined=True),
        Resolved(first.member_id, joined=False),
        Resolved(last.member_id, joined=True),
        Resolved(first.member_id, joined=False),
        Resolved(first.member_id, joined=True),
        Resolved(last.member_id, joined=True),
        Resolved(first.member_id, joined=True),
        Resolved(first.member_id, joined=True),
    ]


async def test_looking_members_up_is_one_statement_by_whatever_they_show(
    database: Database, catalogue: Catalogue, members: list[Enrolled]
) -> None:
    said: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        said.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        shown: list[MemberRef] = [card(0), members[1].number, members[2].member_id]
        shown += [IdentifierRef(type_, issuer, value) for type_, issuer, value in SHOWN]
        async with database.session() as session:
            for ref in shown:
                said.clear()
                await resolve(session, catalogue, [("grocer", ref)])
                assert len(said) == 1, ref
            said.clear()
            await resolve(session, catalogue, [("grocer", ref) for ref in shown])
            assert len(said) == 1
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)


SHOWN = [
    ("PHONE", None, "614 555 0100"),
    ("EMAIL", None, "ann@example.org"),
    ("OPENID", "app", "o1"),
    ("UNIONID", None, "u1"),
    ("PARTNER", "wings", "w1"),
    ("COUPON_BOOK", None, "12"),
    ("TAG", None, "04a2"),
    ("DEVICE", None, "d1"),
    ("STATE_ID", None, "s1"),
]


async def test_resolve_refuses_one_by_one(database: Database, catalogue: Catalogue, members: list[Enrolled]) -> None:
    number = members[0].number
    asked: list[tuple[str, MemberRef]] = [
        ("grocer", card(99)),
        ("nobody", card(0)),
        ("grocer", IdentifierRef("PHONE", None, "x")),
        ("grocer", uuid.uuid4()),
        ("grocer", number[:-1] + str((int(number[-1]) + 1) % 10)),
        ("grocer", member_number(10**15)),
        ("grocer", card(0)),
    ]
    async with database.session() as session:
        answers = await resolve(session, catalogue, asked)
        assert await resolve(session, catalogue, []) == []
    assert [type(answer) for answer in answers] == [
        *(NotFound, NotFound, InvalidInput, NotFound, NotFound, NotFound, Resolved)
    ]
    refusals = [answer for answer in answers if isinstance(answer, Refusal)]
    assert [refusal.path for refusal in refusals] == [
        *[("member",), ("merchant",), ("member", "identifier", "value"), ("member",), ("member",), ("member",)]
    ]
    assert len({id(refusal) for refusal in refusals}) == 6, "whoever adds to one's path must not change another's"


async def test_by_ids_and_numbers_within_a_merchant(
    database: Database, catalogue: Catalogue, members: list[Enrolled]
) -> None:
    ids, numbers = [member.member_id for member in members], [member.number for member in members]
    fuel = catalogue.merchants["fuel"].id
    async with database.session() as session:
        found = await by_ids(session, [*ids, uuid.uuid4()])
        assert {id_: member.number for id_, member in found.items()} == dict(zip(ids, numbers, strict=True))
        assert set(await by_ids(session, ids, fuel)) == set(ids[5:])
        assert await by_ids(session, []) == {}
        by_number = await by_numbers(session, [*numbers, "12345"])
        assert {number: member.id for number, member in by_number.items()} == dict(zip(numbers, ids, strict=True))
        assert set(await by_numbers(session, numbers, fuel)) == set(numbers[5:])


async def test_what_hangs_on_members(database: Database, catalogue: Catalogue, members: list[Enrolled]) -> None:
    first, last, nobody = members[0].member_id, members[8].member_id, uuid.uuid4()
    grocer, fuel = catalogue.merchants["grocer"].id, catalogue.merchants["fuel"].id
    async with database.session() as session:
        joined = await memberships(session, [first, last, nobody])
        at_fuel = await memberships(session, [first, last], fuel)
        known_by = await identifiers(session, [first, nobody])
    assert {id_: [row.merchant_id for row in rows] for id_, rows in joined.items()} == {
        first: [grocer],
        last: [grocer, fuel],
        nobody: [],
    }
    assert {id_: len(rows) for id_, rows in at_fuel.items()} == {first: 0, last: 1}
    assert {id_: [row.value for row in rows] for id_, rows in known_by.items()} == {first: ["0"], nobody: []}


@pytest.mark.parametrize("size", [1, 2, 4, 9, 20])
async def test_pages_forwards_and_backwards(
    database: Database, catalogue: Catalogue, members: list[Enrolled], size: int
) -> None:
    joined = [(START + timedelta(days=n // 3), member.member_id) for n, member in enumerate(members)]
    at_fuel = sorted((START + timedelta(days=99 - n), members[n].member_id) for n in range(5, 9))
    async with database.session() as session:
        for merchant_id, cursors in ((None, sorted(joined)), (catalogue.merchants["fuel"].id, at_fuel)):
            seen, after, more = [], None, True
            while more:
                got = await page(session, Wanted(merchant_id), first=size, after=after)
                assert len(got.members) == min(size, len(cursors) - len(seen))
                assert got.has_previous == (after is not None)
                seen += [cursor for cursor, _ in got.members]
                after, more = seen[-1], got.has_next
            assert seen == cursors
            seen, before, more = [], None, True
            while more:
                got = await page(session, Wanted(merchant_id), last=size, before=before)
                assert got.has_next == (before is not None)
                seen = [cursor for cursor, _ in got.members] + seen
                before, more = seen[0], got.has_previous
            assert seen == cursors
            assert await count(session, Wanted(merchant_id)) == len(cursors)
            between = await page(session, Wanted(merchant_id), first=9, after=cursors[0], before=cursors[3])
            assert [cursor for cursor, _ in between.members] == cursors[1:3]


async def test_pages_by_status(database: Database, catalogue: Catalogue, members: list[Enrolled]) -> None:
    fuel = catalogue.merchants["fuel"].id
    async with database.transaction() as session:
        for member in (members[1], members[7]):
            await freeze(session, member.member_id, reason=FreezeReason.OTHER, as_of=START)
    async with database.session() as session:
        frozen = await page(session, Wanted(status=MemberStatus.FROZEN), first=10)
        assert [member.id for _, member in frozen.members] == [members[1].member_id, members[7].member_id]
        assert await count(session, Wanted(status=MemberStatus.FROZEN)) == 2
        frozen = await page(session, Wanted(fuel, MemberStatus.FROZEN), last=10)
        assert [member.id for _, member in frozen.members] == [members[7].member_id]
        assert await count(session, Wanted(fuel, MemberStatus.ACTIVE)) == 3


async def test_page_of_nothing(database: Database, catalogue: Catalogue) -> None:
    async with database.session() as session:
        got = await page(session, Wanted(), first=5)
        assert (got.members, got.has_next, got.has_previous) == ([], False, False)
        assert await count(session, Wanted()) == 0
