"""The terms in force between two merchants, as numbers."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from importlib import resources

import pytest

from alliance.agreements.book import AgreementVersion, ExchangeTerms, load_book
from alliance.file import apply, parse
from domain.database import Database
from domain.programs.catalogue import Catalogue, load_catalogue

START = datetime(2017, 1, 1, 5, tzinfo=UTC)
FEES = """\
    fees:
      - {for: [earn, redeem], share: "0.01", payer: issuer}
      - {for: [exchange], amount: {amount: "0.05", currency: USD}, payer: partner}
"""


@pytest.fixture
async def terms(database: Database) -> tuple[Catalogue, AgreementVersion]:
    """The catalogue of the sample alliance, with fees added, and its one agreement."""
    text = (resources.files("server.samples") / "demo.yaml").read_text() + FEES
    async with database.transaction() as session:
        await apply(session, parse(text, "demo.yaml"), START)
    async with database.session() as session:
        catalogue, book = await load_catalogue(session), await load_book(session)
    grocer, fuel = catalogue.merchants["grocer"].id, catalogue.merchants["fuel"].id
    version = book.between(grocer, fuel, START)
    assert version is not None
    assert book.between(fuel, grocer, START) is version
    assert book.between(grocer, fuel, START - timedelta(microseconds=1)) is None
    assert book.between(grocer, grocer, START) is None
    return catalogue, version


def test_a1_prices_and_what_a_point_makes_one_owe(terms: tuple[Catalogue, AgreementVersion]) -> None:
    catalogue, version = terms
    grocer, fuel = catalogue.merchants["grocer"].id, catalogue.merchants["fuel"].id
    earn = version.earn[fuel, "GRO"]
    assert (earn.issue_price, earn.share, earn.owed) == (1_000_000, Fraction(9, 10), 9_000)
    assert (version.redeem[fuel, "GRO"].redemption_price, version.redeem[fuel, "GRO"].owed) == (900_000, 9_000)
    assert version.redeem[grocer, "FUE"].owed == 10_000
    assert version.exchange["GRO", "FUE"] == ExchangeTerms("GRO", "FUE", Fraction(4, 5), 800_000, 8_000, 100, 50, 5000)
    assert version.exchange["FUE", "GRO"] == ExchangeTerms("FUE", "GRO", Fraction(1), 1_000_000, 10_000, 100, 1, None)
    (right,) = version.rights
    assert (right.grantor, right.at, right.kind, right.price, right.no_show) == (
        grocer,
        fuel,
        "car_wash",
        4_000_000,
        1_000_000,
    )


def test_fees_by_event(terms: tuple[Catalogue, AgreementVersion]) -> None:
    _, version = terms
    assert [(fee.share, fee.amount, fee.payer) for fee in version.fee_on("earn")] == [(Fraction(1, 100), 0, "issuer")]
    assert [(fee.share, fee.amount, fee.payer) for fee in version.fee_on("exchange")] == [(0, 50_000, "partner")]
    assert version.fee_on("right") == ()
