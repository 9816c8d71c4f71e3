"""`tessera member show|link|verify|unlink|numbers`: what members are recognised by, by hand."""

import json
from pathlib import Path
from typing import Any

from alliance.runtime import Runtime
from domain.members.commands import enrol
from domain.members.model import EnrolAsk, IdentifierRef
from tests import command_line
from tests.alliance.support import NOON


async def test_by_hand(runtime: Runtime, database_url: str, tmp_path: Path) -> None:
    ask = EnrolAsk("grocer", "KIOSK", "330", (IdentifierRef("CARD", None, "900123"),), NOON)
    async with runtime.database.transaction() as session:
        ann = await enrol(session, runtime.catalogue, ask)

    def tessera(*arguments: str) -> tuple[int, Any]:
        here = {"TESSERA_DATABASE_URL": database_url, "TESSERA_HOME": str(tmp_path), "TESSERA_REDIS_URL": "redis://no"}
        done = command_line.tessera("member", *arguments, "--json", **here)
        return done.returncode, json.loads(done.stdout)

    phone = ("PHONE", "614 555 0100", "--merchant", "grocer")
    code, told = tessera("link", ann.number, *phone, "--unverified")
    assert (code, told["changed"]) == (0, True)
    assert [(one["type"], one["value"], one["identifies"]) for one in told["identifiers"]] == [
        ("CARD", "•••123", True),
        ("PHONE", "•••0100", False),
    ]
    code, told = tessera("verify", ann.number, *phone)
    assert (code, told["changed"], told["identifiers"][1]["identifies"]) == (0, True, True)
    code, told = tessera("show", ann.number)
    assert (code, told["member"], len(told["identifiers"])) == (0, ann.number, 2)
    assert told["memberships"] == [
        {"merchant": "grocer", "number": ann.number, "channel": "KIOSK", "store": "330", "joinedAt": NOON.isoformat()}
    ]
    assert tessera("unlink", ann.number, "CARD", "900123", "--merchant", "grocer")[0] == 0
    code, told = tessera("unlink", ann.number, *phone)
    assert (code, told["error"]["code"]) == (1, "LAST_IDENTIFIER")
