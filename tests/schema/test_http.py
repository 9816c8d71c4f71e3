"""GraphQL over HTTP: what is not even executed, and how it is answered."""

import asyncio
from typing import Any

import httpx
import pytest

from alliance.runtime import Runtime
from schema.http import LEGACY, MODERN, media_type
from tests.schema.support import NOW, Client, client_of, viewer_of

HELLO = "{ __typename }"


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (MODERN, MODERN),
        (LEGACY, LEGACY),
        ("*/*", LEGACY),
        ("application/*", LEGACY),
        (f"{MODERN}, {LEGACY};q=0.9", MODERN),
        (f"{LEGACY};q=0.9, {MODERN};q=0.5", LEGACY),
        (f"{MODERN};charset=utf-8, {LEGACY};charset=utf-8", MODERN),
        ("text/xml", None),
        (f"{LEGACY};q=0", None),
        (f"{LEGACY};q=nonsense", None),
        ("text/html, */*;q=0.1", LEGACY),
    ],
)
def test_media_type(accept: str, media: str | None) -> None:
    assert media_type(accept) == media


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not JSON: unexpected end of data: line 1 column 2"),
        (b'{"query": "{ __typename }", "variables": {"a": NaN}}', "not JSON"),
        (b'{"query": "{ __typename }", "variables": {"a": 1e400}}', "infinity"),
        (b'"\xff"', "not JSON"),
        (b"[" * 2000, "not JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "query is missing"),
        (b'{"query": 1}', "query must be a string"),
        (b'{"query": "{ __typename }", "variables": []}', "variables must be an object"),
        (b'{"query": "{ __typename }", "extensions": 1}', "extensions must be an object"),
        (b'{"query": "{ __typename }", "operationName": {}}', "operationName must be a string"),
        (b'{"query": "{ __typename }", "operationName": "Other"}', 'Unknown operation named "Other"'),
    ],
)
async def test_bad_bodies(anonymous: Client, body: bytes, says: str) -> None:
    response = await anonymous.http.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json().keys() == {"errors"}
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert says in error["message"]


async def test_a_body_that_is_too_long(runtime: Runtime) -> None:
    client = client_of(runtime, max_body_bytes=1000)
    headers = {"content-type": "application/json"}
    declared = await client.http.post("/graphql", content=b"x" * 1001, headers=headers)

    async def chunks() -> Any:
        for _ in range(20):
            yield b"x" * 100
            await asyncio.sleep(0)

    streamed = await client.http.post("/graphql", content=chunks(), headers=headers)
    for response in (declared, streamed):
        assert response.status_code == 413
        assert "at most 1000 bytes" in response.json()["errors"][0]["message"]
    await client.http.aclose()


async def _status(client: httpx.AsyncClient, method: str, **options: Any) -> int:
    return (await client.request(method, "/graphql", **options)).status_code


async def test_methods_and_types(anonymous: Client) -> None:
    http = anonymous.http
    assert await _status(http, "GET", params={"query": HELLO}) == 200
    assert await _status(http, "GET", params={"query": HELLO, "variables": "{"}) == 400
    refused = await http.get("/graphql", params={"query": "mutation { __typename }"})
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert await _status(http, "PUT", json={"query": HELLO}) == 405
    assert await _status(http, "POST", json={"query": HELLO}, headers={"accept": "text/xml"}) == 406
    assert await _status(http, "POST", data={"query": HELLO}) == 415
    assert await _status(http, "POST", json={"query": "{"}, headers={"accept": LEGACY}) == 200
    assert await _status(http, "POST", json={"query": "{"}, headers={"accept": MODERN}) == 400


async def test_graphiql_is_for_browsers_and_by_setting(anonymous: Client, runtime: Runtime) -> None:
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = await anonymous.http.get("/graphql", headers=browser)
    assert page.headers["content-type"].startswith("text/html")
    assert "GraphiQL" in page.text
    off = client_of(runtime, graphiql=False)
    assert await _status(off.http, "GET", headers=browser) == 400
    await off.http.aclose()


async def test_tokens(anonymous: Client) -> None:
    for authorization in ("Bearer nonsense", "Basic eDp5", "Bearer"):
        response = await anonymous.post(HELLO, authorization=authorization)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    (error,) = await anonymous.errors("{ viewer { kind } }")
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert (await anonymous.run(HELLO))["__typename"] == "Query"


async def test_the_clock_is_for_those_who_may_set_it(anonymous: Client) -> None:
    merchant = anonymous.signed_in(viewer_of("auditor")).at(NOW)
    response = await merchant.post(HELLO)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
    operator = anonymous.signed_in(viewer_of("operator"), **{"tessera-clock": "yesterday"})
    response = await operator.post(HELLO)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_USER_INPUT")


async def test_viewer(anonymous: Client, grocer: Client) -> None:
    query = "{ viewer { kind scopes merchant { code } member { id } } }"
    seen = (await grocer.run(query))["viewer"]
    assert (seen["kind"], seen["merchant"], seen["member"]) == ("MERCHANT", {"code": "grocer"}, None)
    assert "points:earn" in seen["scopes"]
    auditor = (await anonymous.signed_in(viewer_of("auditor", scopes=["members:read"])).run(query))["viewer"]
    assert auditor == {"kind": "AUDITOR", "scopes": ["members:read"], "merchant": None, "member": None}
