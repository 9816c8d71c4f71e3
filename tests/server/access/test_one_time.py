"""Signing in by a one-time code: an app in members' hands, and no merchant's server."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from alliance.passcodes import Passcodes
from alliance.runtime import Runtime
from domain.base import new_id
from domain.contacts.model import ContactChannel
from domain.messages.port import Outgoing, Sent
from resolvers.viewer import DEFAULT_SCOPES, Scope
from server.access import one_time
from server.access.clients import create_client
from server.access.endpoint import TokenEndpoint
from server.access.tokens import TokenVerifier
from server.metrics import Metrics
from server.notifiers import code_notifiers_of
from server.settings import Settings
from tests.alliance.passcodes.support import Phone

SECRET = b"a secret of at least 32 characters"
PHONE = {"identifier_type": "PHONE", "identifier": "+1 614 555 0178"}


class App:
    """An app without a secret."""

    def __init__(self, runtime: Runtime) -> None:
        self.phone, self.metrics = Phone(), Metrics()
        self.passcodes = Passcodes(runtime, self.phone.notifiers, self.metrics.attempt)
        grants = {one_time.GRANT: one_time.OneTimeGrant(self.passcodes)}
        verifier = TokenVerifier(SECRET)
        endpoint = TokenEndpoint(runtime.database, lambda: runtime.catalogue, SECRET, verifier, grants=grants)
        paths = {"/oauth/token": endpoint.post, "/oauth/code": endpoint.code}
        routes = [Route(path, what, methods=["POST"]) for path, what in paths.items()]
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=routes)), base_url="http://test")
        self.client_id = ""

    async def ask(self, **fields: str) -> httpx.Response:
        answer = await self.http.post("/oauth/code", data={"client_id": self.client_id, **PHONE, **fields})
        await self.passcodes.idle()
        return answer

    async def show(self, code: str, **fields: str) -> httpx.Response:
        form = {"client_id": self.client_id, "grant_type": one_time.GRANT, "code": code, **PHONE, **fields}
        return await self.http.post("/oauth/token", data=form)


@pytest.fixture
async def app(runtime: Runtime) -> AsyncIterator[App]:
    opened = App(runtime)
    async with runtime.database.transaction() as session:
        scopes = [Scope.MEMBERS_SIGN_IN, Scope.MEMBERS_WRITE, Scope.POINTS_SPEND]
        id_, _ = await create_client(session, "app", "merchant", "grocer", scopes, public=True)
    opened.client_id = str(id_)
    yield opened
    await opened.http.aclose()


async def test_a_member_signs_in_by_telephone_and_stays(app: App) -> None:
    asked = await app.ask()
    assert (asked.status_code, asked.json()) == (200, {"expires_in": 300})
    wrong = await app.show("0" * 7)
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant")
    told = (await app.show(app.phone.code)).json()
    viewer = TokenVerifier(SECRET).verify(told["access_token"])
    assert viewer.kind == "member"
    withheld = {Scope.POINTS_TRANSFER, Scope.POINTS_EXCHANGE, Scope.IDENTIFIERS_READ}
    withheld |= {Scope.MEMBERS_EXPORT, Scope.IDENTIFIERS_WRITE}
    assert viewer.scopes == DEFAULT_SCOPES["member"] - withheld
    renewed = await app.http.post(
        "/oauth/token",
        data={"client_id": app.client_id, "grant_type": "refresh_token", "refresh_token": told["refresh_token"]},
    )
    assert TokenVerifier(SECRET).verify(renewed.json()["access_token"]).member_id == viewer.member_id
    again = await app.ask()
    assert (again.status_code, again.json()["error"]) == (429, "slow_down")
    assert 0 < int(again.headers["retry-after"]) <= 30
    page = (await app.metrics.page(None)).body.decode()  # type: ignore[arg-type]
    for result in ("SENT", "WRONG", "GOOD", "LIMITED"):
        assert f'tessera_sign_in_attempts_total{{how="one_time_code",result="{result}"}} 1.0' in page


async def test_who_may_not_and_what_cannot(app: App, runtime: Runtime) -> None:
    for fields, error in (
        ({"identifier": "12"}, "invalid_request"),
        ({"identifier_type": "CARD"}, "invalid_request"),
        ({"identifier": ""}, "invalid_request"),
        ({"client_id": "nobody"}, "invalid_client"),
    ):
        assert (await app.ask(**fields)).json()["error"] == error, fields
    assert (await app.show("")).json()["error"] == "invalid_request"
    assert (await app.show("1", scope="points:earn")).json()["error"] == "invalid_scope"
    async with runtime.database.transaction() as session:
        id_, _ = await create_client(session, "no", "merchant", "grocer", [Scope.MEMBERS_READ], public=True)
    app.client_id = str(id_)
    assert (await app.ask()).json()["error"] == "unauthorized_client"
    assert (await app.show("1")).json()["error"] == "unauthorized_client"
    assert app.phone.got == []


async def test_in_development_the_log_has_the_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = Outgoing(new_id(), ContactChannel.SMS, "+16145550178", "Grocer", "en", "", "your code is 123456")
    for shows in (False, True):
        file = tmp_path / f"{shows}.ndjson"
        settings = Settings(home=tmp_path, message_file=file, log_codes=shows)
        result = await code_notifiers_of(settings)[ContactChannel.SMS].send([message])
        assert result == [Sent("log", delivered=False)]
        shown = capsys.readouterr()
        assert ("123456" in shown.out + shown.err) == shows
        assert "0178" not in shown.out + shown.err
        assert json.loads(file.read_text())["to"] == "+16145550178"
