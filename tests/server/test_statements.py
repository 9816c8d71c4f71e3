"""A wallet's statement as CSV: who gets it, and all of it however long it is."""

import csv
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib import resources
from typing import Any
from uuid import UUID

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from alliance.file import apply, parse
from alliance.runtime import Runtime
from domain.base import new_id
from domain.ledger.request import Posted
from domain.members.commands import enrol
from domain.members.model import EnrolAsk, IdentifierRef
from resolvers import ids, statements
from resolvers.context import House
from resolvers.viewer import Scope, Viewer
from server.access.tokens import TokenVerifier, issue_token
from server.statements import HEAD, Statements
from tests.ledger_support import earn, expire, redeem

SECRET = b"a secret of at least thirty-two characters"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def http(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    endpoint = Statements(House(runtime, SECRET), TokenVerifier(SECRET))
    app = Starlette(routes=[Route("/wallets/{id}/statement.csv", endpoint.get)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api") as client:
        yield client


@pytest.fixture
async def wallet(runtime: Runtime) -> str:
    """The id of a wallet with seven movements: 10, 20 ... 60, then 5 spent."""
    ask = EnrolAsk("grocer", "STORE", None, (IdentifierRef("CARD", None, "1"),), NOW)
    async with runtime.database.transaction() as session:
        member = await enrol(session, runtime.catalogue, ask)
    issuer = runtime.catalogue.merchants["grocer"].id
    place = {"merchant_id": issuer, "issuer_id": issuer}
    calls: list[Any] = [earn(member.member_id, 10 * n, **place, funder_id=issuer) for n in range(1, 7)]
    spend = redeem(member.member_id, 5)
    spend.merchant_id = spend.issuer_id = issuer
    for answer in await runtime.engine.post_many([*calls, spend]):
        assert isinstance(answer, Posted)
    return ids.encode("Wallet", member.member_id, "GRO")


def signed_in(**more: Any) -> dict[str, str]:
    """The header of an operator, unless it is somebody else."""
    client = new_id()
    fields = {"merchant_id": None, "member_id": None, "scopes": frozenset(Scope)}
    viewer = Viewer(**{"kind": "operator", "client_id": client, "subject": client, **fields, **more})
    return {"authorization": f"Bearer {issue_token(SECRET, viewer)}"}


async def read(http: httpx.AsyncClient, wallet: str, headers: dict[str, str], **asked: str) -> list[dict[str, str]]:
    response = await http.get(f"/wallets/{wallet}/statement.csv", params=asked, headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(response.text.splitlines()))
    assert response.text.splitlines()[0] == ",".join(HEAD)
    return rows


@pytest.mark.parametrize("stretch", [1, 2, 7, 1000])
async def test_all_movements_oldest_first_whatever_is_read_at_a_time(
    http: httpx.AsyncClient, wallet: str, stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "STRETCH", stretch)
    rows = await read(http, wallet, signed_in())
    moved = [(row["change"], row["balanceAfter"]) for row in rows]
    assert moved == [
        ("10", "10"),
        ("20", "30"),
        ("30", "60"),
        ("40", "100"),
        ("50", "150"),
        ("60", "210"),
        ("-5", "205"),
    ]
    assert (rows[-1]["kind"], rows[-1]["title"]) == ("REDEEM", "Points spent at Grocer")
    times = [row["bookedAt"] for row in rows]
    assert times == sorted(times)
    chinese = await read(http, wallet, signed_in() | {"accept-language": "zh-CN"})
    assert chinese[0]["title"] == "在Grocer获得积分"
    spanned = await read(http, wallet, signed_in(), **{"from": times[2], "to": times[4]})
    assert [row["change"] for row in spanned] == ["30", "40"]
    at = {"tessera-clock": "2026-03-01T12:00:00Z"}
    by_clock = await read(http, wallet, signed_in() | at, **{"from": "2026-03-01T12:00:01Z"})
    assert by_clock == []


async def test_who_gets_it_and_who_does_not(http: httpx.AsyncClient, runtime: Runtime, wallet: str) -> None:
    holder_id = ids.decode_as("Member", ids.encode("Member", new_id()), 1)[0]
    grocer, fuel = (runtime.catalogue.merchants[code].id for code in ("grocer", "fuel"))
    mine = signed_in(kind="merchant", merchant_id=grocer)
    assert len(await read(http, wallet, mine)) == 7
    cases: list[tuple[str, dict[str, str], dict[str, str], int, str]] = [
        (wallet, {}, {}, 401, "UNAUTHENTICATED"),
        (wallet, {"authorization": "Bearer nonsense"}, {}, 401, "UNAUTHENTICATED"),
        (wallet, signed_in(scopes=frozenset({Scope.MEMBERS_READ})), {}, 403, "FORBIDDEN"),
        (wallet, signed_in(kind="merchant", merchant_id=fuel), {}, 404, "NOT_FOUND"),
        (wallet, signed_in(kind="member", member_id=holder_id, subject=holder_id), {}, 404, "NOT_FOUND"),
        ("nonsense", signed_in(), {}, 404, "NOT_FOUND"),
        (ids.encode("Wallet", holder_id, "GRO"), signed_in(), {}, 404, "NOT_FOUND"),
        (wallet, signed_in(), {"from": "yesterday"}, 400, "BAD_USER_INPUT"),
        (wallet, signed_in(), {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, 400, "BAD_USER_INPUT"),
    ]
    for id_, headers, asked, status, code in cases:
        response = await http.get(f"/wallets/{id_}/statement.csv", params=asked, headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code), (id_, headers, asked)


async def test_no_title_is_a_formula(http: httpx.AsyncClient, runtime: Runtime, wallet: str) -> None:
    sample = (resources.files("server.samples") / "demo.yaml").read_text()
    async with runtime.database.transaction() as session:
        await apply(session, parse(sample.replace("name: Grocer\n", 'name: "=1+1"\n'), "demo.yaml"), NOW)
    await runtime.refresh()
    holder_id, issuer = ids.decode(wallet)[1][:16], runtime.catalogue.merchants["grocer"].id
    calls = [earn(UUID(bytes=holder_id), 1, expires_at=NOW), expire(UUID(bytes=holder_id))]
    for call in calls:
        call.issuer_id = issuer
    await runtime.engine.post_many(calls)
    rows = await read(http, wallet, signed_in() | {"accept-language": "zh-CN"})
    assert (rows[0]["title"], rows[-1]["title"]) == ("在=1+1获得积分", "'=1+1积分到期")
