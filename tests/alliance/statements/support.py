"""A cycle with a line of every kind, stated; and its files."""

import csv
import io
from typing import Any

import orjson

from alliance.settlement.model import SettlementCycle
from alliance.statements import files, queries
from alliance.statements.model import Head
from tests.alliance.support import NOON, House, days

Row = dict[str, Any]


async def busy(house: House) -> SettlementCycle:
    """Earns, spends, an exchange and a return, closed and stated."""
    ann, bob = await house.member(), await house.member()
    await house.earn(ann, "fuel", 1_000, order_ref="f-1", store="1")  # fuel owes grocer 9.00
    sold = await house.earn(bob, "fuel", 333, order_ref="f-2")
    await house.spend(ann, "fuel", 600, order_ref="f-3")  # grocer owes fuel 5.40
    await house.use(ann, await house.quote(ann, points_out=400))  # grocer owes fuel 3.20
    await house.reverse(bob, sold)
    return await house.step("issue_statements", await house.close(NOON + days(1)))


async def head_of(house: House, cycle: SettlementCycle, merchant: str) -> Head:
    """Raises NotFound."""
    async with house.runtime.database.reader() as session:
        return await queries.head(session, house.runtime.catalogue, cycle.number, house.id(merchant))


async def file_of(house: House, cycle: SettlementCycle, merchant: str, kind: str = "jsonl") -> bytes:
    """A statement as a file."""
    head = await head_of(house, cycle, merchant)
    return b"".join([part async for part in files.content(house.runtime.database, head, kind)])


def objects(content: bytes) -> list[Row]:
    """The lines of a file of JSON Lines."""
    return [orjson.loads(line) for line in content.splitlines()]


def lines(content: bytes) -> list[Row]:
    """Of these, what came to be owed."""
    return [row for row in objects(content) if row["type"] in ("line", "adjustment")]


def table(content: bytes) -> list[dict[str, str]]:
    """The rows of a file of CSV."""
    return list(csv.DictReader(io.StringIO(content.decode())))
