"""Statements of a cycle over HTTP and by the command: who gets which, and all of it however long it is."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from typer.testing import CliRunner

from alliance.proofs.notes import PrivateKey
from alliance.runtime import Runtime
from alliance.statements import queries
from alliance.statements.commands import sign_due
from domain.base import new_id
from resolvers.context import House as Kept
from resolvers.viewer import Scope, Viewer
from server.access.tokens import TokenVerifier, issue_token
from server.cli import app
from server.commands.common import Failure
from server.cycle_statements import CycleStatements
from tests.alliance.proofs.test_sealing import KEYS, sealed
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
    served = Starlette(routes=[Route("/statements/{cycle:int}/{file}", endpoint.get)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=served), base_url="http://api") as client:
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


async def test_what_is_not_signed_or_sealed_yet_is_to_be_asked_for_again(http: httpx.AsyncClient, house: House) -> None:
    await busy(house)
    for file, code in (("fuel.zip", "NOT_SIGNED"), ("fuel.csv.sig", "NOT_SIGNED")):
        answer = await http.get(f"/statements/1/{file}", headers=signed_in())
        assert (answer.status_code, answer.json()["error"]["code"], answer.headers["retry-after"]) == (409, code, "5")
    wrong = await http.get("/statements/1/fuel.jsonl.proofs", params={"checkpoint": "x"}, headers=signed_in())
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "BAD_USER_INPUT")


async def test_a09_the_command_of_a_partner_says_yes_no_or_wrong_use(
    http: httpx.AsyncClient, house: House, tmp_path: Path
) -> None:
    await busy(house)
    await sealed(house.runtime.database)
    await sign_due(house.runtime.database, KEYS)
    for kind in ("zip", "jsonl", "jsonl.sig", "jsonl.proofs", "csv", "csv.sig"):
        answer = await http.get(f"/statements/1/fuel.{kind}", headers=signed_in())
        assert answer.status_code == 200
        (tmp_path / f"fuel.{kind}").write_bytes(answer.content)
    key = str(KEYS[0].public)

    def verify(file: str, *more: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["statement", "verify", str(tmp_path / file), *more])
        code = done.exception.exit_code if isinstance(done.exception, Failure) else done.exit_code
        return code, done.output

    for file in ("fuel.zip", "fuel.jsonl", "fuel.csv"):
        assert verify(file, "--key", key)[0] == 0
    assert orjson.loads(verify("fuel.zip", "--json")[1])["keyFromFile"]
    assert verify("fuel.zip", "--key", str(PrivateKey.new("log.test").public))[0] == 1
    assert verify("fuel.zip", "--key", "nonsense")[0] == 2
    assert verify("fuel.csv")[0] == 2

    (tmp_path / "fuel.jsonl").write_bytes((tmp_path / "fuel.jsonl").read_bytes().replace(b'"f-2"', b'"f-7"'))
    code, told = verify("fuel.jsonl", "--key", key)
    assert code == 1
    assert "line 3 (" in told
    (tmp_path / "fuel.csv").write_bytes(b"type,partner\n")
    assert verify("fuel.csv", "--key", key)[0] == 1
    (tmp_path / "fuel.zip").write_bytes((tmp_path / "fuel.zip").read_bytes()[:-40])
    assert verify("fuel.zip", "--key", key)[0] == 1
    (tmp_path / "fuel.jsonl.sig").unlink()
    assert verify("fuel.jsonl", "--key", key)[0] == 2
