"""Applying a file: what is created, superseded, left alone, refused; all or nothing; and who is told."""

import asyncio
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from sqlalchemy import func, select

from alliance.agreements.book import load_book
from alliance.file import Plan, apply, export, parse, plan
from domain.database import Database
from domain.programs.catalogue import Catalogue, RedemptionTerms, load_catalogue
from domain.programs.model import EarningRuleRow, MerchantRow
from tests.alliance.file.alliances import SMALL

NOW = datetime(2017, 6, 1, 16, tzinfo=UTC)
RULE = '{code: base, version: 1, from: 2017-01-01, points: 1, per: {amount: "1.00", currency: USD}}'
SECOND_RULE = RULE.replace("version: 1, from: 2017-01-01, points: 1", "version: 2, from: 2017-09-01, points: 2")
SECOND_AGREEMENT = """\
  - merchants: [fuel, grocer]
    version: 2
    from: 2017-09-01
    exchange: [{from: GRO, to: FUE, rate: "0.5", clearingValue: {amount: "0.005", currency: USD}}]
"""


async def applied(database: Database, text: str = SMALL) -> Plan:
    """Apply a file in a transaction of its own."""
    async with database.transaction() as session:
        return await apply(session, parse(text, "two.yaml"), NOW)


async def catalogue_of(database: Database) -> Catalogue:
    """The catalogue as it is."""
    async with database.session() as session:
        return await load_catalogue(session)


def changed(*pairs: tuple[str, str]) -> str:
    """The small alliance with some things written otherwise."""
    text = SMALL
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def said(made: Plan) -> list[str]:
    """The plan without what is unchanged."""
    return [line for line in made.lines() if not line.startswith("unchanged")]


async def test_the_first_time_everything_is_created(database: Database) -> None:
    made = await applied(database)
    assert said(made) == [
        "create    alliance two",
        "create    merchant grocer",
        "create    currency GRO",
        "create    policy GRO version 1",
        "create    rule grocer/base version 1: from 2017-01-01",
        "create    merchant fuel",
        "create    currency FUE",
        "create    policy FUE version 1",
        "create    agreement fuel/grocer version 1: from 2017-01-01",
    ]
    assert made.changed
    assert (await catalogue_of(database)).revision == 1


async def test_applying_twice_changes_nothing(database: Database) -> None:
    await applied(database)
    again = await applied(database)
    assert {change.action for change in again.changes} == {"unchanged"}
    assert not again.changed
    assert again.lines() == ["unchanged 9"]
    assert (await catalogue_of(database)).revision == 1


async def test_a_plan_writes_nothing(database: Database) -> None:
    async with database.transaction() as session:
        made = await plan(session, parse(SMALL, "two.yaml"), NOW)
        assert made.changed
        assert await session.scalar(select(func.count()).select_from(MerchantRow)) == 0


async def test_a_new_version_takes_the_place_of_the_last(database: Database) -> None:
    await applied(database)
    text = changed((RULE, f"{RULE}\n      - {SECOND_RULE}")) + SECOND_AGREEMENT
    assert said(await applied(database, text)) == [
        "supersede rule grocer/base version 2: version 1 ends when 2017-09-01 begins",
        "supersede agreement fuel/grocer version 2: version 1 ends when 2017-09-01 begins",
    ]
    start = datetime(2017, 9, 1, 4, tzinfo=UTC)
    async with database.session() as session:
        rows = await session.scalars(select(EarningRuleRow).order_by(EarningRuleRow.version))
        assert [(row.valid_from, row.valid_to) for row in rows] == [
            (datetime(2017, 1, 1, 5, tzinfo=UTC), start),
            (start, None),
        ]
        book, catalogue = await load_book(session), await load_catalogue(session)
    grocer, fuel = catalogue.merchants["grocer"].id, catalogue.merchants["fuel"].id
    assert [book.between(fuel, grocer, at).version for at in (NOW, start)] == [1, 2]  # type: ignore[union-attr]
    assert (await applied(database, text)).lines() == ["unchanged 11"]


async def test_versions_need_not_stay_in_the_file(database: Database) -> None:
    await applied(database)
    made = await applied(database, changed((RULE, SECOND_RULE)))
    assert [change.action for change in made.changes if change.kind == "rule"] == ["supersede"]
    assert made.notices == ("not in the file, and kept: rule grocer/base version 1",)


async def test_a_new_policy_takes_the_place_of_the_first(database: Database) -> None:
    await applied(database)
    policy = 'policies: [{version: 2, from: 2017-09-01, worth: {amount: "0.02", currency: USD}}]'
    made = await applied(database, changed(("name: Grocer points", f"name: Grocer points, {policy}")))
    assert said(made) == ["supersede policy GRO version 2: version 1 ends when 2017-09-01 begins"]
    currency = (await catalogue_of(database)).currencies["GRO"]
    assert [currency.policy_at(at).version for at in (datetime(1999, 1, 1, tzinfo=UTC), NOW)] == [1, 1]
    assert currency.policy_at(datetime(2017, 9, 1, 4, tzinfo=UTC)).worth == 2_000_000


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "points: 1,",
            "points: 2,",
            "rule grocer/base version 1: published, and never edited (points): write a new version",
        ),
        (
            "from: 2017-01-01, points",
            "from: 2017-01-02, points",
            "rule grocer/base version 1: published, and never edited (from): write a new version",
        ),
        (
            "from: 2017-01-01, points",
            "from: 2017-01-01, to: 2018-01-01, points",
            "rule grocer/base version 1: published, and never edited (to): write a new version",
        ),
        (
            '"0.009"',
            '"0.008"',
            "agreement fuel/grocer version 1: published, and never edited (redeem): write a new version",
        ),
        (
            "name: Grocer points",
            'name: Grocer points, worth: {amount: "0.02", currency: USD}',
            "policy GRO version 1: published, and never edited (worth): write a new version",
        ),
        (
            RULE,
            SECOND_RULE.replace("2017-09-01", "2017-01-01"),
            "rule grocer/base version 2: must begin after 2017-01-01",
        ),
        (
            "    name: Grocer\n",
            "    name: Grocer\n    timezone: UTC\n",
            "merchant grocer: timezone cannot be changed: it is 'America/New_York'",
        ),
        ("code: two", "code: three", "alliance three: this database holds the alliance 'two'"),
    ],
)
async def test_what_is_refused_is_said_and_nothing_is_written(
    database: Database, old: str, new: str, line: str
) -> None:
    await applied(database)
    async with database.session() as session:
        before = await export(session)
    made = await applied(database, changed((old, new), ("name: Fuel points", "name: Renamed")))
    assert made.refused
    assert not made.changed
    assert any(said_line.startswith(f"refuse    {line}") for said_line in said(made)), said(made)
    async with database.session() as session:
        assert await export(session) == before


async def test_the_settlement_currency_stays(database: Database) -> None:
    await applied(database)
    made = await applied(database, SMALL.replace("USD", "EUR"))
    assert "refuse    alliance two: settlementCurrency cannot be changed: it is 'USD'" in said(made)


async def test_points_stay_with_their_issuer(database: Database) -> None:
    await applied(database)
    start, end = SMALL.index("merchants:"), SMALL.index("agreements:")
    swapped = SMALL[start:end].replace("GRO", "TMP").replace("FUE", "GRO").replace("TMP", "FUE")
    made = await applied(database, SMALL[:start] + swapped)
    assert "refuse    currency GRO: merchant cannot be changed: it is 'grocer' (line 12)" in said(made)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("name: Two,", "name: Twice,", "update    alliance two: name"),
        ("consent: operator}", "consent: operator, cycle: {every: month}}", "update    alliance two: cycle"),
        ("name: Fuel points", "name: Points", "update    currency FUE: name"),
        ("    name: Fuel\n", "    name: Petrol\n", "update    merchant fuel: name"),
        (
            "    name: Fuel\n",
            "    name: Fuel\n    settings: {uniqueOrders: true, clawback: none}\n",
            "update    merchant fuel: settings",
        ),
        ("    name: Fuel\n", '    name: Fuel\n    stores: [{code: "1", name: One}]\n', "create    store fuel/1"),
    ],
)
async def test_things_are_changed_by_writing_them_otherwise(database: Database, old: str, new: str, line: str) -> None:
    await applied(database)
    assert said(await applied(database, changed((old, new)))) == [line]
    assert (await catalogue_of(database)).revision == 2
    assert (await applied(database, changed((old, new)))).changed is False


async def test_another_currency_becomes_the_default(database: Database) -> None:
    two = "{code: GRO, kind: points, name: Grocer points}, {code: GRX, kind: points, name: Extra, default: true}"
    one = two.replace(", default: true", "").replace("points}, {", "points, default: true}, {")
    rule = (RULE, RULE.replace("code: base", "code: base, currency: GRO"))
    await applied(database, changed(("{code: GRO, kind: points, name: Grocer points}", one), rule))
    made = await applied(database, changed(("{code: GRO, kind: points, name: Grocer points}", two), rule))
    assert said(made) == ["update    currency GRO: default", "update    currency GRX: default"]
    assert (await catalogue_of(database)).merchants["grocer"].default_currency == "GRX"


async def test_without_the_operator_s_consent_agreements_are_proposals(database: Database) -> None:
    proposing = changed(("consent: operator", "consent: merchants"))
    made = await applied(database, proposing)
    assert "create    agreement fuel/grocer version 1: proposed: both merchants have to accept" in said(made)
    async with database.session() as session:
        assert (await load_book(session)).pairs == {}
    assert (await applied(database, proposing)).changed is False

    assert said(await applied(database)) == [
        "update    alliance two: consent",
        "update    agreement fuel/grocer version 1: in force: the operator consents",
        "note      agreement fuel/grocer version 1 begins in the past: what is booked stays as it is",
    ]
    async with database.session() as session:
        assert len((await load_book(session)).pairs) == 1


async def test_a_proposal_does_not_end_what_is_in_force(database: Database) -> None:
    await applied(database)
    await applied(database, changed(("consent: operator", "consent: merchants")) + SECOND_AGREEMENT)
    late = datetime(2018, 1, 1, tzinfo=UTC)
    async with database.session() as session:
        book, catalogue = await load_book(session), await load_catalogue(session)
    pair = catalogue.merchants["grocer"].id, catalogue.merchants["fuel"].id
    assert book.between(*pair, late).version == 1  # type: ignore[union-attr]

    await applied(database, SMALL + SECOND_AGREEMENT)
    async with database.session() as session:
        assert (await load_book(session)).between(*pair, late).version == 2  # type: ignore[union-attr]


async def test_a3_a_money_machine_with_what_was_applied_before_is_refused(database: Database) -> None:
    pharmacy = """\
  - code: pharmacy
    name: Pharmacy
    jurisdiction: US-OH
    currencies: [{code: PHA, kind: points, name: Pharmacy points}]
agreements:
"""
    start = SMALL.index("agreements:")
    price = 'clearingValue: {amount: "0.01", currency: USD}'
    others = f"""\
  - merchants: [fuel, pharmacy]
    version: 1
    from: 2017-01-01
    exchange: [{{from: FUE, to: PHA, rate: "1", {price}}}]
  - merchants: [pharmacy, grocer]
    version: 1
    from: 2017-05-01
    exchange: [{{from: PHA, to: GRO, rate: "1.3", {price}}}]
"""
    await applied(database)
    made = await applied(database, SMALL[:start] + pharmacy + others)
    assert "a money machine: from 2017-05-01, FUE -> PHA -> GRO -> FUE turns 1 point into 1.04 (line" in "".join(
        said(made)
    )
    assert made.refused
    assert "pharmacy" not in (await catalogue_of(database)).merchants


async def test_what_begins_in_the_past_is_pointed_out(database: Database) -> None:
    await applied(database)
    made = await applied(database, changed((RULE, f"{RULE}\n      - {SECOND_RULE.replace('2017-09', '2017-02')}")))
    assert made.notices == ("rule grocer/base version 2 begins in the past: what is booked stays as it is",)


async def test_one_file_is_applied_at_a_time(database: Database) -> None:
    plans = await asyncio.gather(*(applied(database) for _ in range(4)))
    assert sorted(made.changed for made in plans) == [False, False, False, True]
    assert (await catalogue_of(database)).revision == 1


async def test_every_process_is_told_of_a_change_and_of_nothing_else(database: Database) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    connection = await database.connect()
    try:
        await connection.add_listener("tessera_catalogue", lambda *told: heard.put_nowait(str(told[-1])))
        await applied(database)
        await applied(database)
        await applied(database, changed(("name: Two,", "name: Twice,")))
        assert [await asyncio.wait_for(heard.get(), 60) for _ in range(2)] == ["1", "2"]
        assert heard.empty()
    finally:
        await connection.close()


async def test_a_plan_as_data(database: Database) -> None:
    await applied(database)
    made = await applied(database, changed(("points: 1,", "points: 2,")))
    assert made.to_json()["refused"] is True
    assert {
        "action": "refuse",
        "kind": "rule",
        "name": "grocer/base",
        "version": 1,
        "line": 8,
        "reason": "published, and never edited (points): write a new version",
    } in made.to_json()["changes"]


async def test_no_alliance_is_an_empty_catalogue(database: Database) -> None:
    catalogue = await catalogue_of(database)
    assert (catalogue.merchants, catalogue.revision, catalogue.alliance.code) == ({}, 0, "")


async def test_r15_terms_of_redemption_are_read_back(database: Database) -> None:
    wanted = SMALL.replace(
        "name: Grocer points}",
        'name: Grocer points, worth: {amount: "0.01", currency: USD}, '
        'redemption: {unit: 100, minimum: 200, maxShare: "0.5", maxMoney: {amount: "5.00", currency: USD}}}',
    )
    await applied(database, wanted)
    catalogue = await catalogue_of(database)
    gro, fue = (catalogue.currencies[code].policy_at(NOW).redemption for code in ("GRO", "FUE"))
    assert gro == RedemptionTerms(100, 200, Fraction(1, 2), 500_000_000)
    assert fue == RedemptionTerms()
