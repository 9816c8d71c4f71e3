"""`tessera report rights`: what became of rights on a day, and whether all has returned that should have."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from alliance.runtime import Runtime
from tests.alliance.benefits.support import Rights
from tests.alliance.support import NOON, House


def report(database_url: str, home: Path, day: str) -> tuple[int, Any]:
    """The exit code and what was printed."""
    here = {"TESSERA_DATABASE_URL": database_url, "TESSERA_HOME": str(home), "TESSERA_REDIS_URL": "redis://nowhere"}
    command = [sys.executable, "-m", "server.cli", "report", "rights", "--day", day, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | here, check=False)
    return done.returncode, json.loads(done.stdout)


async def test_a15_the_report_ends_with_1_where_something_has_not_returned(
    runtime: Runtime, database_url: str, tmp_path: Path
) -> None:
    rights = Rights(House(runtime))
    right = await rights.grant(await rights.house.member(), quantity=2)
    await rights.use(right)
    code, told = report(database_url, tmp_path, NOON.date().isoformat())
    assert (code, told["returned"], len(told["rights"])) == (0, True, 2)
    assert [(row["at"], row["granted"], row["used"], row["owed"]) for row in told["rights"]] == [
        ("grocer", 2, 0, "0.000000"),
        ("fuel", 0, 1, "4.000000"),
    ]
    assert right.expires_at is not None
    last = (right.expires_at - timedelta(hours=6)).date().isoformat()
    code, told = report(database_url, tmp_path, last)
    assert (code, told["returned"], told["rights"][0]["overdue"]) == (1, False, 1)
