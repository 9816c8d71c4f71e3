"""Departments become brands: what one basket is to the alliance, as lines of a feed.

What the data does not say (by what a household is recognised, and when it spends) is drawn by hashing who and when, so
that every run draws the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from server.replay.journey import ZONE, Basket, Line

MONEY = "USD"


@dataclass(frozen=True, slots=True)
class Brand:
    """A merchant of replay.yaml, the departments that are its, and the points it grants."""

    code: str
    currency: str
    departments: frozenset[str]


BRANDS = (
    Brand("grocer", "GRO", frozenset()),
    Brand("fuel", "FUE", frozenset({"FUEL"})),
    Brand("pharmacy", "PHA", frozenset({"DRUG GM", "COSMETICS"})),
    Brand("restaurant", "RES", frozenset({"RESTAURANT", "CHEF SHOPPE", "SALAD BAR"})),
    Brand("florist", "GRO", frozenset({"FLORAL", "GARDEN CENTER"})),
    Brand("bakery", "BAK", frozenset({"PASTRY"})),
    Brand("nutrition", "NUT", frozenset({"NUTRITION"})),
    Brand("wines", "WIN", frozenset({"SPIRITS"})),
)
"""The first is who has all departments that no other has."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a household bought at one brand in one visit."""

    brand: Brand
    basket: Basket
    lines: tuple[Line, ...]

    @property
    def at(self) -> datetime:
        """When, in the stores' zone."""
        return local(self.basket.at)

    @property
    def total(self) -> int:
        """Cents, before tenders."""
        return sum(line.amount for line in self.lines)

    @property
    def currency(self) -> str:
        """Whose points it earns: at the filling station, every third household collects the grocer's."""
        collects = self.brand.code == "fuel" and draw("collects", self.basket.household) < 1 / 3
        return "GRO" if collects else self.brand.currency


def local(seconds: int) -> datetime:
    """An instant in the stores' zone."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(ZONE)


def draw(*what: object) -> float:
    """A number from 0 to 1 that is as good as random, and the same for the same `what`."""
    return int.from_bytes(blake2b(repr(what).encode(), digest_size=6).digest(), "big") / 2**48


def has_app(household: int) -> bool:
    """Half of the households enrol in the app; the others are enrolled by the till that first sees their card."""
    return household % 2 == 1


def card(household: int) -> dict[str, str]:
    """The grocer's card, which every brand of the alliance takes."""
    return {"type": "CARD", "issuer": "grocer", "value": f"{household:08d}"}


def app_user(household: int) -> dict[str, str]:
    """The user of the app."""
    return {"type": "APP_USER", "value": f"app-{household}"}


def phone(household: int) -> dict[str, str]:
    """A telephone number."""
    return {"type": "PHONE", "value": f"+1614555{household:04d}"}


def purchases_of(basket: Basket, brands: int) -> Iterator[Purchase]:
    """One purchase for each of the first `brands` brands that the basket has something of."""
    owned: set[str] = set()
    for brand in BRANDS[1:brands]:
        owned |= brand.departments
        if lines := tuple(line for line in basket.lines if line.department in brand.departments):
            yield Purchase(brand, basket, lines)
    if rest := tuple(line for line in basket.lines if line.department not in owned):
        yield Purchase(BRANDS[0], basket, rest)


def feed_line(purchase: Purchase, spent: int = 0, operation: str | None = None) -> dict[str, Any]:
    """The purchase as a line of a feed; `spent` cents of it were paid in points by `operation`."""
    basket, household = purchase.basket, purchase.basket.household
    channel, member = _recognised(basket)
    return {
        "key": f"{purchase.brand.code}-{basket.store}-{basket.id}",
        "merchant": purchase.brand.code,
        "member": member if member is not None else card(household),
        "channel": channel,
        "store": str(basket.store),
        "orderRef": str(basket.id),
        "occurredAt": purchase.at.isoformat(),
        "currency": purchase.currency,
        "tenders": list(_tenders(purchase, spent, operation)),
        "lines": [
            {
                "ref": str(number),
                "sku": str(line.product),
                "category": line.department,
                "quantity": str(line.quantity),
                "amount": money(line.amount),
            }
            for number, line in enumerate(purchase.lines, 1)
        ],
    }


def money(cents: int) -> dict[str, str]:
    """An amount as it is sent."""
    return {"amount": f"{cents // 100}.{cents % 100:02d}", "currency": MONEY}


def _recognised(basket: Basket) -> tuple[str, dict[str, str] | None]:
    """By which channel the order came, and what identified the member there; None is the card."""
    chance = draw("channel", basket.id)
    if not has_app(basket.household) or chance < 0.5:
        return "STORE", None
    if chance < 0.9:
        return "APP", app_user(basket.household)
    return "KIOSK", phone(basket.household)


def _tenders(purchase: Purchase, spent: int, operation: str | None) -> Iterator[dict[str, Any]]:
    coupons = min(sum(line.coupon for line in purchase.lines), purchase.total - spent)
    if spent:
        yield {"kind": "POINTS", "amount": money(spent), "operation": operation}
    if coupons:
        yield {"kind": "COUPON", "amount": money(coupons)}
    yield {"kind": "MONEY", "amount": money(purchase.total - spent - coupons)}
