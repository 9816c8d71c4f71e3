"""How a merchant's own files for reconciliation are written, and when they are due: the section's shape."""

import codecs
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from alliance.file.source import Path
from alliance.file.values import Code, Days, DecimalText, Document, Word, Zone, refusal, shaped
from alliance.partnerfiles.shape import OWN
from domain.money import MICRO

if TYPE_CHECKING:
    from alliance.file.model import AllianceDocument

Encoding = Literal[
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "ascii",
    "iso-8859-1",
    "iso-8859-15",
    "windows-1252",
    "gb18030",
    "gbk",
    "big5",
    "shift_jis",
    "euc-jp",
    "euc-kr",
]
Clock = Annotated[str, shaped(r"([01]\d|2[0-3]):[0-5]\d", 'a time of day, such as "12:00"')]


def _format(text: str) -> str:
    """A format must give back the day that was written with it."""
    sample = date(2017, 12, 31)
    try:
        back = datetime.strptime(sample.strftime(text), text).date()  # noqa: DTZ007 (only its day is looked at)
    except ValueError:
        back = None
    if back != sample:
        raise refusal(f"{text!r} is no format of days, such as %d.%m.%Y")
    return text


def _tolerated(amount: str) -> str:
    if len(amount.partition(".")[2]) > len(str(MICRO)) - 1:
        raise refusal("has at most 6 decimal places")
    return amount


class FileColumns(Document):
    """What each line says, and in which column."""

    amount: Word
    key: Word | None = None
    order_ref: Word | None = None
    date: Word | None = None
    direction: Word | None = None
    debtor: Word | None = None
    creditor: Word | None = None
    partner: Word | None = None
    currency: Word | None = None
    points: Word | None = None
    kind: Word | None = None

    @model_validator(mode="after")
    def _fits(self) -> "FileColumns":
        if self.key is None and self.order_ref is None:
            raise refusal("lines are matched by key or orderRef: columns have neither")
        if (self.debtor is None) != (self.creditor is None):
            raise refusal("debtor and creditor belong together")
        if self.debtor is not None and (self.direction is not None or self.partner is not None):
            raise refusal("debtor and creditor say who the partner is, and who pays")
        return self


class FileDates(Document):
    """How days are written, and of what they are."""

    format: Annotated[str, Field(max_length=60), AfterValidator(_format)] | None = None
    timezone: Zone | None = None
    of: Literal["occurred", "booked"] = "occurred"


class FileAmounts(Document):
    """How amounts are written, and who owes those above zero."""

    unit: Literal["major", "minor"] = "major"
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    positive: Literal["receive", "pay"] = "receive"

    @model_validator(mode="after")
    def _fits(self) -> "FileAmounts":
        if self.thousands == self.decimal:
            raise refusal("thousands and decimals are not written with the same sign")
        return self


class FileRows(Document):
    """Which rows are lines."""

    column: Word
    values: Annotated[list[Word], Field(min_length=1, max_length=50)]


class FileTrailer(Document):
    """The row that says what the whole comes to."""

    column: Word
    value: Word
    count: Word
    sum: Word | None = None
    sum_of: Literal["written", "net"] = "written"
    first: Word | None = None
    last: Word | None = None


class FileTolerance(Document):
    """By how much lines that match may differ."""

    amount: Annotated[DecimalText, AfterValidator(_tolerated)] = "0"
    days: Annotated[int, Field(ge=0, le=31)] = 0


class FileSchedule(Document):
    """When a file is due: by `at`, so long after the period's end."""

    every: Literal["cycle", "day", "business_day"] = "cycle"
    within: Days = 1
    at: Clock = "12:00"


class PartnerFile(Document):
    """Files of one shape."""

    code: Code
    format: Literal["csv", "jsonl"] = "csv"
    encoding: Encoding = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    header: bool = True
    partner: Code | None = None
    columns: FileColumns
    words: dict[
        Literal["direction", "kind", "debtor", "creditor", "partner"],
        Annotated[dict[Annotated[str, Field(max_length=100)], Word], Field(min_length=1, max_length=1000)],
    ] = {}
    dates: FileDates = FileDates()
    amounts: FileAmounts = FileAmounts()
    only: FileRows | None = None
    trailer: FileTrailer | None = None
    tolerance: FileTolerance = FileTolerance()
    cut_off_days: Annotated[int, Field(ge=0, le=31)] = 0
    schedule: FileSchedule | None = None

    @model_validator(mode="after")
    def _fits(self) -> "PartnerFile":
        if self.code == OWN:
            raise refusal(f"{OWN!r} is how our own statements are written: nobody declares it")
        if not self.delimiter.isascii() or self.delimiter in '"\r\n':
            raise refusal("a delimiter is one plain character, such as ;")
        if self.format == "jsonl" and codecs.lookup(self.encoding).name != "utf-8":
            raise refusal("JSON Lines are in utf-8")
        if self.partner is not None and (self.columns.partner is not None or self.columns.debtor is not None):
            raise refusal("either a column says who the partner is, or all lines are of one")
        if self.columns.direction is None and "direction" in self.words:
            raise refusal("words has direction, which is not among the columns")
        return self


def wrong_partner_files(document: "AllianceDocument", places: Mapping[int, Path]) -> Iterator[tuple[Path, str]]:
    """What merchants say of their files that does not fit the rest."""
    # Where the alliance's own section cannot be read, it has no code.
    codes = {getattr(document.alliance, "code", "")} | {merchant.code for merchant in document.merchants}
    for merchant in document.merchants:
        seen = set()
        for item in merchant.partner_files:
            path = places[id(item)]
            if item.code in seen:
                yield (*path, "code"), f"{item.code!r} is declared twice"
            seen.add(item.code)
            if item.partner is not None and item.partner not in codes - {merchant.code}:
                yield (*path, "partner"), f"merchant {item.partner!r} is not declared"
