"""Tags and their rules, as compiled from the alliance file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to be known of a member's purchases of the last `days` days, of these categories, at these merchants.

    `count`: how many orders; `sum`: what their lines came to, in minor units of `money` (None: the settlement
    currency); `days_since`: how many days ago the newest one was, `days` where there was none.
    """

    of: Literal["count", "sum", "days_since"]
    days: int
    category: tuple[str, ...] | None
    merchants: tuple[str, ...] | None
    money: str | None


@dataclass(frozen=True, slots=True)
class Tag:
    """A declared tag; with a `merchant` (its code) it is that one's own, else the alliance's.

    `when`: a condition in CEL, over `facts` and what else is known; None: it is put by hand.
    """

    code: str
    name: str
    merchant: str | None
    read: frozenset[str]
    when: str | None
    facts: Mapping[str, Fact]


def tag(stored: Mapping[str, Any]) -> Tag:
    """A tag of a stored row."""
    return Tag(
        code=stored["code"],
        name=stored["name"],
        merchant=stored.get("merchant"),
        read=frozenset(stored["read"]),
        when=stored.get("when"),
        facts={name: _fact(fact) for name, fact in stored["facts"].items()},
    )


def _fact(stored: Mapping[str, Any]) -> Fact:
    category, merchants = stored.get("category"), stored.get("merchants")
    return Fact(
        of=stored["of"],
        days=stored["days"],
        category=None if category is None else tuple(category),
        merchants=None if merchants is None else tuple(merchants),
        money=stored.get("money"),
    )
