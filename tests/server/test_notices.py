"""`tessera notice`: what is to be sent, and what became of it, without a client of the endpoint."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alliance.runtime import Runtime
from domain.members.commands import enrol
from domain.members.model import EnrolAsk, IdentifierRef
from domain.notices.commands import NewNotice, add_notices
from domain.notices.model import NoticeKind
from tests import command_line
from tests.ledger_support import rows

DAY = timedelta(days=1)


def tessera(database_url: str, home: Path, *arguments: str) -> tuple[int, Any]:
    """The exit code and what was printed."""
    here = {"TESSERA_DATABASE_URL": database_url, "TESSERA_HOME": str(home), "TESSERA_REDIS_URL": "redis://nowhere"}
    done = command_line.tessera("notice", *arguments, "--json", **here)
    return done.returncode, json.loads(done.stdout)


async def test_l02_notices_are_listed_and_recorded_by_hand(runtime: Runtime, database_url: str, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with runtime.database.transaction() as session:
        ask = EnrolAsk("grocer", "STORE", None, (IdentifierRef("CARD", None, "7"),), now)
        ann = await enrol(session, runtime.catalogue, ask)
        issuer = runtime.catalogue.merchants["grocer"].id
        window = {"open": (now - DAY, now + 30 * DAY), "over": (now - 9 * DAY, now - DAY), "ahead": (now + DAY, None)}
        await add_notices(
            session,
            [
                NewNotice(ann.member_id, NoticeKind.EXPIRY, "GRO", issuer, 10, now + n * DAY, *span)
                for n, span in enumerate(window.values())
            ],
        )
    code, listed = tessera(database_url, tmp_path, "list")
    [notice] = listed["notices"]
    assert (code, notice["points"], notice["dueAt"], bool(notice["member"])) == (0, 10, now.isoformat(), True)
    failed = ("record", notice["id"], "--outcome", "FAILED")
    assert tessera(database_url, tmp_path, *failed) == (0, {"notice": notice["id"], "outcome": "FAILED"})
    assert tessera(database_url, tmp_path, "list")[1]["notices"] == [notice], "somebody tries again"
    delivered = ("record", notice["id"], "--outcome", "DELIVERED", "--channel", "SMS")
    code, refused = tessera(database_url, tmp_path, *delivered)
    assert (code, refused["error"]["code"]) == (1, "INVALID_INPUT")
    assert tessera(database_url, tmp_path, *delivered, "--proof", "receipt 1")[0] == 0
    assert tessera(database_url, tmp_path, "list")[1] == {"notices": []}
    found = await rows(runtime.database, "SELECT outcome, channel, proof FROM notice_report ORDER BY id")
    assert [tuple(row) for row in found] == [("FAILED", None, None), ("DELIVERED", "SMS", "receipt 1")]
    assert tessera(database_url, tmp_path, "record", "nonsense", "--outcome", "FAILED")[0] == 1
