"""Enrolment: one member however often, wherever and however many at once."""

import asyncio
import random
import uuid
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.database import Database
from domain.errors import InvalidInput, NotFound, Refusal
from domain.events.model import Event
from domain.ledger.errors import MemberNotActive
from domain.members import life
from domain.members.commands import enrol, enrol_many, link_identifier
from domain.members.errors import IdentifierTaken
from domain.members.model import EnrolAsk, Enrolled, IdentifierRef
from domain.members.queries import identifiers, memberships
from domain.members.reasons import FreezeReason
from domain.programs.catalogue import Catalogue

NOW = datetime(2017, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2017, 2, 1, 12, tzinfo=UTC)


def card(value: str, issuer: str | None = None) -> IdentifierRef:
    return IdentifierRef("CARD", issuer, value)


def phone(value: str) -> IdentifierRef:
    return IdentifierRef("PHONE", None, value)


def ask(*refs: IdentifierRef, merchant: str = "grocer", store: str | None = "330", as_of: datetime = NOW) -> EnrolAsk:
    return EnrolAsk(merchant, "STORE", store, refs, as_of)


async def one(database: Database, catalogue: Catalogue, asked: EnrolAsk) -> Enrolled:
    async with database.transaction() as session:
        return await enrol(session, catalogue, asked)


async def freeze(database: Database, member_id: uuid.UUID) -> None:
    async with database.transaction() as session:
        await life.freeze(session, member_id, reason=FreezeReason.OTHER, as_of=NOW)


async def assert_no_orphans(session: AsyncSession, members: int, cards: int) -> None:
    """Every table tells the same story."""
    assert await session.scalar(text("SELECT count(*) FROM member")) == members
    assert await session.scalar(text("SELECT count(*) FROM identifier_owner")) == cards
    differences = """
        SELECT (SELECT count(*) FROM member FULL JOIN member_number ON id = holder_id
                WHERE id IS NULL OR holder_id IS NULL OR left(number, -1) <> serial::text)
             + (SELECT count(*) FROM identifier_owner FULL JOIN member_identifier USING (holder_id, type, issuer, value)
                WHERE identifier_owner IS NULL OR member_identifier IS NULL)
             + (SELECT count(*) FROM member WHERE NOT EXISTS (SELECT FROM membership WHERE holder_id = id))
             + (SELECT count(*) FROM member WHERE NOT EXISTS (SELECT FROM identifier_owner WHERE holder_id = id))
             + (SELECT count(*) FROM membership WHERE NOT EXISTS (SELECT FROM member WHERE id = holder_id))
    """
    assert await session.scalar(text(differences)) == 0


async def test_new_member(database: Database, catalogue: Catalogue) -> None:
    enrolled = await one(database, catalogue, ask(card("900"), phone("614 555 0100")))
    assert (enrolled.created, enrolled.joined) == (True, True)
    async with database.session() as session:
        await assert_no_orphans(session, 1, 2)
        [joined] = (await memberships(session, [enrolled.member_id]))[enrolled.member_id]
        known_by = (await identifiers(session, [enrolled.member_id]))[enrolled.member_id]
    assert (joined.merchant_id, joined.number) == (catalogue.merchants["grocer"].id, enrolled.number)
    assert (joined.channel, joined.store, joined.joined_at) == ("STORE", "330", NOW)
    assert [(row.type, row.issuer, row.value, row.linked_at) for row in known_by] == [
        ("CARD", "grocer", "900", NOW),
        ("PHONE", "", "+16145550100", NOW),
    ]


async def test_found_again_by_any_identifier(database: Database, catalogue: Catalogue) -> None:
    first = await one(database, catalogue, ask(card("900"), phone("614 555 0100")))
    again = await one(database, catalogue, ask(phone("+1 (614) 555-0100"), as_of=LATER))
    assert again == Enrolled(first.member_id, first.number, created=False, joined=False)


async def test_same_card_number_of_another_merchant_is_another_member(database: Database, catalogue: Catalogue) -> None:
    first = await one(database, catalogue, ask(card("900")))
    other = await one(database, catalogue, ask(card("900"), merchant="fuel"))
    assert other.created
    assert other.member_id != first.member_id


async def test_joins_another_merchant_and_is_known_there_by_more(database: Database, catalogue: Catalogue) -> None:
    first = await one(database, catalogue, ask(card("900")))
    joined = await one(database, catalogue, ask(card("900", "grocer"), card("77"), merchant="fuel", as_of=LATER))
    assert joined == Enrolled(first.member_id, first.number, created=False, joined=True)
    assert (await one(database, catalogue, ask(card("77"), merchant="fuel"))).member_id == first.member_id
    async with database.session() as session:
        rows = (await memberships(session, [first.member_id]))[first.member_id]
    assert [(row.merchant_id, row.joined_at) for row in rows] == [
        (catalogue.merchants["grocer"].id, NOW),
        (catalogue.merchants["fuel"].id, LATER),
    ]


async def test_repeats_in_one_call_make_one_member(database: Database, catalogue: Catalogue) -> None:
    at_fuel = ask(card("2", "grocer"), merchant="fuel")
    asks = [ask(card("1")), ask(card("1"), card("2")), ask(card("2")), at_fuel, ask(card("3"))]
    async with database.transaction() as session:
        answers = await enrol_many(session, catalogue, asks)
    enrolled = [answer for answer in answers if isinstance(answer, Enrolled)]
    assert len({answer.member_id for answer in enrolled[:4]}) == 1
    assert [(answer.created, answer.joined) for answer in enrolled] == [
        (True, True),
        (False, False),
        (False, False),
        (False, True),
        (True, True),
    ]
    async with database.session() as session:
        await assert_no_orphans(session, 2, 3)


async def test_identifiers_of_two_members_are_refused(database: Database, catalogue: Catalogue) -> None:
    await one(database, catalogue, ask(card("1")))
    await one(database, catalogue, ask(card("2")))
    with pytest.raises(IdentifierTaken) as refused:
        await one(database, catalogue, ask(card("new"), card("1"), phone("614 555 0100"), card("2")))
    assert refused.value.path == ("identifiers", "3")
    async with database.session() as session:
        await assert_no_orphans(session, 2, 2)


async def test_bad_asks_do_not_spoil_the_others(database: Database, catalogue: Catalogue) -> None:
    asks = [
        ask(card("1"), merchant="nobody"),
        ask(card("1")),
        ask(card("1"), store="999"),
        ask(),
        ask(card("2"), phone("x")),
        ask(*[card(str(value)) for value in range(11)]),
        ask(card("2"), store=None),
    ]
    async with database.transaction() as session:
        answers = await enrol_many(session, catalogue, asks)
    assert [type(answer) for answer in answers] == [
        *(NotFound, Enrolled, NotFound, InvalidInput, InvalidInput, InvalidInput, Enrolled)
    ]
    refusals = [answer for answer in answers if isinstance(answer, Refusal)]
    assert [refusal.path for refusal in refusals] == [
        *[("merchant",), ("store",), ("identifiers",), ("identifiers", "1", "value"), ("identifiers",)]
    ]
    async with database.session() as session:
        await assert_no_orphans(session, 2, 2)


async def test_only_bad_asks(database: Database, catalogue: Catalogue) -> None:
    async with database.transaction() as session:
        assert await enrol_many(session, catalogue, []) == []
        [refusal] = await enrol_many(session, catalogue, [ask()])
    assert isinstance(refusal, InvalidInput)


async def test_frozen_member_is_found_but_joins_nothing(database: Database, catalogue: Catalogue) -> None:
    member = await one(database, catalogue, ask(card("1")))
    await freeze(database, member.member_id)
    assert (await one(database, catalogue, ask(card("1")))).member_id == member.member_id
    for asked in (ask(card("1"), card("2")), ask(card("1", "grocer"), merchant="fuel", store=None)):
        with pytest.raises(MemberNotActive, match="FROZEN"):
            await one(database, catalogue, asked)
    async with database.session() as session:
        await assert_no_orphans(session, 1, 1)


async def _waits(database: Database) -> None:
    """Return when some transaction waits for another one."""
    waiting = text("""
        SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'transactionid'
    """)
    while True:
        async with database.session() as session:
            if await session.scalar(waiting):
                return


async def test_two_tills_enrol_one_card_at_once(database: Database, catalogue: Catalogue) -> None:
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks, database.transaction() as first_till:
        first = await enrol(first_till, catalogue, ask(card("b")))
        second_till = tasks.create_task(one(database, catalogue, ask(card("a"), card("b"), card("c"))))
        await _waits(database)
    second = second_till.result()
    assert second == Enrolled(first.member_id, first.number, created=False, joined=False)
    async with database.session() as session:
        await assert_no_orphans(session, 1, 3)


async def test_second_till_enrols_when_the_first_gives_up(database: Database, catalogue: Catalogue) -> None:
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks, database.session() as first_till:
        first = await enrol(first_till, catalogue, ask(card("b")))
        second_till = tasks.create_task(one(database, catalogue, ask(card("b"))))
        await _waits(database)
        await first_till.rollback()
    assert second_till.result().created
    assert second_till.result().member_id != first.member_id
    async with database.session() as session:
        await assert_no_orphans(session, 1, 1)


async def test_two_merchants_take_on_one_member_at_once(database: Database, catalogue: Catalogue) -> None:
    member = await one(database, catalogue, ask(card("1")))
    joining = ask(card("1", "grocer"), merchant="fuel", store=None)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks, database.transaction() as session:
        assert (await enrol(session, catalogue, joining)).joined
        second = tasks.create_task(one(database, catalogue, joining))
        await _waits(database)
    assert second.result() == Enrolled(member.member_id, member.number, created=False, joined=False)


async def test_many_at_once_neither_deadlock_nor_make_two(database: Database, catalogue: Catalogue) -> None:
    """Eight transactions a round, in any order, over the same cards and pairs of cards."""
    dice = random.Random(7)

    async def till(merchant: str, cards: list[int]) -> list[Enrolled | Refusal]:
        asks = [ask(card(f"{n}", "grocer"), card(f"{n}x", "grocer"), merchant=merchant, store=None) for n in cards]
        async with database.transaction() as session:
            return await enrol_many(session, catalogue, asks)

    owners: dict[int, set[uuid.UUID]] = defaultdict(set)
    created = 0
    for _ in range(3):
        rounds = [dice.sample(range(300), 150) for _ in range(8)]
        tills = [till(dice.choice(["grocer", "fuel"]), cards) for cards in rounds]
        async with asyncio.timeout(60):
            answered = await asyncio.gather(*tills)
        for cards, answers in zip(rounds, answered, strict=True):
            for n, answer in zip(cards, answers, strict=True):
                assert isinstance(answer, Enrolled)
                owners[n].add(answer.member_id)
                created += answer.created
    assert all(len(ids) == 1 for ids in owners.values())
    assert created == len(owners) == len(set.union(*owners.values()))
    async with database.session() as session:
        await assert_no_orphans(session, created, 2 * created)


async def test_in_one_call_as_one_by_one(database: Database, catalogue: Catalogue) -> None:
    """The same random asks, in chunks and singly, come to the same members, memberships and refusals."""
    dice = random.Random(11)
    draws = [
        (dice.choice(["grocer", "fuel"]), [dice.randrange(60) for _ in range(dice.randint(1, 3))]) for _ in range(150)
    ]
    outcomes = []
    for prefix, size in (("one", 1), ("many", 50)):
        asks = [
            ask(*(card(f"{prefix}{n}", "grocer") for n in cards), merchant=merchant, store=None)
            for merchant, cards in draws
        ]
        answers: list[Enrolled | Refusal] = []
        for start in range(0, len(asks), size):
            async with database.transaction() as session:
                answers += await enrol_many(session, catalogue, asks[start : start + size])
        place: dict[uuid.UUID, int] = {}
        outcomes.append(
            [
                (place.setdefault(answer.member_id, len(place)), answer.created, answer.joined)
                if isinstance(answer, Enrolled)
                else (type(answer), answer.path)
                for answer in answers
            ]
        )
    assert outcomes[0] == outcomes[1]
    assert any(outcome[0] is IdentifierTaken for outcome in outcomes[0])


async def test_events_carry_no_personal_data(database: Database, catalogue: Catalogue) -> None:
    member = await one(database, catalogue, ask(card("900"), phone("614 555 0100")))
    await one(database, catalogue, ask(card("900")))
    await one(database, catalogue, ask(card("900", "grocer"), card("77"), merchant="fuel", store=None))
    async with database.transaction() as session:
        email = IdentifierRef("EMAIL", None, "ann@example.com")
        linked = {"member_id": member.member_id, "merchant": "grocer", "ref": email, "as_of": LATER}
        assert await link_identifier(session, catalogue, **linked)
        assert not await link_identifier(session, catalogue, **linked)
        await life.freeze(session, member.member_id, reason=FreezeReason.OTHER, as_of=NOW)
        events = (await session.scalars(select(Event).order_by(Event.id))).all()
    assert {event.holder_id for event in events} == {member.member_id}
    assert [(event.kind, event.data) for event in events] == [
        ("MEMBER_JOINED", {"merchant": str(catalogue.merchants["grocer"].id)}),
        ("MEMBER_JOINED", {"merchant": str(catalogue.merchants["fuel"].id)}),
        ("MEMBER_LINKED", {"merchant": str(catalogue.merchants["grocer"].id), "type": "EMAIL"}),
        ("MEMBER_STATUS_CHANGED", {"from": "ACTIVE", "to": "FROZEN", "reason": "OTHER"}),
    ]


async def test_link(database: Database, catalogue: Catalogue) -> None:
    member = await one(database, catalogue, ask(card("1")))
    other = await one(database, catalogue, ask(card("2")))

    async def link(member_id: uuid.UUID, ref: IdentifierRef, merchant: str = "grocer") -> bool:
        async with database.transaction() as session:
            return await link_identifier(
                session, catalogue, member_id=member_id, merchant=merchant, ref=ref, as_of=LATER
            )

    assert await link(member.member_id, phone("614 555 0100"))
    assert not await link(member.member_id, phone("+16145550100"))
    assert (await one(database, catalogue, ask(phone("614 555 0100")))).member_id == member.member_id
    with pytest.raises(IdentifierTaken) as taken:
        await link(other.member_id, phone("614 555 0100"))
    assert taken.value.path == ("identifier",)
    with pytest.raises(InvalidInput) as bad:
        await link(member.member_id, phone("x"))
    assert bad.value.path == ("identifier", "value")
    with pytest.raises(NotFound, match="member"):
        await link(uuid.uuid4(), card("3"))
    with pytest.raises(NotFound, match="merchant"):
        await link(member.member_id, card("3"), "nobody")
    await freeze(database, member.member_id)
    with pytest.raises(MemberNotActive):
        await link(member.member_id, card("3"))
    async with database.session() as session:
        await assert_no_orphans(session, 2, 3)
