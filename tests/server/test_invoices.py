"""`tessera invoice`: issued, listed, compared, written as files."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from alliance.runtime import Runtime
from tests.alliance.invoices.support import invoicing
from tests.alliance.support import NOON, House, days
from tests.server.test_cli import tessera


async def test_a09_invoices_from_the_command_line(runtime: Runtime, database_url: str, tmp_path: Path) -> None:
    house = House(runtime)
    await invoicing(house, grocer={"address": "Main Street 1, Akron, OH", "taxId": "12-3"})
    await house.earn(await house.member(), "fuel", 10_000)
    await house.through(await house.close(NOON + days(1)), "net_cycle")

    env = {"TESSERA_DATABASE_URL": make_url(database_url).render_as_string(False), "TESSERA_HOME": str(tmp_path)}

    def told(*arguments: str) -> Any:
        done = tessera("invoice", *arguments, "--json", **env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert told("issue") == {"invoices": 1, "latePayments": 0}
    (row,) = told("list", "--cycle", "1", "--merchant", "fuel")["invoices"]
    assert (row["number"], row["net"], row["gross"], row["cycle"]) == ("GROCER-000001", "90.00", "90.00", 1)
    assert (row["issuer"]["address"], row["recipient"]) == (
        "Main Street 1, Akron, OH",
        {"code": "fuel", "name": "Fuel"},
    )
    compared = told("match", "1")
    (one,) = compared["matches"]
    assert compared["interest"] == []
    assert (one["stated"], one["invoiced"], one["unpaid"], one["recorded"]) == ("90.000000", "90.000000", "90.00", [])
    out = tmp_path / "invoice.pdf"
    assert (
        tessera("invoice", "export", "GROCER-000001", "--merchant", "grocer", "--out", str(out), **env).returncode == 0
    )
    assert out.read_bytes().startswith(b"%PDF")
    assert tessera("invoice", "export", "X-1", "--merchant", "grocer", **env).returncode == 1
