"""Statements of a cycle over HTTP and by the command: who gets which, and all of it however long it is."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from alliance.runtime import Runtime
from alliance.statements import queries
from domain.base import new_id
from resolvers.context import House as Kept
from resolvers.viewer import Scope, Viewer
from server.access.tokens import TokenVerifier, issue_token
from server.cycle_statements import CycleStatements
from tests.alliance.statements.support import busy, file_of
from tests.alliance.support import House

SECRET = b"a secret of at least thirty-two characters"


@pytest.fixture
def house(runtime: Runtime) -> House:
    """The sample alliance at work."""
    return House(runtime)


@pytest.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    endpoint = CycleStatements(Kept(house.runtime, SECRET), TokenVerifier(SECRET))
    app = Starlette(routes=[Route("/statements/{cycle:int}/{file}", endpoint.get)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api") as client:
        yield client


def signed_in(**more: Any) -> dict[str, str]:
    """The header of an operator, unless it is somebody else."""
    client = new_id()
    fields = {"merchant_id": None, "member_id": None, "scopes": frozenset(Scope)}
    viewer = Viewer(**{"kind": "operator", "client_id": client, "subject": client, **fields, **more})
    return {"authorization": f"Bearer {issue_token(SECRET, viewer)}"}


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
async def test_a_merchant_downloads_its_own(
    http: httpx.AsyncClient,
    house: House,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cycle = await busy(house)
    whole = await file_of(house, cycle, "fuel", kind)
    monkeypatch.setattr(queries, "STRETCH", 2)
    fuel = signed_in(kind="merchant", merchant_id=house.id("fuel"))
    for viewer in (fuel, signed_in(), signed_in(kind="auditor")):
        answer = await http.get(f"/statements/{cycle.number}/fuel.{kind}", headers=viewer)
        assert (answer.status_code, answer.content) == (200, whole)
        assert answer.headers["content-disposition"] == f'attachment; filename="statement-1-fuel.{kind}"'


async def test_a14_the_statement_of_another_is_as_if_it_were_not_there(http: httpx.AsyncClient, house: House) -> None:
    cycle = await busy(house)
    fuel = signed_in(kind="merchant", merchant_id=house.id("fuel"))
    answers = [
        await http.get(f"/statements/{path}", headers=fuel)
        for path in (f"{cycle.number}/grocer.csv", f"{cycle.number}/demo.csv", "2/fuel.csv", "1/nobody.csv", "1/fuel")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1


async def test_who_has_no_business_with_settlement_is_turned_away(http: httpx.AsyncClient, house: House) -> None:
    await busy(house)
    assert (await http.get("/statements/1/fuel.csv")).status_code == 401
    for viewer in (
        signed_in(kind="member", member_id=new_id()),
        signed_in(kind="merchant", merchant_id=house.id("fuel"), scopes=frozenset({Scope.POINTS_READ})),
    ):
        assert (await http.get("/statements/1/fuel.csv", headers=viewer)).status_code == 403


async def test_the_operator_has_a_statement_of_its_own_under_the_code_of_the_alliance(
    http: httpx.AsyncClient,
    house: House,
) -> None:
    cycle = await busy(house)
    answer = await http.get(f"/statements/{cycle.number}/demo.jsonl", headers=signed_in())
    assert answer.status_code == 404  # no fees in the sample: nothing is owed to it
