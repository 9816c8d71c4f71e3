"""What a process keeps of the alliance file stays current."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from alliance import runtime as module
from alliance.agreements.book import AgreementBook, load_book
from alliance.file import apply, parse
from alliance.runtime import Runtime
from domain.database import Database
from domain.ledger.engine import PostingEngine
from domain.programs.catalogue import load_catalogue
from tests.alliance.file.alliances import SMALL

START, NEXT_YEAR = datetime(2017, 1, 1, tzinfo=UTC), datetime(2018, 6, 1, tzinfo=UTC)
RENAMED = SMALL.replace("name: Two", "name: Three")
PROLONGED = f"""{RENAMED}
  - merchants: [grocer, fuel]
    version: 2
    from: 2018-01-01
    exchange: [{{from: GRO, to: FUE, rate: "0.7", clearingValue: {{amount: "0.007", currency: USD}}}}]
"""


async def test_what_is_applied_while_the_file_before_is_read_is_not_missed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def write(file: str) -> None:
        async with database.transaction() as session:
            await apply(session, parse(file, "small.yaml"), START)

    async def load_and_be_overtaken(session: AsyncSession) -> AgreementBook:
        book = await load_book(session)
        await write(PROLONGED)
        return book

    await write(SMALL)
    async with database.session() as session:
        runtime = Runtime(database, PostingEngine(database), await load_catalogue(session), await load_book(session))
    await write(RENAMED)
    monkeypatch.setattr(module, "load_book", load_and_be_overtaken)
    await runtime.refresh()
    monkeypatch.undo()
    await runtime.refresh()
    merchants = [runtime.catalogue.merchants[code].id for code in ("grocer", "fuel")]
    version = runtime.agreements.between(merchants[0], merchants[1], NEXT_YEAR)
    assert version is not None
    assert version.version == 2
