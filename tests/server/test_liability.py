"""`tessera report liability` (A13)."""

import json
from pathlib import Path

from sqlalchemy import make_url

from alliance.runtime import Runtime
from tests.server.test_cli import tessera


async def test_a13_the_months_liability_by_hand(runtime: Runtime, database_url: str, tmp_path: Path) -> None:
    url = make_url(database_url).render_as_string(hide_password=False)
    there = {"TESSERA_DATABASE_URL": url, "TESSERA_HOME": str(tmp_path)}
    told = tessera("report", "liability", "--month", "2026-10", "--json", **there)
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert {of["currency"] for one in found["liability"] for of in one["programmes"]} >= {"GRO", "FUE"}
    wrong = tessera("report", "liability", "--month", "2026", **there)
    assert wrong.returncode == 2
