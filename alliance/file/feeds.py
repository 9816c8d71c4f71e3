"""The shape of feeds in the alliance file: files of purchases, and how their columns become lines."""

import posixpath
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from alliance.file.source import Path
from alliance.file.values import Code, Document, IsoCurrency, Word, Zone, refusal, shaped

if TYPE_CHECKING:
    from alliance.file.model import AllianceDocument

Faults = Iterator[tuple[Path, str]]

CHANNELS = ("APP", "MINI_PROGRAM", "WEB", "STORE", "KIOSK", "SOCIAL", "CALL_CENTRE", "PARTNER")
TYPES = ("PURCHASE", "RETURN", "TOP_UP", "CONFIRM", "REJECT")
OF_A_LINE = ("ref", "sku", "category", "quantity")
TENDERS = {
    "paid_money": "MONEY",
    "paid_points": "POINTS",
    "paid_coupon": "COUPON",
    "paid_stored_value": "STORED_VALUE",
}


def _url(url: str) -> str:
    scheme, separator, path = url.partition("://")
    if not separator or scheme not in ("file", "s3", "memory"):
        raise refusal("a folder is file:///srv/feeds, or s3://bucket/folder")
    if "@" in path or "?" in path or "#" in path or "\\" in path:
        raise refusal("neither keys nor options are written in a url: settings have them")
    if scheme == "file" and not path.startswith("/"):
        raise refusal("the path of a folder is absolute: file:///srv/feeds")
    if not path.strip("/") or posixpath.normpath(path) != path.rstrip("/"):
        raise refusal("a folder is written plainly, without . or .. or //")
    return url.rstrip("/")


def _pattern(text: str) -> str:
    if "/" in text or "\\" in text:
        raise refusal("files lie in the folder itself: a pattern has no /")
    return text


def _times(text: str) -> str:
    """A format must give back the day that was written with it."""
    sample = datetime(2017, 12, 31, 13, 45, tzinfo=UTC)
    try:
        back = datetime.strptime(sample.strftime(text), text)  # noqa: DTZ007 (only its day is looked at)
    except ValueError:
        raise refusal(f"{text!r} is no format of times, such as %d.%m.%Y %H:%M") from None
    if back.date() != sample.date():
        raise refusal(f"{text!r} does not say which day it is")
    return text


def _text(value: Any) -> Any:
    """Constants are text; true and false are written plainly."""
    return str(value).lower() if isinstance(value, bool) else value


Separator = Annotated[str, Field(min_length=1, max_length=1)]
Constant = Annotated[Word, BeforeValidator(_text)]


class FeedTimes(Document):
    """How times are written."""

    timezone: Zone | None = None
    format: Annotated[str, Field(max_length=60), AfterValidator(_times)] | None = None


class FeedAmounts(Document):
    """How amounts of money are written."""

    currency: IsoCurrency | None = None
    unit: Literal["major", "minor"] = "major"
    decimal: Literal[".", ","] = "."


class FeedFields(Document):
    """What a line says, each from the column of this name."""

    type: Word | None = None
    key: Word | None = None
    member: Word | None = None
    member_type: Word | None = None
    member_issuer: Word | None = None
    channel: Word | None = None
    store: Word | None = None
    order_ref: Word | None = None
    occurred_at: Word | None = None
    amount: Word | None = None
    money: Word | None = None
    points: Word | None = None
    bonus: Word | None = None
    currency: Word | None = None
    ref: Word | None = None
    sku: Word | None = None
    category: Word | None = None
    quantity: Word | None = None
    paid_money: Word | None = None
    paid_points: Word | None = None
    paid_coupon: Word | None = None
    paid_stored_value: Word | None = None
    of: Word | None = None
    restore: Word | None = None
    merchant_at_fault: Word | None = None

    def given(self) -> dict[str, str]:
        """What is said, by its name in the model."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


class FeedConstants(Document):
    """What every line says alike."""

    type: Literal["PURCHASE", "RETURN", "TOP_UP", "CONFIRM", "REJECT"] | None = None
    member_type: Constant | None = None
    member_issuer: Constant | None = None
    channel: Literal["APP", "MINI_PROGRAM", "WEB", "STORE", "KIOSK", "SOCIAL", "CALL_CENTRE", "PARTNER"] | None = None
    store: Constant | None = None
    money: IsoCurrency | None = None
    currency: Constant | None = None
    category: Constant | None = None
    restore: Annotated[Literal["true", "false"], BeforeValidator(_text)] | None = None
    merchant_at_fault: Annotated[Literal["true", "false"], BeforeValidator(_text)] | None = None

    def given(self) -> dict[str, str]:
        """What is said, by its name in the model."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


class Feed(Document):
    """Files of one shape in one folder."""

    code: Code
    merchant: Code
    url: Annotated[str, Field(max_length=500), AfterValidator(_url)]
    files: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_pattern)] = "*"
    format: Literal["csv", "ndjson", "parquet"]
    delimiter: Separator | None = None
    rows: Literal["purchase", "line"] = "purchase"
    columns: FeedFields | None = None
    constants: FeedConstants = FeedConstants()
    words: dict[
        Annotated[str, shaped(r"[a-zA-Z]{1,40}", "the name of a column, such as type")],
        Annotated[dict[Annotated[str, Field(max_length=100)], Constant], Field(min_length=1, max_length=1000)],
    ] = {}
    times: FeedTimes = FeedTimes()
    amounts: FeedAmounts = FeedAmounts()

    @model_validator(mode="after")
    def _fits(self) -> "Feed":
        if self.delimiter is not None and self.format != "csv":
            raise refusal("only csv has a delimiter")
        if self.delimiter is not None and (not self.delimiter.isascii() or self.delimiter in '"\r\n'):
            raise refusal("a delimiter is one plain character, such as ;")
        if self.columns is None:
            self._unmapped()
        else:
            self._mapped(self.columns.given())
        return self

    def _unmapped(self) -> None:
        if self.format != "ndjson":
            raise refusal(f"{self.format} needs columns")
        same = {"constants", "words", "times", "amounts", "rows"} & self.model_fields_set
        if same:
            raise refusal(f"without columns lines are those of POST /ingest/purchases: {min(same)} has no meaning")

    def _mapped(self, columns: dict[str, str]) -> None:
        known = columns.keys() | self.constants.given().keys()
        if "member" not in columns:
            raise refusal("columns name no member")
        for name in ("member_type", "channel"):
            if name not in known:
                raise refusal(f"neither columns nor constants have {_said(name)}")
        if "amount" in columns and "points" in columns:
            raise refusal("a line has an amount or points, not both")
        if self.rows == "line":
            if "amount" not in columns:
                raise refusal("rows that are lines of orders have amounts")
            if not columns.keys() & {"key", "order_ref"}:
                raise refusal("rows are grouped by key or orderRef: columns have neither")
        if self.amounts.unit == "minor" and self.amounts.decimal == ",":
            raise refusal("minor units have no decimals")


def _said(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def wrong_feeds(document: "AllianceDocument", merchants: Mapping[str, Any], places: Mapping[int, Path]) -> Faults:
    """What feeds say that does not fit the rest. `places` are the paths of list items, by identity."""
    types = {identifier.type for identifier in document.identifiers}
    stores = {merchant.code: {store.code for store in merchant.stores} for merchant in document.merchants}
    issued = {currency.code for merchant in document.merchants for currency in merchant.currencies}
    taken: dict[tuple[str, str], list[Feed]] = defaultdict(list)
    for feed in document.feeds:
        path = places[id(feed)]
        taken[feed.url, feed.files].append(feed)
        if feed.merchant not in merchants:
            yield (*path, "merchant"), f"merchant {feed.merchant!r} is not declared"
        columns = feed.columns.given() if feed.columns is not None else {}
        for name, value in feed.constants.given().items():
            here = (*path, "constants", _said(name))
            if name in columns:
                yield here, "both a column and a constant"
            elif name == "member_type" and value not in types:
                yield here, f"identifier {value!r} is not declared"
            elif name == "store" and feed.merchant in stores and value not in stores[feed.merchant]:
                yield here, f"store {value!r} of {feed.merchant} is not declared"
            elif name == "currency" and value not in issued:
                yield here, f"currency {value!r} is not declared"
        yield from _words(feed, {_said(name) for name in columns}, types, (*path, "words"))
    for same in taken.values():
        for feed in same[1:]:
            yield (*places[id(feed)], "url"), f"feed {same[0].code!r} takes the same files"


def _words(feed: Feed, columns: set[str], types: set[str], path: Path) -> Faults:
    allowed = {"type": set(TYPES), "channel": set(CHANNELS), "memberType": types}
    allowed |= {name: {"true", "false"} for name in ("restore", "merchantAtFault")}
    for name, words in feed.words.items():
        if name not in columns:
            yield (*path, name), "is not among the columns"
        for word, value in words.items():
            if name in allowed and value not in allowed[name]:
                yield (*path, name, word), f"must be one of {', '.join(sorted(allowed[name]))}"
