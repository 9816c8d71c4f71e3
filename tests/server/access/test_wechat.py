"""Signing in by a code of WeChat's, which a server of ours plays here."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn
from pydantic import SecretStr, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from alliance.runtime import Runtime
from domain.members.queries import identifiers
from resolvers.viewer import Scope
from server.access import wechat
from server.access.clients import create_client
from server.access.endpoint import TokenEndpoint
from server.access.tokens import TokenVerifier
from server.access.wechat import GRANT, WeChat, WeChatApp, WeChatGrant
from server.metrics import Metrics
from server.settings import Settings

SECRET = b"a secret of at least 32 characters"
APPS = {
    "wxmini": WeChatApp(merchant="grocer", kind="mini_program", secret=SecretStr("s1")),
    "wxapp": WeChatApp(merchant="grocer", kind="app", secret=SecretStr("s2")),
    "wxfuel": WeChatApp(merchant="fuel", kind="official", secret=SecretStr("s3")),
}


class Tencent:
    """Answers by code; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: dict[str, Any] = {}
        self.never = asyncio.Event()

    async def get(self, request: Request) -> Response:
        params = dict(request.query_params)
        self.asked.append((request.url.path, params))
        said = self.answers[params.get("js_code") or params["code"]]
        if said == "slow":
            await self.never.wait()
        if isinstance(said, int):
            return Response(status_code=said, headers={"Location": "http://169.254.169.254/"})
        return PlainTextResponse(said) if isinstance(said, str) else JSONResponse(said, media_type="text/plain")


class App:
    """An app of the grocer's."""

    def __init__(self, runtime: Runtime, url: str) -> None:
        self.metrics = Metrics()
        self.wechat = WeChat(url, 1.0)
        grant = WeChatGrant(runtime, self.wechat, APPS, self.metrics.attempt)
        verifier = TokenVerifier(SECRET)
        endpoint = TokenEndpoint(runtime.database, lambda: runtime.catalogue, SECRET, verifier, grants={GRANT: grant})
        app = Starlette(routes=[Route("/oauth/token", endpoint.post, methods=["POST"])])
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
        self.client_id = ""

    async def show(self, code: str, app_id: str = "wxmini", **fields: str) -> httpx.Response:
        form = {"client_id": self.client_id, "grant_type": GRANT, "app_id": app_id, "code": code, **fields}
        return await self.http.post("/oauth/token", data=form)

    async def close(self) -> None:
        await self.wechat.close()
        await self.http.aclose()

    async def member(self, code: str, app_id: str = "wxmini") -> Any:
        answer = await self.show(code, app_id)
        assert answer.status_code == 200, answer.text
        return TokenVerifier(SECRET).verify(answer.json()["access_token"]).member_id


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[tuple[Tencent, str]]:
    """WeChat, at a port of this machine."""
    tencent = Tencent()
    paths = ("/sns/jscode2session", "/sns/oauth2/access_token")
    config = uvicorn.Config(
        Starlette(routes=[Route(path, tencent.get) for path in paths]), log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        task = asyncio.create_task(server.serve([listener]))
        while not server.started:  # noqa: ASYNC110 - it has no event for that
            await asyncio.sleep(0)
        yield tencent, f"http://127.0.0.1:{listener.getsockname()[1]}"
        tencent.never.set()
        server.should_exit = True
        await task


@pytest.fixture
async def app(runtime: Runtime, served: tuple[Tencent, str]) -> AsyncIterator[App]:
    opened = App(runtime, served[1])
    async with runtime.database.transaction() as session:
        scopes = [Scope.MEMBERS_SIGN_IN, Scope.MEMBERS_WRITE]
        id_, _ = await create_client(session, "app", "merchant", "grocer", scopes, public=True)
    opened.client_id = str(id_)
    yield opened
    await opened.close()


async def test_app_mini_program_and_account_are_one_person(
    app: App, served: tuple[Tencent, str], runtime: Runtime
) -> None:
    tencent = served[0]
    tencent.asked.clear()
    tencent.answers = {
        "m1": {"openid": "o-mini", "session_key": "k", "unionid": "u-1"},
        "m2": {"openid": "o-mini", "session_key": "k"},
        "a1": {"openid": "o-app", "access_token": "t", "unionid": "u-1", "errcode": 0},
        "x1": {"openid": "o-other", "unionid": "u-2"},
    }
    first = await app.member("m1")
    assert first == await app.member("m2") == await app.member("a1", "wxapp")
    assert await app.member("x1") != first
    async with runtime.database.session() as session:
        known = (await identifiers(session, [first]))[first]
    assert {(one.type, one.issuer, one.value) for one in known} == {
        ("WECHAT_OPENID", "wxmini", "o-mini"),
        ("WECHAT_OPENID", "wxapp", "o-app"),
        ("WECHAT_UNIONID", "", "u-1"),
    }
    asked = {"appid": "wxmini", "secret": "s1", "js_code": "m1", "grant_type": "authorization_code"}
    assert tencent.asked[0] == ("/sns/jscode2session", asked)
    asked = {"appid": "wxapp", "secret": "s2", "code": "a1", "grant_type": "authorization_code"}
    assert tencent.asked[2] == ("/sns/oauth2/access_token", asked)


async def test_what_wechat_refuses_and_when_it_is_away(
    app: App, served: tuple[Tencent, str], runtime: Runtime, capsys: pytest.CaptureFixture[str]
) -> None:
    tencent = served[0]
    tencent.answers = {
        "bad": {"errcode": 40029, "errmsg": "invalid code, rid: 5f"},
        "used": {"errcode": 40163},
        "often": {"errcode": 45011},
        "busy": {"errcode": -1},
        "secret": {"errcode": 40125, "errmsg": "invalid appsecret"},
        "none": {},
        "list": [],
        "text": "<html>",
        "long": "x" * 70_000,
        "500": 500,
        "moved": 302,
        "odd": {"openid": 7},
        "slow": "slow",
    }
    expected = {"bad": "invalid_grant", "used": "invalid_grant", "often": "slow_down"}
    for code in tencent.answers:
        answer = await app.show(code)
        assert answer.json()["error"] == expected.get(code, "temporarily_unavailable"), code
        assert answer.status_code == {"invalid_grant": 400, "slow_down": 429}.get(answer.json()["error"], 503)
        assert "errmsg" not in answer.text
    gone = App(runtime, "http://127.0.0.1:1")
    gone.client_id = app.client_id
    assert (await gone.show("m1")).status_code == 503
    await gone.close()
    printed = capsys.readouterr()
    assert "s1" not in (printed.out + printed.err).split()
    assert "secret=" not in printed.out + printed.err
    page = (await app.metrics.page(None)).body.decode()  # type: ignore[arg-type]
    assert 'tessera_sign_in_attempts_total{how="wechat",result="WRONG"} 2.0' in page


async def test_who_may_not(
    app: App, served: tuple[Tencent, str], runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    tencent = served[0]
    tencent.answers = {"m1": {"openid": "o-stranger"}, "m2": {"openid": "o-known"}}
    tencent.asked.clear()
    for code, app_id in (("m1", "wxfuel"), ("m1", "http://evil"), ("m1", ""), ("", "wxmini"), ("x" * 600, "wxmini")):
        assert (await app.show(code, app_id)).json()["error"] == "invalid_request", (code, app_id)
    assert tencent.asked == [], "nothing is asked for what is not ours"
    known = await app.member("m2")
    enrolling = app.client_id
    async with runtime.database.transaction() as session:
        id_, _ = await create_client(session, "no", "merchant", "grocer", [Scope.MEMBERS_SIGN_IN], public=True)
    app.client_id = str(id_)
    assert (await app.show("m1")).json()["error"] == "invalid_grant", "strangers may not join here"
    assert await app.member("m2") == known
    app.client_id = enrolling
    monkeypatch.setattr(wechat, "BY_HOST", replace(wechat.BY_HOST, most=4))
    assert (await app.show("m1")).status_code == 200
    answer = await app.show("m1")
    assert (answer.status_code, answer.json()["error"]) == (429, "slow_down")


def test_apps_are_set_and_wrong_ones_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSERA_WECHAT_APPS", '{"wx1": {"merchant": "grocer", "kind": "web", "secret": "hush"}}')
    assert Settings().apps_of_wechat()["wx1"].kind == "web"
    assert "hush" not in repr(Settings())
    monkeypatch.setenv("TESSERA_WECHAT_APPS", '{"wx1": {"merchant": "grocer", "kind": "moon", "secret": "hush"}}')
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "hush" not in str(refused.value)
    monkeypatch.delenv("TESSERA_WECHAT_APPS")
    monkeypatch.setenv("TESSERA_WECHAT_URL", "file:///etc/passwd")
    with pytest.raises(ValidationError):
        Settings()
