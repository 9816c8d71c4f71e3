"""`tessera report rights`: what became of rights on a day, and whether all has returned that should have."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from alliance.runtime import Runtime
from domain.members.commands import enrol
from domain.members.model import EnrolAsk, IdentifierRef
from domain.members.queries import by_ids
from tests import command_line
from tests.alliance.benefits.support import Rights
from tests.alliance.support import NOON, House


def report(database_url: str, home: Path, day: str) -> tuple[int, Any]:
    """What became of rights on a day."""
    return tessera(database_url, home, "report", "rights", "--day", day)


def tessera(database_url: str, home: Path, *arguments: str) -> tuple[int, Any]:
    """The exit code and what was printed."""
    here = {"TESSERA_DATABASE_URL": database_url, "TESSERA_HOME": str(home), "TESSERA_REDIS_URL": "redis://nowhere"}
    done = command_line.tessera(*arguments, "--json", **here)
    return done.returncode, json.loads(done.stdout)


async def test_a15_the_report_ends_with_1_where_something_has_not_returned(
    runtime: Runtime, database_url: str, tmp_path: Path
) -> None:
    rights = Rights(House(runtime))
    right = await rights.grant(await rights.house.member(), quantity=2)
    await rights.use(right)
    assert right.expires_at is not None
    last = (right.expires_at - timedelta(hours=6)).date().isoformat()
    code, told = report(database_url, tmp_path, last)
    assert (code, told["returned"]) == (1, False)
    assert [(row["at"], row["outstanding"], row["overdue"]) for row in told["rights"]] == [("grocer", 1, 1)]


async def test_a15_rights_by_hand(runtime: Runtime, database_url: str, tmp_path: Path) -> None:
    ask = EnrolAsk("grocer", "STORE", None, (IdentifierRef("CARD", None, "7"),), NOON)
    async with runtime.database.transaction() as session:
        ann = await enrol(session, runtime.catalogue, ask)
    async with runtime.database.session() as session:
        number = (await by_ids(session, [ann.member_id], None))[ann.member_id].number
    given = ("right", "grant", "car_wash", "--merchant", "grocer", "--member", number, "--key", "by-hand-1")
    code, granted = tessera(database_url, tmp_path, *given)
    assert (code, granted["right"]["remaining"]) == (0, 1)
    shown = granted["right"]["code"]
    code, used = tessera(database_url, tmp_path, "right", "use", shown, "--merchant", "fuel")
    assert (code, used["right"]["used"]) == (0, 1)
    why = ("--reason", "the machine was out of order")
    code, restored = tessera(database_url, tmp_path, "right", "restore", shown, *why)
    assert (code, restored["right"]["restored"], restored["right"]["remaining"]) == (0, 1, 1)
    assert tessera(database_url, tmp_path, "right", "restore", shown, *why)[0] == 2, "nothing more is to be undone"
    code, booked = tessera(
        database_url, tmp_path, "right", "reserve", shown, "--merchant", "fuel", "--key", "by-hand-2"
    )
    assert (code, booked["right"]["booked"]) == (0, 1)
    code, free = tessera(database_url, tmp_path, "right", "release", shown, booked["right"]["booking"])
    assert (code, free["right"]["booked"], free["right"]["noShow"]) == (0, 0, False)
