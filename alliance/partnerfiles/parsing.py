"""From records to lines that can be matched, by a file's shape; and what its end says of the whole. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from alliance.clearing.model import ObligationKind
from alliance.partnerfiles.errors import FileColumnMissing, PartnerFileUnreadable, TrailerDiffers, TrailerMissing
from alliance.partnerfiles.reading import Broken, Record, column_of
from alliance.partnerfiles.shape import Shape
from alliance.statements.rules import micro
from domain.money import exponent

PROBLEMS_KEPT = 100
"""Of a file; it is refused whole for the first of them."""

LONGEST = 200
"""Characters of a key or an order's reference."""

_AMOUNT = re.compile(r"([+-]?)(\d{1,12})(?:\.(\d{1,18}))?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_KINDS = frozenset(ObligationKind)


class Line(NamedTuple):
    """A line of theirs. `amount` is in millionths, positive what the sender receives; `written` as it stood there."""

    line_no: int
    key: str | None
    order_ref: str | None
    on: date | None
    amount: int
    written: int
    points: int | None
    kind: str | None
    other_id: UUID | None


class Problem(NamedTuple):
    """What is wrong where; `column` is empty for the line as a whole."""

    line: int
    column: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return self._asdict()


class _Wrong(Exception):
    """A value that cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


@dataclass(frozen=True, slots=True)
class House:
    """What is known of here: the sender's code, the ids of all by code, the currency that is settled in."""

    merchant: str
    ids: Mapping[str, UUID]
    currency: str


@dataclass(slots=True)
class Tally:
    """What was read so far. `taken` says which column each meaning was read from."""

    lines: int = 0
    amount: int = 0
    written: int = 0
    first: str | None = None
    last: str | None = None
    openings: int = 0
    closings: int = 0
    balances: int = 0
    skipped: int = 0
    trailer: dict[str, Any] | None = None
    trailer_line: int = 0
    problems: int = 0
    kept: list[Problem] = field(default_factory=list)
    taken: dict[str, str] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Count a line."""
        self.lines += 1
        self.amount += line.amount
        self.written += line.written
        self.last = line.key
        if self.lines == 1:
            self.first = line.key

    def wrong(self, line: int, column: str, reason: str) -> None:
        """Note a problem."""
        self.problems += 1
        if self.problems <= PROBLEMS_KEPT:
            self.kept.append(Problem(line, column, reason))


class Parser:
    """Reads the records of one file; `tally` is what they come to."""

    def __init__(self, shape: Shape, house: House) -> None:
        self.shape, self.house = shape, house
        self.tally = Tally()
        self._places = 6 if not shape.minor else 6 - exponent(house.currency)
        self._getters: dict[str, Callable[[Any], str]] = {}
        self._names: list[str] | None = None
        self._width: int | None = None
        self._other = house.ids.get(shape.partner) if shape.partner else None
        self._days: dict[str, date] = {}

    def lines(self, records: Iterator[Record]) -> Iterator[Line]:
        """The lines; what cannot be read is a problem in the tally. Raises FileColumnMissing."""
        try:
            yield from self._lines(records)
        except Broken as broken:
            self.tally.wrong(broken.line, "", broken.reason)

    def _lines(self, records: Iterator[Record]) -> Iterator[Line]:
        shape, tally = self.shape, self.tally
        if shape.format == "csv" and shape.header:
            head = next(records, None)
            self._names = [] if head is None else [name.strip() for name in head.values]
            self._width = len(self._names)
        self._find_columns()
        trailer, only = shape.trailer, shape.only
        marked = None if trailer is None else self._getter(trailer.column)
        sort = None if only is None else self._getter(only[0])
        for record in records:
            line, values = record
            if marked is not None and trailer is not None and marked(values) == trailer.value:
                self._end(record)
                continue
            if sort is not None and only is not None and (said := sort(values)) not in only[1]:
                self._beside(said, record)
                continue
            if self._width is not None and len(values) != self._width:
                tally.wrong(line, "", f"has {len(values)} columns, not {self._width}")
                continue
            try:
                read = self._line(line, values)
            except _Wrong as wrong:
                tally.wrong(line, self.tally.taken.get(wrong.name, wrong.name), str(wrong))
                continue
            if tally.trailer is not None:
                tally.wrong(line, "", "stands after the trailer")
                continue
            tally.add(read)
            yield read

    def _find_columns(self) -> None:
        """Raises FileColumnMissing."""
        for meaning, said in self.shape.columns.items():
            getters = [self._getter(name) for name in said]
            self._getters[meaning] = getters[0] if len(getters) == 1 else _joined(getters)
            self.tally.taken[meaning] = "+".join(said)

    def _getter(self, said: str) -> Callable[[Any], str]:
        if self.shape.format == "jsonl":
            return _from_object(tuple(said.split(".")))
        place = column_of(self._names, said)
        if place is None or (self._width is not None and place >= self._width):
            raise FileColumnMissing(column=said, path=(said,))
        return lambda values: values[place].strip() if place < len(values) else ""

    def _line(self, line_no: int, values: Any) -> Line:
        written = self._money(self._said("amount", values))
        amount, other = self._signed(written, values)
        currency = self._said("currency", values)
        if currency and currency != self.house.currency:
            raise _Wrong("currency", f"{currency[:40]!r} is not {self.house.currency}, which is settled in")
        points, kind = self._said("points", values), self._said("kind", values) or None
        if points and not _WHOLE.fullmatch(points):
            raise _Wrong("points", f"{points[:40]!r} is not a whole number")
        if kind is not None and kind not in _KINDS:
            raise _Wrong("kind", f"{kind[:40]!r} is not one of {', '.join(sorted(_KINDS))}")
        key, order_ref = self._text("key", values), self._text("orderRef", values)
        on = self._day(self._said("date", values))
        return Line(line_no, key, order_ref, on, amount, written, int(points) if points else None, kind, other)

    def _said(self, meaning: str, values: Any) -> str:
        getter = self._getters.get(meaning)
        if getter is None:
            return ""
        said = getter(values)
        words = self.shape.words.get(meaning)
        return said if words is None else words.get(said, said)

    def _text(self, meaning: str, values: Any) -> str | None:
        said = self._said(meaning, values)
        if self.shape.guarded and said[:1] == "'":
            said = said[1:]
        if len(said) > LONGEST:
            raise _Wrong(meaning, f"has more than {LONGEST} characters")
        return said or None

    def _money(self, said: str) -> int:
        if self.shape.thousands:
            said = said.replace(self.shape.thousands, "")
        if self.shape.decimal == ",":
            if "." in said:
                raise _Wrong("amount", f"{said[:40]!r}: decimals are written with a comma here")
            said = said.replace(",", ".")
        found = _AMOUNT.fullmatch(said)
        if found is None:
            raise _Wrong("amount", f"{said[:40]!r} is not an amount" if said else "there is no amount")
        sign, whole, part = found.groups("")
        places = self._places
        if self.shape.minor and part:
            raise _Wrong("amount", f"{said[:40]!r}: minor units are a whole number")
        if len(part) > places and part[places:].strip("0"):
            raise _Wrong("amount", f"{said[:40]!r} has more than {places} decimal places")
        value = int(whole + part[:places].ljust(places, "0"))
        return -value if sign == "-" else value

    def _signed(self, written: int, values: Any) -> tuple[int, UUID | None]:
        """What the sender receives, and of whom."""
        if "debtor" in self._getters:
            debtor, creditor = self._said("debtor", values), self._said("creditor", values)
            own = self.house.merchant
            if own not in (debtor, creditor) or debtor == creditor:
                raise _Wrong("debtor", f"{own} is not one of the two parties")
            return (written, self._party("debtor", debtor)) if creditor == own else (
                -written, self._party("creditor", creditor),
            )  # fmt: skip
        partner = self._said("partner", values)
        other = self._party("partner", partner) if partner else self._other
        direction = self._said("direction", values)
        if "direction" in self._getters:
            if direction not in ("receive", "pay"):
                raise _Wrong("direction", f"{direction[:40]!r} is neither receive nor pay")
            return (written if direction == "receive" else -written), other
        return (written if self.shape.receives else -written), other

    def _party(self, meaning: str, code: str) -> UUID:
        found = self.house.ids.get(code)
        if found is None or code == self.house.merchant:
            raise _Wrong(meaning, f"{code[:40]!r} is no partner")
        return found

    def _day(self, said: str) -> date | None:
        if not said:
            return None
        known = self._days.get(said)
        if known is None:
            known = self._parsed(said)
            if len(self._days) < 10_000:
                self._days[said] = known
        return known

    def _parsed(self, said: str) -> date:
        try:
            if self.shape.dates is None:
                if _DAY.fullmatch(said):
                    return date.fromisoformat(said)
                moment = datetime.fromisoformat(said)
            else:
                moment = datetime.strptime(said, self.shape.dates)  # noqa: DTZ007 (only its day is asked for)
            return (moment if moment.tzinfo is None else moment.astimezone(self.shape.zone)).date()
        except (ValueError, OverflowError):
            shape = self.shape.dates or "ISO 8601, such as 2017-01-31"
            raise _Wrong("date", f"{said[:40]!r} is not written as {shape}") from None

    def _beside(self, said: str, record: Record) -> None:
        """A row that is no line."""
        tally = self.tally
        tally.skipped += 1
        if self.shape.balances and said in ("opening", "closing"):
            try:
                amount = self._money(self._said("amount", record.values))
            except _Wrong as wrong:
                tally.wrong(record.line, tally.taken["amount"], str(wrong))
                return
            tally.balances |= 1 if said == "opening" else 2
            if said == "opening":
                tally.openings += amount
            else:
                tally.closings += amount

    def _end(self, record: Record) -> None:
        trailer, tally = self.shape.trailer, self.tally
        assert trailer is not None
        if tally.trailer is not None:
            tally.wrong(record.line, "", "a second trailer")
        names = {"count": trailer.count, "sum": trailer.sum, "first": trailer.first, "last": trailer.last}
        said = {name: self._getter(column)(record.values) for name, column in names.items() if column is not None}
        tally.trailer, tally.trailer_line = said, record.line

    def close(self) -> None:
        """After the last line. Raises PartnerFileUnreadable, TrailerMissing, TrailerDiffers."""
        tally = self.tally
        if tally.problems:
            first = tally.kept[0]
            raise PartnerFileUnreadable(
                problems=tally.problems, line=first.line, column=first.column or "the line", reason=first.reason
            )
        if self.shape.balances and tally.balances:
            if tally.balances != 3:
                raise TrailerMissing()
            _require("closing", micro(tally.closings), micro(tally.openings + tally.amount))
        if self.shape.trailer is None:
            return
        if tally.trailer is None:
            raise TrailerMissing()
        _require("count", tally.trailer["count"].lstrip("0") or "0", str(tally.lines))
        if "sum" in tally.trailer:
            try:
                said = self._money(tally.trailer["sum"])
            except _Wrong as wrong:
                raise PartnerFileUnreadable(
                    problems=1, line=tally.trailer_line, column=self.shape.trailer.sum, reason=str(wrong)
                ) from None
            _require("sum", micro(said), micro(tally.amount if self.shape.trailer.net else tally.written))
        for name, found in (("first", tally.first), ("last", tally.last)):
            if name in tally.trailer:
                _require(name, tally.trailer[name], found or "")


def _require(what: str, said: str, found: str) -> None:
    if said != found:
        raise TrailerDiffers(what=what, said=said[:LONGEST], found=found)


def _joined(getters: Sequence[Callable[[Any], str]]) -> Callable[[Any], str]:
    """A key in several columns, as `reference-seq`."""

    def get(values: Any) -> str:
        parts = [getter(values) for getter in getters]
        return "-".join(parts) if all(parts) else ""

    return get


def _from_object(path: tuple[str, ...]) -> Callable[[Any], str]:
    def get(value: Any) -> str:
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is None:
            return ""
        return value.strip() if isinstance(value, str) else str(value)

    return get
