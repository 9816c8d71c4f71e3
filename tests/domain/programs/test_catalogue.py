"""The catalogue holds what the alliance file says."""

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest

from alliance.runtime import Runtime
from domain.programs.catalogue import CycleTerms, Days, ExpiryPolicy, IdentifierType, RedemptionTerms
from domain.programs.rules import points_for_order, value_purchase

MARCH, MAY = datetime(2017, 3, 15, tzinfo=UTC), datetime(2017, 5, 15, tzinfo=UTC)


def test_the_sample_alliance(runtime: Runtime) -> None:
    catalogue = runtime.catalogue
    alliance = catalogue.alliance
    assert (alliance.code, alliance.settlement_currency, alliance.timezone.key) == ("demo", "USD", "America/New_York")
    assert (alliance.consent, alliance.calendar.region) == ("operator", "US")
    assert alliance.cycle == CycleTerms("week", Days(3, True), Days(5, True), Days(180, False), 1000)
    assert catalogue.identifier_types["CARD"] == IdentifierType("CARD", "merchant", None, "issuer", True, None)
    assert catalogue.identifier_types["PHONE"] == IdentifierType("PHONE", None, "e164", "alliance", False, "code")

    grocer = catalogue.merchants["grocer"]
    assert catalogue.merchants_by_id[grocer.id] is grocer
    assert (grocer.jurisdiction, grocer.timezone.key) == ("US-OH", "America/New_York")
    assert (grocer.enrol_on_purchase, grocer.unique_orders) == (True, False)
    assert (grocer.clawback, grocer.on_return) == ("never_below_zero", "reevaluate")
    assert (grocer.credit_limit, grocer.collateral) == (5_000_000_000, 0)
    assert grocer.stores == {"330": "Store 330", "367": "Store 367"}
    assert (grocer.currencies, grocer.default_currency) == (("GCARD", "GRO"), "GRO")

    policy = catalogue.currencies["GRO"].policy_at(MAY)
    assert (policy.version, policy.worth, policy.worth_currency) == (1, 1_000_000, "USD")
    assert policy.expiry == ExpiryPolicy("rolling", months=12)
    assert catalogue.currencies["FUE"].policy_at(MAY).expiry == ExpiryPolicy("end_of_year", years=1)


def test_r10_the_sample_alliance_doubles_bakery_in_march(runtime: Runtime) -> None:
    grocer, lines = runtime.catalogue.merchants["grocer"], [(2_00, "PASTRY"), (3_00, None)]
    assert value_purchase(grocer, "GRO", "USD", lines, (), MARCH).points == 7
    assert value_purchase(grocer, "GRO", "USD", lines, (), MAY).points == 5


def test_a_merchant_may_give_points_of_another(runtime: Runtime) -> None:
    fuel = runtime.catalogue.merchants["fuel"]
    assert value_purchase(fuel, "GRO", "USD", [(9_99, None)], (), MAY).points == 9
    assert value_purchase(fuel, "FUE", "USD", [(9_99, None)], (), MAY).points == 20


@pytest.mark.parametrize(
    ("cents", "worth", "terms", "points"),
    [
        (100, 850_000, RedemptionTerms(), 117),  # 117 x 0.0085 = 0.9945
        (100, 1_000_000, RedemptionTerms(max_share=Fraction(1, 3)), 33),
        (100, 1_000_000, RedemptionTerms(max_share=Fraction(1, 2), max_money=49_999_999), 49),
        (0, 1_000_000, RedemptionTerms(), 0),
    ],
)
def test_r15_how_many_points_an_order_takes(
    runtime: Runtime, cents: int, worth: int, terms: RedemptionTerms, points: int
) -> None:
    currency = runtime.catalogue.currencies["GRO"]
    currency = replace(currency, policies=(replace(currency.policies[0], worth=worth, redemption=terms),))
    assert points_for_order(currency, cents, "USD", MAY) == points
