"""What a member has, brand by brand; where it is spent and exchanged; a history that needs no sums (A14)."""

import re
from datetime import date
from typing import Any

import pytest

from alliance.runtime import Runtime
from domain.ledger.model import OperationKind
from domain.programs.catalogue import ExpiryPolicy
from resolvers.expiring import in_words
from resolvers.operations import TITLES
from tests.schema.support import Client, by_card, viewer_of
from tests.schema.test_docs import PAGE
from tests.schema.test_lists import counted

ASSETS = """query ($by: MemberRef!, $merchants: [String!]) { member(by: $by) { assets(merchants: $merchants) {
  merchant { code } joinedAt points { currency { code } balance lifetime { earned spent expired givenOut }
    expiries(first: 2) { on points } worth { amount } }
  storedValue { currency { code } balance lifetime { toppedUp } } rights { kind remaining } } } }"""
SPEND = """query ($by: MemberRef!, $of: String, $at: String) { member(by: $by) { spendOptions(currency: $of, at: $at) {
  currency { code } at { code } available worth { amount } minimum unit maxShare changesOn blockedBy } } }"""
HISTORY = """query ($by: MemberRef!, $first: Int) { member(by: $by) { activity(first: $first) { edges { node {
  kind title transfers { currency { code } points balanceAfter } } } } } }"""


@pytest.fixture
async def ann(operator: Client, card: str) -> dict[str, Any]:
    """A member of the grocer's with points, stored value, and a past; of whom the filling station knows nothing."""
    by = by_card(card)
    for points in (300, 500):
        earn = {"merchant": "grocer", "member": by, "channel": "STORE", "points": points}
        await operator.do("earn", "EarnInput", "", **earn)
    await operator.do(
        "redeem", "RedeemInput", "", merchant="fuel", member=by, channel="STORE", points=100, currency="GRO"
    )
    paid = {"amount": "20.00", "currency": "USD"}
    top_up = {"merchant": "grocer", "member": by, "channel": "STORE", "currency": "GCARD", "paid": paid}
    assert (await operator.do("topUp", "TopUpInput", "", **top_up))["__typename"] == "ToppedUp"
    return by


async def test_assets_by_brand(runtime: Runtime, operator: Client, anonymous: Client, ann: dict[str, Any]) -> None:
    with counted(runtime) as statements:
        (brand,) = (await operator.run(ASSETS, by=ann))["member"]["assets"]
    once = len(statements)
    assert brand.pop("joinedAt") is not None
    assert brand == {
        "merchant": {"code": "grocer"},
        "points": [
            {
                "currency": {"code": "GRO"},
                "balance": 700,
                "lifetime": {"earned": 800, "spent": 100, "expired": 0, "givenOut": 0},
                "expiries": [{"on": "2018-06-01", "points": 700}],
                "worth": {"amount": "7.00"},
            }
        ],
        "storedValue": [{"currency": {"code": "GCARD"}, "balance": 2000, "lifetime": {"toppedUp": 2000}}],
        "rights": [],
    }
    await operator.do("earn", "EarnInput", "", merchant="fuel", member=ann, channel="STORE", points=40, currency="FUE")
    with counted(runtime) as statements:
        brands = (await operator.run(ASSETS, by=ann))["member"]["assets"]
    assert [one["merchant"]["code"] for one in brands] == ["fuel", "grocer"]
    assert len(statements) == once <= 10, "as many for two brands as for one"
    (one,) = (await operator.run(ASSETS, by=ann, merchants=["fuel", "none"]))["member"]["assets"]
    assert [wallet["balance"] for wallet in one["points"]] == [40]

    grocer_id = runtime.catalogue.merchants["grocer"].id
    grocer = anonymous.signed_in(viewer_of("merchant", merchant_id=grocer_id))
    seen = (await grocer.run(ASSETS, by=ann))["member"]["assets"]
    assert [one["merchant"]["code"] for one in seen] == ["grocer"]


async def test_where_points_are_spent(operator: Client, grocer: Client, ann: dict[str, Any]) -> None:
    found = (await operator.run(SPEND, by=ann))["member"]["spendOptions"]
    assert [(one["currency"]["code"], one["at"]["code"]) for one in found] == [
        ("GCARD", "grocer"),
        ("GRO", "grocer"),
        ("GRO", "fuel"),
    ], "stored value at its issuer alone"
    assert found[2] == {
        "currency": {"code": "GRO"},
        "at": {"code": "fuel"},
        "available": 700,
        "worth": {"amount": "7.00"},
        "minimum": 1,
        "unit": 1,
        "maxShare": "1",
        "changesOn": None,
        "blockedBy": [],
    }
    (only,) = (await grocer.run(SPEND, by=ann, of="GRO", at="fuel"))["member"]["spendOptions"]
    assert (only["at"], only["available"]) == ({"code": "fuel"}, 0), "by a clock of its own, they are past their date"
    rest = {"merchant": "grocer", "member": ann, "channel": "STORE", "points": 700}
    await operator.do("redeem", "RedeemInput", "", **rest)
    spent = (await operator.run(SPEND, by=ann, of="GRO"))["member"]["spendOptions"]
    assert [one["blockedBy"] for one in spent] == [["INSUFFICIENT_POINTS"]] * 2


async def test_a_history_that_needs_no_sums(runtime: Runtime, operator: Client, ann: dict[str, Any]) -> None:
    with counted(runtime) as statements:
        few = await operator.run(HISTORY, by=ann, first=1)
    once = len(statements)
    with counted(runtime) as statements:
        rows = (await operator.run(HISTORY, by=ann, first=20))["member"]["activity"]["edges"]
    assert len(statements) == once, "as many for all rows as for one"
    assert rows[:1] == few["member"]["activity"]["edges"]
    told = [(row["node"]["title"], row["node"]["transfers"]) for row in rows]
    assert told == [
        ("Topped up at Grocer", [{"currency": {"code": "GCARD"}, "points": 2000, "balanceAfter": 2000}]),
        ("Points spent at Fuel", [{"currency": {"code": "GRO"}, "points": -100, "balanceAfter": 700}]),
        ("Points earned at Grocer", [{"currency": {"code": "GRO"}, "points": 500, "balanceAfter": 800}]),
        ("Points earned at Grocer", [{"currency": {"code": "GRO"}, "points": 300, "balanceAfter": 300}]),
    ]


async def test_the_home_screen_costs_the_same_for_more(runtime: Runtime, operator: Client, ann: dict[str, Any]) -> None:
    (home,) = re.findall(r"```graphql\n(query Home .*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    value = ann["identifier"]["value"]
    home = home.replace('"900"', f'"{value}"')
    with counted(runtime) as statements:
        assert len((await operator.run(home))["member"]["assets"]) == 1
    once = len(statements)
    for _ in range(3):
        earn = {"merchant": "fuel", "member": ann, "channel": "STORE", "points": 10, "currency": "FUE"}
        await operator.do("earn", "EarnInput", "", **earn)
    with counted(runtime) as statements:
        assert len((await operator.run(home))["member"]["assets"]) == 2
    assert len(statements) == once <= 20


def test_every_kind_of_operation_has_a_title_in_every_language() -> None:
    for language, titles in TITLES.items():
        assert {kind.value for kind in OperationKind} <= titles.keys(), language
        assert all(title.strip() for title in titles.values())
    assert TITLES["en"].keys() == TITLES["zh-CN"].keys()


@pytest.mark.parametrize(
    ("policy", "english", "chinese"),
    [
        (ExpiryPolicy("rolling", months=12), "12 months", "12个月"),
        (ExpiryPolicy("rolling", days=30, round_up_to="month"), "30 days, to the end of the month", "30天，至当月末"),
        (ExpiryPolicy("fixed", on=date(2018, 1, 31)), "until 2018-01-31", "至2018-01-31"),
        (ExpiryPolicy("end_of_year", years=1), "until the end of the year + 1", "至1年后的年末"),
        (ExpiryPolicy("anniversary"), "until the anniversary of joining", "至入会周年日"),
        (ExpiryPolicy("inactivity", months=18), "18 months without activity", "连续18个月无活动后失效"),
        (ExpiryPolicy("never"), "never", "永不过期"),
    ],
)
def test_every_expiry_policy_is_said_in_words(policy: ExpiryPolicy, english: str, chinese: str) -> None:
    assert (in_words(policy, "en"), in_words(policy, "zh-CN")) == (english, chinese)
