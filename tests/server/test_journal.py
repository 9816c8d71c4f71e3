"""The journal over HTTP and from the command line: all books, so for who sees all (A14)."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from beancount import loader
from sqlalchemy import make_url
from starlette.applications import Starlette
from starlette.routing import Route

from alliance.runtime import Runtime
from resolvers.context import House as Kept
from resolvers.viewer import Scope
from server.access.tokens import TokenVerifier
from server.journal import MEDIA, Journal
from tests.alliance.statements.support import busy
from tests.alliance.support import House
from tests.server.test_cli import tessera
from tests.server.test_cycle_statements import SECRET, signed_in


@pytest.fixture
async def http(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    await busy(House(runtime))
    endpoint = Journal(Kept(runtime, SECRET), TokenVerifier(SECRET))
    served = Starlette(routes=[Route(f"/journal.{kind}", endpoint.get) for kind in MEDIA])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=served), base_url="http://api") as client:
        yield client


async def test_a14_the_journal_is_for_who_sees_all_merchants(http: httpx.AsyncClient, runtime: Runtime) -> None:
    auditor = signed_in(kind="auditor", scopes=frozenset({Scope.JOURNAL_READ}))
    told = await http.get("/journal.beancount", headers=auditor)
    assert (told.status_code, loader.load_string(told.text)[1]) == (200, [])
    assert told.headers["content-disposition"] == 'attachment; filename="journal.beancount"'
    rows = await http.get("/journal.csv", headers=auditor, params={"from": "2017-01-01", "to": "2999-12-31"})
    assert rows.text.startswith("type,number,day,narration,")
    merchant = signed_in(kind="merchant", merchant_id=House(runtime).id("fuel"))
    for viewer, asked, status in (
        (merchant, {}, 403),
        ({}, {}, 401),
        (signed_in(kind="auditor", scopes=frozenset({Scope.AUDIT_READ})), {}, 403),
        (auditor, {"from": "June"}, 400),
        (auditor, {"from": "2017-02-01", "to": "2017-01-31"}, 400),
    ):
        assert (await http.get("/journal.csv", headers=viewer, params=asked)).status_code == status


async def test_the_journal_is_written_to_a_file(http: httpx.AsyncClient, database_url: str, tmp_path: Path) -> None:
    env = {
        "TESSERA_DATABASE_URL": make_url(database_url).render_as_string(hide_password=False),
        "TESSERA_HOME": str(tmp_path),
    }
    file = tmp_path / "books.beancount"
    told = tessera("report", "journal", "--out", str(file), **env)
    assert told.returncode == 0, told.stderr
    _, errors, _ = loader.load_file(str(file))
    assert errors == []
    assert tessera("report", "journal", "--from", "2017-02-01", "--to", "2017-01-31", **env).returncode == 1
    shown = tessera("report", "journal", "--format", "csv", **env)
    assert shown.stdout.startswith("type,number,day,narration,")
