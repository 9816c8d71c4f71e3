"""The API process around GraphQL: health, metrics, request ids, limits, and what a client hears of a fault."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url, text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from domain.database import Database
from server.asgi import create_app
from server.settings import Settings


@pytest.fixture
async def app(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Starlette]:
    url = make_url(database_url).render_as_string(hide_password=False)
    app = create_app(Settings(home=tmp_path, database_url=url, max_body_bytes=1000))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def http(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api") as client:
        yield client


async def test_alive_and_ready(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).json() == {"alive": True}
    assert (await http.get("/readyz")).json() == {"ready": True, "database": "ready"}


async def test_not_ready_without_all_migrations(http: httpx.AsyncClient, database: Database) -> None:
    async with database.transaction() as session:
        (current,) = (
            await session.execute(text("UPDATE alembic_version SET version_num = 'old' RETURNING old.*"))
        ).one()
    try:
        response = await http.get("/readyz")
    finally:
        async with database.transaction() as session:
            await session.execute(text("UPDATE alembic_version SET version_num = :current"), {"current": current})
    assert (response.status_code, response.json()["database"]) == (503, "lacks migrations")


async def test_metrics(http: httpx.AsyncClient) -> None:
    await http.get("/healthz")
    await http.get("/nowhere/at/all")
    page = (await http.get("/metrics")).text
    assert 'tessera_http_requests_total{method="GET",path="/healthz",status="200"} 1.0' in page
    assert 'tessera_http_requests_total{method="GET",path="other",status="404"} 1.0' in page
    assert "tessera_engine_queued 0.0" in page
    assert "tessera_engine_batches_total 0.0" in page


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("abc-12345.z", True), ("short", False), ("x" * 65, False), ("evil id\t12345", False), (None, False)],
)
async def test_request_ids(http: httpx.AsyncClient, sent: str | None, kept: bool) -> None:
    response = await http.get("/healthz", headers={} if sent is None else {"X-Request-Id": sent})
    answered = response.headers["x-request-id"]
    assert (answered == sent) is kept
    assert len(answered) >= 8


async def test_a_body_that_is_too_large_is_refused(http: httpx.AsyncClient) -> None:
    response = await http.post("/graphql", json={"query": "{ viewer { kind } }", "padding": "x" * 1000})
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("fault", "status"),
    [(ZeroDivisionError("secret"), 500), (ConnectionRefusedError("secret"), 503)],
    ids=["bug", "outage"],
)
async def test_a_fault_tells_its_id_and_nothing_else(
    app: Starlette, http: httpx.AsyncClient, fault: Exception, status: int
) -> None:
    async def broken(_: Request) -> Response:
        raise fault

    app.router.routes.append(Route("/broken", broken))
    response = await http.get("/broken")
    error = response.json()["errors"][0]
    assert response.status_code == status
    assert error["extensions"] == {"code": "INTERNAL", "requestId": response.headers["x-request-id"]}
    assert "secret" not in response.text
    assert ("retry-after" in response.headers) is (status == 503)


async def test_sessions_that_are_cut_are_replaced(http: httpx.AsyncClient, database: Database) -> None:
    async def ready() -> int:
        return (await http.get("/readyz")).status_code

    assert await ready() == 200
    async with database.transaction() as session:
        await session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert await asyncio.gather(*(ready() for _ in range(5))) == [200] * 5


async def test_the_keys_of_the_log_are_published(http: httpx.AsyncClient, database: Database) -> None:
    assert (await http.get("/log/keys")).text == ""
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO log_key VALUES ('b+1+x', now() - interval '1 day'), ('a+2+y', now())"))
    assert (await http.get("/log/keys")).text == "b+1+x\na+2+y\n"
