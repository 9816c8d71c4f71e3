"""Objections to many lines of a statement from a CSV, each by itself (A10)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.routing import Route

from alliance.disputes.model import Dispute
from alliance.runtime import Runtime
from resolvers.context import Context
from resolvers.context import House as Kept
from resolvers.lines import line_id
from server.access.tokens import TokenVerifier
from server.ingest.objections import ObjectionsIngest
from tests.alliance.support import House
from tests.server.test_cycle_statements import SECRET, signed_in


@pytest.fixture
def house(runtime: Runtime) -> House:
    """The sample alliance at work."""
    return House(runtime)


@pytest.fixture
async def lines(house: House) -> list[str]:
    """Thirty lines of 0.90 that the grocer owes the filling station, stated now: three may be in dispute."""
    now = datetime.now(UTC)
    member = await house.member()
    await house.earn(member, "grocer", 3_000)
    for _ in range(30):
        await house.spend(member, "fuel", 100)
    await house.step("issue_statements", await house.close(as_of=now), as_of=now)
    context = Context(Kept(house.runtime, SECRET), None, now)
    return [line_id(context, row) for row in await house.obligations()]


@pytest.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    endpoint = ObjectionsIngest(Kept(house.runtime, SECRET), TokenVerifier(SECRET))
    transport = httpx.ASGITransport(app=Starlette(routes=[Route("/ingest/objections", endpoint)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


async def fed(http: httpx.AsyncClient, who: dict[str, str], body: str, cycle: str = "1") -> Any:
    headers = {**who, "content-type": "text/csv"}
    answer = await http.post("/ingest/objections", params={"cycle": cycle}, content=body, headers=headers)
    return [orjson.loads(line) for line in answer.text.splitlines()] if answer.status_code == 200 else answer


async def test_a10_objections_from_a_csv_each_by_itself(
    http: httpx.AsyncClient, house: House, lines: list[str]
) -> None:
    grocer = signed_in(kind="merchant", merchant_id=house.id("grocer"))
    head = "key;line;reason;expected"
    rows = [f"o-{number};{line};WRONG_AMOUNT;0.80" for number, line in enumerate(lines)]
    bad = ["x-1;nonsense;WRONG_AMOUNT;0.80", f"x-2;{lines[0]};BECAUSE;", f"x-3;{lines[0]};ALREADY_REVERSED;"]
    *answers, summary = await fed(http, grocer, "\r\n".join([head, *bad, *rows]) + "\r\n")
    assert [one["error"]["code"] for one in answers[:3]] == ["NOT_FOUND", "INVALID_INPUT", "OBJECTION_UNFOUNDED"]
    assert [one["key"] for one in answers[3:]] == [f"o-{number}" for number in range(30)]
    assert [one["status"] for one in answers[3:]] == ["RAISED"] * 3 + ["REFUSED"] * 27
    assert {one["error"]["code"] for one in answers[6:]} == {"OBJECTION_LIMIT_EXCEEDED"}
    assert summary["summary"] == {"read": 33, "raised": 3, "duplicate": 0, "refused": 30}
    *again, _ = await fed(http, grocer, "\n".join([head, *rows[:3]]))
    assert [(one["status"], one["claim"]) for one in again] == [("DUPLICATE", one["claim"]) for one in answers[3:6]]
    async with house.runtime.database.session() as session:
        assert await session.scalar(select(func.count()).select_from(Dispute)) == 3


async def test_a14_only_a_merchant_objects_to_its_own_statement(
    http: httpx.AsyncClient, house: House, lines: list[str]
) -> None:
    body = f"line,reason\n{lines[0]},UNKNOWN_KEY\n"
    assert (await fed(http, signed_in(kind="operator"), body)).status_code == 403
    grocer = signed_in(kind="merchant", merchant_id=house.id("grocer"))
    assert (await fed(http, grocer, body, cycle="77")).status_code == 404
    narrow = signed_in(kind="merchant", merchant_id=house.id("grocer"), scopes=frozenset())
    assert (await fed(http, narrow, body)).status_code == 403
    confirmed = signed_in(kind="merchant", merchant_id=house.id("fuel"))
    [answer, _] = await fed(http, confirmed, body)
    assert answer["error"]["code"] == "OBJECTION_UNFOUNDED"
