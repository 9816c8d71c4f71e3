"""`tessera cycle report`, over the twelve obligations whose nets are known (A8)."""

import json
from pathlib import Path

from sqlalchemy import make_url

from alliance.runtime import Runtime
from domain.base import new_id
from tests.alliance.settlement.test_cycles import owe
from tests.alliance.support import House
from tests.server.test_cli import tessera


async def test_a08_four_ways_to_pay(runtime: Runtime, database_url: str, tmp_path: Path) -> None:
    house = House(runtime)
    a, b, c, d, e = (new_id() for _ in range(5))
    twelve = [(a, b, 900), (b, a, 700), (a, c, 300), (c, a, 500), (b, c, 400), (c, b, 250)]
    twelve += [(d, a, 100), (b, d, 350), (c, d, 150), (d, c, 600), (e, a, 50), (d, e, 80)]
    await owe(house, [(debtor, creditor, 100 * units) for debtor, creditor, units in twelve])
    await house.through(await house.close(), "net_cycle")

    url = make_url(database_url).render_as_string(hide_password=False)
    told = tessera("cycle", "report", "--json", TESSERA_DATABASE_URL=url, TESSERA_HOME=str(tmp_path))
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert (found["number"], found["status"], found["obligations"]) == (1, "NETTED", 12)
    assert found["gross"] == {"amount": "4380.000000", "payments": 12, "savingPercent": "0.00"}
    assert found["bilateral"] == {"amount": "1580.00", "payments": 8, "savingPercent": "63.93"}
    assert found["multilateral"] == {"amount": "580.00", "payments": 4, "savingPercent": "86.76"}
    assert 580 <= float(found["loopsCancelled"]["amount"]) <= 1580
    assert (found["carried"], found["suspended"]) == ("0.00", "0.000000")

    shown = tessera("cycle", "report", "1", TESSERA_DATABASE_URL=url, TESSERA_HOME=str(tmp_path))
    assert "all netted against all" in shown.stdout
    missing = tessera("cycle", "report", "7", TESSERA_DATABASE_URL=url, TESSERA_HOME=str(tmp_path))
    assert missing.returncode == 1
