"""Reports for those who settle: each figure against what was done, and a merchant's own side alone (A7, A8, A14)."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alliance.corrections.commands import Line, book
from alliance.corrections.model import Cause
from alliance.disputes.claims import ClaimAsked, raise_claims
from alliance.disputes.model import ClaimCode, Dispute
from alliance.partnerfiles.model import Outcome, ReconBreak
from alliance.reporting import queries
from alliance.reporting.pdf import pdf
from alliance.reporting.queries import Span
from alliance.reporting.tables import Table, Tables
from alliance.settlement.model import SettlementCycle
from domain.base import new_id
from domain.errors import InvalidInput
from server.cli import app
from server.settings import get_settings
from tests.alliance.support import NOON, WHO, House
from tests.ledger_support import rows


def today() -> date:
    """By the database's clock, in the alliance's zone; lines are booked by it."""
    return (datetime.now(UTC) - timedelta(hours=4)).date()


def around() -> Span:
    """Days in which whatever a test books lies."""
    return Span(today() - timedelta(days=2), today() + timedelta(days=2))


async def settled(house: House, points: int = 2000, last: str = "record_receipts") -> SettlementCycle:
    """A cycle in which grocer owes fuel 0.0090 a point, taken as far as `last`."""
    ann = await house.member()
    await house.earn(ann, "grocer", points)
    await house.spend(ann, "fuel", points)
    return await house.through(await house.close(), last)


def figures(table: Table, *names: str) -> list[tuple[Any, ...]]:
    """Some columns of a table."""
    return [tuple(row[name] for name in names) for row in table.rows]


async def test_a05_what_was_owed_at_a_cut_off_is_what_was_not_paid_by_then(house: House) -> None:
    alliance, tables = house.runtime.catalogue.alliance, Tables(house.runtime.catalogue)
    await settled(house)
    await settled(house, 3000, last="settle_cycle")
    async with house.runtime.database.reader() as session:
        cycles = await queries.closed(session, alliance, None, 12)
        found = tables.at_close(await queries.at_close(session, cycles, 10_000, None), "")
        mine = tables.at_close(await queries.at_close(session, cycles, 10_000, house.id("fuel")), "")
        assert await queries.closed(session, alliance, Span(date(2017, 1, 1), date(2017, 1, 31)), 12) == []
    assert sorted(figures(found, "cycle", "merchant", "owed")) == [
        (1, "fuel", "0.000000"),
        (1, "grocer", "0.000000"),
        (2, "fuel", "-27.000000"),
        (2, "grocer", "27.000000"),
    ], "the first was paid at the very moment of its cut-off"
    assert {row["merchant"] for row in mine.rows} == {"fuel"}


async def test_a08_the_history_of_settlement_has_what_netting_saved_and_the_days_it_took(house: House) -> None:
    alliance = house.runtime.catalogue.alliance
    cycle = await settled(house, last="settle_cycle")
    await house.step("record_receipts", cycle, as_of=NOON + timedelta(days=6))
    async with house.runtime.database.reader() as session:
        cycles = await queries.closed(session, alliance, None, 12)
        found = Tables(house.runtime.catalogue).history(await queries.history(session, alliance, cycles, None), "")
    [row] = found.rows
    assert (row["gross"], row["multilateral"], row["payments"], row["saving"]) == ("18.000000", "18.00", 1, "0.00")
    assert (row["status"], row["days"]) == ("SETTLED", 6)


async def test_a10_a11_what_is_open_is_counted_by_age_in_business_days(house: House) -> None:
    alliance, catalogue = house.runtime.catalogue.alliance, house.runtime.catalogue
    await settled(house)
    [line] = [one for one in await house.obligations() if one.kind == "SPEND"]
    place = (line.holder_id, line.operation_id, line.seq)
    async with house.runtime.database.transaction() as session:
        asked = ClaimAsked(place, None, 2_000_000, ClaimCode.OTHER, "not delivered")
        [claim] = await raise_claims(session, alliance, [asked], merchant_id=house.id("grocer"), who=WHO, as_of=NOON)
        assert isinstance(claim, Dispute)
        session.add_all(
            ReconBreak(
                id=new_id(),
                merchant_id=house.id("fuel"),
                other_id=house.id("grocer"),
                cycle_id=line.cycle_id,
                outcome=Outcome.MISSING_HERE,
                theirs=1_500_000,
                opened_at=NOON + timedelta(days=days),
            )
            for days in (0, 0, 1)
        )
    found = {}
    async with house.runtime.database.reader() as session:
        for later in (0, 4, 5, 40):  # Thursday, Monday, Tuesday, and long after
            moment = NOON + timedelta(days=later)
            table = Tables(catalogue).ageing(await queries.ageing(session, alliance, moment, None), "")
            found[later] = figures(table, "what", "days", "count", "amount")
        mine = await queries.ageing(session, alliance, NOON, house.id("grocer"))
    assert found[0] == [("CLAIM", "0 to 1", 1, "2.000000"), ("MISSING_HERE", "0 to 1", 2, "3.000000")]
    claim_, *breaks = found[4]
    assert claim_ == ("CLAIM", "2 to 4", 1, "2.000000")
    assert breaks == [("MISSING_HERE", "0 to 1", 1, "1.500000"), ("MISSING_HERE", "2 to 4", 2, "3.000000")], "a weekend"
    assert {days for _, days, *_ in found[5]} == {"2 to 4"}
    assert {days for _, days, *_ in found[40]} == {"from 21"}
    assert [(one.what, one.count) for one in mine] == [("CLAIM", 1)], "breaks are of whose file it was (A14)"


async def test_a_line_is_back_at_zero_once_it_is_settled_or_corrected(house: House) -> None:
    alliance, catalogue = house.runtime.catalogue.alliance, house.runtime.catalogue

    async def share(party: str | None = None) -> list[tuple[Any, ...]]:
        async with house.runtime.database.reader() as session:
            found = await queries.back_at_zero(session, alliance, around(), house.id(party) if party else None)
        return figures(Tables(catalogue).returned(found, ""), "lines", "within", "share")

    assert await share() == [(0, 0, "100.00")]
    cycle = await settled(house, last="settle_cycle")
    ann = await house.member()
    await house.earn(ann, "grocer", 500)
    await house.spend(ann, "fuel", 300)
    await house.spend(ann, "fuel", 100)
    assert await share("fuel") == [(3, 0, "0.00")]
    await house.step("record_receipts", cycle)
    assert await share("fuel") == [(3, 1, "33.33")]
    lines = [one for one in await house.obligations() if one.cycle_id != cycle.id]
    async with house.runtime.database.transaction() as session:
        line = Line(
            lines[0].debtor_id,
            lines[0].creditor_id,
            -lines[0].amount,
            corrects=(lines[0].holder_id, lines[0].operation_id, lines[0].seq),
        )
        told: dict[str, Any] = {"cause": Cause.ADJUSTMENT, "cause_id": None, "who": WHO, "why": "x", "as_of": NOON}
        await book(session, alliance, [line], **told)
    assert await share() == [(4, 2, "50.00")], "the correction is a line too"
    moved = "UPDATE cycle_transition SET at = at + interval '10 days' WHERE status = 'SETTLED'"
    await rows(house.runtime.database, moved)
    assert await share() == [(4, 1, "25.00")], "too late"


async def test_a07_a_span_of_days_stands_beside_cycles(house: House) -> None:
    alliance, catalogue = house.runtime.catalogue.alliance, house.runtime.catalogue
    await settled(house)
    await settled(house, 1000)

    async def totals(span: Span, *, occurred: bool = False, party: str | None = None) -> list[tuple[Any, ...]]:
        async with house.runtime.database.reader() as session:
            id_ = house.id(party) if party else None
            found = await queries.by_kind(session, alliance, span, id_, occurred=occurred)
        return figures(Tables(catalogue).by_kind(found, ""), "debtor", "creditor", "kind", "lines", "amount")

    expected = [("grocer", "fuel", "SPEND", 2, "27.000000")]
    assert await totals(around()) == expected
    assert await totals(around(), party="grocer") == expected
    assert await totals(around(), party="operator") == []
    june = Span(date(2017, 6, 1), date(2017, 6, 30))
    assert await totals(june) == [], "it was booked later"
    assert await totals(june, occurred=True) == expected
    with pytest.raises(InvalidInput):
        await totals(Span(date(2017, 6, 2), date(2017, 6, 1)))


def test_a_table_is_shown_as_it_is_by_spreadsheets_and_printed() -> None:
    made = [{"merchant": "=cmd()", "amount": "-1.50", "days": None}, {"merchant": "杂货店", "amount": "2", "days": 3}]
    table = Table("Of 杂货店", "June", ("merchant", "amount", "days"), made * 40)
    assert table.csv().splitlines()[:3] == ["merchant,amount,days", "'=cmd(),-1.50,", "杂货店,2,3"]
    printed = pdf(table)
    assert printed.startswith(b"%PDF")
    assert printed == pdf(table), "the same bytes"
    assert printed.count(b"/Type /Page\n") == 3


@pytest.fixture
def at_hand(house: House, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The house, in the database that commands work on."""
    monkeypatch.setenv("TESSERA_DATABASE_URL", database_url)
    get_settings.cache_clear()
    yield house
    get_settings.cache_clear()


async def test_reports_are_printed_and_written_to_files(at_hand: House, tmp_path: Path) -> None:
    await settled(at_hand)

    async def report(*arguments: str) -> tuple[int, Any]:
        done = await asyncio.to_thread(CliRunner().invoke, app, ["report", *arguments, "--json"])
        return done.exit_code, json.loads(done.stdout) if done.stdout else done.exception

    for name in ("cut-offs", "settlement", "zero", "obligations"):
        code, found = await report(name, "--csv", str(tmp_path / "a.csv"), "--pdf", str(tmp_path / "a.pdf"))
        assert (code, found["report"]) == (0, name)
        assert len((tmp_path / "a.csv").read_text().splitlines()) == len(found["rows"]) + 1
        assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    _, found = await report("obligations", "--month", "2017-06", "--occurred", "--merchant", "fuel")
    assert [row["amount"] for row in found["rows"]] == ["18.000000"]
    assert (await report("ageing"))[0] == 0
    await rows(
        at_hand.runtime.database,
        "INSERT INTO recon_break (id, merchant_id, cycle_id, outcome, theirs, opened_at) "
        "SELECT uuidv7(), m.id, c.id, 'MISSING_HERE', 1, '2017-06-01' FROM merchant m, settlement_cycle c LIMIT 1",
    )
    assert (await report("ageing"))[0] == 1, "older than 20 business days"
    assert (await report("zero", "--month", "2017-06", "--from", "2017-06-01"))[0] != 0
    assert (await report("zero", "--merchant", "nobody"))[0] != 0
