"""From the rows of a file to lines of a feed, by the feed's mapping. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from alliance.accrual.errors import ColumnMissing, RowsDiffer
from alliance.intake.model import Line
from alliance.intake.rules import parse, read
from domain.errors import InvalidInput, Refusal
from domain.money import from_minor

REPORTED = ("error_line", "error_code", "error_path", "error_message")
"""Columns that a file of refusals adds; where such a file is fed back they say nothing."""

KEY_PREFIX = "row-key-"
_OF_A_LINE = ("ref", "sku", "category", "quantity")
_TENDERS = {
    "paid_money": "MONEY",
    "paid_points": "POINTS",
    "paid_coupon": "COUPON",
    "paid_stored_value": "STORED_VALUE",
}
_OF_A_ROW = {*_OF_A_LINE, "amount"}


class Row(NamedTuple):
    """A row as it was read: the line where it begins, the place after it, and the line there.

    `values` are in the order of the file's columns, `raw` is its text where there are no columns; or it is `broken`.
    """

    line: int
    end: int
    next_line: int
    values: Sequence[Any]
    raw: bytes | None = None
    broken: Refusal | None = None

    @property
    def content(self) -> str:
        """What is kept of it if it is refused: JSON."""
        if self.raw is not None:
            return self.raw.decode(errors="replace")
        return msgspec.json.encode([as_text(value) for value in self.values]).decode()


class Entry(NamedTuple):
    """A purchase, a return or a decision, with the rows that it stood in; or why it is none."""

    rows: Sequence[Row]
    said: "Line | Refusal"

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.rows[0].line


@dataclass(slots=True)
class FeedMapping:
    """What a feed's definition says of rows with these columns; `None` columns: each row is a line of /ingest.

    `money` is that of amounts that name none, `zone` that of times that name none, `digest` the file's.
    """

    merchant: str
    digest: str
    columns: Sequence[str] | None
    zone: ZoneInfo
    money: str
    by_line: bool = False
    format: str | None = None
    minor: bool = False
    comma: bool = False
    index: dict[str, int] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    words: dict[str, dict[str, str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        definition: Mapping[str, Any],
        *,
        merchant: str,
        digest: str,
        columns: Sequence[str],
        zone: ZoneInfo,
        money: str,
    ) -> "FeedMapping":
        """Raises ColumnMissing for a column that the definition names and the file has not."""
        if definition.get("columns") is None:
            return cls(merchant, digest, None, zone, money)
        times, amounts = definition["times"], definition["amounts"]
        named = {_snake(name): column for name, column in definition["columns"].items()}
        places = {column: place for place, column in enumerate(columns)}
        for column in named.values():
            if column not in places:
                raise ColumnMissing(column=column, path=(column,))
        return cls(
            merchant,
            digest,
            columns,
            ZoneInfo(times["timezone"]) if "timezone" in times else zone,
            amounts.get("currency", money),
            by_line=definition["rows"] == "line",
            format=times.get("format"),
            minor=amounts["unit"] == "minor",
            comma=amounts["decimal"] == ",",
            index={name: places[column] for name, column in named.items()},
            constants={_snake(name): value for name, value in definition["constants"].items()},
            words={_snake(name): words for name, words in definition["words"].items()},
            names=named,
        )

    def entries(self, rows: Iterable[Row]) -> Iterator[Entry]:
        """What the rows say, in order; rows of an order stand together."""
        if not self.by_line:
            for row in rows:
                yield Entry((row,), self._read((row,)))
            return
        group: list[Row] = []
        for row in rows:
            if group and (row.broken is not None or self.group_of(row) != self.group_of(group[0])):
                yield Entry(group, self._read(group))
                group = []
            group.append(row)
            if row.broken is not None:
                yield Entry(group, row.broken)
                group = []
        if group:
            yield Entry(group, self._read(group))

    def group_of(self, row: Row) -> tuple[str, ...]:
        """What rows of one order have in common; nothing is in common with a row that says nothing of it."""
        text = self._said("key" if "key" in self.index else "order_ref", row.values)
        return (text,) if text else (text, str(row.line))

    def _read(self, rows: Sequence[Row]) -> Line | Refusal:
        first = rows[0]
        if first.broken is not None:
            return first.broken
        try:
            if self.columns is None:
                return parse(without_report(first.raw or b""))
            self._require_same(rows)
            return read(self._line(rows))
        except Refusal as refusal:
            return refusal

    def placed(self, path: Sequence[str]) -> tuple[str, ...]:
        """A path into a line as the column that it came from, where there is one."""
        if not path or self.columns is None:
            return tuple(path)
        name = ""
        match path[0], path[1:]:
            case "member", ("identifier", *rest):
                name = {"type": "member_type", "issuer": "member_issuer"}.get(rest[0] if rest else "", "member")
            case "member", rest:
                name = {"type": "member_type", "issuer": "member_issuer"}.get(rest[0] if rest else "", "member")
            case "lines", (_, part, *_):
                name = part
            case "amount" | "paid", ("currency", *_):
                name = "money"
            case "paid", _:
                name = "amount"
            case "tenders", (place, *_):
                kinds = [tender for tender in _TENDERS if tender in self.index]
                name = kinds[int(place)] if place.isdigit() and int(place) < len(kinds) else ""
            case "idempotencyKey", _:
                name = "key"
            case "operation", _:
                name = "of"
            case head, _:
                name = _snake(head)
        column = self.names.get(name)
        return tuple(path) if column is None else (column,)

    def _require_same(self, rows: Sequence[Row]) -> None:
        """Raises RowsDiffer where rows of an order do not agree about it."""
        first = rows[0]
        for row in rows[1:]:
            for name, place in self.index.items():
                if name not in _OF_A_ROW and first.values[place] != row.values[place]:
                    raise RowsDiffer(column=self.names[name], line=row.line, path=(_camel(name),))

    def _line(self, rows: Sequence[Row]) -> dict[str, Any]:
        """The line as a feed would send it. Raises InvalidInput."""
        first, values = rows[0], rows[0].values
        kind = self._said("type", values) or "PURCHASE"
        key = self._said("key", values)
        line: dict[str, Any] = {
            "key": f"{KEY_PREFIX}{key}" if key else f"{self.digest[:32]}-{first.line}",
            "merchant": self.merchant,
            "member": {"type": self._said("member_type", values), "value": self._said("member", values)},
            "channel": self._said("channel", values),
        }
        if issuer := self._said("member_issuer", values):
            line["member"]["issuer"] = issuer
        if store := self._said("store", values):
            line["store"] = store
        if moment := self._moment(values):
            line["occurredAt"] = moment
        if kind == "PURCHASE":
            self._purchase(line, rows)
            return line
        line["type"] = kind
        match kind:
            case "RETURN":
                self._return(line, rows)
            case "TOP_UP":
                self._top_up(line, values)
            case _:
                self._name(line, "of", values)
        return line

    def _purchase(self, line: dict[str, Any], rows: Sequence[Row]) -> None:
        values = rows[0].values
        self._name(line, "order_ref", values)
        self._name(line, "currency", values)
        if "points" in self.index:
            self._name(line, "points", values)
            return
        if self.by_line or any(name in self.index or name in self.constants for name in _OF_A_LINE):
            line["lines"] = [self._article(row.values) for row in rows]
        else:
            line["amount"] = self._money("amount", values)
        tenders = [
            {"kind": kind, "amount": self._money(name, values)}
            for name, kind in _TENDERS.items()
            if name in self.index and self._said(name, values)
        ]
        if tenders:
            line["tenders"] = tenders

    def _article(self, values: Sequence[Any]) -> dict[str, Any]:
        article: dict[str, Any] = {"amount": self._money("amount", values)}
        for name in _OF_A_LINE:
            self._name(article, name, values)
        return article

    def _return(self, line: dict[str, Any], rows: Sequence[Row]) -> None:
        """Articles where the rows name them, else an amount if there is one, else all that is left."""
        values = rows[0].values
        self._name(line, "of", values)
        for name in ("restore", "merchant_at_fault"):
            if text := self._said(name, values):
                line[_camel(name)] = {"true": True, "false": False}.get(text, text)
        if self._said("ref", values):
            parts: list[dict[str, Any]] = []
            for row in rows:
                part: dict[str, Any] = {"ref": self._said("ref", row.values)}
                self._name(part, "quantity", row.values)
                parts.append(part)
            line["lines"] = parts
        elif self._said("amount", values):
            line["amount"] = self._money("amount", values)

    def _top_up(self, line: dict[str, Any], values: Sequence[Any]) -> None:
        line["paid"] = self._money("amount", values)
        if self._said("bonus", values):
            line["bonus"] = self._money("bonus", values)
        self._name(line, "order_ref", values)
        self._name(line, "currency", values)

    def _name(self, line: dict[str, Any], name: str, values: Sequence[Any]) -> None:
        """Take over what is said, if anything is."""
        if text := self._said(name, values):
            line[_camel(name)] = text

    def _said(self, name: str, values: Sequence[Any]) -> str:
        place = self.index.get(name)
        if place is None:
            return self.constants.get(name, "")
        value = values[place]
        text = value.strip() if isinstance(value, str) else as_text(value)
        words = self.words.get(name)
        return text if words is None else words.get(text, text)

    def _money(self, name: str, values: Sequence[Any]) -> dict[str, str]:
        text, currency = self._said(name, values), self._said("money", values) or self.money
        if self.comma:
            if "." in text:
                raise InvalidInput(reason="decimals are written with a comma here", path=(_camel(name),))
            text = text.replace(",", ".")
        elif self.minor:
            if not (text.isascii() and text.lstrip("-").isdigit()) or len(text) > 18:
                raise InvalidInput(reason="minor units are a whole number", path=(_camel(name),))
            text = from_minor(int(text), currency)
        return {"amount": text, "currency": currency}

    def _moment(self, values: Sequence[Any]) -> datetime | None:
        """When it happened, in UTC. Where clocks were turned back, the first of the two times that a text names."""
        place = self.index.get("occurred_at")
        value = None if place is None else values[place]
        if not isinstance(value, datetime):
            if isinstance(value, date):
                value = datetime.combine(value, time())
            elif text := as_text(value):
                value = self._parsed(text)
            else:
                return None
        try:
            return (value if value.tzinfo is not None else value.replace(tzinfo=self.zone)).astimezone(UTC)
        except (OverflowError, ValueError):
            raise InvalidInput(reason="no such time", path=("occurredAt",)) from None

    def _parsed(self, text: str) -> datetime:
        try:
            if self.format is None:
                return datetime.fromisoformat(text)
            return datetime.strptime(text, self.format)  # noqa: DTZ007 (the zone is added where none is named)
        except ValueError:
            shape = self.format or "ISO 8601, such as 2017-01-31T13:45:00"
            raise InvalidInput(reason=f"{text[:40]!r} is not written as {shape}", path=("occurredAt",)) from None


def as_text(value: Any) -> str:
    """A value as a CSV would have it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return value.isoformat() if isinstance(value, date) else str(value).strip()


def without_report(raw: bytes) -> bytes:
    """A line as it was before a file of refusals said why it was one."""
    if b'"error_code"' not in raw:
        return raw
    try:
        line = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return raw
    if not isinstance(line, dict):
        return raw
    return msgspec.json.encode({name: value for name, value in line.items() if name not in REPORTED})


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
