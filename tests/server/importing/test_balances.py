"""`tessera import balances`: checked whole, posted once, whatever breaks off."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from alliance.clearing.commands import reverse_request
from alliance.runtime import Runtime
from alliance.stored_value.commands import refund_request, reverse_top_up_request
from alliance.stored_value.queries import deposits
from domain.database import Database
from domain.ledger.errors import NotReversible
from domain.ledger.verify import verify
from server.commands.common import Unavailable, WrongUse
from server.importing import tables
from server.importing.balances import Outcome, run_import
from tests.alliance.kinds import put_in_force, with_tiers
from tests.keys import hashed
from tests.ledger_support import rows as found

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HEADER = (
    "CARD",
    "PHONE",
    "number",
    "currency",
    "points",
    "granted_at",
    "expires_at",
    "price",
    "funder",
    "reference",
    "part",
)


def row(**values: str) -> list[str]:
    return [({"currency": "GRO", "points": "10"} | values).get(name, "") for name in HEADER]


def write(path: Path, rows: Iterable[Sequence[str]], header: Sequence[str] = HEADER) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


async def bring(runtime: Runtime, path: Path, **named: Any) -> Outcome:
    options = {"dry_run": False, "skip_refused": False, "as_of": NOON} | named
    report = path.with_name("refused.csv")
    return await run_import(runtime, path, report, secret=b"s" * 32, quiet=True, **options)


async def balances(database: Database) -> list[tuple[str, int, str | None]]:
    """Card, points left and end of every lot."""
    lots = await found(
        database,
        """SELECT i.value, l.remaining, l.expires_at FROM lot l
           JOIN member_identifier i ON i.holder_id = l.holder_id AND i.type = 'CARD' ORDER BY 1, l.remaining""",
    )
    cards = {hashed("CARD", str(number)): str(number) for number in range(100)}
    shown = [(cards[lot[0]], lot[1], lot[2] and lot[2].isoformat()) for lot in lots]
    return sorted(shown, key=lambda lot: lot[:2])


async def operations(database: Database) -> int:
    return int((await found(database, "SELECT count(*) FROM operation"))[0][0])


GOOD = [
    row(CARD="1", points="100", granted_at="2026-01-31", expires_at="2026-12-31", reference="a"),
    row(CARD="1", points="50", granted_at="2026-10-31T10:00:00+01:00", expires_at="never", reference="b"),
    row(CARD="2", PHONE="+16145550100", price="0.010", funder="fuel", reference="c"),
]


async def test_balances_come_with_their_lots(runtime: Runtime, tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", GOOD)
    planned = await bring(runtime, path, dry_run=True)
    assert (planned.planned.points, planned.planned.enrolled, planned.done) == ({"GRO": 160}, 2, None)
    assert await operations(runtime.database) == 0
    done = (await bring(runtime, path)).to_json()
    assert (done["written"], done["refused"], done["report"]) == (True, 0, None)
    assert done["imported"] == done["planned"] == planned.planned.to_json()
    assert await balances(runtime.database) == [
        ("1", 50, None),
        ("1", 100, "2027-01-01T05:00:00+00:00"),
        ("2", 10, "2027-11-02T04:00:00+00:00"),
    ]
    (lot,) = await found(runtime.database, "SELECT * FROM lot WHERE price > 0")
    assert (lot["price"], lot["funder_id"]) == (1_000_000, runtime.catalogue.merchants["fuel"].id)
    assert await found(runtime.database, "SELECT FROM obligation") == []
    (number,) = await found(
        runtime.database,
        f"SELECT number FROM member JOIN identifier_owner ON holder_id = id WHERE value = '{hashed('CARD', '2')}'",
    )
    by_number = write(tmp_path / "more.csv", [row(number=number[0], points="7", reference="d")])
    assert (await bring(runtime, by_number)).to_json()["imported"]["points"] == {"GRO": 7}


async def test_r11_credits_that_members_bring_lift_them(runtime: Runtime, tmp_path: Path) -> None:
    await put_in_force(runtime, with_tiers())
    rows = [row(CARD="1", currency="VIP", points="200"), row(CARD="1", currency="VIP", points="100"), row(CARD="2")]
    await bring(runtime, write(tmp_path / "in.csv", rows))
    lifted = await found(runtime.database, "SELECT level, credits FROM member_tier ORDER BY seq")
    assert [tuple(one) for one in lifted] == [("silver", 200), ("gold", 300)]


async def test_l04_of_stored_value_a_file_says_what_was_paid(runtime: Runtime, tmp_path: Path) -> None:
    """Paid unless it says bonus: then it never ends, is paid back, and counts as a deposit."""
    given = {"CARD": "1", "currency": "GCARD", "granted_at": "2026-01-31"}
    rows = [
        row(points="1000", reference="paid-1", **given),
        row(points="500", part="paid", expires_at="never", **given),
        row(points="200", part="bonus", expires_at="2026-12-31", **given),
    ]
    await bring(runtime, write(tmp_path / "in.csv", rows))
    lots = await balances(runtime.database)
    assert lots == [("1", 200, "2027-01-01T05:00:00+00:00"), ("1", 500, None), ("1", 1000, None)]
    [member] = {one["holder_id"] for one in await found(runtime.database, "SELECT holder_id FROM lot")}
    [first] = await found(runtime.database, "SELECT id FROM operation WHERE order_ref = 'paid-1'")
    common: dict[str, Any] = {"key": None, "client_id": None, "as_of": NOON}
    named: dict[str, Any] = {"holder_id": member, "operation_id": first["id"], "occurred_at": NOON} | common
    with pytest.raises(NotReversible):
        await runtime.engine.post(reverse_request(runtime, **named))
    assert (await runtime.engine.post(reverse_top_up_request(**named))).points == 1000
    grocer = runtime.catalogue.merchants["grocer"]
    await bring(runtime, write(tmp_path / "more.csv", [row(points="40", reference="paid-2", **given)]))
    back = refund_request(runtime, member_id=member, merchant=grocer, amount=("5.30", "USD"), reason="asked", **common)
    assert (await runtime.engine.post(back)).points == 530
    async with runtime.database.session() as session:
        [held] = await deposits(session, NOON)
        assert (held.topped_up, held.refunded, held.spent, held.outstanding) == (1540, 1530, 0, 10)
    async with runtime.database.session() as session:
        assert (await verify(session)).balanced


async def test_run_again_nothing_is_double(runtime: Runtime, tmp_path: Path) -> None:
    named = write(tmp_path / "named.csv", GOOD)
    unnamed = write(tmp_path / "unnamed.csv", [row(CARD="1"), row(CARD="1")])
    for path, count in ((named, 3), (unnamed, 2)):
        assert (await bring(runtime, path)).to_json()["imported"]["balances"] == count
        again = (await bring(runtime, path)).to_json()
        assert (again["planned"]["known"], again["imported"]["balances"], again["refused"]) == (count, 0, 0)
    other = write(tmp_path / "other.csv", [row(CARD="1", points="101", reference="a")])
    assert (await bring(runtime, other)).refused == 1
    assert "IDEMPOTENCY_CONFLICT" in (tmp_path / "refused.csv").read_text()
    assert await operations(runtime.database) == 5


BAD = {
    "currency": ("NOT_FOUND", row(CARD="1", currency="XXX")),
    "points": ("INVALID_INPUT", row(CARD="1", points="1.5")),
    "granted_at": ("INVALID_INPUT", row(CARD="1", granted_at="2026-02-30")),
    "granted_at:later": ("INVALID_INPUT", row(CARD="1", granted_at="2026-12-01")),
    "granted_at:naive": ("INVALID_INPUT", row(CARD="1", granted_at="2026-01-01T00:00:00")),
    "expires_at": ("BALANCE_EXPIRED", row(CARD="1", expires_at="2026-10-31")),
    "expires_at:policy": ("BALANCE_EXPIRED", row(CARD="1", granted_at="2020-01-01")),
    "price": ("INVALID_INPUT", row(CARD="1", price="-1")),
    "funder": ("NOT_FOUND", row(CARD="1", funder="nobody")),
    "part": ("INVALID_INPUT", row(CARD="1", currency="GCARD", part="both")),
    "part:points": ("INVALID_INPUT", row(CARD="1", part="paid")),
    "expires_at:paid": ("INVALID_INPUT", row(CARD="1", currency="GCARD", expires_at="2027-10-31")),
    "reference": ("INVALID_INPUT", row(CARD="1", reference="r" * 201)),
    "number": ("INVALID_INPUT", row()),
    "number:both": ("INVALID_INPUT", row(CARD="1", number="18")),
    "number:none": ("NOT_FOUND", row(number="17")),
    "PHONE": ("INVALID_INPUT", row(CARD="1", PHONE="abc")),
    "PHONE:taken": ("IDENTIFIER_TAKEN", row(CARD="1", PHONE="+16145550100")),
    "CARD:frozen": ("MEMBER_NOT_ACTIVE", row(CARD="3")),
    ":fields": ("BROKEN_ROW", ["1", "2"]),
}


async def test_a_bad_row_is_named_with_its_column_and_nothing_is_written(runtime: Runtime, tmp_path: Path) -> None:
    before = write(tmp_path / "before.csv", [row(CARD="3", reference="z")])
    await bring(runtime, before)
    await found(
        runtime.database,
        f"""UPDATE member SET status = 'FROZEN' FROM identifier_owner o
            WHERE o.value = '{hashed("CARD", "3")}' AND o.holder_id = member.id""",
    )
    path = write(tmp_path / "in.csv", [GOOD[0], GOOD[2], *(bad for _, bad in BAD.values()), GOOD[0]])
    outcome = await bring(runtime, path)
    assert (outcome.done, outcome.refused, outcome.planned.balances) == (None, len(BAD) + 1, 2)
    assert await operations(runtime.database) == 1
    with (tmp_path / "refused.csv").open(encoding="utf-8", newline="") as file:
        report = list(csv.DictReader(file))
    expected = [(name.partition(":")[0], code) for name, (code, _) in BAD.items()]
    expected.append(("reference", "REPEATED_REFERENCE"))
    assert [(one["error_path"], one["error_code"]) for one in report] == expected
    assert [one["row"] for one in report] == [str(number) for number in range(3, 3 + len(BAD) + 1)]


async def test_refused_rows_are_corrected_and_fed_back(runtime: Runtime, tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", [row(CARD="1"), row(CARD="2", points="x"), row(CARD="3", reference="c")])
    partly = await bring(runtime, path, skip_refused=True)
    assert (partly.refused, partly.to_json()["imported"]["balances"]) == (1, 2)
    report = tmp_path / "refused.csv"
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(report.read_text().replace(",x,", ",20,"))
    for count in (1, 0):
        again = await bring(runtime, corrected)
        assert (again.refused, again.to_json()["imported"]["balances"]) == (0, count)
    assert [points for _, points, _ in await balances(runtime.database)] == [10, 20, 10]
    assert (await bring(runtime, path, skip_refused=True)).to_json()["planned"]["known"] == 2


async def test_parquet_says_the_same(runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {
        "CARD": ["1", "1", None],
        "number": [None, None, "17"],
        "currency": ["GRO", "GRO", "GRO"],
        "points": [100.0, 50.0, 1.5],
        "granted_at": [datetime(2026, 1, 31, tzinfo=UTC)] * 3,
        "expires_at": [date(2026, 12, 31), None, None],
        "price": [Decimal("0.010"), None, None],
    }
    parquet.write_table(pyarrow.table(columns), path := tmp_path / "in.parquet")
    outcome = await bring(runtime, path, skip_refused=True)
    assert (outcome.refused, outcome.to_json()["imported"]["points"]) == (1, {"GRO": 150})
    ends = [end for _, _, end in await balances(runtime.database)]
    assert ends == ["2027-01-31T05:00:00+00:00", "2027-01-01T05:00:00+00:00"]
    (tmp_path / "none.parquet").write_text("CARD,currency\n")
    with pytest.raises(WrongUse, match="no Parquet"):
        await bring(runtime, tmp_path / "none.parquet")
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"pip install 'tessera-loyalty\[parquet\]'"):
        await bring(runtime, path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"CARD,points\n1,5\n", "'currency' is missing"),
        (b"currency,points\nGRO,5\n", "names a member"),
        (b"CARD,currency,points,colour\n", "'colour' means nothing"),
        (b"CARD,currency,points,points\n", "stands twice"),
        (b"", "is missing"),
        (b'CARD,currency,points\n1,"GRO"x,5\n', "no CSV"),
        (b"CARD,currency,points\n\xff,GRO,5\n", "no CSV"),
    ],
)
async def test_what_is_no_table_of_balances_is_wrong_use(
    runtime: Runtime, tmp_path: Path, content: bytes, reason: str
) -> None:
    (path := tmp_path / "in.csv").write_bytes(content)
    with pytest.raises(WrongUse, match=reason):
        await bring(runtime, path)


def tessera(database_url: str, home: Path, *arguments: str) -> "subprocess.Popen[str]":
    here = {"TESSERA_DATABASE_URL": database_url, "TESSERA_HOME": str(home), "TESSERA_REDIS_URL": "redis://nowhere"}
    command = [sys.executable, "-m", "server.cli", "import", "balances", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | here)


async def test_r27_killed_in_the_middle_it_goes_on(runtime: Runtime, database_url: str, tmp_path: Path) -> None:
    rows = (row(CARD=str(number % 3000), reference=f"old-{number}") for number in range(8000))
    path = write(tmp_path / "in.csv", rows)
    victim = tessera(database_url, tmp_path, str(path), "--json")
    deadline = time.monotonic() + 60
    while not await operations(runtime.database):
        assert victim.poll() is None
        assert time.monotonic() < deadline
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    broken = await operations(runtime.database)
    assert 0 < broken < 8000
    survivor = tessera(database_url, tmp_path, str(path), "--json")
    answer, _ = survivor.communicate(timeout=120)
    assert survivor.returncode == 0
    said = json.loads(answer)
    before = said["planned"]["known"]
    assert broken <= before < 8000
    assert said["imported"]["balances"] + said["imported"]["known"] + before == 8000
    assert await operations(runtime.database) == 8000
    (total,) = await found(runtime.database, "SELECT sum(posted), count(*) FROM account")
    assert tuple(total) == (80_000, 3000)
    async with runtime.database.session() as session:
        assert (await verify(session)).balanced


async def test_the_command_ends_with_the_code_that_is_promised(
    runtime: Runtime, database_url: str, tmp_path: Path
) -> None:
    bad = write(tmp_path / "bad.csv", [row(CARD="1", points="x")])
    refused = tessera(database_url, tmp_path, str(bad), "--json")
    answer, _ = refused.communicate(timeout=60)
    assert (refused.returncode, json.loads(answer)["refused"]) == (1, 1)
    assert "INVALID_INPUT" in (tmp_path / "bad.csv.refused.csv").read_text()
    wrong = tessera(database_url, tmp_path, str(bad), "--report", str(bad))
    _, said = wrong.communicate(timeout=60)
    assert wrong.returncode == 2
    assert "overwrite" in said
