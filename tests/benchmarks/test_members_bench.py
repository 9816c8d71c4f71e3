"""`tessera bench members`, in small: both sides do the same work; cut short: it measures what it says."""

import json
from datetime import UTC, datetime

import pytest

from alliance.intake.commands import Sender
from alliance.intake.members import enrol, prepare
from alliance.runtime import Runtime
from benchmarks import bulk
from benchmarks.joining import Desk
from benchmarks.serving import WHO
from domain.members.model import Enrolled
from tests.benchmarks.test_ledger_bench import _bench
from tests.keys import KEYS
from tests.ledger_support import rows

_TABLES = ("member", "member_number", "identifier_owner", "member_identifier", "membership", "member_key")
_TABLES += ("event", "idempotency_key")
_COUNTS = ", ".join(f'(SELECT count(*) FROM "{table}")' for table in _TABLES)


async def test_the_baseline_writes_what_the_feed_writes(runtime: Runtime, database_url: str) -> None:
    """Members by both; the books, which the fixture proves, have no difference."""
    [before] = await rows(runtime.database, f"SELECT {_COUNTS}")
    plan = bulk.Plan("", 0, "", purchases=3, members=3, prefix="by-feed", path=bulk.MEMBERS)
    lines = [line for line, _ in bulk._joining(plan)]
    sender = Sender(WHO, WHO, b"secret", None, may_give=False, may_reverse=False)
    answers = await enrol(runtime, sender, await prepare(runtime, sender, lines, datetime.now(UTC)))
    assert all(isinstance(answer.outcome, Enrolled) and answer.outcome.created for answer in answers)
    [by_feed] = await rows(runtime.database, f"SELECT {_COUNTS}")
    desk = Desk(database_url, KEYS, runtime.catalogue)
    for number in (7, 8, 9, 9):
        await desk.enrol(f"by-orm-{number}", f"card-{number}", f"+174055501{number:02d}", datetime.now(UTC))
    await desk.close()
    [by_both] = await rows(runtime.database, f"SELECT {_COUNTS}")
    by_desk = [both - one for both, one in zip(by_both, by_feed, strict=True)]
    assert by_desk == [one - none for one, none in zip(by_feed, before, strict=True)] == [3, 3, 6, 6, 3, 3, 3, 3]


@pytest.mark.long
def test_a_short_run_enrols_and_looks_up() -> None:
    run = _bench("members", "--seconds", "0.2", "--rounds", "1", "--wallets", "2000")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert [one["name"] for one in told["results"]] == ["enrol", "enrol_orm", "look_up_10k", "look_up_1m"]
    assert told["ratios"].keys() == {"enrol_vs_orm", "1m_vs_10k"}
    assert all(one["rate"] > 0 for one in told["results"])
