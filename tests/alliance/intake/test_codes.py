"""Lines of a feed by the code that was shown: a till that was offline sends them later."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import text

from alliance.intake.commands import Answer, Sender, take
from alliance.runtime import Runtime
from domain.codes.rules import LIFE, CodeKey, Codes
from domain.errors import Refusal
from domain.ledger.request import Posted

SHOWN = datetime(2017, 6, 1, 12, tzinfo=UTC)
SENDER = Sender(uuid.uuid4(), uuid.uuid4(), b"a secret", None, may_give=True, may_reverse=True)


def line(member: Any, **changes: Any) -> bytes:
    sent = {"key": uuid.uuid4().hex, "merchant": "grocer", "channel": "STORE", "member": member}
    return orjson.dumps({**sent, "amount": {"amount": "10.00", "currency": "USD"}, **changes})


def code_of(answer: Answer) -> str:
    outcome = answer.outcome
    assert isinstance(outcome, Refusal)
    return outcome.code


async def test_a_till_that_was_offline_sends_what_it_sold_by_a_code(runtime: Runtime) -> None:
    card = {"type": "CARD", "value": "900"}
    [known] = await take(runtime, SENDER, [line(card, occurredAt=SHOWN)], SHOWN)
    assert isinstance(known.outcome, Posted)
    member_id = known.outcome.holder_id

    unread = await take(runtime, SENDER, [line({"token": "1"})], SHOWN)
    assert code_of(unread[0]) == "INVALID_INPUT"
    runtime.codes = Codes([CodeKey.new(SHOWN)])

    def fresh() -> dict[str, str]:
        assert runtime.codes is not None
        return {"token": runtime.codes.issue(member_id, SHOWN).payload}

    evening, sold, code = SHOWN + timedelta(hours=8), SHOWN + timedelta(seconds=30), fresh()
    bought = line(code, occurredAt=sold, orderRef="an order")
    once, twice, again = await take(
        runtime,
        SENDER,
        [bought, line(code, occurredAt=sold), bought],
        evening,
    )
    assert isinstance(once.outcome, Posted)
    assert (once.outcome.holder_id, once.outcome.points) == (member_id, 10)
    assert code_of(twice) == "MEMBER_CODE_USED"
    assert isinstance(again.outcome, Posted)
    assert again.outcome.duplicate

    answers = await take(
        runtime,
        SENDER,
        [
            line(fresh(), occurredAt=SHOWN + LIFE),
            line(fresh()),
            line({**fresh(), "type": "CARD", "value": "900"}, occurredAt=sold),
            line({"type": "CARD"}, occurredAt=sold),
            line({}, occurredAt=sold),
            line({"token": "4711"}, occurredAt=sold),
        ],
        evening,
    )
    assert [code_of(one) for one in answers] == ["MEMBER_CODE_EXPIRED"] * 2 + ["INVALID_INPUT"] * 4
    paths = [one.outcome.path for one in answers if isinstance(one.outcome, Refusal)]
    assert paths[2:] == [("member", "token"), ("member", "value"), ("member", "type"), ("member", "token")]

    # Three days by default; and a code that was used online is used.
    limit = SHOWN + LIFE + timedelta(hours=72)
    last, late = fresh(), fresh()
    [good] = await take(runtime, SENDER, [line(last, occurredAt=sold)], limit - timedelta(seconds=1))
    [gone] = await take(runtime, SENDER, [line(late, occurredAt=sold)], limit)
    assert isinstance(good.outcome, Posted)
    assert code_of(gone) == "MEMBER_CODE_EXPIRED"


async def test_a_return_uses_a_code_up_as_a_purchase_does(runtime: Runtime) -> None:
    runtime.codes = codes = Codes([CodeKey.new(SHOWN)])
    card = {"type": "CARD", "value": "900"}
    lines = [line(card, occurredAt=SHOWN, orderRef=f"order {n}") for n in range(2)]
    [known, _] = await take(runtime, SENDER, lines, SHOWN)
    assert isinstance(known.outcome, Posted)
    code = {"token": codes.issue(known.outcome.holder_id, SHOWN).token}
    back = [
        orjson.dumps(
            {"key": uuid.uuid4().hex, "merchant": "grocer", "channel": "STORE", "member": code, "occurredAt": SHOWN}
            | {"type": "RETURN", "of": f"order {n}", "restore": False}
        )
        for n in range(2)
    ]
    done, again = await take(runtime, SENDER, back, SHOWN)
    assert isinstance(done.outcome, Posted)
    assert code_of(again) == "MEMBER_CODE_USED"
    async with runtime.database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM member_code_use")) == 1
