"""Tiers in the alliance file: what does not fit is said, and what is in force is the period of the credits."""

import pytest

from alliance.runtime import Runtime
from domain.programs.catalogue import ExpiryPolicy
from tests.alliance.file.alliances import SMALL
from tests.alliance.file.test_parse import CURRENCY, RULE, RULE_PATH, changed, faults
from tests.alliance.kinds import put_in_force, with_tiers

CREDITS = "{code: VIP, kind: tier_credits, name: Credits}"
LEVELS = "levels: [{code: silver, name: Silver, threshold: 100}, {code: gold, name: Gold, threshold: 300}]"
PATH = "merchants[0].tiers"


def having(tiers: str, credits: str = CREDITS) -> str:
    """The small alliance, its grocer with tiers."""
    text = changed(f"    currencies: [{CURRENCY}]\n", f"    currencies: [{CURRENCY}, {credits}]\n    tiers: {tiers}\n")
    assert text != SMALL
    return text


@pytest.mark.parametrize(
    ("tiers", "path", "reason"),
    [
        (f"{{credits: GRO, {LEVELS}}}", "credits", "must be tier_credits of this merchant's own"),
        (f"{{credits: VIX, {LEVELS}}}", "credits", "must be tier_credits of this merchant's own"),
        (f"{{credits: VIP, period: year, {LEVELS}}}", "period", "period is calendar_year, or {months: 12}"),
        (
            f"{{credits: VIP, lasts: balance, afterReturn: now, {LEVELS}}}",
            "afterReturn",
            "has no meaning where a tier follows the balance",
        ),
        (
            "{credits: VIP, levels: [{code: a, name: A, threshold: 5}, {code: b, name: B, threshold: 5}]}",
            "levels[1].threshold",
            "must be more than 5, before it",
        ),
        (
            "{credits: VIP, levels: [{code: a, name: A, threshold: 5}, {code: a, name: B, threshold: 6}]}",
            "levels[1].code",
            "declared twice",
        ),
    ],
)
def test_what_does_not_fit_in_tiers_is_said(tiers: str, path: str, reason: str) -> None:
    assert [(where, why) for _, where, why in faults(having(tiers))] == [(f"{PATH}.{path}", reason)]


def test_r04_the_period_of_the_tiers_says_how_long_credits_count() -> None:
    text = having(f"{{credits: VIP, {LEVELS}}}", CREDITS[:-1] + ", expiry: {policy: rolling, days: 9}}")
    reason = "the period says how long these count: VIP has no expiry"
    assert [(where, why) for _, where, why in faults(text)] == [(f"{PATH}.credits", reason)]


@pytest.mark.parametrize(
    ("when", "path", "reason"),
    [
        ("{tier: [golf]}", "when.tier[0]", "no tier 'golf' of this merchant; did you mean 'gold'?"),
        ("{}", "when", "when names a category or a tier"),
    ],
)
def test_r19_a_rule_names_tiers_of_its_merchant(when: str, path: str, reason: str) -> None:
    text = having(f"{{credits: VIP, {LEVELS}}}").replace(RULE, f"{RULE[:-1]}, when: {when}}}")
    assert [(where, why) for _, where, why in faults(text)] == [(f"{RULE_PATH}.{path}", reason)]


async def test_r04_credits_end_with_their_period(runtime: Runtime) -> None:
    await put_in_force(runtime, with_tiers())
    [policy] = runtime.catalogue.currencies["VIP"].policies
    assert policy.expiry == ExpiryPolicy("end_of_year")
    await put_in_force(runtime, with_tiers("period: {months: 6}, "))
    [policy] = runtime.catalogue.currencies["VIP"].policies
    assert policy.expiry == ExpiryPolicy("rolling", months=6)
    merchant = runtime.catalogue.merchants["grocer"]
    assert merchant.tiers is not None
    assert [level.code for level in merchant.tiers.levels] == ["silver", "gold"]
    assert list(merchant.by_tier) == ["gold"]
