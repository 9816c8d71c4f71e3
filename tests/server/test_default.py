"""`tessera default show` and `tessera collateral list` (A12): what lies there, what was covered, who bears the rest."""

import json
from pathlib import Path

from sqlalchemy import make_url

from alliance.defaults.deposits import Deposit
from alliance.runtime import Runtime
from tests.alliance.defaults.support import bring, declared, recovered
from tests.alliance.support import House
from tests.command_line import tessera


async def test_a12_a_default_and_deposits_from_the_command_line(
    runtime: Runtime, database_url: str, tmp_path: Path
) -> None:
    """Fuel owes the grocer 72.00 and does not pay; its collateral has 20.00."""
    house = House(runtime)
    fuel = house.id("fuel")
    await bring(house, fuel, Deposit.COLLATERAL, 2_000)
    await bring(house, fuel, Deposit.RESERVE, 500)
    await house.earn(await house.member(), "fuel", 8_000)
    cycle = await house.through(await house.close(), "settle_cycle")
    default = await declared(house, cycle, fuel)
    await recovered(house, default, 1_300)
    env = {
        "TESSERA_DATABASE_URL": make_url(database_url).render_as_string(hide_password=False),
        "TESSERA_HOME": str(tmp_path),
    }
    told = tessera("default", "show", "--merchant", "fuel", "--json", **env)
    assert told.returncode == 0, told.stderr
    [row] = json.loads(told.stdout)["defaults"]
    assert (row["id"], row["merchant"], row["cycle"], row["endedAt"]) == (str(default.id), "fuel", cycle.number, None)
    assert {name: row[name] for name in ("missing", "collateral", "ownFund", "fund", "loss")} == {
        "missing": "72.00",
        "collateral": "20.00",
        "ownFund": "0.00",
        "fund": "0.00",
        "loss": "52.00",
    }
    assert row["shares"] == [{"merchant": "grocer", "fund": "0.00", "loss": "52.00", "repaid": "13.00"}]
    for_people = tessera("default", "show", **env)
    assert f"fuel, cycle {cycle.number}: 72.00 is missing" in for_people.stdout
    listed = tessera("collateral", "list", "--json", **env)
    rows = [(one["merchant"], one["account"], one["balance"]) for one in json.loads(listed.stdout)["accounts"]]
    assert rows == [("fuel", "RESERVE", "5.00")]
    unknown = tessera("collateral", "list", "--merchant", "nobody", **env)
    assert (unknown.returncode != 0, "nobody" in unknown.stderr) == (True, True)
