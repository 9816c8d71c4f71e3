"""Files for banks and from them (A16): pain.001 by the schema and to the cent, camt.053 and CSV taken safely."""

from datetime import UTC, date, datetime

import pytest
from lxml import etree

from alliance.banking import bank_csv, camt
from alliance.banking.errors import StatementRefused
from alliance.banking.model import Account, Entry, Order, Transfer
from alliance.banking.pain import payment_file
from alliance.banking.references import found, reference
from alliance.banking.xml import BadXml, validate
from alliance.file.banking import BankColumns, BankCsv
from tests.alliance.banking.statements import SPACE, Line
from tests.alliance.banking.statements import camt as camt_of

FUEL = Account("Fuel & Co", iban="DE89370400440532013000", bic="COBADEFFXXX")
GROCER = Account("杂货店", other="123 456")
TRANSFERS = (Transfer("DEMO-C1-P1", GROCER, 8_100, "one"), Transfer("DEMO-C1-P2", FUEL, 1, "two <2>"))


def order(currency: str = "USD", transfers: tuple[Transfer, ...] = TRANSFERS) -> Order:
    return Order("Demo", FUEL, currency, date(2017, 6, 9), datetime(2017, 6, 1, tzinfo=UTC), transfers)


def values(content: bytes, name: str) -> list[str]:
    return [node.text for node in etree.fromstring(content).iter(f"{{*}}{name}")]


def test_a16_a_file_of_payments_is_as_the_schema_has_it_and_the_same_each_time() -> None:
    message_id, content = payment_file(order())
    validate(etree.fromstring(content), "pain.001.001.09")
    assert payment_file(order()) == (message_id, content)
    assert values(content, "NbOfTxs") == ["2", "2"]
    assert values(content, "CtrlSum") == ["81.01", "81.01"]
    assert values(content, "InstdAmt") == ["81.00", "0.01"]
    assert values(content, "EndToEndId") == ["DEMO-C1-P1", "DEMO-C1-P2"]
    assert values(content, "IBAN") == [FUEL.iban, FUEL.iban]
    assert values(content, "Nm") == ["Demo", FUEL.name, GROCER.name, FUEL.name]
    assert payment_file(order(transfers=TRANSFERS[:1]))[0] != message_id


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "8100"), ("KWD", "8.100"), ("EUR", "81.00")])
def test_a16_amounts_have_the_places_of_their_currency(currency: str, amount: str) -> None:
    _, content = payment_file(order(currency, TRANSFERS[:1]))
    assert values(content, "InstdAmt") == values(content, "CtrlSum")[:1] == [amount]


def test_a16_the_schema_refuses_what_is_wrong() -> None:
    _, content = payment_file(order())
    with pytest.raises(BadXml, match="InstdAmt"):
        validate(etree.fromstring(content.replace(b">81.00<", b">-81.00<")), "pain.001.001.09")


def test_a16_references_are_found_however_they_are_written() -> None:
    assert reference("de-mo_of_the_great_alliance", 12, 3) == "DEMOOFTHEGREATAL-C12-P3"
    assert reference("demo", 12, 3) == "DEMO-C12-P3"
    for text in ("demo-c12-p3", "pay DEMO C 12 / P 3!", "x DEMOC12P3.", "Demo_C12 P3, thanks"):
        assert list(found("demo", text)) == [(12, 3)]
    assert list(found("demo", "DEMO-C1-P1 and DEMO-C1-P12")) == [(1, 1), (1, 12)]
    assert list(found("demo", "MYDEMO-C1-P1 DEMO-C1 P-1")) == [(1, 1)]
    assert list(found("demo", "nothing of C1 P1")) == []


@pytest.mark.parametrize("version", ["02", "08"])
def test_a16_a_statement_is_read_in_both_versions(version: str) -> None:
    parts = (Line("", "60.00", reference="DEMO-C1-P1"), Line("", "30.00", text="for May"))
    lines = [
        Line("A1", "90.00", reference="DEMO-C1-P2", name="Fuel", iban="DE89370400440532013000", text="thanks"),
        Line("A2", "-10.00", reversal=True),
        Line("A3", "90.00", parts=parts),
        Line("A4", "5.00", status="PDNG"),
    ]
    (statement,) = camt.statements(camt_of(lines, version=version, balances=("1.00", "171.00")), "USD")
    day = date(2017, 6, 9)
    assert (statement.id, statement.account) == ("ST1", "DE89370400440532013000")
    assert statement.entries == (
        Entry("A1", 9_000, day, "DEMO-C1-P2", "thanks", "Fuel", "DE89370400440532013000"),
        Entry("A2", -1_000, day, reversal=True),
        Entry("A3/1", 6_000, day, "DEMO-C1-P1"),
        Entry("A3/2", 3_000, day, text="for May"),
    )


ENTITY = b'<?xml version="1.0"?><!DOCTYPE Document [<!ENTITY x "y">]><Document>&x;</Document>'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not well-formed"),
        (b"\xff\xfe", "not well-formed"),
        (ENTITY, "document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        (b"<Document/>", "no camt.053"),
        (camt_of([Line("A", "1.00")]).replace(b"001.08", b"001.77"), "not read here"),
        (camt_of([Line("A", "1.00")]).replace(b"<Id>ST1</Id>", b""), "CreDtTm"),
        (camt_of([Line("A", "1.00", day="2017-13-09")]), "not as camt.053.001.08 has it"),
        (camt_of([Line("A", "1.00")], currency="EUR"), "not in USD"),
        (camt_of([Line("A", "1.005")]), "finer than USD"),
        (camt_of([Line("A", "1.00"), Line("A", "2.00")]), "same number"),
        (camt_of([Line("A", "1.00")], balances=("0", "2.00")), "opening to the closing"),
        (camt_of([Line("A", "9.00", parts=(Line("", "1.00"), Line("", "2.00")))]), "not its sum"),
    ],
)
def test_a16_a_statement_that_is_not_what_it_says_is_refused_whole(content: bytes, reason: str) -> None:
    with pytest.raises(StatementRefused) as refused:
        camt.statements(content, "USD")
    assert reason in refused.value.message()


def test_a16_what_a_bank_writes_as_csv_is_mapped() -> None:
    columns = BankColumns(id="Nr", date="Valuta", amount="Betrag", currency="Waehrung", text="Zweck", name=None)
    form = BankCsv.model_validate({"delimiter": ";", "decimal": ",", "dateFormat": "%d.%m.%Y"})
    form = form.model_copy(update={"columns": columns})
    head = "Nr;Valuta;Betrag;Waehrung;Zweck\n"
    read = bank_csv.statement(f"\ufeff{head}7;09.06.2017;90,00;USD;DEMO-C1-P1\n".encode(), "USD", form)
    assert read.entries == (Entry("7", 9_000, date(2017, 6, 9), text="DEMO-C1-P1"),)
    assert read.id == bank_csv.statement(head.encode(), "USD", form).id
    plain = b"date,amount,text\n2017-06-09,90.00,x\n2017-06-09,-1,y\n"
    told = bank_csv.statement(plain, "USD", BankCsv())
    assert [(entry.number, entry.amount) for entry in told.entries] == [("1", 9_000), ("2", -100)]
    assert told.id != bank_csv.statement(plain + b"2017-06-10,1,z\n", "USD", BankCsv()).id


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"date,amount\n", "lacks the column 'text'"),
        (b"date,amount,text\n2017-06-09,1e9999,x\n", "line 2 has no amount"),
        (b'date,amount,text\n2017-06-09,"1,000.00",x\n', "line 2 has no amount"),
        (b"date,amount,text\n09.06.2017,1.00,x\n", "line 2 has no date"),
        (b"date,amount,text\n2017-06-09,1.00\n2017-06-09\n", "line 3 has no amount"),
        (b"\xff", "not UTF-8"),
        (b'date,amount,text\n"', "no CSV"),
    ],
)
def test_a16_a_csv_that_is_not_as_mapped_is_refused_whole(content: bytes, reason: str) -> None:
    with pytest.raises(StatementRefused) as refused:
        bank_csv.statement(content, "USD", BankCsv())
    assert reason in refused.value.message()


def test_the_namespace_of_tests_is_the_schema_s() -> None:
    assert etree.fromstring(camt_of([])).tag == f"{{{SPACE}08}}Document"
