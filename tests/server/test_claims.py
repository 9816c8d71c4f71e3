"""Claims by the hundred from a CSV, and the files that come with them (A10); who may have those (A14)."""

import csv
import hashlib
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.routing import Route

from alliance.disputes import attachments
from alliance.disputes.model import Attachment, Dispute
from alliance.runtime import Runtime
from domain.base import new_id
from resolvers import ids
from resolvers.context import Context
from resolvers.context import House as Kept
from resolvers.lines import line_id
from server.access.tokens import TokenVerifier
from server.attachments import Attachments
from server.ingest.claims import ClaimsIngest
from tests.alliance.support import House
from tests.server.test_cycle_statements import SECRET, signed_in
from workers.actors.disputes import UNUSED

PDF = b"%PDF-1.7 proof"
COLUMNS = ("key", "line", "against", "amount", "quantity", "code", "text", "attachments", "note")


@pytest.fixture
def house(runtime: Runtime) -> House:
    """The sample alliance at work."""
    return House(runtime)


@pytest.fixture
async def lines(house: House) -> list[str]:
    """Three lines of 18.00 that the grocer owes the filling station, settled now."""
    now = datetime.now(UTC)
    member = await house.member()
    await house.earn(member, "grocer", 6_000)
    for _ in range(3):
        await house.spend(member, "fuel", 2_000)
    cycle = await house.close(as_of=now)
    for step in ("issue_statements", "confirm_statement", "net_cycle", "settle_cycle", "record_receipts"):
        cycle = await house.step(step, cycle, as_of=now)
    context = Context(Kept(house.runtime, SECRET), None, now)
    return [line_id(context, row) for row in await house.obligations()]


@pytest.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    kept, verifier = Kept(house.runtime, SECRET), TokenVerifier(SECRET)
    files = Attachments(kept, verifier)
    routes = [
        Route("/ingest/claims", ClaimsIngest(kept, verifier)),
        Route("/ingest/attachment", files.post, methods=["POST"]),
        Route("/attachments/{id}", files.get),
    ]
    transport = httpx.ASGITransport(app=Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


def merchant(house: House, code: str) -> dict[str, str]:
    """Its token."""
    return signed_in(kind="merchant", merchant_id=house.id(code))


async def fed(http: httpx.AsyncClient, who: dict[str, str], body: bytes, kind: str = "text/csv") -> list[Any]:
    """The answers, the summary last."""
    answer = await http.post("/ingest/claims", content=body, headers={**who, "content-type": kind})
    assert answer.status_code == 200, answer.text
    return [orjson.loads(line) for line in answer.text.splitlines()]


def table(*rows: dict[str, str], delimiter: str = ",") -> bytes:
    """As a spreadsheet saves it."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8-sig")


async def test_a10_five_hundred_claims_from_a_csv_of_which_some_are_bad(
    http: httpx.AsyncClient, house: House, lines: list[str]
) -> None:
    grocer = merchant(house, "grocer")
    some = {"against": "fuel", "amount": "1.50", "code": "MISSING_LINE", "text": "a sale, unbilled", "note": "ours"}
    rows = [some | {"key": f"c-{number}"} for number in range(500)]
    on_line = {"against": "", "line": lines[0], "amount": "", "quantity": "1000", "code": "OTHER"}
    rows[0] |= on_line
    bad: dict[int, tuple[dict[str, str], str]] = {
        7: ({"code": "BECAUSE"}, "INVALID_INPUT"),
        70: ({"amount": "-1"}, "INVALID_INPUT"),
        71: ({"amount": "1.0000001"}, "INVALID_INPUT"),
        100: ({"against": "nobody"}, "NOT_FOUND"),
        200: ({**on_line, "line": "nonsense"}, "NOT_FOUND"),
        300: ({"key": ""}, "INVALID_INPUT"),
        400: ({"text": "two\nlines"}, "INVALID_INPUT"),
        450: ({**on_line, "line": lines[1], "quantity": "", "amount": "18.01"}, "CLAIM_TOO_LARGE"),
        499: (on_line, "LINE_IN_DISPUTE"),
    }
    for number, (wrong, _) in bad.items():
        rows[number] |= wrong
    *answers, last = await fed(http, grocer, table(*rows))
    split = 1  # the field with a line break is two lines, both refused
    assert last["summary"] == {"read": 500 + split, "raised": 491, "duplicate": 0, "refused": 9 + split}
    refused = [one["error"]["code"] for one in answers if one["status"] == "REFUSED"]
    assert sorted(refused) == sorted([code for _, code in bad.values()] + ["INVALID_INPUT"])
    assert answers[0]["key"] == "c-0"
    again = await fed(http, grocer, table(*rows[:5], delimiter=";"))
    assert [one["status"] for one in again[:-1]] == ["DUPLICATE"] * 5
    assert [one["claim"] for one in again[:-1]] == [one["claim"] for one in answers[:5]]
    async with house.runtime.database.session() as session:
        assert await session.scalar(select(func.count()).select_from(Dispute)) == 491
        first = await session.get(Dispute, ids.decode_as("Claim", answers[0]["claim"], 1)[0])
        assert first is not None
        assert (first.claimed, first.quantity) == (9_000_000, 1_000)


async def test_a10_claims_as_json_lines_and_what_cannot_be_read(
    http: httpx.AsyncClient, house: House, lines: list[str]
) -> None:
    fuel = merchant(house, "fuel")
    good = {"key": "a", "line": lines[2], "amount": "2", "code": "WRONG_PRICE", "text": "it was dearer"}
    body = b"\n".join([orjson.dumps(good), b"nonsense", b"[]", orjson.dumps(good | {"key": "b", "text": 5})])
    found = await fed(http, fuel, body, "application/x-ndjson")
    assert [one.get("status") for one in found[:-1]] == ["RAISED", "REFUSED", "REFUSED", "REFUSED"]
    *headless, summary = await fed(http, fuel, b"a,b\n1,2\n")
    assert [one["status"] for one in headless] == ["REFUSED", "REFUSED"]
    assert summary["summary"]["raised"] == 0
    for headers, status in (
        ({"content-type": "text/csv"}, 401),
        ({**fuel, "content-type": "text/html"}, 415),
        (signed_in(kind="merchant", merchant_id=house.id("fuel"), scopes=frozenset()), 403),
    ):
        assert (await http.post("/ingest/claims", content=b"", headers=headers)).status_code == status
    assert (await http.get("/ingest/claims", headers=fuel)).status_code == 405


async def send(http: httpx.AsyncClient, who: dict[str, str], content: bytes = PDF, **named: str) -> httpx.Response:
    """A file."""
    said = {"name": "proof.pdf", "kind": "application/pdf"} | named
    headers = {**who, "content-type": said["kind"]}
    return await http.post("/ingest/attachment", params={"name": said["name"]}, content=content, headers=headers)


async def test_a10_a14_a_file_is_for_the_two_parties_and_the_operator(
    http: httpx.AsyncClient, house: House, lines: list[str]
) -> None:
    grocer, fuel, other = (
        merchant(house, "grocer"),
        merchant(house, "fuel"),
        signed_in(kind="merchant", merchant_id=new_id()),
    )
    kept = (await send(http, grocer, name="Prüfung 1.pdf")).json()
    assert (kept["size"], kept["sha256"]) == (len(PDF), hashlib.sha256(PDF).hexdigest())
    path = f"/attachments/{kept['id']}"
    assert (await http.get(path, headers=fuel)).status_code == 404
    claim = {"key": "a", "line": lines[0], "amount": "2", "code": "OTHER", "text": "see there"}
    stolen = orjson.dumps(claim | {"attachments": [kept["id"]]})
    (refused, _) = await fed(http, fuel, stolen, "application/x-ndjson")
    assert refused["error"]["code"] == "NOT_FOUND"
    (raised, _) = await fed(http, grocer, stolen, "application/x-ndjson")
    assert raised["status"] == "RAISED"
    for who in (grocer, fuel, signed_in(), signed_in(kind="auditor")):
        answer = await http.get(path, headers=who)
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PDF, "application/pdf")
        assert answer.headers["content-disposition"] == "attachment; filename*=utf-8''Pr%C3%BCfung%201.pdf"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await http.get(path, headers=other)).status_code == 404
    assert (await http.get("/attachments/nonsense", headers=grocer)).status_code == 404
    assert (await http.get(path)).status_code == 401


async def test_a10_files_are_small_of_known_kinds_and_not_kept_for_nothing(
    http: httpx.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    grocer = merchant(house, "grocer")
    monkeypatch.setattr(attachments, "LARGEST", 1000)
    for named, content, status in (
        ({}, b"x" * 1001, 413),
        ({}, b"", 400),
        ({}, b"not a pdf", 400),
        ({"kind": "text/html"}, b"<script>", 400),
        ({"kind": "text/plain"}, b"a\0b", 400),
        ({"kind": "text/csv"}, b"\xff\xfe", 400),
        ({"name": "../proof.pdf"}, PDF, 400),
        ({"name": ""}, PDF, 400),
        ({"kind": "text/csv", "name": "proof.csv"}, b"a,b\n", 201),
    ):
        assert (await send(http, grocer, content, **named)).status_code == status
    monkeypatch.setattr(attachments, "MOST_UNUSED", 1)
    full = await send(http, grocer)
    assert (full.status_code, full.json()["error"]["code"]) == (400, "TOO_MANY_ATTACHMENTS")
    assert (await send(http, {})).status_code == 401
    later = datetime.now(UTC) + UNUSED
    for as_of, left in ((later - timedelta(minutes=5), 1), (later + timedelta(minutes=5), 0)):
        async with house.runtime.database.transaction() as session:
            await attachments.forget_unused(session, as_of - UNUSED)
            assert await session.scalar(select(func.count()).select_from(Attachment)) == left
