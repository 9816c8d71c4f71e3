"""Alliances made up for tests: a small one in words, and Hypothesis strategies for many."""

from datetime import date, timedelta
from io import StringIO
from typing import Any

from hypothesis import strategies as st
from ruamel.yaml import YAML

SMALL = """\
alliance: {code: two, name: Two, settlementCurrency: USD, timezone: America/New_York, consent: operator}
merchants:
  - code: grocer
    name: Grocer
    jurisdiction: US-OH
    currencies: [{code: GRO, kind: points, name: Grocer points}]
    earning:
      - {code: base, version: 1, from: 2017-01-01, points: 1, per: {amount: "1.00", currency: USD}}
  - code: fuel
    name: Fuel
    jurisdiction: US-OH
    currencies: [{code: FUE, kind: points, name: Fuel points}]
agreements:
  - merchants: [grocer, fuel]
    version: 1
    from: 2017-01-01
    exchange: [{from: GRO, to: FUE, rate: "0.8", clearingValue: {amount: "0.008", currency: USD}}]
    redeem: [{at: fuel, of: GRO, redemptionPrice: {amount: "0.009", currency: USD}}]
"""

FIRST_DAY = date(2017, 1, 1)

names = st.one_of(
    st.sampled_from(
        ["no", "null", "~", "1.5", "330", "2017-01-01", "a: b", "# x", "Café 北京", "'", '"', "- a", "{}", "=", "?0"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12),
)
cents = st.integers(0, 10_000).map(lambda value: f"{value / 100:.2f}")
shares = st.integers(0, 10).map(lambda tenths: f"{tenths / 10:.1f}")


def money(places: int, most: int) -> st.SearchStrategy[dict[str, str]]:
    """Money in dollars, more than none."""
    return st.integers(1, most).map(lambda value: {"amount": f"{value / 10**places:.{places}f}", "currency": "USD"})


def some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these keys."""
    return st.fixed_dictionaries({}, optional=keys)


expiries = st.one_of(
    st.just({"policy": "never"}),
    st.builds(lambda n: {"policy": "rolling", "days": n}, st.integers(1, 900)),
    st.builds(
        lambda n, p: {"policy": "rolling", "months": n, "roundUpTo": p},
        st.integers(1, 60),
        st.sampled_from(["month", "quarter", "year"]),
    ),
    st.builds(lambda n: {"policy": "end_of_year", "years": n}, st.integers(0, 5)),
    st.just({"policy": "fixed", "on": date(2030, 2, 28)}),
)
redemptions = some(
    unit=st.integers(1, 500), minimum=st.integers(1, 500), maxShare=st.just("0.5"), maxMoney=money(2, 5000)
)
gifts = some(allowed=st.booleans(), maxPoints=st.integers(1, 500), perDay=st.integers(1, 9), maxDepth=st.integers(1, 9))
policy_terms = st.one_of(
    some(worth=money(4, 500), expiry=expiries, negative=st.sampled_from(["never", "by_reversal"]), gifts=gifts),
    st.builds(lambda worth, terms: {"worth": worth, "redemption": terms}, money(4, 500), redemptions),
)
rule_terms = some(
    priority=st.integers(-5, 5),
    stacks=st.booleans(),
    when=st.just({"category": ["A", "B"]}),
    round=some(
        mode=st.sampled_from(["floor", "half_up", "half_even", "ceiling"]), by=st.sampled_from(["line", "order"])
    ),
    **{"except": st.just({"category": ["no"]})},
)
gives = st.one_of(
    st.builds(lambda points, per: {"points": points, "per": per}, st.integers(0, 50), money(2, 5000)),
    st.sampled_from([{"multiplier": 2}, {"multiplier": "1.5"}, {"multiplier": "3.0"}]),
)


@st.composite
def versions(draw: st.DrawFn, terms: st.SearchStrategy[dict[str, Any]], first: int = 1) -> list[dict[str, Any]]:
    """Versions that follow one another, with gaps in numbers and days."""
    day, made = FIRST_DAY, []
    for number in range(first, first + draw(st.integers(0, 3))):
        day += timedelta(days=draw(st.integers(1, 400)))
        made.append(draw(terms) | {"version": number * 2, "from": day})
    return made


ACCOUNT = {"iban": "DE89370400440532013000", "bic": "COBADEFFXXX", "name": "House"}


@st.composite
def merchants(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """A merchant with a currency or two of its own."""
    codes = [f"P{index}{letter}" for letter in "AB"[: draw(st.integers(1, 2))]]
    currencies = [
        draw(policy_terms)
        | {"code": code, "kind": "points", "name": draw(names), "default": code == codes[0]}
        | {"policies": draw(versions(policy_terms, first=2))}
        for code in codes
    ]
    if draw(st.booleans()):
        currencies.append(
            {"code": f"P{index}S", "kind": "stamps", "name": draw(names), "card": draw(st.integers(1, 12))}
        )
    beside = [{"of": currency["code"]} for currency in currencies] + [{}]
    rules = [
        version | {"code": f"rule-{number}"}
        for number in range(draw(st.integers(0, 2)))
        for version in draw(versions(st.builds(lambda a, b, c: a | b | c, gives, rule_terms, st.sampled_from(beside))))
    ]
    optional = some(
        timezone=st.sampled_from(["UTC", "Asia/Shanghai", "America/Sao_Paulo"]),
        settings=some(enrolOnPurchase=st.booleans(), uniqueOrders=st.booleans(), clawback=st.just("none")),
        settlement=some(creditLimit=cents, collateral=cents, reserve=cents, account=st.just(ACCOUNT)),
        stores=st.lists(names, unique=True, max_size=3).map(lambda codes: [{"code": c, "name": c} for c in codes]),
    )
    named = {"code": f"m{index}", "name": draw(names), "jurisdiction": "CN", "currencies": currencies, "earning": rules}
    return named | draw(optional)


def agreement_terms(one: str, other: str) -> st.SearchStrategy[dict[str, Any]]:
    """What two merchants, by index, may agree on; rates of at most 1 make no loop gain."""
    rates = st.integers(1, 100).map(lambda value: f"{value / 100}")
    exchange = st.builds(
        lambda rate, value, block: {
            "from": f"P{one}A",
            "to": f"P{other}A",
            "rate": rate,
            "clearingValue": value,
            "block": block,
        },
        rates,
        money(6, 20_000),
        st.integers(1, 500),
    )
    earn = st.builds(
        lambda price, share: {"at": f"m{one}", "of": f"P{other}A", "issuePrice": price, "share": share},
        money(4, 500),
        shares,
    )
    redeem = st.builds(
        lambda price, past: {"at": f"m{other}", "of": f"P{one}A", "redemptionPrice": price, "pastReserve": past},
        money(4, 500),
        st.sampled_from(["accept", "refuse"]),
    )
    right = st.builds(
        lambda price: {"grantor": f"m{one}", "at": f"m{other}", "kind": "wash", "price": price}, money(2, 500)
    )
    fee = st.builds(lambda share: {"for": ["redeem", "earn"], "share": share, "payer": "issuer"}, shares)
    much = {"amount": "100000.00", "currency": "USD"}
    subsidies = [{"of": f"P{index}A", "budget": much, "perRoundTrip": much} for index in (one, other)]
    return st.builds(
        lambda terms: terms | {"subsidies": subsidies},
        some(
            exchange=exchange.map(lambda item: [item]),
            earn=earn.map(lambda item: [item]),
            redeem=redeem.map(lambda item: [item]),
            rights=right.map(lambda item: [item]),
            fees=fee.map(lambda item: [item]),
        ),
    )


@st.composite
def alliances(draw: st.DrawFn) -> dict[str, Any]:
    """A small alliance, as the values of its file."""
    count = draw(st.integers(1, 3))
    header = {
        "code": "some",
        "name": draw(names),
        "settlementCurrency": "USD",
        "timezone": draw(st.sampled_from(["UTC", "America/New_York"])),
        "consent": draw(st.sampled_from(["operator", "merchants"])),
        "settlement": draw(some(mode=st.just("custodian"))) | {"account": ACCOUNT},
    }
    cycle = some(
        every=st.sampled_from(["day", "half_month", {"business": 5}]),
        cutOff=st.just("18:15"),
        objectionDays=st.just({"business": 2}),
        minPayment=cents,
    )
    agreements = [
        version | {"merchants": [f"m{a}", f"m{b}"]}
        for a in range(count)
        for b in range(a)
        for version in draw(versions(agreement_terms(str(a), str(b))))
    ]
    attribute = some(personal=st.booleans(), merchant=st.just("m0"), read=st.just([]), write=st.just(["member"]))
    attributes = [
        draw(attribute) | {"code": "a0", "name": draw(names), "type": "date"},
        draw(attribute) | {"code": "a1", "name": draw(names), "type": "choices", "choices": ["x", "y"]},
    ]
    types = [{"type": "CARD", "issuer": "merchant", "unique": "issuer"}, {"type": "PHONE", "unique": "alliance"}]
    return {
        "alliance": header
        | draw(some(cycle=cycle, calendar=st.just("US-OH"), workingDays=st.just([date(2017, 7, 4)]))),
        "identifiers": draw(st.lists(st.sampled_from(types), unique_by=lambda item: str(item["type"]))),
        "merchants": [draw(merchants(index)) for index in range(count)],
        "agreements": agreements,
    } | draw(some(members=some(attributes=st.just(attributes))))


def written(values: dict[str, Any]) -> str:
    """The values as a file."""
    text = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_style = '"'
    yaml.representer.ignore_aliases = lambda _: True
    yaml.dump(values, text)
    return text.getvalue()
