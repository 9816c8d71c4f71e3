"""Rights in a feed (A15): granted and used line by line, each refused alone."""

import json
from typing import Any
from uuid import UUID

import pytest

from alliance.intake.commands import Answer, Sender, take
from alliance.runtime import Runtime
from domain.benefits.rules import Codes
from domain.errors import Refusal
from domain.ledger.request import Posted
from tests.alliance.support import CLIENT, NOON

SECRET = b"a secret of the tests"
OPERATOR = Sender(CLIENT, CLIENT, SECRET, None, may_give=True, may_reverse=True, may_grant=True, may_use=True)


def line(**sent: Any) -> bytes:
    return json.dumps({"channel": "STORE", "occurredAt": NOON.isoformat()} | sent).encode()


def grant(key: str, card: str = "1", kind: str = "car_wash", **more: Any) -> bytes:
    member = {"type": "CARD", "value": card}
    return line(key=key, type="RIGHT_GRANT", merchant="grocer", kind=kind, member=member, **more)


def use(key: str, code: str, **more: Any) -> bytes:
    return line(key=key, type="RIGHT_USE", merchant="fuel", code=code, **more)


def told(answers: list[Answer]) -> list[str | int]:
    """Of each line its points, or the code of its refusal."""
    return [one.outcome.code if isinstance(one.outcome, Refusal) else one.outcome.points for one in answers]


async def test_a15_i1_rights_are_granted_and_used_by_feed(runtime: Runtime) -> None:
    answers = await take(runtime, OPERATOR, [grant("grant-01", quantity=2), grant("grant-02", kind="x")], NOON)
    assert told(answers) == [2, "NOT_FOUND"]
    granted = answers[0].outcome
    assert isinstance(granted, Posted)
    code = Codes(SECRET).of(UUID(granted.data["right"]))
    uses = [use("use-0001", code), use("use-0002", "no such code"), use("use-0003", code, quantity="2")]
    answers = await take(runtime, OPERATOR, [*uses, use("use-0001", code)], NOON)
    assert told(answers) == [1, "RIGHT_NOT_FOUND", "RIGHT_ALREADY_USED", 1]
    assert [getattr(one.outcome, "duplicate", False) for one in answers] == [False, False, False, True]


@pytest.mark.parametrize("may", ["may_grant", "may_use"])
async def test_a15_a_sender_needs_leave_for_each(runtime: Runtime, may: str) -> None:
    sender = Sender(CLIENT, CLIENT, SECRET, None, may_give=True, may_reverse=True, **{may: True})
    first, second = await take(runtime, sender, [grant("grant-01"), use("use-0001", "no such code")], NOON)
    refused = "NOT_ALLOWED"
    assert told([first, second]) == ([1, refused] if may == "may_grant" else [refused, "RIGHT_NOT_FOUND"])
