"""Feeds of enrolments: one answer a line, each line for itself, the same key the same answer."""

import asyncio
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from alliance.intake.commands import Sender
from alliance.intake.members import Answer, enrol, prepare
from alliance.runtime import Runtime
from domain.contacts.queries import preferences, standing
from domain.errors import IdempotencyConflict, Refusal
from domain.members.model import Enrolled
from domain.members.queries import identifiers, memberships
from domain.profiles.queries import known
from tests.alliance.intake.test_commands import NOW
from tests.ledger_support import rows

CLIENT = UUID(int=0xFEED)
OPERATOR = Sender(CLIENT, CLIENT, b"secret", merchant_id=None, may_give=False, may_reverse=False)


def joining(key: str, card: str, **changes: Any) -> dict[str, Any]:
    """Somebody who joins the grocer."""
    identifiers = [{"type": "CARD", "value": card}]
    return {"key": f"joining-{key}", "merchant": "grocer", "channel": "WEB", "identifiers": identifiers} | changes


async def send(runtime: Runtime, *lines: dict[str, Any] | bytes, sender: Sender = OPERATOR) -> list[Answer]:
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return await enrol(runtime, sender, await prepare(runtime, sender, raw, NOW))


def member(answer: Answer) -> Enrolled:
    assert isinstance(answer.outcome, Enrolled), answer
    return answer.outcome


async def test_each_line_is_answered(runtime: Runtime) -> None:
    phone = [{"type": "CARD", "value": "1"}, {"type": "PHONE", "value": "614 555 0100"}]
    told = {"language": "fr", "timezone": "America/Toronto", "jurisdiction": "CA-ON", "store": "330"}
    consents = [{"purpose": "MARKETING", "channel": "EMAIL", "textVersion": "v1"}]
    answers = await send(
        runtime,
        joining("1", "1", **told, consents=consents),
        joining("2", "1", identifiers=phone),
        joining("3", "x", identifiers=phone[1:], merchant="fuel"),
        joining("4", "2"),
    )
    first, again, elsewhere, other = map(member, answers)
    assert first.member_id == again.member_id == elsewhere.member_id != other.member_id
    assert [(one.created, one.joined) for one in (first, again, elsewhere, other)] == [
        (True, True),
        (False, False),
        (False, True),
        (True, True),
    ]
    id_ = first.member_id
    async with runtime.database.session() as session:
        [at_grocer, at_fuel] = (await memberships(session, [id_]))[id_]
        known_by = (await identifiers(session, [id_]))[id_]
        preference = (await preferences(session, [id_]))[id_]
        said = await standing(session, [id_])
    assert (at_grocer.channel, at_grocer.store, at_grocer.joined_at, at_fuel.store) == ("WEB", "330", NOW, None)
    assert sorted(row.type for row in known_by) == ["CARD", "PHONE"]
    assert (preference.language, preference.timezone) == ("fr", "America/Toronto")
    assert said[id_, runtime.catalogue.merchants["grocer"].id, "MARKETING", "EMAIL"]
    [(law,)] = await rows(runtime.database, "SELECT jurisdiction FROM member WHERE jurisdiction IS NOT NULL")
    assert law == "CA-ON"


async def test_r27_a_line_that_comes_again_is_answered_again(runtime: Runtime) -> None:
    line, other = joining("1", "1"), joining("1", "2")
    first, twice, conflict = await send(runtime, line, line, other)
    assert [answer.duplicate for answer in (first, twice, conflict)] == [False, True, True]
    assert first.outcome == twice.outcome
    assert isinstance(conflict.outcome, IdempotencyConflict)
    again, conflict = await send(runtime, line, other)
    assert (again.outcome, again.duplicate) == (first.outcome, True)
    assert isinstance(conflict.outcome, IdempotencyConflict)
    [(members,)] = await rows(runtime.database, "SELECT count(*) FROM member")
    assert members == 1
    stranger = replace(OPERATOR, client_id=UUID(int=1), subject=UUID(int=1))
    [theirs] = await send(runtime, other, sender=stranger)
    assert member(theirs).created, "keys are a client's own"


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"merchant": "nobody"}, "NOT_FOUND", ("merchant",)),
        ({"store": "999"}, "NOT_FOUND", ("store",)),
        ({"channel": "PIGEON"}, "INVALID_INPUT", ("channel",)),
        ({"identifiers": []}, "INVALID_INPUT", ("identifiers",)),
        ({"identifiers": [{"type": "TATTOO", "value": "x"}]}, "INVALID_INPUT", ("identifiers", "0", "type")),
        ({"identifiers": [{"type": "PHONE", "value": "x"}]}, "INVALID_INPUT", ("identifiers", "0", "value")),
        ({"language": "??"}, "INVALID_INPUT", ("language",)),
        ({"timezone": "Mars/North"}, "INVALID_INPUT", ("timezone",)),
        ({"jurisdiction": "ohio"}, "INVALID_INPUT", ("jurisdiction",)),
        ({"occurredAt": "2031-01-01T00:00:00Z"}, "INVALID_INPUT", ("occurredAt",)),
        ({"consents": [{"purpose": "X", "channel": "EMAIL"}]}, "INVALID_INPUT", ("consents", "0", "purpose")),
        ({"colour": "red"}, "INVALID_INPUT", ("colour",)),
    ],
)
async def test_what_is_wrong_is_refused_alone(
    runtime: Runtime, changes: dict[str, Any], code: str, path: tuple[str, ...]
) -> None:
    bad, good = await send(runtime, joining("1", "1", **changes), joining("2", "2"))
    assert isinstance(bad.outcome, Refusal)
    assert (bad.key, bad.outcome.code, bad.outcome.path) == ("joining-1", code, path)
    assert member(good).created


async def test_senders_do_what_they_may(runtime: Runtime) -> None:
    phone = [{"type": "PHONE", "value": "614 555 0100"}]
    fuel = replace(OPERATOR, merchant_id=runtime.catalogue.merchants["fuel"].id, may_verify=False)
    answers = await send(
        runtime,
        joining("1", "1"),
        joining("2", "1", merchant="fuel", identifiers=phone),
        joining("3", "1", merchant="fuel", identifiers=phone, verified=True),
        joining("4", "1", merchant="fuel"),
        b"{",
        sender=fuel,
    )
    codes = [answer.outcome.code if isinstance(answer.outcome, Refusal) else None for answer in answers]
    assert codes == ["NOT_ALLOWED", "IDENTIFIER_NOT_VERIFIED", "NOT_ALLOWED", None, "MALFORMED_LINE"]


async def test_a_refusal_of_the_domain_is_remembered(runtime: Runtime) -> None:
    both = [{"type": "CARD", "value": "1"}, {"type": "CARD", "value": "2"}]
    *_, taken = await send(runtime, joining("1", "1"), joining("2", "2"), joining("3", "", identifiers=both))
    assert isinstance(taken.outcome, Refusal)
    assert taken.outcome.code == "IDENTIFIER_TAKEN"
    [again] = await send(runtime, joining("3", "", identifiers=both))
    assert isinstance(again.outcome, Refusal)
    assert (again.duplicate, again.outcome.code) == (True, "IDENTIFIER_TAKEN")


async def test_feeds_at_once_make_one_member_of_one(runtime: Runtime) -> None:
    """The same lines, in other orders, over several connections, under the same keys and under others."""
    lines = [joining(str(n), str(n % 20)) for n in range(40)]
    others = [replace(OPERATOR, client_id=UUID(int=n), subject=UUID(int=n)) for n in (1, 2)]
    async with asyncio.timeout(60):
        answered = await asyncio.gather(
            send(runtime, *lines),
            send(runtime, *lines[::-1]),
            *(send(runtime, *lines[n:], *lines[:n], sender=sender) for n, sender in zip((7, 23), others, strict=True)),
        )
    ids = {member(answer).member_id for answers in answered for answer in answers}
    assert len(ids) == 20
    [(members, links)] = await rows(
        runtime.database, "SELECT (SELECT count(*) FROM member), (SELECT count(*) FROM member_identifier)"
    )
    assert (members, links) == (20, 20)
    assert sum(member(a).created and not a.duplicate for answers in answered for a in answers) == 20


async def test_a_line_tells_attributes(runtime: Runtime) -> None:
    merchant_id = runtime.catalogue.merchants["grocer"].id
    till = replace(OPERATOR, merchant_id=merchant_id)
    told = {"household": 3, "birthday": "1990-02-28", "favourites": ["PASTRY", "BREAD"]}
    first, later, wrong, unknown = await send(
        runtime,
        joining("1", "1", profile=told),
        joining("2", "1", profile={"household": 4, "birthday": None}),
        joining("3", "3", profile={"household": "many"}),
        joining("4", "4", profile={"shoes": 42}),
        sender=till,
    )
    assert member(first).member_id == member(later).member_id
    codes = [one.outcome.code for one in (wrong, unknown) if isinstance(one.outcome, Refusal)]
    paths = [one.outcome.path for one in (wrong, unknown) if isinstance(one.outcome, Refusal)]
    assert codes == ["UNFIT_ATTRIBUTE", "UNKNOWN_ATTRIBUTE"]
    assert paths == [("profile", "household"), ("profile", "shoes")]
    async with runtime.database.session() as session:
        id_ = member(first).member_id
        found = (await known(session, runtime.catalogue.members.attributes, [id_]))[id_]
    assert [(one.code, one.value, one.merchant_id) for one in found] == [
        ("favourites", ["BREAD", "PASTRY"], merchant_id),
        ("household", 4, merchant_id),
    ]
