"""How a partner's file is written: from the alliance file's `partnerFiles`, or as our own statements are. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from domain.money import MICRO

OWN = "statement"
"""The name of the mapping that nobody has to declare: a file in the shape of our statements."""

_BOTH = {"orderRef": "orderRef", "date": "occurredAt", "kind": "kind", "points": "points"}
STATEMENT: dict[str, dict[str, Any]] = {
    "csv": {
        "format": "csv",
        "columns": {
            "key": ["reference", "seq"],
            **_BOTH,
            "amount": "change",
            "currency": "amountCurrency",
            "partner": "partner",
        },
        "only": {"column": "type", "values": ["line", "adjustment"]},
        "balances": True,
        "guarded": True,
    },
    "jsonl": {
        "format": "jsonl",
        "columns": {
            "key": ["reference", "seq"],
            **_BOTH,
            "amount": "amount.amount",
            "currency": "amount.currency",
            "debtor": "debtor",
            "creditor": "creditor",
        },
        "only": {"column": "type", "values": ["line", "adjustment"]},
        "trailer": {
            "column": "type",
            "value": "trailer",
            "count": "count",
            "sum": "sum",
            "sumOf": "net",
            "first": "first",
            "last": "last",
        },
    },
}
"""Our own statements, as a partner's file in the same shape is read."""


@dataclass(frozen=True, slots=True)
class Trailer:
    """The row whose `column` says `value`, and where it says how many lines there are and what they come to.

    `net`: the sum is of what is to be received; else of the amounts as they are written.
    """

    column: str
    value: str
    count: str
    sum: str | None = None
    first: str | None = None
    last: str | None = None
    net: bool = False


@dataclass(frozen=True, slots=True)
class Tolerance:
    """By how much a matched line may differ: millionths, and days."""

    amount: int = 0
    days: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """What each column says, and how. `positive` amounts are to be received (or else paid) by who sends the file.

    `only` names the column whose values tell which rows are lines. `balances`: rows of opening and closing balances
    stand around the lines, and must agree with them. `guarded`: a quote stands before what looks like a formula.
    """

    name: str
    format: str
    columns: Mapping[str, tuple[str, ...]]
    zone: ZoneInfo
    encoding: str = "utf-8-sig"
    delimiter: str = ","
    header: bool = True
    dates: str | None = None
    by_booking: bool = False
    minor: bool = False
    decimal: str = "."
    thousands: str = ""
    receives: bool = True
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    partner: str | None = None
    only: tuple[str, frozenset[str]] | None = None
    trailer: Trailer | None = None
    balances: bool = False
    guarded: bool = False
    tolerance: Tolerance = Tolerance()
    cut_off_days: int = 0

    @classmethod
    def of(cls, name: str, definition: Mapping[str, Any], zone: ZoneInfo) -> "Shape":
        """From JSON, as the alliance file has it; `zone` is that of times which name none."""
        dates, amounts = definition.get("dates", {}), definition.get("amounts", {})
        tolerance, only = definition.get("tolerance", {}), definition.get("only")
        trailer, encoding = definition.get("trailer"), definition.get("encoding", "utf-8")
        columns = definition["columns"].items()
        return cls(
            name=name,
            format=definition["format"],
            columns={key: tuple(said) if isinstance(said, list) else (said,) for key, said in columns},
            zone=ZoneInfo(dates["timezone"]) if "timezone" in dates else zone,
            # A mark of the byte order may stand before either.
            encoding="utf-8-sig" if encoding == "utf-8" else encoding,
            delimiter=definition.get("delimiter", ","),
            header=definition.get("header", True),
            dates=dates.get("format"),
            by_booking=dates.get("of", "occurred") == "booked",
            minor=amounts.get("unit", "major") == "minor",
            decimal=amounts.get("decimal", "."),
            thousands=amounts.get("thousands", ""),
            receives=amounts.get("positive", "receive") == "receive",
            words=definition.get("words", {}),
            partner=definition.get("partner"),
            only=None if only is None else (only["column"], frozenset(only["values"])),
            trailer=None if trailer is None else _trailer(trailer),
            balances=definition.get("balances", False),
            guarded=definition.get("guarded", False),
            tolerance=Tolerance(int(Decimal(tolerance.get("amount", "0")) * MICRO), tolerance.get("days", 0)),
            cut_off_days=definition.get("cutOffDays", 0),
        )


def _trailer(said: Mapping[str, Any]) -> Trailer:
    names = {name: said[name] for name in ("column", "value", "count", "sum", "first", "last") if name in said}
    return Trailer(**names, net=said.get("sumOf", "written") == "net")
