"""What a partner checks alone: every line is proved by the signed log, and nothing else of its operation is told (A9,
A14); whatever is changed in a file is found."""

import base64
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliance.proofs import queries as log
from alliance.proofs.commands import prepare, seal
from alliance.proofs.notes import PrivateKey, PublicKey
from alliance.settlement.model import SettlementCycle
from alliance.settlement.queries import by_numbers
from alliance.statements import files, proving
from alliance.statements.check import Finding, NoStatement, Report, check
from alliance.statements.commands import sign_due
from alliance.statements.errors import NotInCheckpoint, NotSigned
from alliance.verify import verify
from domain.errors import NotFound
from tests.alliance.archive.test_archive import archived, emptied
from tests.alliance.proofs.test_sealing import KEYS
from tests.alliance.statements.support import busy, file_of, head_of, lines, objects
from tests.alliance.support import House
from tests.ledger_support import rows
from tests.log_support import others_have_ended

PUBLIC = [KEYS[0].public]

Files = tuple[bytes, bytes, bytes]


async def sealed(house: House, block: int = 1000, *, once: bool = False) -> None:
    """All operations are in the log, or a block of them."""
    connection = await house.runtime.database.connect()
    try:
        await prepare(connection, KEYS)
        await others_have_ended(connection)
        while (await seal(connection, KEYS, block)).added and not once:
            pass
    finally:
        await connection.close()


async def bundle(house: House, cycle: SettlementCycle, merchant: str) -> Files:
    """Statement, signature, proofs."""
    made = [await file_of(house, cycle, merchant, kind) for kind in files.BUNDLE]
    return made[0], made[1], made[2]


def checked(made: Files, keys: Sequence[PublicKey] = PUBLIC, checkpoint: str | None = None) -> Report:
    """What the check of these files comes to."""
    statement, signature, proofs = made
    cut = statement.splitlines(keepends=True)
    return check(cut, signature.decode(), iter(proofs.splitlines(keepends=True)), keys, checkpoint)


@pytest.fixture
async def cycle(house: House) -> SettlementCycle:
    """Stated, sealed and signed."""
    stated = await busy(house)
    await sealed(house)
    assert await sign_due(house.runtime.database, KEYS) == (2, 2)
    return stated


async def test_a09_every_line_is_proved_to_the_partner_alone(
    house: House, cycle: SettlementCycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for merchant, stretch in product(("fuel", "grocer"), (1, 2, 1000)):
        monkeypatch.setattr(proving, "STRETCH", stretch)
        made = await bundle(house, cycle, merchant)
        report = checked(made)
        assert (report.findings, report.lines, report.unproved, report.told) == ([], 5, 0, False)
        assert report.signed is not None
        assert (report.signed.merchant, report.signed.sum) == (merchant, objects(made[0])[-1]["sum"])
        assert checked(made, keys=()).told


async def test_a09_the_proofs_of_the_past_lead_to_the_checkpoint_that_was_kept(
    house: House, cycle: SettlementCycle
) -> None:
    database = house.runtime.database
    async with database.reader() as session:
        kept = await log.newest_checkpoint(session)
    assert kept is not None
    await house.earn(await house.member(), "grocer", 5)
    await sealed(house)
    head = await head_of(house, cycle, "fuel")
    old = b"".join([part async for part in files.content(database, head, "jsonl.proofs", kept.size)])
    statement, signature, newer = await bundle(house, cycle, "fuel")
    assert checked((statement, signature, old), checkpoint=kept.note).found == 0
    [other] = checked((statement, signature, newer), checkpoint=kept.note).findings
    assert "another checkpoint" in other.what


async def test_a14_a_proof_tells_nothing_of_the_other_side(house: House, cycle: SettlementCycle) -> None:
    _, _, proofs = await bundle(house, cycle, "grocer")
    told = b"".join(
        base64.b64decode(part, validate=True)
        for stretch in objects(proofs)[1:]
        for row in stretch["lines"]
        for part in row[1:6]
    )
    for row in await house.obligations():
        for id_ in (row.holder_id, row.operation_id, row.agreement_id):
            assert str(id_).encode() not in proofs + told
            assert id_.bytes not in told
    assert b"f-1" not in proofs + told


async def test_there_is_no_signature_before_it_is_signed_and_no_proof_before_it_is_sealed(house: House) -> None:
    stated = await busy(house)
    database, head = house.runtime.database, await head_of(house, stated, "fuel")
    await sealed(house, 3, once=True)
    for kind, size, refusal in (
        ("csv.sig", None, NotSigned),
        ("jsonl.proofs", None, NotInCheckpoint),
        ("jsonl.proofs", 4, NotFound),
    ):
        with pytest.raises(refusal):
            await files.ready(database, head, kind, size)
    await sealed(house)
    await sign_due(database, KEYS)
    await files.ready(database, head, "zip")
    with pytest.raises(NotInCheckpoint):
        await files.ready(database, head, "zip", 3)


async def test_a_statement_is_signed_once(house: House, cycle: SettlementCycle) -> None:
    database = house.runtime.database
    before = await rows(database, "SELECT * FROM statement_signature ORDER BY merchant_id")
    assert await sign_due(database, [PrivateKey.new("log.test")]) == (0, 2)
    assert await rows(database, "SELECT * FROM statement_signature ORDER BY merchant_id") == before
    assert cycle.number == 1


async def test_r26_verify_names_signatures_and_lines_that_are_not_right(house: House, cycle: SettlementCycle) -> None:
    database = house.runtime.database

    async def found(sql: str) -> set[str]:
        """What verify finds after this was done; it is undone."""
        connection = await database.connect()
        try:
            await connection.execute(f"CREATE TABLE kept AS TABLE {sql.split()[1]}")
            await connection.execute(sql)
            async with database.session() as session:
                named = {difference.check for difference in (await verify(session)).differences}
            await connection.execute(f"TRUNCATE {sql.split()[1]}; INSERT INTO {sql.split()[1]} TABLE kept")
            return named
        finally:
            await connection.execute("DROP TABLE kept")
            await connection.close()

    signature = "signature is of its statement"
    assert await found("UPDATE statement_signature SET note = replace(note, '5 lines', '6 lines')") == {signature}
    assert await found("UPDATE statement_signature SET merchant_id = gen_random_uuid()") == {signature}
    assert await found("UPDATE log_leaf SET rest = sha256(rest)") == {"lines are those of their leaf"}
    assert "lines are those of their leaf" in await found("UPDATE obligation SET store = '7' WHERE store = '1'")
    async with database.session() as session:
        assert (await verify(session)).balanced
    assert cycle.number == 1


async def test_a09_whatever_is_changed_is_found(house: House, cycle: SettlementCycle) -> None:
    made = await bundle(house, cycle, "fuel")

    @settings(max_examples=150)
    @given(st.data())
    def change(data: st.DataObject) -> None:
        which = data.draw(st.integers(0, 2))
        at = data.draw(st.integers(0, len(made[which]) - 1))
        byte = data.draw(st.integers(32, 126).filter(lambda byte: byte != made[which][at]))
        changed = list(made)
        changed[which] = made[which][:at] + bytes([byte]) + made[which][at + 1 :]
        try:
            report = checked((changed[0], changed[1], changed[2]))
        except (NoStatement, UnicodeDecodeError):
            return
        assert report.found

    change()


FIELDS = {
    **dict.fromkeys(("kind", "currency", "occurredAt", "bookedAt", "orderRef", "store"), "another"),
    "points": 7,
    "late": True,
    "agreementVersion": 9,
    "price": "0.00900001",
}


async def test_a09_a_line_that_is_not_what_the_log_has_is_named_whoever_signed_it(
    house: House, cycle: SettlementCycle
) -> None:
    made = await bundle(house, cycle, "fuel")
    for name, value in FIELDS.items():
        cut = made[0].splitlines(keepends=True)
        line = orjson.loads(cut[2])
        cut[2] = orjson.dumps(line | {name: value}) + b"\n"
        report = checked((b"".join(cut), made[1], made[2]))
        where = (3, f"{line['reference']}-{line['seq']}")
        assert Finding(*where, "this line is not what the log has at its place") in report.findings
        assert {(one.line, one.key) for one in report.findings} <= {where, (0, None)}


CHANGES: list[tuple[str, Callable[[list[bytes]], list[bytes]]]] = [
    ("comes to", lambda cut: [*cut[:-2], cut[-2].replace(b'"net":"-0.40"', b'"net":"-0.41"'), cut[-1]]),
    ("comes to", lambda cut: [*cut[:-1], cut[-1].replace(b'"count":5', b'"count":6')]),
    ("no trailer", lambda cut: cut[:-1]),
    ("no balance", lambda cut: [*cut[:-2], cut[-1]]),
    ("twice", lambda cut: [*cut[:3], cut[2], *cut[3:]]),
    ("proofs of more", lambda cut: [*cut[:5], *cut[6:]]),
    ("comes to", lambda cut: [cut[0].replace(b'"grocer":"0.000000"', b'"grocer":"1.000000"'), *cut[1:]]),
    ("another statement", lambda cut: [cut[0].replace(b'"cycle":1', b'"cycle":2'), *cut[1:]]),
]


async def test_a09_a_statement_that_does_not_add_up_is_found(house: House, cycle: SettlementCycle) -> None:
    statement, signature, proofs = await bundle(house, cycle, "fuel")
    header, stretch = objects(proofs)
    stretch["lines"].insert(2, stretch["lines"][1])
    twice = orjson.dumps(header) + b"\n" + orjson.dumps(stretch) + b"\n"
    for what, change in CHANGES:
        changed = b"".join(change(statement.splitlines(keepends=True)))
        report = checked((changed, signature, twice if what == "twice" else proofs))
        assert any(what in one.what for one in report.findings), report.findings


async def test_lines_sealed_before_they_could_be_proved_alone_are_counted(house: House, cycle: SettlementCycle) -> None:
    await rows(house.runtime.database, "UPDATE log_leaf SET rest = NULL")
    report = checked(await bundle(house, cycle, "fuel"))
    assert (report.found, report.unproved, report.lines) == (0, 5, 5)
    assert lines(await file_of(house, cycle, "fuel"))


async def test_lines_of_archived_operations_are_proved_as_before(house: House, tmp_path: Path) -> None:
    await emptied(house)
    await sign_due(house.runtime.database, KEYS)
    async with house.runtime.database.reader() as session:
        settled = (await by_numbers(session, [1]))[1]
    before = await bundle(house, settled, "fuel")
    [block] = await archived(house, tmp_path)
    assert block.operations == 4
    after = await bundle(house, settled, "fuel")
    assert after == before
    assert (checked(after).findings, checked(after).lines) == ([], 2)
