"""The gaps of a message's text, filled: names, figures and dates as the language writes them."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from alliance.messages.reach import Person
from domain.messages.model import MessageKind
from domain.messages.texts import GAPS, day, moment, number
from domain.money import from_minor
from domain.programs.catalogue import Catalogue, Merchant


def gaps(
    catalogue: Catalogue, merchant: Merchant, kind: MessageKind, data: dict[str, Any], person: Person, language: str
) -> dict[str, str]:
    """What the gaps of a kind are filled with; all of them, empty where there is nothing to say."""
    filled = dict.fromkeys(GAPS[kind], "") | {"merchant": merchant.name, "number": person.number}
    for points, currency in (("points", "currency"), ("into_points", "into_currency")):
        if points in data:
            known = catalogue.currencies[data[currency]]
            money = known.policies[0].worth_currency if known.kind == "stored_value" else None
            amount = Decimal(from_minor(data[points], money)) if money else data[points]
            filled |= {points: number(amount, language), currency: known.name}
    if ends := data.get("ends") or data.get("until"):
        filled["day"] = _last_day(ends, merchant, language, sold=kind is MessageKind.POINTS_SOLD)
    if kind is MessageKind.TIER_CHANGED:
        levels = {level.code: level.name for level in merchant.tiers.levels} if merchant.tiers else {}
        filled |= {name: levels.get(data[name], data[name]) for name in ("tier", "previous") if data.get(name)}
    if kind is MessageKind.ACCOUNT_GUARDED and data.get("open_at"):
        at = datetime.fromisoformat(data["open_at"]).astimezone(merchant.timezone)
        filled["until"] = moment(at, language)
    return filled | {name: data[name] for name in ("change", "detail", "guard") if name in data}


def _last_day(instant: str, merchant: Merchant, language: str, *, sold: bool) -> str:
    """The last day before an instant, in the merchant's zone; for a sale, its day."""
    at = datetime.fromisoformat(instant).astimezone(merchant.timezone)
    return day((at if sold else at - timedelta(microseconds=1)).date(), language)
