"""A statement as PDF: what is on its pages, in both languages, the same bytes each time."""

import re
import zlib
from base64 import a85decode
from dataclasses import replace

import pytest

from alliance.statements import files, pdf, queries
from alliance.statements.commands import sign_due
from alliance.statements.rules import Balance
from tests.alliance.proofs.test_sealing import KEYS, sealed
from tests.alliance.statements.support import busy, file_of, head_of, lines
from tests.alliance.support import House


def texts(content: bytes) -> list[str]:
    """The texts on each page; of Chinese, UTF-16 in the font's own encoding, no more than that it is there."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL)
    pages = [zlib.decompress(a85decode(stream.strip(), adobe=False)) for stream in _without_end(streams)]
    return ["\n".join(re.findall(r"\((.*?)\) Tj", page.decode("latin-1"))) for page in pages]


def _without_end(streams: list[bytes]) -> list[bytes]:
    return [stream.strip().removesuffix(b"~>") for stream in streams]


async def test_a_statement_is_printed_with_its_accounts_and_lines(house: House) -> None:
    cycle = await busy(house)
    unsigned = await file_of(house, cycle, "fuel", "pdf")
    assert unsigned.startswith(b"%PDF-")
    [page] = texts(unsigned)
    for text in (
        "Statement of Fuel",
        "Grocer",
        "-0.400000",
        "-0.40",
        "f-1",
        "1000 GRO",
        "-9.000000",
        "Not signed yet.",
    ):
        assert text in page.replace("\\", ""), text
    await sealed(house.runtime.database)
    await sign_due(house.runtime.database, KEYS)
    signed = await file_of(house, cycle, "fuel", "pdf")
    assert signed == await file_of(house, cycle, "fuel", "pdf")
    assert "SHA-256" in texts(signed)[0]
    [theirs] = texts(await file_of(house, cycle, "grocer", "pdf"))
    assert "f-1" not in theirs


async def test_it_is_printed_in_chinese_as_well(house: House) -> None:
    cycle = await busy(house)
    head = await head_of(house, cycle, "fuel")
    made = b"".join([part async for part in files.content(house.runtime.database, head, "pdf", language="zh-CN")])
    assert b"STSong-Light" in made
    assert "-9.000000" in texts(made)[0]
    printed = pdf.Printed(head, {head.merchant_id: "加油站 ⛽ Č"}, {"grocer": Balance()}, [], None, "zh-CN")
    assert texts(pdf.pdf(printed))


async def test_a_long_one_says_that_it_is_cut(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    cycle = await busy(house)
    monkeypatch.setattr(files, "MOST", 3)
    [page] = texts(await file_of(house, cycle, "fuel", "pdf"))
    assert "The first 3 of 5 lines" in page
    head = await head_of(house, cycle, "fuel")
    many = lines(await file_of(house, cycle, "fuel")) * 30
    async with house.runtime.database.reader() as session:
        balances = await queries.balances(session, head)
    printed = pdf.Printed(replace(head), {}, balances, many, None, "en")
    pages = texts(pdf.pdf(printed))
    assert len(pages) > 3
    assert all("Booked" in page for page in pages)
