"""What members do besides buying: join in the app, spend points on an order, exchange some between brands.

Nothing of it depends on a balance, so that a replay that was interrupted asks for the very same again, and gets the
same answers: who has too few points is refused.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from server.replay.brands import BRANDS, Purchase, app_user, card, draw, has_app, local, phone, purchases_of
from server.replay.client import Call, Client
from server.replay.journey import Basket

SPENDING = 0.12
"""Share of the orders that their household wants to pay in points, in part."""
EXCHANGING = 0.10
"""Share of the households that want to exchange points, of those that shop in a week."""
VISITS_BEFORE = 4
"""Who has been there less often does neither."""
SMALLEST, LARGEST = 20, 500
"""Points that are spent on an order."""

ENROL = """mutation Enrol($input: EnrolMemberInput!) {
  enrolMember(input: $input) { __typename ... on UserError { code message } }
}"""
REDEEM = """mutation Redeem($input: RedeemInput!) {
  redeem(input: $input) {
    __typename
    ... on Redeemed { points worth { amount } operation { id } }
    ... on UserError { code message }
  }
}"""
QUOTE = """mutation Quote($input: QuoteExchangeInput!) {
  quoteExchange(input: $input) { __typename ... on Quoted { quote { id } } ... on UserError { code message } }
}"""
EXCHANGE = """mutation Exchange($input: ExchangePointsInput!) {
  exchangePoints(input: $input) { __typename ... on Exchanged { pointsOut } ... on UserError { code message } }
}"""


@dataclass(frozen=True, slots=True)
class Paid:
    """What part of an order was paid in points: cents, and the redemption."""

    cents: int
    operation: str


@dataclass(slots=True)
class Week:
    """What happens from one Monday to the next; `paid` and `refused` fill as it is carried out."""

    number: int
    ends: datetime
    purchases: list[Purchase]
    joining: list[Basket] = field(default_factory=list)
    spending: list[tuple[Purchase, str, int]] = field(default_factory=list)
    exchanging: list[tuple[Basket, str, str, int]] = field(default_factory=list)
    paid: dict[str, Paid] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)


def plan(number: int, ends: datetime, baskets: Sequence[Basket], visits: Counter[int], brands: int) -> Week:
    """A week from its baskets. `visits` counts each household's baskets so far, and is brought forward."""
    week = Week(number, ends, [purchase for basket in baskets for purchase in purchases_of(basket, brands)])
    known = Counter(visits)
    last: dict[int, Basket] = {}
    for basket in baskets:
        if has_app(basket.household) and not visits[basket.household]:
            week.joining.append(basket)
        visits[basket.household] += 1
        last[basket.household] = basket
    for purchase in week.purchases:
        if known[purchase.basket.household] >= VISITS_BEFORE and (spends := _spending(purchase, brands)):
            week.spending.append((purchase, *spends))
    for household, basket in last.items():
        if known[household] >= VISITS_BEFORE and (exchanges := _exchange(household, number, brands)):
            week.exchanging.append((basket, *exchanges))
    return week


def _spending(purchase: Purchase, brands: int) -> tuple[str, int] | None:
    """Which points, and how many, a household wants to spend on an order: at most half of it, a cent a point."""
    basket, brand = purchase.basket, purchase.brand
    if draw("spends", basket.id, brand.code) >= SPENDING:
        return None
    points = min(purchase.total // 2, LARGEST) // 10 * 10
    if points < SMALLEST:
        return None
    own = brand.currency
    partners = [other.currency for other in BRANDS[1:brands] if other.currency not in (own, "GRO")]
    chance = draw("spends what", basket.id, brand.code)
    if chance < 0.6:
        return own, points
    if brand is BRANDS[0]:
        return partners[int(chance * 1000) % len(partners)], points
    return "GRO", points


def _exchange(household: int, week: int, brands: int) -> tuple[str, str, int] | None:
    """From which points to which, and how many, a household wants to exchange this week."""
    if draw("exchanges", household, week) >= EXCHANGING:
        return None
    partners = [brand.currency for brand in BRANDS[1:brands] if brand.currency != "GRO"]
    partner = partners[int(draw("exchanges what", household, week) * len(partners))]
    points = 100 + 50 * int(draw("exchanges how much", household, week) * 3)
    both = ("GRO", partner) if draw("exchanges which way", household, week) < 0.7 else (partner, "GRO")
    return *both, points


def joining(client: Client, week: Week) -> Iterator[Call]:
    """Calls: households enrol in the app, with all they can be recognised by."""
    for basket in week.joining:
        yield partial(_join, client, week, basket)


def acting(client: Client, week: Week) -> Iterator[Call]:
    """Calls: orders are paid in points, and points are exchanged."""
    for purchase, currency, points in week.spending:
        yield partial(_spend, client, week, purchase, currency, points)
    for basket, source, target, points in week.exchanging:
        yield partial(_exchange_points, client, week, basket, source, target, points)


async def _join(client: Client, week: Week, basket: Basket) -> None:
    household = basket.household
    sent = {
        "idempotencyKey": f"join-app-{household}",
        "merchant": "grocer",
        "channel": "APP",
        "identifiers": [app_user(household), phone(household), card(household)],
    }
    answer = await client.call(ENROL, {"input": sent}, local(basket.at))
    _note(week, answer, "Enrolled")


async def _spend(client: Client, week: Week, purchase: Purchase, currency: str, points: int) -> None:
    basket, brand = purchase.basket, purchase.brand
    sent = {
        "idempotencyKey": f"spend-{brand.code}-{basket.id}",
        "merchant": brand.code,
        "member": {"identifier": card(basket.household)},
        "channel": "STORE",
        "store": str(basket.store),
        "orderRef": str(basket.id),
        "currency": currency,
        "points": points,
        "occurredAt": purchase.at.isoformat(),
    }
    answer = await client.call(REDEEM, {"input": sent}, purchase.at)
    if _note(week, answer, "Redeemed"):
        week.paid[f"{brand.code}-{basket.id}"] = Paid(cents_of(answer["worth"]["amount"]), answer["operation"]["id"])


async def _exchange_points(client: Client, week: Week, basket: Basket, source: str, target: str, points: int) -> None:
    named = f"{basket.household}-{week.number}"
    sent = {
        "idempotencyKey": f"quote-{named}",
        "member": {"identifier": card(basket.household)},
        "from": source,
        "to": target,
        "pointsOut": points,
    }
    at = local(basket.at)
    quoted = await client.call(QUOTE, {"input": sent}, at)
    if _note(week, quoted, "Quoted"):
        accepted = {"idempotencyKey": f"exchange-{named}", "quote": quoted["quote"]["id"]}
        _note(week, await client.call(EXCHANGE, {"input": accepted}, at), "Exchanged")


def cents_of(amount: str) -> int:
    """An amount of money as the API writes it, in cents."""
    whole, _, cents = amount.partition(".")
    return int(whole) * 100 + int(cents or 0)


def _note(week: Week, answer: dict[str, Any], success: str) -> bool:
    """Whether it is the success; a refusal is counted."""
    if answer["__typename"] == success:
        return True
    week.refused[answer["code"]] += 1
    return False
