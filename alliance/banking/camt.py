"""A bank's statement: ISO 20022 BankToCustomerStatement, camt.053.001.02 and camt.053.001.08.

Only what is booked counts. An entry that a bank made of several transactions is taken apart where it says how much
each of them is. A statement whose balances its entries do not lead from and to is refused whole.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from alliance.banking.errors import StatementRefused
from alliance.banking.model import BankStatement, Entry
from alliance.banking.xml import BadXml, parse, validate
from domain.errors import InvalidInput
from domain.money import to_minor

_MESSAGE = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:(camt\.053\.001\.\d\d)\}Document")
NO_REFERENCE = "NOTPROVIDED"
MOST_TEXT = 500


def statements(content: bytes, currency: str) -> list[BankStatement]:
    """The statements of a file. Raises StatementRefused."""
    try:
        root = parse(content)
        named = _MESSAGE.fullmatch(root.tag)
        if named is None:
            raise BadXml("it is no camt.053")
        validate(root, named[1])
        return [_statement(one, currency) for one in root.iterfind("{*}BkToCstmrStmt/{*}Stmt")]
    except BadXml as fault:
        raise StatementRefused(reason=str(fault)) from None


def _statement(said: Any, currency: str) -> BankStatement:
    entries = [
        entry
        for place, booked in enumerate(said.iterfind("{*}Ntry"), 1)
        if _status(booked) == "BOOK"
        for entry in _entries(booked, place, currency)
    ]
    id_ = said.findtext("{*}Id")
    _require_balanced(said, entries, currency)
    return BankStatement(id_, _number(said.find("{*}Acct")), tuple(_numbered_once(entries)))


def _status(entry: Any) -> str:
    """A code in itself up to version 07, in an element of its own since."""
    status = entry.find("{*}Sts")
    return str(status.findtext("{*}Cd") or status.text or "").strip()


def _entries(booked: Any, place: int, currency: str) -> Iterator[Entry]:
    sign = 1 if booked.findtext("{*}CdtDbtInd") == "CRDT" else -1
    amount = sign * _amount(booked.find("{*}Amt"), currency)
    number = booked.findtext("{*}AcctSvcrRef") or booked.findtext("{*}NtryRef") or f"line {place}"
    day = _day(booked.find("{*}ValDt")) or _day(booked.find("{*}BookgDt"))
    if day is None:
        raise BadXml(f"entry {place} has no date")
    reversal = booked.findtext("{*}RvslInd") in ("true", "1")
    details = list(booked.iterfind("{*}NtryDtls/{*}TxDtls"))
    parts = [_part(detail, currency) for detail in details]
    if len(details) > 1 and all(part is not None for part in parts):
        if sum(part for part in parts if part is not None) != abs(amount):
            raise BadXml(f"the transactions of entry {place} are not its sum")
        for index, (detail, part) in enumerate(zip(details, parts, strict=True), 1):
            assert part is not None
            yield _entry(f"{number}/{index}", sign * part, day, reversal, detail, booked, incoming=sign > 0)
    else:
        yield _entry(number, amount, day, reversal, details[0] if len(details) == 1 else None, booked, sign > 0)


def _entry(
    number: str, amount: int, day: date, reversal: bool, detail: Any | None, booked: Any, incoming: bool
) -> Entry:
    texts = [booked.findtext("{*}AddtlNtryInf") or ""]
    if detail is None:
        return Entry(number, amount, day, text=_text(texts), reversal=reversal)
    reference = detail.findtext("{*}Refs/{*}EndToEndId") or ""
    told = [*detail.iterfind("{*}RmtInf/{*}Ustrd"), *detail.iterfind("{*}RmtInf/{*}Strd/{*}CdtrRefInf/{*}Ref")]
    other = "Dbtr" if incoming else "Cdtr"
    parties = detail.find("{*}RltdPties")
    name, account = "", None
    if parties is not None:
        path = f"{{*}}{other}"
        name = parties.findtext(f"{path}/{{*}}Nm") or parties.findtext(f"{path}/{{*}}Pty/{{*}}Nm") or ""
        account = _number(parties.find(f"{path}Acct"))
    return Entry(
        number,
        amount,
        day,
        reference="" if reference == NO_REFERENCE else reference,
        text=_text([*(one.text or "" for one in told), *texts]),
        name=name[:140],
        account=account or "",
        reversal=reversal,
    )


def _text(texts: list[str]) -> str:
    return " ".join(filter(None, (" ".join(text.split()) for text in texts)))[:MOST_TEXT]


def _part(detail: Any, currency: str) -> int | None:
    """How much a transaction of an entry is, where the bank says so in the money of the account."""
    amount = detail.find("{*}Amt")
    if amount is None:
        amount = detail.find("{*}AmtDtls/{*}TxAmt/{*}Amt")
    return None if amount is None or amount.get("Ccy") != currency else _amount(amount, currency)


def _amount(amount: Any, currency: str) -> int:
    if amount.get("Ccy") != currency:
        raise BadXml(f"it is not in {currency}, in which is settled")
    try:
        return to_minor(amount.text, currency)
    except InvalidInput:
        raise BadXml(f"an amount is finer than {currency} is") from None


def _day(said: Any | None) -> date | None:
    if said is None:
        return None
    text = str(said.findtext("{*}Dt") or said.findtext("{*}DtTm"))
    try:
        return date.fromisoformat(text[:10])
    except ValueError:  # the schema lets years be of any length, and below zero
        raise BadXml("a day lies out of range") from None


def _number(account: Any | None) -> str | None:
    if account is None:
        return None
    found: str | None = account.findtext("{*}Id/{*}IBAN") or account.findtext("{*}Id/{*}Othr/{*}Id")
    return found


def _require_balanced(said: Any, entries: list[Entry], currency: str) -> None:
    """Raises BadXml unless the entries lead from the opening to the closing balance, where both are told."""
    balances: dict[str | None, int] = {}
    for balance in said.iterfind("{*}Bal"):
        sign = 1 if balance.findtext("{*}CdtDbtInd") == "CRDT" else -1
        kind = balance.findtext("{*}Tp/{*}CdOrPrtry/{*}Cd")
        balances.setdefault(kind, sign * _amount(balance.find("{*}Amt"), currency))
    opening, closing = balances.get("OPBD", balances.get("PRCD")), balances.get("CLBD")
    if opening is None or closing is None:
        return
    if opening + sum(entry.amount for entry in entries) != closing:
        raise BadXml("its entries do not lead from the opening to the closing balance")


def _numbered_once(entries: list[Entry]) -> Iterator[Entry]:
    """Raises BadXml for two entries of one number."""
    seen = set()
    for entry in entries:
        if entry.number in seen:
            raise BadXml("two entries have the same number")
        seen.add(entry.number)
        yield entry
