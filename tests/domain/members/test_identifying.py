"""What identifies a member and what does not yet; how many they have; taken away; numbered from a range."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.database import Database
from domain.errors import NotFound, Refusal
from domain.ledger.aliases import MemberAlias
from domain.members import numbers
from domain.members.commands import enrol, enrol_many, link_identifier, unlink_identifier, verify_identifier
from domain.members.errors import (
    IdentifierNotVerified,
    IdentifierTaken,
    LastIdentifier,
    MemberNumbersExhausted,
    TooManyIdentifiers,
)
from domain.members.model import EnrolAsk, Enrolled, IdentifierRef, Resolved
from domain.members.queries import by_numbers, identifiers, memberships, resolve
from domain.members.rules import member_number, serial_of
from domain.programs.catalogue import Catalogue
from domain.programs.numbering import NumberRange, number_range

NOW = datetime(2017, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2017, 2, 1, 12, tzinfo=UTC)
PHONE = IdentifierRef("PHONE", None, "614 555 0100")


def ref(type_: str, value: str, issuer: str | None = None) -> IdentifierRef:
    return IdentifierRef(type_, issuer, value)


def ask(*refs: IdentifierRef, merchant: str = "grocer", verified: bool = True) -> EnrolAsk:
    return EnrolAsk(merchant, "STORE", None, refs, NOW, verified=verified)


async def one(database: Database, catalogue: Catalogue, asked: EnrolAsk) -> Enrolled:
    async with database.transaction() as session:
        return await enrol(session, catalogue, asked)


async def found(database: Database, catalogue: Catalogue, named: IdentifierRef | str) -> uuid.UUID | None:
    async with database.session() as session:
        [answer] = await resolve(session, catalogue, [("grocer", named)])
    return answer.member_id if isinstance(answer, Resolved) else None


async def do(
    database: Database, act: Any, catalogue: Catalogue, member: Enrolled, what: IdentifierRef, **more: Any
) -> bool:
    async with database.transaction() as session:
        given = {"member_id": member.member_id, "merchant": "grocer", "ref": what, "as_of": NOW, **more}
        done: bool = await act(session, catalogue, **given)
        return done


async def test_what_is_not_verified_identifies_nobody(database: Database, catalogue: Catalogue) -> None:
    app = ref("OPENID", "o1", "wx")
    with pytest.raises(IdentifierNotVerified) as refused:
        await one(database, catalogue, ask(PHONE, verified=False))
    assert (refused.value.data, refused.value.path) == ({"type": "PHONE"}, ("identifiers", "0"))
    ann = await one(database, catalogue, ask(app, PHONE, verified=False))
    assert await found(database, catalogue, app) == ann.member_id
    assert await found(database, catalogue, PHONE) is None
    again = await one(database, catalogue, ask(PHONE, app, verified=False))
    assert again == replace(ann, created=False, joined=False)
    bob = await one(database, catalogue, ask(PHONE))
    assert bob.created, "who proves it is not taken for whoever only said so"
    with pytest.raises(IdentifierTaken):
        await do(database, verify_identifier, catalogue, ann, PHONE, as_of=LATER)
    async with database.session() as session:
        known_by = await identifiers(session, [ann.member_id, bob.member_id])
    assert [(row.type, row.verified_at) for row in known_by[ann.member_id]] == [("OPENID", None), ("PHONE", None)]
    assert [(row.type, row.verified_at) for row in known_by[bob.member_id]] == [("PHONE", NOW)]


async def test_verified_later_it_identifies(database: Database, catalogue: Catalogue) -> None:
    ann = await one(database, catalogue, ask(ref("CARD", "1")))
    with pytest.raises(NotFound, match="identifier"):
        await do(database, verify_identifier, catalogue, ann, PHONE, as_of=LATER)
    assert await do(database, link_identifier, catalogue, ann, PHONE, as_of=NOW, verified=False)
    assert not await do(database, link_identifier, catalogue, ann, PHONE, as_of=NOW, verified=False)
    assert await found(database, catalogue, PHONE) is None
    assert await do(database, verify_identifier, catalogue, ann, PHONE, as_of=LATER)
    assert not await do(database, verify_identifier, catalogue, ann, PHONE, as_of=LATER)
    assert await found(database, catalogue, PHONE) == ann.member_id
    async with database.session() as session:
        [_, row] = (await identifiers(session, [ann.member_id]))[ann.member_id]
    assert (row.linked_at, row.verified_at) == (NOW, LATER)


async def test_enrolling_again_with_proof_verifies(database: Database, catalogue: Catalogue) -> None:
    ann = await one(database, catalogue, ask(ref("CARD", "1"), PHONE, verified=False))
    again = await one(database, catalogue, ask(ref("CARD", "1"), PHONE))
    assert again.member_id == ann.member_id
    assert await found(database, catalogue, PHONE) == ann.member_id


async def test_a_unionid_makes_apps_one(database: Database, catalogue: Catalogue) -> None:
    union = ref("UNIONID", "u1")
    app, mini, account = (ref("OPENID", f"o-{name}", name) for name in ("app", "mini", "account"))
    ann = await one(database, catalogue, ask(app, union))
    assert (await one(database, catalogue, ask(mini, union))).member_id == ann.member_id
    assert (await one(database, catalogue, ask(union, account, merchant="fuel"))).member_id == ann.member_id
    for openid in (app, mini, account):
        assert await found(database, catalogue, openid) == ann.member_id
    assert await found(database, catalogue, ref("OPENID", "o-app", "mini")) is None, "one an app"


async def test_no_more_than_the_alliance_lets_a_member_have(database: Database, catalogue: Catalogue) -> None:
    card, devices = ref("CARD", "1"), [ref("DEVICE", f"phone {n}") for n in range(4)]
    with pytest.raises(TooManyIdentifiers) as refused:
        await one(database, catalogue, ask(card, *devices[:3]))
    assert (refused.value.data, refused.value.path) == ({"type": "DEVICE", "most": 2}, ("identifiers", "3"))
    ann = await one(database, catalogue, ask(card, *devices[:2]))
    assert not (await one(database, catalogue, ask(card, *devices[:2]))).created
    async with database.transaction() as session:
        over, within = await enrol_many(session, catalogue, [ask(card, devices[2]), ask(card, devices[1])])
    assert isinstance(over, TooManyIdentifiers)
    assert isinstance(within, Enrolled)
    with pytest.raises(TooManyIdentifiers):
        await do(database, link_identifier, catalogue, ann, devices[2], as_of=NOW)
    assert await do(database, unlink_identifier, catalogue, ann, devices[0])
    assert await do(database, link_identifier, catalogue, ann, devices[2], as_of=NOW)


async def test_what_a_merged_member_was_recognised_by_counts_as_the_survivors(
    database: Database, catalogue: Catalogue
) -> None:
    card, devices = ref("CARD", "1"), [ref("DEVICE", f"phone {n}") for n in range(4)]
    gone = await one(database, catalogue, ask(devices[0]))
    ann = await one(database, catalogue, ask(card))
    async with database.transaction() as session:
        into = {"into_id": ann.member_id, "survivor_id": ann.member_id, "merged_at": NOW, "moved": {}}
        session.add(MemberAlias(holder_id=gone.member_id, **into))
    assert (await one(database, catalogue, ask(card, devices[0], devices[1]))).member_id == ann.member_id
    with pytest.raises(TooManyIdentifiers):
        await do(database, link_identifier, catalogue, ann, devices[2], as_of=NOW)
    with pytest.raises(TooManyIdentifiers):
        await one(database, catalogue, ask(card, devices[2]))
    assert await do(database, unlink_identifier, catalogue, ann, devices[0])
    assert await do(database, link_identifier, catalogue, ann, devices[2], as_of=NOW)


async def test_two_tills_at_once_do_not_link_too_many(database: Database, catalogue: Catalogue) -> None:
    card = ref("CARD", "1")
    ann = await one(database, catalogue, ask(card))

    async def till(n: int) -> Enrolled | Refusal:
        async with database.transaction() as session:
            [answer] = await enrol_many(session, catalogue, [ask(card, ref("DEVICE", f"d{n}"))])
            return answer

    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(till(n) for n in range(6)))
    assert sum(isinstance(answer, Enrolled) for answer in answers) == 2
    assert sum(isinstance(answer, TooManyIdentifiers) for answer in answers) == 4
    async with database.session() as session:
        assert len((await identifiers(session, [ann.member_id]))[ann.member_id]) == 3


async def test_unlinked_it_is_free_for_others(database: Database, catalogue: Catalogue) -> None:
    card, tag = ref("CARD", "1"), ref("TAG", "04:A2")
    ann = await one(database, catalogue, ask(card, tag))
    bob = await one(database, catalogue, ask(ref("CARD", "2")))
    assert not await do(database, unlink_identifier, catalogue, bob, tag), "another's is not taken away"
    assert await do(database, unlink_identifier, catalogue, ann, tag)
    assert not await do(database, unlink_identifier, catalogue, ann, tag)
    assert await found(database, catalogue, tag) is None
    assert await do(database, link_identifier, catalogue, bob, tag, as_of=LATER)
    assert await found(database, catalogue, ref("TAG", "04a2")) == bob.member_id


async def test_the_last_that_identifies_stays_unless_the_number_will_do(
    database: Database, catalogue: Catalogue
) -> None:
    card = ref("CARD", "1")
    ann = await one(database, catalogue, ask(card, PHONE, verified=False))
    with pytest.raises(LastIdentifier):
        await do(database, unlink_identifier, catalogue, ann, card)
    assert await found(database, catalogue, card) == ann.member_id
    assert await do(database, unlink_identifier, catalogue, ann, PHONE), "it identified nobody"
    assert await do(database, unlink_identifier, catalogue, ann, card, number_alone=True)
    assert await found(database, catalogue, ann.number) == ann.member_id


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ({"prefix": "6017", "digits": 16}, 601_700_000_000_000, 601_799_999_999_999),
        ({"prefix": "9", "digits": 8}, 9_000_000, 9_999_999),
        ({"from": "500000", "to": "500002"}, 500_000, 500_002),
    ],
)
def test_ranges(said: dict[str, Any], first: int, last: int) -> None:
    assert number_range(said) == NumberRange(first, last)


@pytest.fixture
async def owning(database: Database, catalogue: Catalogue) -> Catalogue:
    """The grocer owns three numbers."""
    grocer = replace(catalogue.merchants["grocer"], id=uuid.uuid4(), member_numbers=NumberRange(500_000, 500_002))
    merchants = {**catalogue.merchants, "grocer": grocer}
    async with database.transaction() as session:
        await numbers.lay_out(session, {grocer.id: grocer.member_numbers})
    by_id = {merchant.id: merchant for merchant in merchants.values()}
    return replace(catalogue, merchants=merchants, merchants_by_id=by_id)


async def used(database: Database, catalogue: Catalogue) -> tuple[int, int]:
    async with database.session() as session:
        owned = catalogue.merchants["grocer"].member_numbers
        assert owned is not None
        [grocer] = await numbers.filled(session, {"grocer": (catalogue.merchants["grocer"].id, owned)})
    return grocer.used, grocer.left


async def test_members_are_numbered_from_the_range_of_whom_they_join(database: Database, owning: Catalogue) -> None:
    assert await used(database, owning) == (0, 3)
    ann = await one(database, owning, ask(ref("CARD", "1")))
    assert serial_of(ann.number) == 500_000
    bob = await one(database, owning, ask(ref("CARD", "2"), merchant="fuel"))
    assert len(bob.number) == 11
    joined = await one(database, owning, ask(ref("CARD", "2", "fuel")))
    assert (joined.number, joined.joined) == (bob.number, True)
    async with database.session() as session:
        rows = (await memberships(session, [bob.member_id]))[bob.member_id]
        by_number = await by_numbers(session, [bob.number, member_number(500_001)])
    assert {row.number for row in rows} == {bob.number, member_number(500_001)}
    assert {member.id for member in by_number.values()} == {bob.member_id}, "each of their numbers leads to them"
    assert await found(database, owning, member_number(500_001)) == bob.member_id
    at_fuel = await one(database, owning, ask(ref("CARD", "1", "grocer"), merchant="fuel"))
    assert at_fuel.number == ann.number, "who has a number keeps it where there is no range"
    assert await used(database, owning) == (2, 1)


async def test_a_range_at_its_end_refuses_who_comes_too_late(database: Database, owning: Catalogue) -> None:
    cards = [ref("CARD", str(n)) for n in (1, 1, 2, 3, 1, 4, 5)]
    async with database.transaction() as session:
        answers = await enrol_many(session, owning, [ask(card) for card in cards])
    assert [type(answer) for answer in answers] == [Enrolled] * 5 + [MemberNumbersExhausted] * 2
    assert isinstance(answers[5], MemberNumbersExhausted)
    assert (answers[5].data, answers[5].path) == ({"merchant": "grocer"}, ("merchant",))
    taken = {answer.number for answer in answers if isinstance(answer, Enrolled)}
    assert taken == {member_number(serial) for serial in (500_000, 500_001, 500_002)}
    assert await used(database, owning) == (3, 0)
    grocer = owning.merchants["grocer"]
    more = replace(grocer, member_numbers=NumberRange(500_000, 500_009))
    async with database.transaction() as session:
        await numbers.lay_out(session, {grocer.id: more.member_numbers})
    longer = replace(owning, merchants={**owning.merchants, "grocer": more})
    late = await one(database, longer, ask(cards[5]))
    assert serial_of(late.number) == 500_003, "what was asked for in vain is not lost"


async def test_who_meets_a_number_that_was_given_takes_another(database: Database, owning: Catalogue) -> None:
    grocer = owning.merchants["grocer"]
    async with database.transaction() as first:
        ann = await enrol(first, owning, ask(ref("CARD", "1")))
        async with database.transaction() as session:
            await numbers.lay_out(session, {grocer.id: grocer.member_numbers})
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            second = tasks.create_task(one(database, owning, ask(ref("CARD", "2"))))
            tasks.create_task(first.commit())
    assert {serial_of(ann.number), serial_of(second.result().number)} == {500_000, 500_001}
