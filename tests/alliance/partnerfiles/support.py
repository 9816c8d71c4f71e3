"""A partner that sends a file, and what came of it."""

import csv
import io
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from alliance.partnerfiles import commands
from alliance.partnerfiles.commands import Receiving, Sent
from alliance.partnerfiles.model import PartnerFile, PartnerLine, ReconBreak
from alliance.partnerfiles.periods import submission
from alliance.partnerfiles.shape import OWN
from alliance.partnerfiles.work import Refused, reconcile
from alliance.settlement.model import SettlementCycle
from tests.alliance.support import NOON, House

MINE: dict[str, Any] = {
    "code": "books",
    "format": "csv",
    "delimiter": ";",
    "partner": "grocer",
    "columns": {"key": "id", "orderRef": "order", "date": "on", "amount": "value", "points": "points"},
    "trailer": {"column": "id", "value": "END", "count": "order", "sum": "value", "first": "on", "last": "points"},
    "tolerance": {"amount": "0.01", "days": 1},
}
"""How a merchant of tests writes its own files."""

HEADER = ("id", "order", "on", "value", "points")


@dataclass(frozen=True)
class Came:
    """What came of a file."""

    file: PartnerFile
    breaks: list[ReconBreak]
    lines: list[PartnerLine]

    @property
    def outcomes(self) -> dict[str, tuple[int, int]]:
        """Lines of theirs and of ours by outcome."""
        return {name: (one["theirs"], one["ours"]) for name, one in sorted(self.file.outcomes.items())}

    @property
    def found(self) -> Counter[tuple[str, str | None]]:
        """Breaks by outcome and order."""
        return Counter((one.outcome, one.order_ref) for one in self.breaks)


def written(rows: list[tuple[Any, ...]], *, trailer: bool = True) -> bytes:
    """Rows (id, order, day, amount, points) as MINE has them, with their trailer."""
    page = io.StringIO()
    writer = csv.writer(page, delimiter=";")
    writer.writerows([HEADER, *rows])
    if trailer:
        total = sum(round(float(row[3]) * 10**6) for row in rows)
        first, last = (rows[0][0], rows[-1][0]) if rows else ("", "")
        writer.writerow(("END", len(rows), first, f"{total / 10**6:.6f}", last))
    return page.getvalue().encode()


def declare(house: House, merchant: str, definition: dict[str, Any]) -> None:
    """The merchant's files are written so."""
    catalogue = house.runtime.catalogue
    one = replace(catalogue.merchants[merchant], partner_files={definition["code"]: definition})
    house.runtime.catalogue = replace(
        catalogue,
        merchants={**catalogue.merchants, merchant: one},
        merchants_by_id={**catalogue.merchants_by_id, one.id: one},
    )


async def receive(house: House, content: bytes, merchant: str = "fuel", key: str = "") -> PartnerFile:
    """Keep a file."""
    async with house.runtime.database.transaction() as session:
        receiving = Receiving(session, Sent(house.id(merchant), "file", key, "test", NOON), 10**8)
        await receiving.write(content)
        return await receiving.end()


async def reconciled(
    house: House,
    content: bytes,
    cycle: SettlementCycle,
    *,
    merchant: str = "fuel",
    mapping: str = OWN,
    day: date | None = None,
    dry_run: bool = False,
    as_of: datetime = NOON,
    key: str = "",
) -> Came:
    """Send a file and have it reconciled. Raises Refused."""
    database = house.runtime.database
    file = await receive(house, content, merchant, key)
    async with database.transaction() as session:
        wanted = await submission(
            session,
            house.runtime.catalogue,
            house.runtime.catalogue.merchants[merchant],
            cycle=cycle.number if day is None else None,
            day=day,
            mapping=mapping,
            dry_run=dry_run,
            as_of=as_of,
        )
        await commands.submit(session, file.id, wanted, who="test", as_of=as_of, job=False)
    await reconcile(database, house.runtime.catalogue, file.id, as_of)
    return await came(house, file.id)


async def came(house: House, file_id: Any) -> Came:
    """What is kept of a file."""
    async with house.runtime.database.reader() as session:
        file = await session.get(PartnerFile, file_id)
        assert file is not None
        breaks = await session.scalars(select(ReconBreak).where(ReconBreak.file_id == file_id).order_by(ReconBreak.id))
        query = select(PartnerLine).where(PartnerLine.file_id == file_id).order_by(PartnerLine.line_no)
        return Came(file, list(breaks), list(await session.scalars(query)))


async def refused(house: House, content: bytes, cycle: SettlementCycle, **named: Any) -> Refused:
    """Why a file is refused."""
    try:
        await reconciled(house, content, cycle, **named)
    except Refused as refused_:
        return refused_
    raise AssertionError("it was reconciled")
