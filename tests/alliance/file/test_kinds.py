"""Kinds of currencies in the alliance file (R11): what each may say, and which one a rule grants."""

import pytest
from sqlalchemy import select

from alliance.runtime import Runtime
from domain.programs.model import CurrencyRow
from tests.alliance.file.alliances import SMALL
from tests.alliance.file.test_parse import CURRENCY, RULE, RULE_PATH, changed, faults
from tests.alliance.kinds import file_of, put_in_force

STAMPS = "{code: STA, kind: stamps, name: Stamps}"
CREDITS = "{code: VIP, kind: tier_credits, name: Credits}"
VALUE = '{code: VAL, kind: stored_value, name: Card, worth: {amount: "0.01", currency: USD}}'
SECOND = "merchants[0].currencies[1]"


def beside(currency: str) -> str:
    """The small alliance, its grocer with a second currency."""
    return changed(CURRENCY, f"{CURRENCY}, {currency}")


@pytest.mark.parametrize(
    ("currency", "path", "reason"),
    [
        (CREDITS[:-1] + ', worth: {amount: "0.01", currency: USD}}', "worth", "tier credits are never spent"),
        (CREDITS[:-1] + ", gifts: {allowed: true}}", "gifts.allowed", "tier_credits are never given"),
        (STAMPS[:-1] + ", gifts: {allowed: true}}", "gifts.allowed", "stamps are never given"),
        (CREDITS[:-1] + ", card: 5}", "card", "only stamps have cards"),
        (
            STAMPS[:-1] + ', card: 5, worth: {amount: "0.50", currency: USD}}',
            "card",
            "whole cards are spent: a stamp has neither worth nor redemption",
        ),
        (VALUE[:-1] + ", pending: {days: 3}}", "pending", "stored value is paid for, not earned"),
        (VALUE[:-1] + ", limits: {perDay: 3}}", "limits", "stored value is paid for, not earned"),
        (
            VALUE[:-1] + ", expiry: {policy: inactivity, days: 9}}",
            "expiry",
            "the bonus of a top up ends on a date known beforehand",
        ),
        (STAMPS[:-1] + ", default: true}", "default", "points are the default where there are any"),
    ],
)
def test_r11_what_a_kind_does_not_have_is_refused(currency: str, path: str, reason: str) -> None:
    assert [(where, why) for _, where, why in faults(beside(currency))] == [(f"{SECOND}.{path}", reason)]


@pytest.mark.parametrize(
    ("of", "path", "reason"),
    [
        ("of: FUE", "of", "must be one of the merchant's own"),
        ("of: GRX", "of", "must be one of the merchant's own; did you mean 'GRO'?"),
        ("of: GRO, currency: GRO", "", "a rule names its points either by currency or by of"),
    ],
)
def test_r11_a_rule_grants_the_merchants_own(of: str, path: str, reason: str) -> None:
    text = changed(RULE, RULE.replace("points: 1", f"{of}, points: 1"))
    assert [(where, why) for _, where, why in faults(text)] == [(f"{RULE_PATH}.{path}".rstrip("."), reason)]


@pytest.mark.parametrize(
    "terms", ["limits: {perDay: 5}", "pending: {days: 3}", "expiry: {policy: inactivity, days: 9}"]
)
def test_r11_what_is_granted_beside_is_plain(terms: str) -> None:
    text = beside(f"{STAMPS[:-1]}, {terms}}}").replace(RULE, RULE.replace("points: 1", "of: STA, points: 1"))
    reason = "STA wait, are limited or slide: they are not granted beside others"
    assert [(where, why) for _, where, why in faults(text)] == [(f"{RULE_PATH}.of", reason)]


@pytest.mark.parametrize(("key", "terms"), [("pending", "{days: 3}"), ("expiry", "{policy: never}")])
def test_r04_a_rule_says_nothing_else_of_what_it_grants_beside(key: str, terms: str) -> None:
    rule = RULE.replace("points: 1", f"of: STA, {key}: {terms}, points: 1")
    reason = "STA are granted beside: they are active at once, and end as they say"
    assert [(where, why) for _, where, why in faults(beside(STAMPS).replace(RULE, rule))] == [
        (f"{RULE_PATH}.{key}", reason)
    ]


def test_r11_agreements_are_about_points() -> None:
    text = SMALL.replace("kind: points, name: Grocer points", "kind: tier_credits, name: Credits")
    assert {(where, why) for _, where, why in faults(text)} == {
        ("agreements[0].exchange[0].from", "'GRO' are tier_credits, not points"),
        ("agreements[0].redeem[0].of", "'GRO' are tier_credits, not points"),
    }


def test_r11_stored_value_is_not_earned() -> None:
    rule = RULE.replace("points: 1", "of: SVC, points: 1")
    text = beside('{code: SVC, kind: stored_value, name: Card, worth: {amount: "0.01", currency: USD}}').replace(
        RULE, rule
    )
    assert [(where, why) for _, where, why in faults(text)] == [
        (f"{RULE_PATH}.of", "stored value is paid for, not earned")
    ]


async def test_points_are_the_default_beside_stamps(runtime: Runtime) -> None:
    await put_in_force(runtime, file_of())
    async with runtime.database.session() as session:
        kinds = {row.code: (row.kind, row.is_default) for row in await session.scalars(select(CurrencyRow))}
    assert kinds == {
        "GRO": ("points", True),
        "FUE": ("points", True),
        "GCARD": ("stored_value", False),
        "VIP": ("tier_credits", False),
        "STAMP": ("stamps", False),
    }
    catalogue = runtime.catalogue
    assert catalogue.currencies["STAMP"].policies[0].card == 10
    assert catalogue.merchants["grocer"].beside == ("STAMP", "VIP")
    assert catalogue.merchants["fuel"].beside == ()
