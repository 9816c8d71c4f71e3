"""Rows as lines: whatever the columns are called and however times and amounts are written."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliance.accrual.errors import ColumnMissing
from alliance.accrual.rules import FeedMapping, Row
from alliance.file.feeds import Feed
from alliance.intake.model import Purchase
from alliance.intake.rules import order_of, sent
from domain.errors import Refusal

ZONE = ZoneInfo("America/New_York")
BASE: dict[str, Any] = {"code": "tills", "merchant": "grocer", "url": "file:///srv", "format": "csv"}
FIELDS = ("key", "member", "memberType", "channel", "orderRef", "occurredAt", "amount")


def mapping(of_file: Sequence[str], **feed: Any) -> FeedMapping:
    definition = Feed.model_validate(BASE | feed).dump("code", "merchant")
    return FeedMapping.of(definition, merchant="grocer", digest="d" * 64, columns=of_file, zone=ZONE, money="USD")


def said(made: FeedMapping, *rows: Sequence[Any]) -> Any:
    """What the rows say; the columns at fault if they are refused."""
    numbered = [Row(n, n, n + 1, values) for n, values in enumerate(rows, start=2)]
    (entry,) = made.entries(numbered)
    if isinstance(entry.said, Refusal):
        return entry.said.code, made.placed(entry.said.path)
    return entry.said


@settings(max_examples=60)
@given(
    names=st.permutations(["c0", "c1", "c2", "c3", "c4", "c5", "c6", "extra"]),
    cents=st.integers(0, 10**9),
    seconds=st.integers(631152000, 1893456000),
    comma=st.booleans(),
    minor=st.booleans(),
    german=st.booleans(),
    word=st.sampled_from(["STORE", "WEB"]),
)
def test_a_purchase_is_the_same_however_its_row_is_written(
    names: list[str], cents: int, seconds: int, comma: bool, minor: bool, german: bool, word: str
) -> None:
    columns = dict(zip(FIELDS, names, strict=False))
    amount = f"{Decimal(cents).scaleb(-2):.2f}"
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    at = moment.replace(tzinfo=ZONE).astimezone(UTC)
    shape = "%d.%m.%Y %H:%M:%S"
    values = {
        "key": " r-1 ",
        "member": "900",
        "memberType": "CARD",
        "channel": "Laden" if word == "STORE" else word,
        "orderRef": "",
        "occurredAt": moment.strftime(shape) if german else moment.isoformat(),
        "amount": str(cents) if minor else amount.replace(".", "," if comma else "."),
    }
    made = mapping(
        names,
        columns=columns,
        words={"channel": {"Laden": "STORE"}},
        times={"format": shape} if german else {},
        amounts={"unit": "minor"} if minor else {"decimal": "," if comma else "."},
    )
    row = {columns[field]: value for field, value in values.items()}
    line = said(made, [row.get(name, "?") for name in names])
    assert isinstance(line, Purchase)
    assert (line.key, line.member.value, line.channel, line.orderRef) == ("row-key-r-1", "900", word, None)
    assert line.amount is not None
    assert (Decimal(line.amount.amount), line.amount.currency) == (Decimal(cents).scaleb(-2), "USD")
    assert line.occurredAt == at


CONSTANTS = {"memberType": "CARD", "channel": "STORE"}
SIMPLE = {"member": "card", "amount": "total", "occurredAt": "at", "type": "kind"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("900", "1,5", "2017-01-31", ""), ("INVALID_INPUT", ("total",))),
        (("", "1.5", "2017-01-31", ""), ("INVALID_INPUT", ("card",))),
        (("900", "1.5", "31.1.2017", ""), ("INVALID_INPUT", ("at",))),
        (("900", "1.5", "1969-01-31", ""), ("INVALID_INPUT", ("at",))),
        (("900", "1.5", "2017-01-31", "GIFT"), ("INVALID_INPUT", ("kind",))),
        (("900", "1.5", "2017-01-31", "RETURN"), ("INVALID_INPUT", ("of",))),
        (("9\0", "1.5", "2017-01-31", ""), ("INVALID_INPUT", ("card",))),
    ],
)
def test_a_row_that_cannot_be_names_the_column(values: Sequence[str], expected: Any) -> None:
    made = mapping(("card", "total", "at", "kind"), columns=SIMPLE, constants=CONSTANTS)
    line = said(made, values)
    if not isinstance(line, tuple):
        checks = sent if "\0" in values[0] else order_of
        with pytest.raises(Refusal) as refused:
            checks(line)
        line = (refused.value.code, made.placed(refused.value.path))
    assert line == expected


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(ColumnMissing) as refused:
        mapping(("card", "total", "kind"), columns=SIMPLE, constants=CONSTANTS)
    assert refused.value.path == ("at",)


def test_a_time_that_comes_twice_in_autumn_is_the_first() -> None:
    made = mapping(("card", "total", "at", "kind"), columns=SIMPLE, constants=CONSTANTS)
    line = said(made, ("900", "1.5", "2026-11-01T01:30:00", ""))
    assert line.occurredAt == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    line = said(made, ("900", "1.5", "2026-11-01T01:30:00-05:00", ""))
    assert line.occurredAt == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


def test_what_was_kept_is_told_by_a_process_that_refused_nothing() -> None:
    """Such as a command that lists runs: it knows the refusals of all rooms that a file can meet."""
    met = {"FileRepeated", "BrokenRow", "BrokenCsv", "MalformedLine", "MemberNotActive", "LimitExceeded", "NoAgreement"}
    met |= {"TooLate", "NotPending", "StoredValueLimitExceeded", "IdempotencyConflict", "IdentifierTaken"}
    told = "import alliance.accrual.refusals; from domain.errors import Refusal; print(*Refusal.kinds)"
    found = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert met <= set(found.stdout.split())
