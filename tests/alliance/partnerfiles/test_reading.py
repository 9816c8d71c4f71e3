"""Files as partners write them: encodings, signs, trailers; and what is wrong with one, by line and column (A11)."""

import gzip
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from alliance.partnerfiles.check import Checked, check
from alliance.partnerfiles.parsing import House
from alliance.partnerfiles.shape import STATEMENT, Shape
from tests.alliance.partnerfiles.support import MINE, written

GROCER, OPERATOR = UUID(int=1), UUID(int=2)
KNOWN = House("fuel", {"fuel": UUID(int=3), "grocer": GROCER, "demo": OPERATOR}, "USD")
BARE: dict[str, Any] = {"code": "bare", "format": "csv", "columns": {"key": "id", "amount": "value"}}

Look = Callable[..., Checked]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Reads content by a definition."""

    def read(content: bytes | str, definition: dict[str, Any] = BARE, **changes: Any) -> Checked:
        path = tmp_path / "file"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return check(path, Shape.of("bare", definition | changes, ZoneInfo("America/New_York")), KNOWN)

    return read


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "gb18030", "windows-1252"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_read_in_its_encoding(look: Look, encoding: str, packed: bool) -> None:
    key = "店-1" if encoding != "windows-1252" else "Café-1"
    content = f'id;value\r\n"{key}\nof two lines";1.5\r\n'.encode(encoding)
    found = look(gzip.compress(content) if packed else content, delimiter=";", encoding=encoding)
    assert found.refusal is None
    assert (found.lines, found.amount, found.shown[0].key) == (1, 1_500_000, f"{key}\nof two lines")


def test_a_mark_of_the_byte_order_is_no_part_of_the_first_name(look: Look) -> None:
    assert look(b"\xef\xbb\xbfid,value\nk1,2\n").amount == 2_000_000
    assert look(b'\xef\xbb\xbf{"id": "k1", "value": "2"}\n', format="jsonl").amount == 2_000_000


@pytest.mark.parametrize(
    ("said", "changes", "amount"),
    [
        ("12.5", {}, 12_500_000),
        ("+12.500000000", {}, 12_500_000),
        ("-0.000001", {}, -1),
        ("1250", {"unit": "minor"}, 12_500_000),
        ("1.234,5", {"decimal": ",", "thousands": "."}, 1_234_500_000),
        ("1'234.5", {"thousands": "'"}, 1_234_500_000),
        ("12.5", {"positive": "pay"}, -12_500_000),
    ],
)
def test_amounts_are_read_as_they_are_written(look: Look, said: str, changes: dict[str, str], amount: int) -> None:
    found = look(f"id;value\nk1;{said}\n", delimiter=";", amounts=changes)
    assert (found.amount, found.refusal) == (amount, None)


@pytest.mark.parametrize(
    ("said", "changes", "reason"),
    [
        ("", {}, "there is no amount"),
        ("1e3", {}, "is not an amount"),
        ("١٢", {}, "is not an amount"),
        ("1_000", {}, "is not an amount"),
        ("1.0000001", {}, "more than 6 decimal places"),
        ("9" * 13, {}, "is not an amount"),
        ("12.50", {"unit": "minor"}, "minor units are a whole number"),
        ("12.50", {"decimal": ","}, "decimals are written with a comma here"),
        ("NaN", {}, "is not an amount"),
    ],
)
def test_what_is_no_amount_is_said(look: Look, said: str, changes: dict[str, str], reason: str) -> None:
    found = look(f"id;value\nk1;1\nk2;{said}\n", delimiter=";", amounts=changes)
    (problem,) = found.kept
    assert (problem.line, problem.column) == (3, "value")
    assert reason in problem.reason
    assert found.refusal is not None


def test_signs_come_from_words_or_from_who_owes(look: Look) -> None:
    turned = BARE | {
        "columns": BARE["columns"] | {"direction": "dc"},
        "words": {"direction": {"S": "pay", "H": "receive"}},
    }
    assert [one.amount for one in look("id,value,dc\na,1,S\nb,2,H\n", turned).shown] == [-1_000_000, 2_000_000]
    assert "neither receive nor pay" in look("id,value,dc\na,1,X\n", turned).kept[0].reason
    owing = BARE | {"columns": BARE["columns"] | {"debtor": "from", "creditor": "to"}}
    found = look("id,value,from,to\na,1,fuel,grocer\nb,2,demo,fuel\n", owing)
    assert [(one.amount, one.other_id) for one in found.shown] == [(-1_000_000, GROCER), (2_000_000, OPERATOR)]
    assert "is not one of the two parties" in look("id,value,from,to\na,1,grocer,demo\n", owing).kept[0].reason
    assert "is no partner" in look("id,value,from,to\na,1,fuel,nobody\n", owing).kept[0].reason


def test_days_are_those_of_the_zone(look: Look) -> None:
    dated = BARE | {"columns": BARE["columns"] | {"date": "on"}}
    found = look("id,value,on\na,1,2017-06-02T02:00:00Z\nb,1,2017-06-02\nc,1,\n", dated)
    assert [one.on for one in found.shown] == [date(2017, 6, 1), date(2017, 6, 2), None]
    german = look("id,value,on\na,1,02.06.2017\nb,1,2017-06-02\n", dated, dates={"format": "%d.%m.%Y"})
    assert (german.shown[0].on, german.kept[0].line, german.kept[0].column) == (date(2017, 6, 2), 3, "on")


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"id,value\nk1,1\n\xff,2\n", 3, "not utf-8"),
        (b'id,value\nk1,1\nk2,"2\n', 3, "not CSV"),
        (b'id,value\n"k1"x,1\n', 2, "not CSV"),
        (b"id,value\nk1,1,3\n", 2, "has 3 columns, not 2"),
        (b"id,value\nk1,1\nk\0,2\n", 3, "U+0000"),
        (b"id,value\nk1,1\n" + b"k" * 70_000 + b",2\n", 3, "more than 65536 characters"),
        (b"id,value\n" + b"k" * 201 + b",2\n", 2, "more than 200 characters"),
        (b"\x1f\x8b not packed", 1, "cannot be unpacked"),
    ],
)
def test_what_cannot_be_read_is_said_by_its_line(look: Look, content: bytes, line: int, reason: str) -> None:
    found = (
        look(content)
        if b"not packed" not in content
        else look(content, header=False, columns={"key": "1", "amount": "2"})
    )
    assert [problem.line for problem in found.kept] == [line]
    assert reason in found.kept[0].reason
    assert found.refusal is not None
    assert found.refusal.data["line"] == line


@pytest.mark.parametrize(
    ("line", "reason"),
    [("[1]", "not a JSON object"), ('{"id": "a", ', "not JSON"), ('{"id": "a"}', "there is no amount")],
)
def test_what_is_no_json_is_said_by_its_line(look: Look, line: str, reason: str) -> None:
    found = look(f'{{"id": "k1", "value": 1.10}}\n\n{line}\n', format="jsonl")
    assert (found.shown[0].amount, found.kept[0].line) == (1_100_000, 3)
    assert reason in found.kept[0].reason


def test_all_wrong_lines_are_counted_and_the_first_hundred_told(look: Look) -> None:
    found = look("id,value\n" + "k,x\n" * 150 + "k,1\n")
    assert (found.problems, len(found.kept), found.lines) == (150, 100, 1)


def test_a_column_that_is_not_there_is_named(look: Look) -> None:
    refusal = look("id,amount\nk1,1\n").refusal
    assert (refusal and refusal.code, refusal and refusal.data) == ("FILE_COLUMN_MISSING", {"column": "value"})
    assert look("k1,1\n", header=False, columns={"key": "1", "amount": "2"}).amount == 1_000_000


ROWS = [("k1", "o1", "2017-06-01", "-9", 1000), ("k2", "o2", "2017-06-01", "4.5", 500)]
WHOLE = written(ROWS).decode()


@pytest.mark.parametrize(
    ("content", "code", "what"),
    [
        (WHOLE, None, None),
        (written(ROWS, trailer=False).decode(), "TRAILER_MISSING", None),
        (WHOLE.replace("END;2", "END;3"), "TRAILER_DIFFERS", "count"),
        (WHOLE.replace("-4.500000", "-4.500001"), "TRAILER_DIFFERS", "sum"),
        (WHOLE.replace("END;2;k1", "END;2;k2"), "TRAILER_DIFFERS", "first"),
        (WHOLE.replace("-4.500000;k2", "-4.500000;k1"), "TRAILER_DIFFERS", "last"),
        (WHOLE.replace("k2;o2;2017-06-01;4.5;500\r\n", ""), "TRAILER_DIFFERS", "count"),
        (WHOLE + "k3;o3;2017-06-01;1;1\r\n", "PARTNER_FILE_UNREADABLE", None),
        (WHOLE + WHOLE.splitlines()[-1] + "\r\n", "PARTNER_FILE_UNREADABLE", None),
    ],
)
def test_a11_a_trailer_that_does_not_add_up_refuses_the_whole(
    look: Look, content: str, code: str | None, what: str | None
) -> None:
    refusal = look(content, MINE).refusal
    assert (refusal.code if refusal else None, refusal.data.get("what") if refusal else None) == (code, what)


def test_a11_balances_around_the_lines_of_a_statement_are_its_trailer(look: Look) -> None:
    names = "type,partner,reference,seq,kind,points,change,amountCurrency,occurredAt,orderRef"
    head, opening = names + "\n", "opening,grocer,,,,,1,USD,,\n"
    line, closing = "line,grocer,ab,0,EARN,10,2,USD,2017-06-01,'=o1\n", "closing,grocer,,,,,3,USD,,\n"
    found = look(head + opening + line + closing, STATEMENT["csv"])
    assert (found.refusal, found.shown[0].key, found.shown[0].order_ref) == (None, "ab-0", "=o1")
    cut = look(head + opening + line, STATEMENT["csv"]).refusal
    assert cut is not None
    assert cut.code == "TRAILER_MISSING"
    wrong = look(head + opening + line + closing.replace("3", "4"), STATEMENT["csv"]).refusal
    assert wrong is not None
    assert wrong.data == {"what": "closing", "said": "4.000000", "found": "3.000000"}
