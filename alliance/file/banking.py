"""What an alliance file says of money at banks: whose hands it goes through, accounts, and how a bank writes CSV."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator
from stdnum import bic, iban
from stdnum.exceptions import ValidationError

from alliance.file.source import Path
from alliance.file.values import Document, IsoCurrency, Word, refusal, shaped
from domain.programs.jurisdictions import forbids_holding_money

Faults = Iterator[tuple[Path, str]]


def _iban(value: str) -> str:
    try:
        return str(iban.validate(value))
    except ValidationError as fault:
        raise refusal(f"this is no IBAN: {fault}") from None


def _bic(value: str) -> str:
    try:
        return str(bic.validate(value))
    except ValidationError as fault:
        raise refusal(f"this is no BIC: {fault}") from None


class Account(Document):
    """An account at a bank: by its IBAN, or by whatever number the bank uses."""

    iban: Annotated[str, AfterValidator(_iban)] | None = None
    other: Annotated[str, shaped(r"[0-9A-Za-z][0-9A-Za-z /-]{0,33}", "an account number")] | None = None
    bic: Annotated[str, AfterValidator(_bic)] | None = None
    name: Annotated[Word, Field(max_length=70)]
    currency: IsoCurrency | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Account":
        if (self.iban is None) == (self.other is None):
            raise refusal("an account is named either by iban or by other")
        return self


class BankColumns(Document):
    """What the columns of a bank's CSV are called."""

    id: Word | None = None
    date: Word = "date"
    amount: Word = "amount"
    currency: Word | None = None
    name: Word | None = "name"
    account: Word | None = "account"
    text: Word = "text"


class BankCsv(Document):
    """How a bank writes its statements where they are CSV."""

    columns: BankColumns = BankColumns()
    delimiter: Literal[",", ";", "|", "\t"] = ","
    decimal: Literal[".", ","] = "."
    date_format: Annotated[Word, Field(max_length=20)] = "%Y-%m-%d"


class AllianceSettlement(Document):
    """Whose hands the money of a settlement goes through."""

    mode: Literal["direct", "custodian", "operator"] = "direct"
    account: Account | None = None
    csv: BankCsv | None = None


def wrong_banking(document: Any, places: Mapping[int, Path]) -> Faults:
    """What of it does not fit the rest, and what the law forbids (L6)."""
    said: AllianceSettlement = document.alliance.settlement
    money = document.alliance.settlement_currency
    accounts: list[tuple[Path, Account | None]] = [(("alliance", "settlement", "account"), said.account)]
    accounts += [((*places[id(one)], "settlement", "account"), one.settlement.account) for one in document.merchants]
    for path, account in accounts:
        if account is not None and account.currency not in (None, money):
            yield (*path, "currency"), f"settlement is in {money}"
    if said.mode != "direct" and said.account is None:
        yield ("alliance", "settlement", "account"), f"mode {said.mode} needs the account that is paid into"
    if said.mode == "operator":
        for merchant in document.merchants:
            if reason := forbids_holding_money(merchant.jurisdiction):
                yield ("alliance", "settlement", "mode"), f"merchant {merchant.code}: {reason}"
                return
