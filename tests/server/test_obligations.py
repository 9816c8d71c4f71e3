"""Obligations as CSV over HTTP: the lines of the query of the same name, for whom they are (A14)."""

import csv
import io
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from alliance.clearing.model import Obligation
from alliance.runtime import Runtime
from domain.base import new_id
from resolvers import obligations
from resolvers.context import House as Kept
from resolvers.viewer import Scope
from schema.build import build_schema
from server.access.tokens import TokenVerifier
from server.metrics import path_of
from server.obligations import PARAMETERS, Obligations
from tests.alliance.statements.support import busy
from tests.alliance.support import House
from tests.server.test_cycle_statements import SECRET, signed_in


@pytest.fixture
def house(runtime: Runtime) -> House:
    """The sample alliance at work."""
    return House(runtime)


@pytest.fixture
async def lines(house: House) -> Sequence[Obligation]:
    """Of a cycle and of the open one."""
    await busy(house)
    member = await house.member()
    await house.earn(member, "fuel", 50, order_ref="=f-9", store="1")
    return await house.obligations()


@pytest.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    endpoint = Obligations(Kept(house.runtime, SECRET), TokenVerifier(SECRET))
    served = Starlette(routes=[Route("/obligations.csv", endpoint.get)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=served), base_url="http://api") as client:
        yield client


async def found(http: httpx.AsyncClient, viewer: dict[str, str], **asked: str) -> list[dict[str, str]]:
    """The rows of an answer."""
    answer = await http.get("/obligations.csv", params=asked, headers=viewer)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == 'attachment; filename="obligations.csv"'
    return list(csv.DictReader(io.StringIO(answer.text)))


async def test_a14_a_merchant_gets_its_own_lines_and_the_names_of_its_own_orders(
    http: httpx.AsyncClient, house: House, lines: Sequence[Obligation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(obligations, "STRETCH", 2)
    fuel, grocer = (signed_in(kind="merchant", merchant_id=house.id(code)) for code in ("fuel", "grocer"))
    whole = await found(http, signed_in())
    assert [int(row["points"]) for row in whole] == [line.points for line in lines]
    assert [row["cycle"] for row in whole] == ["1"] * (len(lines) - 1) + ["2"]
    last = {"cycle": "2", "type": "line", "seq": "0", "kind": "EARN", "debtor": "fuel", "creditor": "grocer"}
    last |= {"currency": "GRO", "points": "50", "price": "0.00900000", "amount": "0.450000", "amountCurrency": "USD"}
    last |= {"agreementVersion": "1", "late": "false", "pastCap": "false", "orderRef": "'=f-9", "store": "1"}
    assert whole[-1].items() >= last.items()
    assert [row["orderRef"] for row in await found(http, grocer)] == [""] * len(lines)
    seen = await found(http, fuel)
    assert [row["line"] for row in seen] == [row["line"] for row in whole]
    assert await found(http, fuel, orderRef="f-1") == [row for row in seen if row["orderRef"] == "f-1"] != []
    assert await found(http, grocer, orderRef="f-1") == await found(http, fuel, counterparty="demo") == []
    some = await found(http, fuel, cycle="1", kinds="SPEND,EXCHANGE", amountFrom="1.00", late="false")
    assert [row["kind"] for row in some] == ["SPEND", "EXCHANGE"]


async def test_a_filter_that_makes_no_sense_fetches_nothing(http: httpx.AsyncClient, house: House) -> None:
    for name, wrong in (
        *(("cycle", "-1"), ("late", "yes"), ("amountFrom", "1e3"), ("kinds", "SPENT"), ("bookedFrom", "today")),
        *(("ordeRef", "f-1"), ("amountTo", "0.0000001"), ("orderRef", "x" * 1001)),
    ):
        answer = await http.get("/obligations.csv", params={name: wrong}, headers=signed_in())
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BAD_USER_INPUT")
        assert name in answer.text
    for name, unknown in (("merchant", "nobody"), ("operation", "x")):
        answer = await http.get("/obligations.csv", params={name: unknown}, headers=signed_in())
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_who_has_no_business_with_settlement_gets_none(http: httpx.AsyncClient) -> None:
    assert (await http.get("/obligations.csv")).status_code == 401
    reader = signed_in(kind="merchant", merchant_id=new_id(), scopes=frozenset({Scope.POINTS_READ}))
    for viewer in (signed_in(kind="member", member_id=new_id()), reader):
        assert (await http.get("/obligations.csv", headers=viewer)).status_code == 403


def test_the_parameters_are_the_fields_of_the_filter() -> None:
    fields = build_schema()._schema.type_map["ObligationFilter"]
    assert set(PARAMETERS) == set(fields.fields)  # type: ignore[attr-defined]


def test_files_are_counted_by_their_kind_and_strangers_as_one() -> None:
    asked = ["/statements/7/grocer.csv", "/wallets/abc/statement.csv", "/obligations.csv", "/log/keys", "/wp-login.php"]
    counted = ["/statements/{cycle}/{file}", "/wallets/{id}/statement.csv", "/obligations.csv", "/log/keys", "other"]
    assert [path_of(path) for path in asked] == counted
    assert path_of("/statements/x/grocer.csv") == path_of("/wallets/a/b/statement.csv") == "other"
