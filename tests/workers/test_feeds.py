"""Files of feeds: seen, taken, cut, posted, refused row by row, taken up again, fed back."""

import asyncio
import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import orjson
import pyarrow
import pytest
from pyarrow import parquet
from sqlalchemy import text

from alliance.accrual import undo
from alliance.accrual.errors import RunNotUndoable
from alliance.accrual.queries import runs_by_id
from alliance.accrual.undo import begin_undo, foresee_undo
from alliance.runtime import Runtime
from domain.database import Database
from domain.errors import Refusal
from domain.ledger.request import Posted
from server.refusals import refusals_file
from tests.alliance.kinds import with_tiers
from tests.alliance.support import House
from tests.workers.desk import AT, HEAD, SAMPLE, SECRET, TILLS, Desk, table
from tests.workers.support import all_jobs, mark_handed_out
from workers.actor import work_off
from workers.actors import all_actors, feeds
from workers.feeds import cutting
from workers.feeds.files import Sources


@pytest.fixture
async def desk(runtime: Runtime, database: Database, tmp_path: Path) -> Desk:
    return Desk(runtime, database, tmp_path)


async def test_a_file_is_taken_when_it_is_whole_and_posted_once(desk: Desk) -> None:
    await desk.declare(TILLS)
    (desk.folder / "day.csv").write_text(table(HEAD, ("1", "900", "10.00", AT), ("2", "901", "20.00", AT)))
    (desk.folder / "next.csv.part").write_text(table(HEAD, ("3", "900", "10.00", AT)))
    await desk.look()
    assert await desk.runs() == [("day.csv", "DONE", 2, 2, 0, 0)]
    assert await desk.rows("SELECT granted FROM lot ORDER BY 1") == [(10,), (20,)]
    await desk.look()
    assert len(await desk.runs()) == 1


async def refused(desk: Desk) -> list[tuple[int, str, str]]:
    rows = await desk.rows("SELECT line, refusal FROM accrual_refusal ORDER BY run_id, line")
    told = [(line, Refusal.from_json(refusal)) for line, refusal in rows]
    return [(line, refusal.code, ".".join(refusal.path)) for line, refusal in told]


async def download(desk: Desk, language: str = "en") -> bytes:
    """The file of what the last run refused."""
    ((run_id,),) = await desk.rows("SELECT id FROM accrual_run ORDER BY id DESC LIMIT 1")
    async with desk.database.session() as session:
        run = (await runs_by_id(session, [run_id]))[run_id]
    return b"".join([piece async for piece in refusals_file(desk.database, run, language)])


BAD = b"""receipt,card,total,at
1,900,10.00,2026-11-01T09:30:00
2,900,ten,2026-11-01T09:30:00
3,900,10.005,2026-11-01T09:30:00
4,900,-1.00,2026-11-01T09:30:00
5,,10.00,2026-11-01T09:30:00
6,900,10.00,yesterday
7,900,10.00,2027-11-01T09:30:00
8,900,10.00,2020-11-01T09:30:00
9,900,10.00
10,900,10.00,2026-11-01T09:30:00,more
11,\xff,10.00,2026-11-01T09:30:00
12,"900"x,10.00,2026-11-01T09:30:00
13,"two
lines",10.00,2026-11-01T09:30:00
1,900,11.00,2026-11-01T09:30:00
1,900,10.00,2026-11-01T09:30:00

14,900,10.00,2026-11-01T09:30:00"""


async def test_each_bad_row_is_refused_with_its_line_and_nothing_else_is(desk: Desk) -> None:
    await desk.declare(TILLS.replace("columns: {", 'times: {timezone: "Europe/London"}\n    columns: {'))
    (desk.folder / "bad.csv").write_bytes(BAD)
    (desk.folder / "bad.csv.done").touch()
    await desk.look()
    assert await refused(desk) == [
        (3, "INVALID_INPUT", "total"),
        (4, "INVALID_INPUT", "total"),
        (5, "INVALID_INPUT", "total"),
        (6, "INVALID_INPUT", "card"),
        (7, "INVALID_INPUT", "at"),
        (8, "INVALID_INPUT", "at"),
        (9, "TOO_LATE", "at"),
        (10, "BROKEN_ROW", ""),
        (11, "BROKEN_ROW", ""),
        (12, "BROKEN_CSV", ""),
        (13, "BROKEN_CSV", ""),
        (14, "INVALID_INPUT", "card"),
        (16, "IDEMPOTENCY_CONFLICT", "receipt"),
    ]
    assert await desk.runs() == [("bad.csv", "DONE", 16, 2, 1, 13)]
    assert await desk.rows("SELECT granted FROM lot") == [(10,), (10,)]


async def test_what_was_refused_is_corrected_and_fed_again_under_its_keys(desk: Desk) -> None:
    await desk.declare(TILLS)
    (desk.folder / "day.csv").write_text(table(HEAD, ("1", "900", "10.00", AT), ("2", "901", "20,00", AT)))
    await desk.look()
    file = await download(desk)
    told = list(csv.DictReader(io.StringIO(file.decode())))
    assert [(row["receipt"], row["error_line"], row["error_code"]) for row in told] == [("2", "3", "INVALID_INPUT")]
    assert "输入无效" in (await download(desk, "zh-CN")).decode()
    (desk.folder / "again.csv").write_bytes(file.replace(b'"20,00"', b"20.00"))
    await desk.look()
    assert await desk.runs() == [("day.csv", "DONE", 2, 1, 0, 1), ("again.csv", "DONE", 1, 1, 0, 0)]


async def test_a_refusal_by_a_rule_is_no_last_word_for_its_key(desk: Desk) -> None:
    await desk.declare(TILLS)
    (desk.folder / "a.csv").write_text(table(HEAD, ("1", "900", "10.00", AT)))
    await desk.look()
    async with desk.database.transaction() as session:
        await session.execute(text("UPDATE member SET status = 'FROZEN'"))
    (desk.folder / "b.csv").write_text(table(HEAD, ("2", "900", "10.00", AT)))
    await desk.look()
    assert await refused(desk) == [(2, "MEMBER_NOT_ACTIVE", "card")]
    async with desk.database.transaction() as session:
        await session.execute(text("UPDATE member SET status = 'ACTIVE'"))
    (desk.folder / "c.csv").write_text(table(HEAD, ("2", "900", "10.00", AT), ("1", "900", "10.00", AT)))
    await desk.look()
    assert (await desk.runs())[-1] == ("c.csv", "DONE", 2, 1, 1, 0)


async def test_the_same_content_is_refused_by_its_digest(desk: Desk) -> None:
    await desk.declare(TILLS)
    for name in ("a.csv", "b.csv"):
        (desk.folder / name).write_text(table(HEAD, ("1", "900", "10.00", AT)))
        await desk.look()
    ((first, _), (_, same_as)) = await desk.rows("SELECT id, same_as FROM accrual_run ORDER BY id")
    assert same_as == first
    assert [run[1] for run in await desk.runs()] == ["DONE", "REFUSED"]


async def test_rows_without_keys_are_known_by_the_file_and_the_line(desk: Desk) -> None:
    await desk.declare(TILLS.replace("key: receipt, ", ""))
    rows = [HEAD, ("1", "900", "10.00", AT), ("1", "900", "10.00", AT)]
    (desk.folder / "a.csv").write_text(table(*rows))
    await desk.look()
    (desk.folder / "b.csv").write_text(table(*rows, ("2", "900", "10.00", AT)))
    await desk.look()
    assert await desk.runs() == [("a.csv", "DONE", 2, 2, 0, 0), ("b.csv", "DONE", 3, 3, 0, 0)]


async def test_a_file_that_is_still_written_is_left_alone(desk: Desk) -> None:
    await desk.declare(TILLS)
    actors = all_actors(SECRET, sources=Sources((f"file://{desk.folder}",), timedelta(seconds=90)))
    desk.actors = actors
    (desk.folder / "a.csv").write_text(table(HEAD))
    await desk.look()
    (desk.folder / "a.csv").write_text(table(HEAD, ("1", "900", "10.00", AT)))
    await desk.look()
    assert await desk.runs() == []
    await desk.look()
    assert await desk.runs() == [("a.csv", "DONE", 1, 1, 0, 0)]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "FILE_UNREADABLE"),
        (b"receipt,card,total\n1,900,10.00\n", "COLUMN_MISSING"),
        (b"receipt,card,total,total,at\n", "FILE_UNREADABLE"),
    ],
)
async def test_a_file_of_another_shape_is_refused_whole(desk: Desk, content: bytes, code: str) -> None:
    await desk.declare(TILLS)
    (desk.folder / "a.csv").write_bytes(content)
    await desk.look()
    ((status, refusal),) = await desk.rows("SELECT status, refusal FROM accrual_run")
    assert (status, Refusal.from_json(refusal).code) == ("REFUSED", code)


async def test_a_folder_outside_of_what_is_allowed_is_not_looked_into(desk: Desk, tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    await desk.declare(TILLS.replace("FOLDER", "FOLDER/in"))
    (outside / "a.csv").write_text(table(HEAD, ("1", "900", "10.00", AT)))
    (inside / "link.csv").symlink_to(outside / "a.csv")
    desk.actors = all_actors(SECRET)
    await desk.look()
    ((trouble,),) = await desk.rows("SELECT trouble FROM feed")
    assert trouble.startswith("FEED_OUT_OF_BOUNDS")
    desk.actors = all_actors(SECRET, sources=Sources((f"file://{inside}",), timedelta(0)))
    await desk.look()
    assert await desk.rows("SELECT trouble FROM feed") == [(None,)]
    assert await desk.runs() == []


LINES = """
feeds:
  - code: baskets
    merchant: grocer
    url: memory://sales/daily
    format: parquet
    rows: line
    columns: {type: kind, orderRef: order, key: receipt, member: card, occurredAt: at, ref: line, sku: article,
              category: group, quantity: pieces, amount: cents, of: returned, restore: back}
    constants: {memberType: CARD, channel: STORE}
    words: {type: {S: PURCHASE, R: RETURN}}
    amounts: {unit: minor}
  - {code: lines, merchant: grocer, url: "memory://sales/lines", format: ndjson}
"""


def parquet_of(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), file, row_group_size=2)
    return file.getvalue()


def in_memory(desk: Desk, path: str, content: bytes) -> None:
    desk.actors = all_actors(SECRET, sources=Sources(("memory://sales",), timedelta(0)))
    fsspec.filesystem("memory").pipe_file(path, content)


@pytest.fixture
def bucket() -> Iterator[None]:
    """An empty storage."""
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
    memory.mkdirs("/sales/daily")
    memory.mkdirs("/sales/lines")
    yield
    memory.store.clear()


@pytest.mark.usefixtures("bucket")
async def test_rows_of_an_order_are_its_lines_and_come_back(desk: Desk) -> None:
    await desk.declare(LINES)
    at = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
    basket = {"kind": "S", "order": "A7", "receipt": "r-1", "card": 900, "at": at, "returned": None, "back": None}
    sold = [
        basket | {"line": "1", "article": "bread", "group": "BREAD", "pieces": 2, "cents": 1200},
        basket | {"line": "2", "article": "milk", "group": "DAIRY", "pieces": 1, "cents": 800},
    ]
    back = {"kind": "R", "order": None, "receipt": "r-2", "card": 900, "at": at, "returned": "A7", "back": False}
    came = [back | {"line": "2", "article": None, "group": None, "pieces": 1, "cents": None}]
    odd = [basket | one | {"receipt": "r-3"} for one in (sold[0], sold[1] | {"card": 901})]
    in_memory(desk, "/sales/daily/a.parquet", parquet_of(sold + came + odd))
    await desk.look()
    assert await desk.runs() == [("a.parquet", "DONE", 3, 2, 0, 1)]
    assert await refused(desk) == [(4, "ROWS_DIFFER", "card"), (5, "ROWS_DIFFER", "card")]
    assert await desk.rows("SELECT posted FROM account WHERE kind = 'POINTS'") == [(12,)]
    table = parquet.read_table(io.BytesIO(await download(desk)))
    assert table.column("error_line").to_pylist() == ["4", "5"]
    fixed = [row | {"card": "900"} for row in table.to_pylist()]
    in_memory(desk, "/sales/daily/b.parquet", parquet_of(fixed))
    await desk.look()
    assert (await desk.runs())[-1] == ("b.parquet", "DONE", 1, 1, 0, 0)
    assert await desk.rows("SELECT posted FROM account WHERE kind = 'POINTS'") == [(32,)]


WAITING = """\
      - {code: base, version: 2, from: 2026-01-01, points: 1, per: {amount: "1.00", currency: USD},
         pending: {until: event}}
"""


@pytest.mark.usefixtures("bucket")
async def test_lines_as_a_feed_sends_them_also_confirm_and_reject_what_waits(desk: Desk) -> None:
    await desk.declare(LINES, SAMPLE.replace("    earning:\n", f"    earning:\n{WAITING}", 1))
    line = {"merchant": "grocer", "member": {"type": "CARD", "value": "900"}, "channel": "STORE"}
    bought = line | {"amount": {"amount": "10.00", "currency": "USD"}, "occurredAt": "2026-11-01T09:30:00Z"}
    said = [
        bought | {"key": "sale-0001", "orderRef": "A1"},
        bought | {"key": "sale-0002", "orderRef": "A2"},
        line | {"key": "conf-0001", "type": "CONFIRM", "of": "A1"},
        line | {"key": "reje-0002", "type": "REJECT", "of": "A2"},
        line | {"key": "conf-0003", "type": "CONFIRM", "of": "A3"},
        bought | {"key": "sale-0003", "merchant": "fuel"},
    ]
    in_memory(desk, "/sales/lines/a.ndjson", b"\n".join(map(orjson.dumps, said)) + b"\n{broken\n")
    await desk.look()
    assert await desk.runs() == [("a.ndjson", "DONE", 7, 4, 0, 3)]
    assert await refused(desk) == [(5, "NOT_FOUND", "of"), (6, "NOT_ALLOWED", "merchant"), (7, "MALFORMED_LINE", "")]
    assert await desk.rows("SELECT kind, posted FROM account ORDER BY 1") == [("PENDING", 0), ("POINTS", 10)]
    first, *_, last = (orjson.loads(row) for row in (await download(desk)).splitlines())
    assert (first["key"], first["error_line"], last["text"]) == ("conf-0003", "5", "{broken")
    in_memory(desk, "/sales/lines/b.ndjson", orjson.dumps(first | {"of": "A1", "type": "CONFIRM"}))
    await desk.look()
    assert (await refused(desk))[-1] == (1, "NOT_PENDING", "operation")


@pytest.mark.usefixtures("bucket")
async def test_a15_lines_about_rights_are_posted_and_what_is_refused_of_them_comes_back(desk: Desk) -> None:
    await desk.declare(LINES)
    card = {"type": "CARD", "value": "900"}
    common = {"merchant": "grocer", "channel": "STORE", "occurredAt": "2026-11-01T09:30:00Z"}
    granted = common | {"type": "RIGHT_GRANT", "member": card, "kind": "car_wash"}
    said = [
        granted | {"key": "grant-0001", "quantity": 2},
        granted | {"key": "grant-0002", "kind": "lounge"},
        granted | {"key": "grant-0003", "quantity": 9},
        common | {"type": "RIGHT_USE", "key": "use-000001", "code": "no such code"},
        granted | {"key": "grant-0004", "merchant": "fuel"},
    ]
    in_memory(desk, "/sales/lines/a.ndjson", b"\n".join(map(orjson.dumps, said)))
    await desk.look()
    assert await desk.runs() == [("a.ndjson", "DONE", 5, 1, 0, 4)]
    assert await refused(desk) == [
        (2, "NOT_FOUND", "kind"),
        (3, "RIGHT_LIMIT_EXCEEDED", "quantity"),
        (4, "RIGHT_NOT_FOUND", "code"),
        (5, "NOT_ALLOWED", "merchant"),
    ]
    back = [orjson.loads(row) for row in (await download(desk)).splitlines()]
    assert [(row["key"], row["error_code"]) for row in back][1] == ("grant-0003", "RIGHT_LIMIT_EXCEEDED")
    fixed = [back[0] | {"kind": "car_wash", "quantity": 1}, back[1] | {"quantity": 7}]
    in_memory(desk, "/sales/lines/b.ndjson", b"\n".join(map(orjson.dumps, fixed)))
    await desk.look()
    assert (await desk.runs())[-1] == ("b.ndjson", "DONE", 2, 2, 0, 0)
    assert await desk.rows("SELECT sum(remaining) FROM member_right") == [(10,)]
    ((first,),) = await desk.rows("SELECT id FROM accrual_run ORDER BY id LIMIT 1")
    async with desk.database.transaction() as session:
        await begin_undo(session, first, who="me", why="wrong", as_of=desk.now)
    await desk.drain()
    assert await desk.rows("SELECT reversed, kept FROM accrual_undo") == [(0, 1)]
    assert await desk.rows("SELECT kept FROM accrual_posting WHERE kept IS NOT NULL") == [("NOT_REVERSIBLE",)]


async def crash(desk: Desk, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, after: int) -> None:
    """Let the function work so many times, then fail as a worker does that is killed between two transactions."""
    real, calls = getattr(module, name), 0

    async def dying(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > after:
            raise ConnectionError("killed")
        return await real(*args, **named)

    monkeypatch.setattr(module, name, dying)
    await desk.drain_once()
    monkeypatch.setattr(module, name, real)


async def test_r27_a_part_broken_off_goes_on_where_it_was_and_counts_what_is_its_own(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "BATCH", 4)
    await desk.declare(TILLS)
    rows = [(str(n), "900", "10.00" if n != 6 else "x", AT) for n in range(10)]
    (desk.folder / "a.csv").write_text(table(HEAD, *rows))
    (desk.folder / "a.csv.done").touch()
    await desk.start("feeds", "feed_look", "feed_file")
    await crash(desk, monkeypatch, feeds.commands, "note_progress", after=1)
    assert (await desk.rows("SELECT line, posted FROM accrual_part")) == [(6, 4)]
    assert (await desk.rows("SELECT count(*) FROM operation")) > [(4,)]
    await desk.drain()
    assert await desk.runs() == [("a.csv", "DONE", 10, 9, 0, 1)]
    assert await desk.rows("SELECT count(*) FROM operation") == [(9,)]


async def test_parts_of_a_file_are_posted_by_several_workers(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "PART_BYTES", 200)
    await desk.declare(TILLS)
    rows = [(str(n), str(900 + n % 7), "10.00", AT) for n in range(40)]
    (desk.folder / "a.csv").write_text(table(HEAD, *rows))
    (desk.folder / "a.csv.done").touch()
    await desk.start("feeds", "feed_look", "feed_file")
    await mark_handed_out(desk.database)
    jobs = await all_jobs(desk.database)
    assert len(jobs) > 4
    await asyncio.gather(*(work_off(desk.runtime, desk.actors[job.actor], [job.id]) for job in reversed(jobs)))
    assert await desk.runs() == [("a.csv", "DONE", 40, 40, 0, 0)]
    lines = [line for (line,) in await desk.rows("SELECT line FROM accrual_posting ORDER BY 1")]
    assert lines == list(range(2, 42))


async def test_a_file_that_changes_under_way_ends_its_run(desk: Desk) -> None:
    await desk.declare(TILLS)
    (desk.folder / "a.csv").write_text(table(HEAD, ("1", "900", "10.00", AT)))
    (desk.folder / "a.csv.done").touch()
    await desk.start("feeds", "feed_look", "feed_file")
    (desk.folder / "a.csv").write_text(table(HEAD, ("1", "900", "100.00", AT)))
    await desk.drain()
    assert await desk.runs() == [("a.csv", "FAILED", 0, 0, 0, 0)]
    await desk.look()
    assert (await desk.runs())[-1] == ("a.csv", "DONE", 1, 1, 0, 0)


async def test_r18_r22_a_run_is_undone_whole_and_a_corrected_file_may_be_fed(desk: Desk) -> None:
    """By the clawback of the sample nothing goes below zero (R21): what was spent is a shortfall."""
    await desk.declare(TILLS)
    rows = [("1", "900", "10.00", AT), ("2", "901", "200.00", AT), ("3", "900", "5.00", AT)]
    (desk.folder / "a.csv").write_text(table(HEAD, *rows))
    await desk.look()
    ((run_id, member),) = await desk.rows("SELECT run_id, holder_id FROM accrual_posting WHERE line = 3")
    assert isinstance(await House(desk.runtime).spend(member, "grocer", 150, as_of=desk.now), Posted)
    ((first,),) = await desk.rows("SELECT operation_id FROM accrual_posting WHERE line = 2")
    ((owner,),) = await desk.rows("SELECT holder_id FROM accrual_posting WHERE line = 2")
    before = await desk.rows("SELECT count(*) FROM operation")
    foreseen = await foresee_undo(desk.runtime, run_id, desk.now)
    assert (foreseen.reversed, foreseen.taken, foreseen.shortfall, foreseen.kept) == (3, 65, 150, {})
    assert await desk.rows("SELECT count(*) FROM operation") == before
    await House(desk.runtime).reverse(owner, Posted(first, owner, "EARN", 10, []), as_of=desk.now)
    async with desk.database.transaction() as session:
        await begin_undo(session, run_id, who="me", why="wrong prices", as_of=desk.now)
    with pytest.raises(RunNotUndoable):
        async with desk.database.transaction() as session:
            await begin_undo(session, run_id, who="me", why="again", as_of=desk.now)
    (desk.folder / "b.csv").write_text(table(HEAD, *((one, card, "1.00", at) for one, card, _, at in rows)))
    (desk.folder / "b.csv.done").touch()
    await desk.start("feeds", "feed_look")
    assert [run[1] for run in await desk.runs()] == ["UNDOING"]
    await desk.drain()
    assert [run[1] for run in await desk.runs()] == ["UNDONE"]
    undone = "SELECT who, reversed, taken, shortfall, kept, finished_at IS NULL FROM accrual_undo"
    assert await desk.rows(undone) == [("me", 2, 55, 150, 1, False)]
    assert await desk.rows("SELECT line, kept FROM accrual_posting WHERE kept IS NOT NULL") == [(2, "ALREADY_REVERSED")]
    await desk.look()
    assert (await desk.runs())[-1] == ("b.csv", "DONE", 3, 2, 0, 1)
    assert await refused(desk) == [(2, "IDEMPOTENCY_CONFLICT", "receipt")]
    with pytest.raises(RunNotUndoable):
        await foresee_undo(desk.runtime, run_id, desk.now)


async def test_r22_a_run_at_a_merchant_with_tiers_knows_what_it_booked_and_is_undone(desk: Desk) -> None:
    """Whatever the tier by which a purchase is valued."""
    await desk.declare(TILLS, with_tiers())
    (desk.folder / "a.csv").write_text(table(HEAD, ("1", "900", "300.00", AT)))
    await desk.look()
    (desk.folder / "b.csv").write_text(table(HEAD, ("2", "900", "10.00", "2026-11-01T11:55:00")))
    await desk.look()
    assert await desk.rows("SELECT key FROM accrual_posting ORDER BY 1") == [("row-key-1",), ("row-key-2",)]
    assert await desk.rows("SELECT posted FROM account WHERE currency = 'GRO'") == [(310,)]
    ((last,),) = await desk.rows("SELECT id FROM accrual_run ORDER BY id DESC LIMIT 1")
    async with desk.database.transaction() as session:
        await begin_undo(session, last, who="me", why="wrong", as_of=desk.now)
    await desk.drain()
    assert await desk.rows("SELECT reversed, taken FROM accrual_undo") == [(1, 10)]


async def test_r27_an_undo_broken_off_goes_on_and_reverses_nothing_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "POSTINGS_AT_ONCE", 2)
    monkeypatch.setattr(undo, "POSTINGS_A_JOB", 3)
    sample = SAMPLE.replace("enrolOnPurchase: true", "enrolOnPurchase: true, uniqueOrders: true")
    await desk.declare(TILLS.replace("columns: {", "columns: {orderRef: receipt, "), sample)
    (desk.folder / "a.csv").write_text(table(HEAD, *((str(n), "900", "10.00", AT) for n in range(7))))
    await desk.look()
    ((run_id,),) = await desk.rows("SELECT id FROM accrual_run")
    async with desk.database.transaction() as session:
        await begin_undo(session, run_id, who="me", why="wrong", as_of=desk.now)
    await desk.drain_once()
    await crash(desk, monkeypatch, undo, "_note", after=2)
    assert await desk.rows("SELECT status FROM accrual_run") == [("UNDOING",)]
    await desk.drain()
    assert await desk.rows("SELECT status FROM accrual_run") == [("UNDONE",)]
    assert await desk.rows("SELECT reversed, taken FROM accrual_undo") == [(7, 70)]
    assert await desk.rows("SELECT count(*) FROM operation") == [(14,)]
    (desk.folder / "b.csv").write_text(table(HEAD, ("3", "900", "3.00", AT)))
    await desk.look()
    assert (await desk.runs())[-1] == ("b.csv", "DONE", 1, 1, 0, 0)


DOCUMENT = (Path(__file__).parents[2] / "docs" / "feeds.md").read_text().partition("## Files")[2]


async def test_the_example_for_partners_does_what_it_says(desk: Desk) -> None:
    declared, content = (re.findall(rf"```{kind}\n(.*?)```", DOCUMENT, re.DOTALL)[0] for kind in ("yaml", "csv"))
    await desk.declare("\n" + declared.replace("/srv/feeds/grocer", "FOLDER"))
    (desk.folder / "sales-1101.csv").write_text(content)
    (desk.folder / "others.csv").write_text(content)
    await desk.look()
    assert await desk.runs() == [("sales-1101.csv", "DONE", 4, 3, 0, 1)]
    assert await refused(desk) == [(4, "INVALID_INPUT", "summe")]
    assert await desk.rows("SELECT posted FROM account WHERE kind = 'POINTS' ORDER BY 1") == [(19,), (20,)]
