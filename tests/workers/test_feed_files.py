"""Files cut in parts: every row in one part, with its own line, wherever the cuts fall."""

import csv
import io
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from alliance.accrual.errors import FeedOutOfBounds, FileChanged, FileUnreadable
from alliance.accrual.rules import FeedMapping, Row
from alliance.file.feeds import Feed
from workers.feeds import cutting
from workers.feeds.cutting import cut_file
from workers.feeds.files import Sources
from workers.feeds.reading import rows_of

COLUMNS = {"key": "receipt", "member": "card", "amount": "total"}
FEED: dict[str, Any] = {
    "code": "tills",
    "merchant": "grocer",
    "url": "file:///srv",
    "columns": COLUMNS,
    "constants": {"memberType": "CARD", "channel": "STORE"},
}


def cut(content: bytes, **feed: Any) -> tuple[list[list[Row]], cutting.Cut]:
    """The rows of each part."""
    definition = Feed.model_validate(FEED | feed).dump("code", "merchant")

    def mapped(columns: Sequence[str]) -> FeedMapping:
        names = {"merchant": "grocer", "digest": "", "zone": ZoneInfo("UTC"), "money": "USD"}
        return FeedMapping.of(definition, columns=columns, **names)

    made = cut_file(io.BytesIO(content), definition, mapped)
    parts = [[*rows_of(io.BytesIO(content), definition, made.columns, *part)] for part in made.parts]
    return parts, made


FIELD = st.text(st.sampled_from('ab",;\n\r é'), max_size=6)


@settings(max_examples=60)
@given(rows=st.lists(st.tuples(FIELD, FIELD, FIELD), max_size=12), size=st.integers(1, 60), bom=st.booleans())
def test_a_csv_is_read_the_same_in_parts_as_whole(rows: list[tuple[str, ...]], size: int, bom: bool) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([("receipt", "card", "total"), *rows])
    content = file.getvalue().encode("utf-8-sig" if bom else "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "PART_BYTES", size)
        parts, made = cut(content, format="csv")
    found = [row for part in parts for row in part]
    assert [tuple(row.values) for row in found] == rows
    assert [part[0].line for part in parts if part] == [line for _, _, line in made.parts]
    lines = content.decode("utf-8-sig").split("\n")
    assert all(row.values[0].split("\n")[0] in lines[row.line - 1].replace('""', '"') for row in found)


@settings(max_examples=30)
@given(
    orders=st.lists(st.integers(0, 4), max_size=30), size=st.integers(1, 12), shape=st.sampled_from(["csv", "parquet"])
)
def test_rows_of_an_order_are_in_one_part(orders: list[int], size: int, shape: str) -> None:
    rows = [{"receipt": str(order), "card": "900", "total": "1"} for order in orders]
    file = io.BytesIO()
    if shape == "csv":
        file.write("\n".join(["receipt,card,total", *(",".join(row.values()) for row in rows)]).encode())
    else:
        schema = pyarrow.schema([(name, pyarrow.string()) for name in COLUMNS.values()])
        parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), file, row_group_size=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "PART_BYTES", 8 * size)
        patch.setattr(cutting, "PART_ROWS", size)
        parts, _ = cut(file.getvalue(), format=shape, rows="line")
    assert [row.values[0] for part in parts for row in part] == [str(order) for order in orders]
    for one, following in pairwise(parts):
        assert one[-1].values[0] != following[0].values[0]


def test_a_quote_that_is_left_open_is_no_reason_to_read_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MAX_PART", 100)
    with pytest.raises(FileUnreadable):
        cut(b"receipt,card,total\n" + b"x" * 200, format="csv")
    with pytest.raises(FileUnreadable):
        cut(b"not parquet", format="parquet")


def test_only_what_is_allowed_is_read(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "secret.csv").write_text("x")
    (inside / "a.csv").write_text("x")
    (inside / "away.csv").symlink_to(tmp_path / "secret.csv")
    for name in ("b.csv.part", ".c.csv", "d.txt", "e.csv.done"):
        (inside / name).write_text("x")
    sources = Sources((f"file://{inside}", "s3://bucket/sales"), timedelta(0))
    (one,) = sources.seen(f"file://{inside}", "*.csv")
    assert one.name == "a.csv"
    with sources.opened(f"file://{inside}", "a.csv", one.stamp) as file:
        assert file.read() == b"x"
    with pytest.raises(FileChanged), sources.opened(f"file://{inside}", "a.csv", "other"):
        pass
    with pytest.raises(FileChanged):
        sources.stamp(f"file://{inside}", "gone.csv")
    refused = [
        (f"file://{tmp_path}", "secret.csv"),
        (f"file://{inside}", "away.csv"),
        (f"file://{inside}", "../secret.csv"),
        (f"file://{inside}-not", "a.csv"),
        ("s3://bucket/sales-of-others", "a.csv"),
        ("s3://bucket/sales/../other", "a.csv"),
        ("memory://bucket/sales", "a.csv"),
    ]
    for url, name in refused:
        with pytest.raises(FeedOutOfBounds):
            sources.stamp(url, name)
